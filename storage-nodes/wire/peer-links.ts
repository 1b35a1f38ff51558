/**
 * Links between storage nodes. A link goes one way, from the node that dialled it, over three
 * connections, so that none waits behind another: control (beacons, configurations, clocks), entries, and
 * parts (payloads of 64 KiB and more). The three live and die together: when one breaks, all are closed
 * and dialled again, and the core is told ('peerDisconnected', 'peerConnected'), so that it never counts on
 * what was lost.
 *
 * Order: the entries of one tablet arrive in the order sent. An append whose large parts are still on
 * their way holds back later entries of its own tablet only.
 *
 * Memory: a peer that stops reading has its link closed; the core sends again what is missed, as catch-up.
 */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { PeerMessage } from '../replication/messages.ts';
import type { NodeId, Seq, TabletId } from '../words.ts';
import { dial, type Connection, type Purpose } from './connection.ts';
import { Fault } from '../faults.ts';
import type { Message } from './frame.ts';
import {
  decodeClock,
  decodeMessage,
  encodeAppend,
  encodeClock,
  encodeMessage,
  partsNeeded,
  type Append,
} from './peer-codec.ts';

const LARGE_PART_BYTES = 64 * 1024;
/** One append carries about this much beside its large parts; more becomes several, in order. */
const APPEND_BYTES_MAX = 4 * 1024 * 1024;
/** A link that has had this much unread for STALL_MS is closed; one with the larger number at once. */
const BACKLOG_BYTES_MAX = 64 * 1024 * 1024;
const BACKLOG_BYTES_ANYHOW = 256 * 1024 * 1024;
const STALL_MS = 2000;
/** Parts whose entries have not come, and entries whose parts have not. */
const HELD_BYTES_MAX = 256 * 1024 * 1024;
const REDIAL_MS = 100;
const REDIAL_MS_MAX = 1000;
const PURPOSES: readonly Purpose[] = ['control', 'parts', 'entries'];

export type PeerLinkOptions = {
  readonly self: NodeId;
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  readonly logger: Logger;
  readonly onConnected: () => void;
  readonly onDisconnected: () => void;
};

type Connections = { readonly control: Connection; readonly entries: Connection; readonly parts: Connection };

/** What a copy says of its log must not overtake what it said before (a withdrawal: rule 11). Acks go likewise. */
const IN_ORDER_WITH_ENTRIES: ReadonlySet<string> = new Set(['nack', 'withdraw', 'withdrawn']);

/** Outgoing link to one node; dials until closed. */
export class PeerLink {
  readonly peer: NodeId;
  readonly #options: PeerLinkOptions;
  /** Acks of this turn, the farthest of each tablet: it says all that the others said. */
  readonly #acks = new Map<TabletId, PeerMessage>();
  #connections: Connections | undefined;
  #stopped = false;
  #redialMs = REDIAL_MS;
  #nextPart = 1;
  /** Since when there has been too much unread, on the monotonic clock. */
  #slowSince: number | undefined;

  constructor(peer: NodeId, options: PeerLinkOptions) {
    this.peer = peer;
    this.#options = options;
    void this.#dial();
  }

  get connected(): boolean {
    return this.#connections !== undefined;
  }

  /** Dropped when the link is down: the core sends again when it is up. */
  send(message: PeerMessage): void {
    const connections = this.#connections;
    if (!connections) return;
    if (this.#isStalled(connections)) return this.#drop('it stopped reading');
    const { control, entries, parts } = connections;
    const { body } = message;
    if (body.type === 'append') {
      for (const append of inPieces(body)) this.#sendAppend(connections, message, append);
    } else if (body.type === 'snapshotChunk') {
      parts.send(encodeMessage(message), [body.bytes]);
    } else if (body.type === 'ack') {
      this.#ack(entries, message, body.match);
    } else if (IN_ORDER_WITH_ENTRIES.has(body.type)) {
      this.#sendAcks(entries);
      entries.send(encodeMessage(message));
    } else control.send(encodeMessage(message));
  }

  /** What this node's wall clock shows. Behind `onConnected` it comes before anything else on its connection. */
  sendClock(wall: number): void {
    this.#connections?.control.send(encodeClock(wall));
  }

  close(): void {
    this.#stopped = true;
    this.#drop('stopping');
  }

  #isStalled({ control, entries, parts }: Connections): boolean {
    const backlog = control.backlogBytes + entries.backlogBytes + parts.backlogBytes;
    if (backlog <= BACKLOG_BYTES_MAX) {
      this.#slowSince = undefined;
      return false;
    }
    const now = performance.now();
    this.#slowSince ??= now;
    return backlog > BACKLOG_BYTES_ANYHOW || now - this.#slowSince > STALL_MS;
  }

  #ack(entries: Connection, message: PeerMessage, match: Seq): void {
    const before = this.#acks.get(message.tablet);
    const isSameTerm = before?.epoch === message.epoch && before.version === message.version;
    if (before && !isSameTerm) this.#sendAcks(entries);
    else if (before?.body.type === 'ack' && before.body.match >= match) return;
    this.#acks.set(message.tablet, message);
    entries.writeSoon();
  }

  #sendAcks(entries: Connection): void {
    for (const ack of this.#acks.values()) entries.send(encodeMessage(ack));
    this.#acks.clear();
  }

  #sendAppend({ entries, parts }: Connections, message: PeerMessage, append: Append): void {
    const { fields, blobs } = encodeAppend(message, append, (part) => {
      if (part.length < LARGE_PART_BYTES) return 0;
      const number = this.#nextPart++;
      parts.send(['part', number], [part]);
      return number;
    });
    entries.send(fields, blobs);
  }

  async #dial(): Promise<void> {
    const { self, host, port, secret, logger, onConnected } = this.#options;
    while (!this.#stopped && !this.#connections) {
      const link = randomBytes(8).toString('hex');
      const opened: Connection[] = [];
      try {
        for (const purpose of PURPOSES) {
          opened.push(await dial({ host, port }, { purpose, id: self, link }, secret, logger));
        }
        const [control, parts, entries] = opened as [Connection, Connection, Connection];
        if (this.#stopped || !opened.every((c) => c.open)) throw new Fault('Closed', 'closed while dialling');
        const connections = { control, parts, entries };
        this.#connections = connections;
        this.#slowSince = undefined;
        this.#acks.clear();
        entries.onWrite = () => this.#sendAcks(entries);
        for (const connection of opened) {
          connection.onClose = (reason) => this.#dropIf(connections, reason);
          connection.start();
        }
        this.#redialMs = REDIAL_MS;
        logger.info({ peer: this.peer }, 'link up');
        onConnected();
      } catch {
        for (const connection of opened) connection.close('the link could not be completed');
        await new Promise((resolve) => setTimeout(resolve, this.#redialMs));
        this.#redialMs = Math.min(this.#redialMs * 2, REDIAL_MS_MAX);
      }
    }
  }

  #dropIf(connections: Connections, reason: string): void {
    if (this.#connections === connections) this.#drop(reason);
  }

  #drop(reason: string): void {
    const connections = this.#connections;
    if (!connections) return;
    this.#connections = undefined;
    for (const connection of Object.values(connections)) connection.close(reason);
    if (this.#stopped) return;
    this.#options.logger.warn({ peer: this.peer, reason }, 'link down');
    this.#options.onDisconnected();
    void this.#dial();
  }
}

/** An append as one or more, none of them much over the limit: frames are bounded. */
function inPieces(append: Append): Append[] {
  const pieces: Append[] = [];
  let { prevSeq, prevEpoch } = append;
  let from = 0;
  let bytes = 0;
  append.records.forEach((record, i) => {
    const own = record.parts.reduce(
      (sum, part) => sum + (part && part.length < LARGE_PART_BYTES ? part.length : 0),
      record.head.length,
    );
    if (i > from && bytes + own > APPEND_BYTES_MAX) {
      pieces.push({ ...append, prevSeq, prevEpoch, records: append.records.slice(from, i) });
      const last = append.records[i - 1]!;
      [prevSeq, prevEpoch, from, bytes] = [last.seq, last.epoch, i, 0];
    }
    bytes += own;
  });
  pieces.push({ ...append, prevSeq, prevEpoch, records: append.records.slice(from) });
  return pieces;
}

/** Incoming links: puts appends and their parts together again, in order per tablet. */
export class IncomingLinks {
  readonly #peers: ReadonlySet<string>;
  readonly #logger: Logger;
  readonly #onMessage: (from: NodeId, message: PeerMessage) => void;
  readonly #onClock: (from: NodeId, wall: number) => void;
  /** The newest link of each peer. */
  readonly #links = new Map<string, { readonly link: string; readonly incoming: IncomingLink }>();

  constructor(
    peers: readonly string[],
    logger: Logger,
    onMessage: (from: NodeId, message: PeerMessage) => void,
    onClock: (from: NodeId, wall: number) => void = () => {},
  ) {
    this.#peers = new Set(peers);
    this.#logger = logger;
    this.#onMessage = onMessage;
    this.#onClock = onClock;
  }

  add(connection: Connection): void {
    const { id, link } = connection.hello;
    if (!this.#peers.has(id)) return connection.cutOff('no node of this cluster has this name');
    const known = this.#links.get(id);
    if (known?.link === link) return known.incoming.add(connection);
    // A peer dials again when its old link is of no use to it any more.
    known?.incoming.close('the peer dialled again');
    const incoming = new IncomingLink(
      (message) => this.#onMessage(id as NodeId, message),
      (wall) => this.#onClock(id as NodeId, wall),
      (reason) => this.#logger.debug({ peer: id, reason }, 'incoming link closed'),
    );
    this.#links.set(id, { link, incoming });
    incoming.add(connection);
  }

  close(): void {
    for (const { incoming } of this.#links.values()) incoming.close('stopping');
    this.#links.clear();
  }
}

type Held = { readonly message: Message; readonly needs: readonly number[]; readonly bytes: number };

class IncomingLink {
  readonly #deliver: (message: PeerMessage) => void;
  readonly #onClock: (wall: number) => void;
  readonly #onClose: (reason: string) => void;
  readonly #connections = new Map<string, Connection>();
  readonly #parts = new Map<number, Uint8Array>();
  /** Messages of a tablet that wait for parts, oldest first. */
  readonly #waiting = new Map<string, Held[]>();
  #heldBytes = 0;
  #closed = false;

  constructor(
    deliver: (message: PeerMessage) => void,
    onClock: (wall: number) => void,
    onClose: (reason: string) => void,
  ) {
    this.#deliver = deliver;
    this.#onClock = onClock;
    this.#onClose = onClose;
  }

  add(connection: Connection): void {
    const { purpose } = connection.hello;
    if (this.#closed) return connection.close('this link is closed');
    if (this.#connections.has(purpose)) return connection.cutOff(`this link has its ${purpose} connection`);
    this.#connections.set(purpose, connection);
    connection.onClose = (reason) => this.close(reason);
    connection.onMessage = (message) => this.#got(purpose, message);
    connection.start();
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const connection of this.#connections.values()) connection.close(reason);
    this.#waiting.clear();
    this.#parts.clear();
    this.#onClose(reason);
  }

  /** Throws Malformed: the connection it came on is cut off, and with it this link. */
  #got(purpose: Purpose, message: Message): void {
    if (this.#closed) return;
    if (purpose === 'parts' && message.fields[0] !== 'snapshotChunk') this.#gotPart(message);
    else if (purpose === 'entries') this.#gotEntry(message);
    else if (message.fields[0] === 'append')
      throw new Fault('Malformed', 'entries come on their own connection');
    else this.#gotControl(message);
  }

  #gotControl(message: Message): void {
    const wall = decodeClock(message);
    if (wall === undefined) this.#deliver(decodeMessage(message, this.#parts));
    else this.#onClock(wall);
  }

  #gotPart({ fields, blobs }: Message): void {
    const [word, number] = fields;
    const [bytes] = blobs;
    const isSound = word === 'part' && Number.isSafeInteger(number) && (number as number) > 0;
    if (!isSound || !bytes || this.#parts.has(number as number))
      throw new Fault('Malformed', 'a part without a number of its own, or without bytes');
    this.#parts.set(number as number, bytes);
    this.#hold(bytes.length);
    for (const tablet of [...this.#waiting.keys()]) this.#drain(tablet);
  }

  #gotEntry(message: Message): void {
    const tablet = message.fields[1];
    if (typeof tablet !== 'string') throw new Fault('Malformed', 'entries without a tablet');
    const held = { message, needs: partsNeeded(message), bytes: bytesOf(message) };
    const queue = this.#waiting.get(tablet);
    if (!queue && this.#isComplete(held)) return this.#release(held);
    this.#hold(held.bytes);
    if (queue) queue.push(held);
    else this.#waiting.set(tablet, [held]);
  }

  #drain(tablet: string): void {
    const queue = this.#waiting.get(tablet);
    while (queue?.[0] && this.#isComplete(queue[0])) {
      const held = queue.shift()!;
      this.#heldBytes -= held.bytes;
      this.#release(held);
    }
    if (queue?.length === 0) this.#waiting.delete(tablet);
  }

  #release({ message, needs }: Held): void {
    for (const number of needs) this.#heldBytes -= this.#parts.get(number)?.length ?? 0;
    this.#deliver(decodeMessage(message, this.#parts));
  }

  #isComplete({ needs }: Held): boolean {
    return needs.every((number) => this.#parts.has(number));
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes;
    if (this.#heldBytes > HELD_BYTES_MAX)
      throw new Fault('Malformed', 'parts without entries, or entries without parts, beyond all bounds');
  }
}

function bytesOf({ blobs }: Message): number {
  return blobs.reduce((sum, blob) => sum + blob.length, 0);
}
