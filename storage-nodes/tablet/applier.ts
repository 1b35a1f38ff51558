/**
 * Applies committed entries to the cells of one tablet: state slices, read models, and the store's own
 * cells, all of one batch in one write together with the applied index. Deterministic: the same entries
 * give the same cells on every replica and in every replay, however they were batched.
 *
 * An event of unknown type or version stops the replica: guessing would make copies differ.
 */
import type { Content, DomainEvent, Json } from '../../domain/decider.ts';
import type { EntryFacts, Projection } from '../../projections/projection.ts';
import {
  cellName,
  namedAddress,
  SPACE,
  type Cell,
  type CellAddress,
  type CellContent,
  type CellStore,
  type CellWrite,
} from '../cells/cells.ts';
import { decodeHead, sha256Hex, type EntryHead, type LogRecord } from '../log/entry.ts';
import type { Seq, TabletId } from '../words.ts';
import { contentOf, EPOCH_OPENED, REACTION_SETTLED, type Application } from './application.ts';
import {
  commandAddress,
  decodeJson,
  encodeJson,
  FORGET_COMMANDS_EVERY,
  FORGET_CURSOR,
  FORGET_LOOK_AT,
  LAST_ENTRY,
  reactionAddress,
  settledReaction,
  stateAddress,
  streamHeadAddress,
  TIME_INDEX_EVERY,
  timeAddress,
  type KnownCommand,
  type PendingReaction,
  type StreamHead,
} from './platform-cells.ts';

/** Values up to this length lie in the cell; longer ones stay in the log and the cell refers to them. */
export const INLINE_BYTES_MAX = 4096;

export type Applied = {
  readonly upTo: Seq;
  /** Rows or streams whose cells changed. */
  readonly streams: ReadonlySet<string>;
  readonly reactions: readonly { seq: Seq; n: number; reaction: PendingReaction }[];
  /** There is much on the way to the disk: wait before more is applied. */
  readonly written: Promise<void> | undefined;
};

type Gathered = {
  readonly streams: Set<string>;
  readonly reactions: Applied['reactions'][number][];
};

type Decoded = {
  readonly head: EntryHead;
  /** Hex. */
  readonly hash: string;
  readonly content: Content;
  readonly facts: EntryFacts;
  /** Names of the cells that its events and projections said they read; undefined: none. */
  reads: Set<string> | undefined;
};

export class Applier {
  readonly #tablet: TabletId;
  readonly #cells: CellStore;
  readonly #application: Application;
  readonly #listeners = new Map<string, Projection[]>();
  /** What `applyInMemory` could not apply, for `apply`. */
  #decoded: ReadonlyMap<LogRecord, Decoded> = new Map();

  constructor(tablet: TabletId, cells: CellStore, application: Application) {
    this.#tablet = tablet;
    this.#cells = cells;
    this.#application = application;
    for (const projection of application.projections) {
      for (const type of projection.listensTo) {
        const list = this.#listeners.get(type);
        if (list) list.push(projection);
        else this.#listeners.set(type, [projection]);
      }
    }
  }

  /** Requires records that continue the applied index. */
  async apply(records: readonly LogRecord[]): Promise<Applied> {
    const gathered: Gathered = { streams: new Set(), reactions: [] };
    let start = 0;
    // An entry that forgets expired commands starts a batch of its own, so that it sees all before it.
    for (let i = 1; i <= records.length; i++) {
      if (i < records.length && !forgets(records[i]!)) continue;
      const entries = this.#entriesOf(records.slice(start, i));
      const wanted = this.#wanted(entries);
      const cells = await this.#cells.get(this.#tablet, wanted);
      const batch = new Batch(found(wanted, cells));
      if (forgets(records[start]!)) await this.#forgetCommands(batch, entries[0]!);
      await this.#applyBatch(batch, entries, gathered);
      start = i;
    }
    return { upTo: this.#cells.applied(this.#tablet), ...gathered, written: undefined };
  }

  /** As `apply`, at once; undefined if what it reads is not all in memory: nothing is changed then. */
  applyInMemory(records: readonly LogRecord[]): Applied | undefined {
    if (records.some(forgets)) return undefined;
    const entries = records.map(decode);
    const wanted = this.#wanted(entries);
    const cells = wanted.length > 0 ? this.#cells.peek(this.#tablet, wanted) : [];
    if (!cells) {
      this.#decoded = new Map(records.map((record, i) => [record, entries[i]!]));
      return undefined;
    }
    const gathered: Gathered = { streams: new Set(), reactions: [] };
    const written = this.#applyBatch(new Batch(found(wanted, cells)), entries, gathered);
    return { upTo: this.#cells.applied(this.#tablet), ...gathered, written };
  }

  #entriesOf(records: readonly LogRecord[]): Decoded[] {
    const known = this.#decoded;
    this.#decoded = new Map();
    return records.map((record) => known.get(record) ?? decode(record));
  }

  #applyBatch(batch: Batch, entries: readonly Decoded[], gathered: Gathered): Promise<void> | undefined {
    for (const entry of entries) this.#applyEntry(batch, entry, gathered);
    const { head, hash } = entries.at(-1)!;
    batch.put(LAST_ENTRY, head.seq, { bytes: encodeJson({ seq: head.seq, hash, time: head.time }) });
    return this.#cells.write(this.#tablet, head.seq, batch.writes());
  }

  /** The cells that the entries' events and projections read. */
  #wanted(entries: readonly Decoded[]): CellAddress[] {
    const wanted = new Map<string, CellAddress>();
    for (const entry of entries) {
      const { head, content, facts } = entry;
      const want = (address: CellAddress) => {
        const name = cellName(address);
        (entry.reads ??= new Set()).add(name);
        wanted.set(name, address);
      };
      for (const event of head.events as DomainEvent[]) {
        const handler = this.#application.events[event.type];
        for (const key of handler?.touches(event, content) ?? [])
          if (!handler?.isBlind?.(key, event)) want(stateAddress(head.stream, key));
        for (const projection of this.#listeners.get(event.type) ?? []) {
          for (const prior of projection.priors(event, facts, content))
            want(namedAddress(SPACE.table, prior.row, prior.column));
        }
      }
    }
    return [...wanted.values()];
  }

  #applyEntry(batch: Batch, entry: Decoded, { streams, reactions }: Gathered): void {
    const { head, hash, content } = entry;
    if (head.stream !== '') {
      streams.add(head.stream);
      const headAddress = streamHeadAddress(head.stream);
      batch.put(headAddress, head.seq, {
        bytes: encodeJson({ streamSeq: head.streamSeq, seq: head.seq, hash } satisfies StreamHead),
      });
    }
    if (head.seq % TIME_INDEX_EVERY === 0)
      batch.put(timeAddress(head.time, head.seq), head.seq, { bytes: encodeJson({}) });
    if (head.commandId !== '') {
      const known: KnownCommand = { seq: head.seq, expiresAt: head.commandExpiresAt };
      batch.put(commandAddress(head.commandId), head.seq, { bytes: encodeJson(known) });
    }
    let n = 0;
    for (const event of head.events as DomainEvent[]) {
      if (event.type === EPOCH_OPENED) continue;
      if (event.type === REACTION_SETTLED) {
        batch.remove(settledReaction(event), head.seq);
      }
      this.#applyEvent(batch, event, entry);
      const handler = this.#application.events[event.type];
      for (const reaction of handler?.reactions?.(event, head.stream, content, head.time) ?? []) {
        const pending: PendingReaction = { ...reaction, origin: head.stream };
        batch.put(reactionAddress(head.seq, n, reaction.notBefore), head.seq, { bytes: encodeJson(pending) });
        reactions.push({ seq: head.seq, n, reaction: pending });
        n++;
      }
    }
  }

  #applyEvent(batch: Batch, event: DomainEvent, { head, content, facts, reads }: Decoded): void {
    const handler = this.#application.events[event.type];
    if (!handler) {
      throw new Error(
        `Tablet ${this.#tablet}, entry ${head.seq}: event ${event.type} version ${event.version} is unknown to this program. ` +
          'It was written by a newer one: start that version on this node.',
      );
    }
    // Were it read all the same, the answer would depend on where the batch began.
    const read = (address: CellAddress): Uint8Array | undefined => {
      if (!reads?.has(cellName(address)))
        throw new Error(`Defect: ${event.type} reads ${JSON.stringify(address)}, which it did not declare`);
      return batch.read(address);
    };
    for (const key of handler.touches(event, content)) {
      const address = stateAddress(head.stream, key);
      const before = handler.isBlind?.(key, event) ? undefined : read(address);
      const after = handler.evolve(
        key,
        before && (JSON.parse(Buffer.from(before).toString('utf8')) as Json),
        event,
        content,
        head.time,
      );
      if (after === undefined) batch.remove(address, head.seq);
      else batch.put(address, head.seq, { bytes: encodeJson(after) });
    }
    for (const projection of this.#listeners.get(event.type) ?? []) {
      const prior = (key: { row: string; column: string }) =>
        read(namedAddress(SPACE.table, key.row, key.column));
      for (const mutation of projection.project(event, facts, content, prior)) {
        if ('put' in mutation) {
          const value = mutation.value;
          batch.put(
            namedAddress(SPACE.table, mutation.put.row, mutation.put.column),
            head.seq,
            'bytes' in value ? value : partValue(value.part, head, content),
          );
        } else {
          batch.remove(namedAddress(SPACE.table, mutation.delete.row, mutation.delete.column), head.seq);
        }
      }
    }
  }

  /** Looks through the next piece of the remembered commands and forgets what has expired. */
  async #forgetCommands(batch: Batch, { head }: Decoded): Promise<void> {
    const [cursor] = await this.#cells.get(this.#tablet, [FORGET_CURSOR]);
    const after = decodeJson<{ after: string }>(cursor)?.after ?? '';
    const commands = await this.#cells.scan(this.#tablet, {
      space: SPACE.commands,
      from: { row: '', column: `${after}\u0001` },
      to: null,
      limit: FORGET_LOOK_AT,
    });
    for (const cell of commands) {
      const { expiresAt } = decodeJson<KnownCommand>(cell)!;
      if (expiresAt !== 0 && expiresAt <= head.time) batch.remove(commandAddress(cell.column), head.seq);
    }
    const end = commands.length < FORGET_LOOK_AT ? '' : commands.at(-1)!.column;
    batch.put(FORGET_CURSOR, head.seq, { bytes: encodeJson({ after: end }) });
  }
}

const forgets = ({ seq }: LogRecord): boolean => seq % FORGET_COMMANDS_EVERY === 0;

function found(
  addresses: readonly CellAddress[],
  cells: readonly (Cell | undefined)[],
): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const [i, cell] of cells.entries()) {
    if (cell && 'bytes' in cell.content) found.set(cellName(addresses[i]!), cell.content.bytes);
  }
  return found;
}

function partValue(part: number, head: EntryHead, content: Content): CellContent {
  const bytes = content.bytes(part);
  const length = content.length(part);
  if (bytes && length <= INLINE_BYTES_MAX) return { bytes };
  return { part: { seq: head.seq, part, length } };
}

function decode(record: LogRecord): Decoded {
  const head = decodeHead(record.head);
  return {
    head,
    hash: sha256Hex(record.head),
    content: contentOf(
      record.parts,
      head.parts.map((p) => p.length),
    ),
    facts: {
      stream: head.stream,
      seq: head.seq,
      time: head.time,
      actor: head.actor,
      action: head.action,
      commandId: head.commandId,
    },
    reads: undefined,
  };
}

/** Writes of one batch, visible to later entries of the same batch; the last write of a cell wins. */
class Batch {
  readonly #found: Map<string, Uint8Array>;
  readonly #writes = new Map<string, CellWrite>();

  constructor(found: Map<string, Uint8Array>) {
    this.#found = found;
  }

  read(address: CellAddress): Uint8Array | undefined {
    const key = cellName(address);
    const written = this.#writes.get(key);
    if (!written) return this.#found.get(key);
    return written.content && 'bytes' in written.content ? written.content.bytes : undefined;
  }

  put(address: CellAddress, seq: Seq, content: CellContent): void {
    this.#set(address, seq, content);
  }

  remove(address: CellAddress, seq: Seq): void {
    this.#set(address, seq, undefined);
  }

  #set(address: CellAddress, seq: Seq, content: CellContent | undefined): void {
    const name = cellName(address);
    const { space, row, column } = address;
    this.#writes.set(name, { space, row, column, name, content, seq });
  }

  writes(): CellWrite[] {
    return [...this.#writes.values()];
  }
}
