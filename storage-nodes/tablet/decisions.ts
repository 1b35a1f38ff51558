/**
 * The primary's decisions: commands in, entries out. Commands are decided in rounds: the state that a
 * round needs is fetched in one lookup, then every command of the round is decided synchronously, on
 * top of an overlay of entries that are decided but not applied yet, so that commands pipeline.
 *
 *   what a decision sees = cells at some applied index + the overlay of all entries after it
 *
 * The overlay drops an entry only between rounds, once it is applied, so no lookup can miss both.
 * Losing the primary's place discards the whole object; its callers hear "ask again".
 */
import type { CommandHandler, Content, Decision, DomainEvent, Json } from '../../domain/decider.ts';
import type { Rejection } from '../../domain/errors.ts';
import { cellName, type Cell, type CellAddress, type CellStore } from '../cells/cells.ts';
import type { CommandRequest } from '../client/client.ts';
import { Fault } from '../faults.ts';
import {
  commitmentTo,
  encodeHead,
  SALT_BYTES,
  sha256Hex,
  ZERO_HASH,
  type EntryHead,
  type LogRecord,
  type PartCommitment,
} from '../log/entry.ts';
import type { Timers } from '../timers.ts';
import { inRange, type Epoch, type RowRange, type Seq, type TabletId } from '../words.ts';
import { contentOf, REACTION_SETTLED, type Application } from './application.ts';
import { KnownCommands } from './known-commands.ts';
import { replaced, type Outcome } from './outcome.ts';
import { Overlay } from './overlay.ts';
import {
  commandAddress,
  decodeJson,
  LAST_ENTRY,
  reactionAddress,
  stateAddress,
  streamHeadAddress,
  type LastEntry,
  type PendingReaction,
  type StreamHead,
} from './platform-cells.ts';
import { parseSettlement, SETTLE_REACTION, type Settlement } from './settlement.ts';

type Asked = {
  readonly command: CommandRequest;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
};

type Planned = Asked & {
  /** Where its id is remembered, and the head of its stream. */
  readonly known: CellAddress;
  readonly head: CellAddress;
  readonly content: ReturnType<typeof contentOf>;
  readonly data: unknown;
  readonly handler: CommandHandler | undefined;
  readonly addresses: readonly CellAddress[];
};

const ROUND_MAX = 256;
/** A round takes no more commands once their parts add up to this. */
const ROUND_BYTES_MAX = 4 * 1024 * 1024;
const QUEUE_MAX = 20_000;
/** One command is let in whatever its size. */
const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
const COMMAND_ID_MAX = 200;

export class Decisions {
  readonly #tablet: TabletId;
  readonly #epoch: Epoch;
  readonly #range: RowRange;
  readonly #cells: CellStore;
  readonly #application: Application;
  readonly #clock: () => number;
  readonly #random: (into: Uint8Array) => Uint8Array;
  readonly #propose: (records: readonly LogRecord[]) => void;
  readonly #admit: () => Promise<void>;
  #queue: Asked[] = [];
  #queueBytes = 0;
  #running = false;
  #closed = false;
  readonly #overlay = new Overlay();
  readonly #known: KnownCommands;
  #last: LastEntry | undefined;

  constructor(options: {
    tablet: TabletId;
    epoch: Epoch;
    range: RowRange;
    cells: CellStore;
    application: Application;
    /** Wall clock, ms since 1970. */
    clock: () => number;
    timers: Timers;
    /** Fills with random bytes: salts of parts. */
    random: (into: Uint8Array) => Uint8Array;
    propose: (records: readonly LogRecord[]) => void;
    /** Resolves when there is room for more entries in flight. */
    admit: () => Promise<void>;
  }) {
    this.#tablet = options.tablet;
    this.#epoch = options.epoch;
    this.#range = options.range;
    this.#cells = options.cells;
    this.#application = options.application;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#propose = options.propose;
    this.#admit = options.admit;
    this.#known = new KnownCommands(options);
  }

  decide(command: CommandRequest): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(replaced());
      const bytes = bytesOf(command);
      const isFull =
        this.#queue.length >= QUEUE_MAX ||
        (this.#queueBytes > 0 && this.#queueBytes + bytes > QUEUE_BYTES_MAX);
      if (isFull) {
        const message = `${this.#queue.length} commands with ${this.#queueBytes} bytes are waiting; try again`;
        return reject(new Fault('Overloaded', message));
      }
      this.#queue.push({ command, resolve, reject });
      this.#queueBytes += bytes;
      if (!this.#running) void this.#run();
    });
  }

  /** Whoever waits for a decision hears "ask again". */
  close(): void {
    this.#closed = true;
    this.#known.stop();
    for (const asked of this.#queue) asked.reject(replaced());
    this.#queue = [];
    this.#queueBytes = 0;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#queue.length > 0 && !this.#closed) {
      let round: Asked[] = [];
      try {
        await this.#admit();
        round = this.#nextRound();
        this.#overlay.drop(this.#cells.applied(this.#tablet));
        await this.#decideRound(round);
      } catch (error) {
        for (const asked of round) asked.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
    this.#running = false;
  }

  #nextRound(): Asked[] {
    let count = 0;
    let bytes = 0;
    while (count < this.#queue.length && count < ROUND_MAX && bytes < ROUND_BYTES_MAX)
      bytes += bytesOf(this.#queue[count++]!.command);
    this.#queueBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  async #decideRound(round: readonly Asked[]): Promise<void> {
    const planned = round.flatMap((asked) => this.#plan(asked));
    const wanted = new Map<string, CellAddress>();
    if (!this.#last) wanted.set(cellName(LAST_ENTRY), LAST_ENTRY);
    const found = new Map<string, Cell | undefined>();
    for (const { command, known, addresses } of planned) {
      // Most commands are new, and are known to be without a look.
      if (!this.#known.mayHave(command.id)) found.set(cellName(known), undefined);
      for (const address of addresses) {
        const key = cellName(address);
        if (!this.#overlay.has(key) && !found.has(key)) wanted.set(key, address);
      }
    }
    const addresses = [...wanted.values()];
    const cells =
      this.#cells.peek(this.#tablet, addresses) ?? (await this.#cells.get(this.#tablet, addresses));
    if (this.#closed) {
      for (const asked of round) asked.reject(replaced());
      return;
    }
    for (const [i, cell] of cells.entries()) found.set(cellName(addresses[i]!), cell);
    this.#last ??= decodeJson<LastEntry>(found.get(cellName(LAST_ENTRY))) ?? { seq: 0, hash: '', time: 0 };

    const records: LogRecord[] = [];
    const answers: (() => void)[] = [];
    const read = (address: CellAddress): unknown => {
      const key = cellName(address);
      if (this.#overlay.has(key)) return this.#overlay.get(key);
      if (!found.has(key))
        throw new Error(`Defect: ${JSON.stringify(address)} was not declared by the command`);
      return decodeJson(found.get(key));
    };
    for (const plan of planned) {
      try {
        const outcome = this.#decideOne(plan, read, records);
        answers.push(() => plan.resolve(outcome));
      } catch (error) {
        plan.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
    if (records.length > 0) this.#propose(records);
    for (const answer of answers) answer();
  }

  /** Checks the command's shape and finds what it reads; a command that fails here is answered at once. */
  #plan(asked: Asked): Planned[] {
    const { command } = asked;
    try {
      if (
        typeof command.id !== 'string' ||
        command.id.length === 0 ||
        command.id.length > COMMAND_ID_MAX ||
        command.id.includes('\u0000')
      ) {
        throw new Fault('Malformed', `a command id has 1 to ${COMMAND_ID_MAX} characters`);
      }
      if (!inRange(command.stream, this.#range))
        throw new Fault('WrongRange', `tablet ${this.#tablet} does not own row ${command.stream}`);
      const content = contentOf(command.parts);
      const known = commandAddress(command.id);
      const head = streamHeadAddress(command.stream);
      if (command.type === SETTLE_REACTION) {
        const settle = parseSettlement(command.data);
        const addresses = [
          known,
          head,
          reactionAddress(settle.seq, settle.n),
          ...settle.touches.map((key) => stateAddress(command.stream, key)),
        ];
        return [{ ...asked, known, head, content, data: settle, handler: undefined, addresses }];
      }
      const handler = Object.hasOwn(this.#application.commands, command.type)
        ? this.#application.commands[command.type]
        : undefined;
      if (!handler) {
        asked.resolve(
          this.#refuse({ code: 'UnknownCommand', message: `There is no command ${command.type}.` }),
        );
        return [];
      }
      const parsed = handler.parse(command.data, content);
      if ('rejection' in parsed) {
        asked.resolve(this.#refuse(parsed.rejection));
        return [];
      }
      const keys = handler
        .reads(parsed.data, content, command.id)
        .map((key) => stateAddress(command.stream, key));
      // Requires: what the decision's events touch, unless they are blind, is among what the command reads.
      const addresses = [known, head, ...keys];
      return [{ ...asked, known, head, content, data: parsed.data, handler, addresses }];
    } catch (error) {
      asked.reject(error instanceof Error ? error : new Error(String(error)));
      return [];
    }
  }

  #decideOne(plan: Planned, read: (address: CellAddress) => unknown, records: LogRecord[]): Outcome {
    const { command, content } = plan;
    const last = this.#last!;
    const time = Math.max(last.time, this.#clock());
    this.#known.forget(time);
    const earlier = read(plan.known) as { seq: number } | undefined;
    if (earlier) return { kind: 'earlier', seq: earlier.seq as Seq };
    if (command.expiresAt !== 0 && command.expiresAt <= time) {
      throw new Fault(
        'OutcomeUnknown',
        'the command has expired: whether it was carried out before is no longer known',
      );
    }
    const decision = plan.handler
      ? plan.handler.decide(
          plan.data as never,
          (key) => read(stateAddress(command.stream, key)) as Json | undefined,
          {
            stream: command.stream,
            time,
            content,
            commandId: command.id,
          },
        )
      : this.#settle(plan, read);
    if ('rejection' in decision)
      return { kind: 'rejected', seen: last.seq as Seq, rejection: decision.rejection };
    if (decision.events.length === 0)
      return { kind: 'nothing', seen: last.seq as Seq, reply: decision.reply ?? null, time };
    // All that can fail comes first: nothing is half done.
    const slices = this.#evolve(command.stream, decision.events, content, time, read);
    const record = this.#entry(plan, decision, time, read);
    for (const [address, value] of slices) this.#overlay.set(address, record.seq, value);
    records.push(record);
    return { kind: 'entry', seq: record.seq, time, reply: decision.reply ?? null };
  }

  #settle(plan: Planned, read: (address: CellAddress) => unknown): Decision {
    const { seq, n, outcome, code } = plan.data as Settlement;
    const pending = read(reactionAddress(seq, n)) as PendingReaction | undefined;
    if (!pending) return { events: [] };
    const data = {
      originSeq: seq,
      reaction: n,
      command: pending.command,
      stream: pending.stream,
      data: pending.data,
      outcome,
      ...(code ? { code } : {}),
    };
    return { events: [{ type: REACTION_SETTLED, version: 1, data }] };
  }

  #entry(
    { command, content, known, head: streamHeadAt }: Planned,
    decision: { readonly events: readonly DomainEvent[]; readonly reply?: Json },
    time: number,
    read: (address: CellAddress) => unknown,
  ): LogRecord {
    const last = this.#last!;
    const streamHead = read(streamHeadAt) as StreamHead | undefined;
    const seq = (last.seq + 1) as Seq;
    const head: EntryHead = {
      seq,
      epoch: this.#epoch,
      time,
      stream: command.stream,
      streamSeq: (streamHead?.streamSeq ?? 0) + 1,
      streamPrevious: (streamHead?.seq ?? 0) as Seq,
      previousHash: last.hash ? Buffer.from(last.hash, 'hex') : ZERO_HASH,
      previousStreamHash: streamHead ? Buffer.from(streamHead.hash, 'hex') : ZERO_HASH,
      commandId: command.id,
      commandExpiresAt: command.expiresAt,
      action: command.action,
      actor: command.actor,
      session: command.session,
      causation: command.causation,
      events: decision.events,
      reply: decision.reply ?? null,
      parts: command.parts.map((_part, i) => commit(content, i, this.#random(new Uint8Array(SALT_BYTES)))),
    };
    const bytes = encodeHead(head);
    const hash = sha256Hex(bytes);
    this.#last = { seq, hash, time };
    this.#overlay.set(streamHeadAt, seq, {
      streamSeq: head.streamSeq,
      seq,
      hash,
    } satisfies StreamHead);
    this.#overlay.set(known, seq, { seq });
    this.#known.add(command.id, command.expiresAt);
    return { seq, epoch: this.#epoch, head: bytes, parts: command.parts };
  }

  /** The slices after the events, and reactions that they settle. */
  #evolve(
    stream: string,
    events: readonly DomainEvent[],
    content: ReturnType<typeof contentOf>,
    time: number,
    read: (address: CellAddress) => unknown,
  ): Iterable<[CellAddress, unknown]> {
    const changed = new Map<string, [CellAddress, unknown]>();
    for (const event of events) {
      if (event.type === REACTION_SETTLED) {
        const address = reactionAddress(Number(event.data['originSeq']), Number(event.data['reaction']));
        changed.set(cellName(address), [address, undefined]);
      }
      const handler = this.#application.events[event.type];
      if (!handler) throw new Error(`Defect: ${event.type} was decided but has no handler`);
      for (const key of handler.touches(event, content)) {
        const address = stateAddress(stream, key);
        const before = changed.get(cellName(address));
        const slice = handler.isBlind
          ? undefined
          : ((before ? before[1] : read(address)) as Json | undefined);
        changed.set(cellName(address), [address, handler.evolve(key, slice, event, content, time)]);
      }
    }
    return changed.values();
  }

  #refuse(rejection: Rejection): Outcome {
    return { kind: 'rejected', seen: 0 as Seq, rejection };
  }
}

function bytesOf({ parts }: CommandRequest): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/** The digest may be known already: a decision that asked for it has read all the bytes. */
function commit(content: Content, part: number, salt: Uint8Array): PartCommitment {
  return { length: content.length(part), salt, commitment: commitmentTo(salt, content.digest(part)!) };
}
