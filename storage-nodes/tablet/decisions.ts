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
import type { CommandHandler, Decision, DomainEvent, Json, Slices } from '../../domain/decider.ts';
import type { Rejection } from '../../domain/errors.ts';
import { cellName, type CellAddress, type CellStore } from '../cells/cells.ts';
import type { CommandRequest } from '../client/client.ts';
import { Fault } from '../faults.ts';
import type { LogRecord } from '../log/entry.ts';
import type { Timers } from '../timers.ts';
import { inRange, type Epoch, type RowRange, type Seq, type TabletId } from '../words.ts';
import { contentOf, REACTION_SETTLED, type Application } from './application.ts';
import { KnownCommands } from './known-commands.ts';
import { nextEntry } from './next-entry.ts';
import { replaced, type Outcome } from './outcome.ts';
import { Overlay } from './overlay.ts';
import { RoundState } from './round-state.ts';
import {
  commandAddress,
  LAST_ENTRY,
  reactionAddress,
  settledReaction,
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
  readonly #admit: (bytes: number) => Promise<void>;
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
    /** Resolves when more may be decided. `bytes`: so much waits for it. */
    admit: (bytes: number) => Promise<void>;
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

  /** Bytes of the commands that wait to be decided. */
  get waitingBytes(): number {
    return this.#queueBytes;
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
        await this.#admit(this.#queueBytes);
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
    const state = new RoundState(this.#tablet, this.#cells, this.#overlay);
    // Most commands are new, and are known to be without a look.
    for (const { command, known } of planned) if (!this.#known.mayHave(command.id)) state.isAbsent(known);
    const first = planned.flatMap(({ addresses }) => addresses);
    await state.lookUp(this.#last ? first : [...first, LAST_ENTRY]);
    await state.lookUp(planned.flatMap((plan) => nextReads(plan, state)));
    if (this.#closed) {
      for (const asked of round) asked.reject(replaced());
      return;
    }
    this.#last ??= (state.read(LAST_ENTRY) as LastEntry | undefined) ?? { seq: 0, hash: '', time: 0 };

    const records: LogRecord[] = [];
    const answers: (() => void)[] = [];
    const again: Asked[] = [];
    for (const plan of planned) {
      try {
        // A decision of this very round may have changed what the next reads are.
        if (!nextReads(plan, state).every((address) => state.has(address))) {
          again.push(plan);
          continue;
        }
        const outcome = this.#decideOne(plan, state, records);
        answers.push(() => plan.resolve(outcome));
      } catch (error) {
        plan.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
    this.#askAgain(again);
    if (records.length > 0) this.#propose(records);
    for (const answer of answers) answer();
  }

  /** They are the first of the next round. */
  #askAgain(asked: readonly Asked[]): void {
    this.#queue.unshift(...asked);
    for (const { command } of asked) this.#queueBytes += bytesOf(command);
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
          reactionAddress(settle.seq, settle.n, settle.notBefore),
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

  #decideOne(plan: Planned, state: RoundState, records: LogRecord[]): Outcome {
    const { command, content } = plan;
    const last = this.#last!;
    const time = Math.max(last.time, this.#clock());
    this.#known.forget(time);
    const earlier = state.read(plan.known) as { seq: number } | undefined;
    if (earlier) return { kind: 'earlier', seq: earlier.seq as Seq };
    if (command.expiresAt !== 0 && command.expiresAt <= time) {
      throw new Fault(
        'OutcomeUnknown',
        'the command has expired: whether it was carried out before is no longer known',
      );
    }
    const decision = plan.handler
      ? plan.handler.decide(plan.data as never, slicesOf(plan, state), {
          stream: command.stream,
          time,
          content,
          commandId: command.id,
          ...this.#cause(command),
        })
      : this.#settle(plan, state);
    if ('rejection' in decision)
      return { kind: 'rejected', seen: last.seq as Seq, rejection: decision.rejection };
    if (decision.events.length === 0)
      return { kind: 'nothing', seen: last.seq as Seq, reply: decision.reply ?? null, time };
    // All that can fail comes first: nothing is half done.
    const entered = decision.parts === undefined ? plan : withParts(plan, decision.parts);
    const slices = this.#evolve(command.stream, decision.events, entered.content, time, state);
    const record = this.#entry(entered, decision, time, state);
    for (const [address, value] of slices) this.#overlay.set(address, record.seq, value);
    records.push(record);
    return { kind: 'entry', seq: record.seq, time, reply: decision.reply ?? null };
  }

  /** A reaction is sent in the name of the stream that asked for it. */
  #cause({ causation, actor }: CommandRequest): { causedBy?: number; askedBy?: string } {
    if (causation === undefined) return {};
    return { askedBy: actor, ...(causation.tablet === this.#tablet && { causedBy: causation.seq }) };
  }

  #settle(plan: Planned, state: RoundState): Decision {
    const { seq, n, notBefore, outcome, code } = plan.data as Settlement;
    const pending = state.read(reactionAddress(seq, n, notBefore)) as PendingReaction | undefined;
    if (!pending) return { events: [] };
    const data = {
      originSeq: seq,
      reaction: n,
      ...(notBefore === undefined ? {} : { notBefore }),
      command: pending.command,
      stream: pending.stream,
      data: pending.data,
      outcome,
      ...(code ? { code } : {}),
    };
    return { events: [{ type: REACTION_SETTLED, version: 1, data }] };
  }

  #entry(
    { command, content, known, head }: Planned,
    { events, reply = null }: { readonly events: readonly DomainEvent[]; readonly reply?: Json },
    time: number,
    state: RoundState,
  ): LogRecord {
    const { record, last, streamHead } = nextEntry({
      command,
      content,
      events,
      reply,
      epoch: this.#epoch,
      time,
      last: this.#last!,
      streamHead: state.read(head) as StreamHead | undefined,
      random: this.#random,
    });
    this.#last = last;
    this.#overlay.set(head, record.seq, streamHead);
    this.#overlay.set(known, record.seq, { seq: record.seq });
    this.#known.add(command.id, command.expiresAt);
    return record;
  }

  /** The slices after the events, and reactions that they settle. */
  #evolve(
    stream: string,
    events: readonly DomainEvent[],
    content: ReturnType<typeof contentOf>,
    time: number,
    state: RoundState,
  ): Iterable<[CellAddress, unknown]> {
    const changed = new Map<string, [CellAddress, unknown]>();
    for (const event of events) {
      if (event.type === REACTION_SETTLED) {
        const address = settledReaction(event);
        changed.set(cellName(address), [address, undefined]);
      }
      const handler = this.#application.events[event.type];
      if (!handler) throw new Error(`Defect: ${event.type} was decided but has no handler`);
      for (const key of handler.touches(event, content)) {
        const address = stateAddress(stream, key);
        const before = changed.get(cellName(address));
        const slice = handler.isBlind?.(key, event)
          ? undefined
          : ((before ? before[1] : state.read(address)) as Json | undefined);
        changed.set(cellName(address), [address, handler.evolve(key, slice, event, content, time)]);
      }
    }
    return changed.values();
  }

  #refuse(rejection: Rejection): Outcome {
    return { kind: 'rejected', seen: 0 as Seq, rejection };
  }
}

/** With these parts behind its own. */
function withParts(plan: Planned, more: readonly Uint8Array[]): Planned {
  const made = more.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength));
  const parts = [...plan.command.parts, ...made];
  return { ...plan, command: { ...plan.command, parts }, content: contentOf(parts) };
}

/** The slices of the command's stream. */
function slicesOf({ command }: Planned, state: RoundState): Slices {
  return (key) => state.read(stateAddress(command.stream, key)) as Json | undefined;
}

/** What the command reads beyond its first reads; these must be looked up. */
function nextReads(plan: Planned, state: RoundState): CellAddress[] {
  const { handler, data, content, command } = plan;
  if (!handler?.readsNext) return [];
  return handler
    .readsNext(data as never, slicesOf(plan, state), content)
    .map((key) => stateAddress(command.stream, key));
}

function bytesOf({ parts }: CommandRequest): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
