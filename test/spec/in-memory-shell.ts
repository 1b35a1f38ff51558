/**
 * The tablet's shell in memory: runs commands through the real domain and events through the real
 * projections, over maps. It checks what a real shell relies on: that pure code reads and changes
 * nothing but what it has declared, and that every cell lies in its stream.
 */
import { createHash } from 'node:crypto';
import type {
  CommandHandler,
  Content,
  DomainArea,
  DomainEvent,
  Json,
  Reaction,
} from '../../domain/decider.ts';
import { createDomain } from '../../domain/domain.ts';
import type { Rejection } from '../../domain/errors.ts';
import type { CellKey, CellValue, EntryFacts, Mutation, Projection } from '../../projections/projection.ts';
import { createProjections } from '../../projections/projections.ts';

/** A part's bytes or text, or how many bytes it had before it was erased. */
export type Part = Uint8Array | string | { readonly erased: number };

export type Command = {
  readonly type: string;
  readonly data: unknown;
  readonly stream: string;
  readonly parts?: readonly Part[];
  readonly time?: number;
  /** The seq of the entry that asked for it: the command is a reaction. */
  readonly causedBy?: number;
  /** The stream that asked for it, if that is another tablet's. */
  readonly askedBy?: string;
};

export type Entry = {
  readonly stream: string;
  readonly time: number;
  readonly events: readonly DomainEvent[];
  readonly parts: readonly Part[];
  /** Default: alice. */
  readonly actor?: string;
};

export type Outcome =
  { readonly events: readonly DomainEvent[]; readonly reply?: Json } | { readonly rejection: Rejection };

/** Asked for by the entry `seq`, which has others before it: this one is number `n`. */
export type Pending = { readonly seq: number; readonly n: number; readonly reaction: Reaction };

export const LIMITS = { kvValueBytesMax: 4096, messageBytesMax: 4096 };
export const START = 1_700_000_000_000;

export function contentOf(parts: readonly Part[]): Content {
  const bytesOf = (part: number): Uint8Array | undefined => {
    const value = parts[part];
    if (typeof value === 'string') return new TextEncoder().encode(value);
    return value instanceof Uint8Array ? value : undefined;
  };
  const erasedLength = (part: number): number => {
    const value = parts[part];
    return typeof value === 'object' && 'erased' in value ? value.erased : 0;
  };
  return {
    count: parts.length,
    length: (part) => bytesOf(part)?.length ?? erasedLength(part),
    digest: (part) => {
      const bytes = bytesOf(part);
      return bytes && createHash('sha256').update(bytes).digest('hex');
    },
    bytes: bytesOf,
  };
}

export class InMemoryShell {
  readonly log: Entry[] = [];
  readonly #domain: DomainArea;
  readonly #projections: readonly Projection[];
  readonly #slices = new Map<string, Json>();
  readonly #cells = new Map<string, CellValue & { readonly seq: number }>();
  readonly #pending = new Map<string, Pending>();
  #time = START;

  constructor(
    domain: DomainArea = createDomain(LIMITS),
    projections: readonly Projection[] = createProjections(),
  ) {
    this.#domain = domain;
    this.#projections = projections;
  }

  get time(): number {
    return this.#time;
  }

  /** Decides and, when accepted, applies; reactions that follow are left to those who settle them. */
  execute(command: Command): Outcome {
    const time = Math.max(this.#time, command.time ?? this.#time);
    const handler = this.#domain.commands[command.type];
    if (handler === undefined) throw new Error(`the domain has no command ${command.type}`);
    const { stream, parts = [], causedBy } = command;
    const askedBy = command.askedBy ?? (causedBy === undefined ? undefined : this.log[causedBy - 1]?.stream);
    const content = contentOf(parts);
    const checked = handler.parse(command.data, content);
    if ('rejection' in checked) return checked;
    const reads = this.#reads(handler, checked.data, command, content);
    const slices = this.#declared(reads, command);
    const decision = handler.decide(checked.data, slices, {
      stream,
      time,
      content,
      commandId: 'command-1',
      ...(causedBy !== undefined && { causedBy }),
      ...(askedBy !== undefined && { askedBy }),
    });
    if ('rejection' in decision) return decision;
    const { events, reply } = decision;
    const all = [...parts, ...(decision.parts ?? [])];
    this.#touchesOnly(reads, command, events, contentOf(all));
    // As the reactor sends it: in the name of the stream that asked.
    const actor = askedBy === undefined ? {} : { actor: askedBy };
    const entry = { stream, time, events: copyOf(events), parts: all, ...actor };
    if (events.length > 0) this.append(entry);
    return { events, ...(reply !== undefined && { reply }) };
  }

  append(entry: Entry): void {
    this.#time = Math.max(this.#time, entry.time);
    const seq = this.log.push(entry);
    const content = contentOf(entry.parts);
    let n = 0;
    for (const event of entry.events) {
      this.#evolve(event, entry, content);
      this.#project(event, entry, seq, content);
      if (event.type === 'platform.ReactionSettled') {
        this.#pending.delete(`${String(event.data['originSeq'])}.${String(event.data['reaction'])}`);
      }
      const reactions = this.#domain.events[event.type]?.reactions?.(
        event,
        entry.stream,
        content,
        entry.time,
      );
      for (const reaction of reactions ?? []) {
        this.#pending.set(`${seq}.${n}`, { seq, n, reaction });
        n++;
      }
    }
  }

  /** What is still to be carried out, in the order in which it was asked for. */
  pending(): Pending[] {
    return [...this.#pending.values()];
  }

  /** Carries out what the entry at this position (from 1) asked for and records how it went, even if it did so before. */
  settleReactions(seq: number): void {
    const entry = this.log[seq - 1];
    if (entry === undefined) throw new Error(`there is no entry ${seq}`);
    const content = contentOf(entry.parts);
    entry.events
      .flatMap(
        (event) =>
          this.#domain.events[event.type]?.reactions?.(event, entry.stream, content, entry.time) ?? [],
      )
      .forEach((reaction, n) => this.settle({ seq, n, reaction }));
  }

  /** Carries out what is to be done now, and what follows from it. */
  settleAll(): void {
    for (;;) {
      const next = this.pending().find(({ reaction }) => reaction.notBefore === undefined);
      if (next === undefined) return;
      this.settle(next);
    }
  }

  /** Lets time pass: what falls due until then is carried out at its time, earliest first. */
  advance(to: number): void {
    this.settleAll();
    for (;;) {
      const [next] = this.pending()
        .filter(({ reaction }) => (reaction.notBefore ?? 0) <= to)
        .sort((a, b) => (a.reaction.notBefore ?? 0) - (b.reaction.notBefore ?? 0));
      if (next === undefined) break;
      this.#time = Math.max(this.#time, next.reaction.notBefore ?? 0);
      this.settle(next);
      this.settleAll();
    }
    this.#time = Math.max(this.#time, to);
  }

  settle({ seq, n, reaction }: Pending): Outcome {
    const { stream, command, data } = reaction;
    const origin = this.log[seq - 1];
    const holder = this.log[(reaction.partsOf ?? seq) - 1];
    if (origin === undefined || holder === undefined)
      throw new Error(`entry ${seq} asks for what is not there`);
    const parts = reaction.parts.map((part) => {
      const bytes = holder.parts[part];
      return bytes === undefined || (typeof bytes === 'object' && 'erased' in bytes) ? '' : bytes;
    });
    const outcome = this.execute({ type: command, data, stream, parts, causedBy: seq });
    const settled =
      'rejection' in outcome
        ? ({ outcome: 'refused', code: outcome.rejection.code } as const)
        : ({ outcome: 'accepted' } as const);
    const event = {
      type: 'platform.ReactionSettled',
      version: 1,
      data: { originSeq: seq, reaction: n, command, stream, data, ...settled },
    };
    this.append({ stream: origin.stream, time: this.#time, events: [event], parts: [] });
    return outcome;
  }

  slice(stream: string, key: string): Json | undefined {
    return this.#slices.get(at(stream, key));
  }

  /** The slices of a stream whose keys begin so, by key. */
  slices(stream: string, prefix: string): Map<string, Json> {
    const start = at(stream, prefix);
    const found = [...this.#slices].filter(([key]) => key.startsWith(start));
    return new Map(found.map(([key, slice]) => [key.slice(at(stream, '').length), slice]));
  }

  /** Bytes of a cell; of a cell that points at a part, that part's bytes. */
  bytes({ row, column }: CellKey): Uint8Array | undefined {
    const cell = this.#cells.get(at(row, column));
    if (cell === undefined || 'bytes' in cell) return cell?.bytes;
    return contentOf(this.log[cell.seq - 1]?.parts ?? []).bytes(cell.part);
  }

  columns(row: string): string[] {
    return [...this.#cells.keys()]
      .filter((key) => key.startsWith(at(row, '')))
      .map((key) => key.slice(at(row, '').length))
      .sort();
  }

  /** Every row that has a cell and begins so. */
  rows(prefix: string): string[] {
    const rows = [...this.#cells.keys()].map((key) => key.slice(0, key.indexOf('\0')));
    return [...new Set(rows.filter((row) => row.startsWith(prefix)))].sort();
  }

  /** Every cell as text, in key order. */
  dump(): string[] {
    const value = (cell: CellValue) =>
      'bytes' in cell ? Buffer.from(cell.bytes).toString() : `part ${cell.part}`;
    return [...this.#cells].map(([key, cell]) => `${key} = ${value(cell)}`).sort();
  }

  /** Every slice as text, in key order. */
  state(): string[] {
    return [...this.#slices].map(([key, slice]) => `${key} = ${JSON.stringify(slice)}`).sort();
  }

  #reads(handler: CommandHandler, data: unknown, command: Command, content: Content): Set<string> {
    const first = new Set(handler.reads(data, content, 'command-1'));
    const next = handler.readsNext?.(data, this.#declared(first, command), content) ?? [];
    return new Set([...first, ...next]);
  }

  #declared(reads: ReadonlySet<string>, { stream, type }: Command): (key: string) => Json | undefined {
    return (key) => {
      if (!reads.has(key)) throw new Error(`${type} reads the slice ${key}, which it did not declare`);
      return this.#slices.get(at(stream, key));
    };
  }

  /** The real shell has fetched what a command reads, nothing else, when its events are to change slices. */
  #touchesOnly(
    reads: ReadonlySet<string>,
    { type }: Command,
    events: readonly DomainEvent[],
    content: Content,
  ): void {
    for (const event of events) {
      const handler = this.#domain.events[event.type];
      const touched = handler?.touches(event, content) ?? [];
      const key = touched.find((one) => !reads.has(one) && handler?.isBlind?.(one, event) !== true);
      if (key !== undefined) throw new Error(`${type} changes the slice ${key}, which it did not read`);
    }
  }

  #evolve(event: DomainEvent, entry: Entry, content: Content): void {
    const handler = this.#domain.events[event.type];
    if (handler === undefined) throw new Error(`the domain does not know the event ${event.type}`);
    for (const key of handler.touches(event, content)) {
      const name = at(entry.stream, key);
      const slice = handler.evolve(key, this.#slices.get(name), event, content, entry.time);
      if (handler.isBlind?.(key, event)) {
        const blind = handler.evolve(key, undefined, event, content, entry.time);
        if (JSON.stringify(blind) !== JSON.stringify(slice))
          throw new Error(
            `${event.type} leaves the slice ${key} by what it was, and says that it does not look`,
          );
      }
      if (slice === undefined) this.#slices.delete(name);
      else this.#slices.set(name, copyOf(slice));
    }
  }

  #project(event: DomainEvent, entry: Entry, seq: number, content: Content): void {
    const facts: EntryFacts = {
      stream: entry.stream,
      seq,
      time: entry.time,
      actor: entry.actor ?? 'alice',
      action: 'Test',
      commandId: 'command-1',
    };
    const listening = this.#projections.filter((projection) => projection.listensTo.has(event.type));
    for (const projection of listening) {
      const declared = new Set(
        projection.priors(event, facts, content).map(({ row, column }) => at(row, column)),
      );
      const prior = ({ row, column }: CellKey) => {
        if (!declared.has(at(row, column)))
          throw new Error(`${projection.name} reads an undeclared cell of ${row}`);
        return this.bytes({ row, column });
      };
      for (const mutation of projection.project(event, facts, content, prior))
        this.#write(mutation, entry.stream, seq);
    }
  }

  #write(mutation: Mutation, stream: string, seq: number): void {
    const { row, column } = 'put' in mutation ? mutation.put : mutation.delete;
    if (row !== stream && !row.startsWith(`${stream}/`)) {
      throw new Error(`a projection writes the row ${row}, outside of its stream ${stream}`);
    }
    if ('put' in mutation) this.#cells.set(at(row, column), { ...mutation.value, seq });
    else this.#cells.delete(at(row, column));
  }
}

/** As it comes back from the log or the cells. */
function copyOf<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value;
}

/** NUL is allowed in no row, column or stream. */
function at(row: string, column: string): string {
  return `${row}\0${column}`;
}
