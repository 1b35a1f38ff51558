/**
 * The tablet's shell in memory: runs commands through the real domain and events through the real
 * projections, over maps. It checks what a real shell relies on: that pure code reads and changes
 * nothing but what it has declared, and that every cell lies in its stream.
 */
import { createHash } from 'node:crypto';
import type { Content, DomainArea, DomainEvent, Json, Reaction } from '../../domain/decider.ts';
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
};

export type Entry = {
  readonly stream: string;
  readonly time: number;
  readonly events: readonly DomainEvent[];
  readonly parts: readonly Part[];
};

export type Outcome = { readonly events: readonly DomainEvent[] } | { readonly rejection: Rejection };

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
  #time = START;

  constructor(
    domain: DomainArea = createDomain(LIMITS),
    projections: readonly Projection[] = createProjections(),
  ) {
    this.#domain = domain;
    this.#projections = projections;
  }

  /** Decides and, when accepted, applies; reactions that follow are left to `settleReactions`. */
  execute(command: Command): Outcome {
    const time = Math.max(this.#time, command.time ?? this.#time);
    const handler = this.#domain.commands[command.type];
    if (handler === undefined) throw new Error(`the domain has no command ${command.type}`);
    const parts = command.parts ?? [];
    const content = contentOf(parts);
    const checked = handler.parse(command.data, content);
    if ('rejection' in checked) return checked;
    const reads = new Set(handler.reads(checked.data, content, 'command-1'));
    const slices = (key: string) => {
      if (!reads.has(key))
        throw new Error(`${command.type} reads the slice ${key}, which it did not declare`);
      return this.#slices.get(at(command.stream, key));
    };
    const { stream } = command;
    const decision = handler.decide(checked.data, slices, { stream, time, content, commandId: 'command-1' });
    if ('rejection' in decision) return decision;
    if (decision.events.length > 0) this.append({ stream, time, events: decision.events, parts });
    return { events: decision.events };
  }

  append(entry: Entry): void {
    this.#time = entry.time;
    const seq = this.log.push(entry);
    const content = contentOf(entry.parts);
    for (const event of entry.events) {
      this.#evolve(event, entry, content);
      this.#project(event, entry, seq, content);
    }
  }

  /** Carries out what the entry at this position (from 1) asks of other streams and records how it went. */
  settleReactions(seq: number): void {
    const entry = this.log[seq - 1];
    if (entry === undefined) throw new Error(`there is no entry ${seq}`);
    const content = contentOf(entry.parts);
    entry.events
      .flatMap((event) => this.#domain.events[event.type]?.reactions?.(event, entry.stream, content) ?? [])
      .forEach((reaction, number) => this.#settle(reaction, number, seq, entry));
  }

  slice(stream: string, key: string): Json | undefined {
    return this.#slices.get(at(stream, key));
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

  /** Every cell as text, in key order. */
  dump(): string[] {
    const value = (cell: CellValue) =>
      'bytes' in cell ? Buffer.from(cell.bytes).toString() : `part ${cell.part}`;
    return [...this.#cells].map(([key, cell]) => `${key} = ${value(cell)}`).sort();
  }

  #settle(reaction: Reaction, number: number, originSeq: number, origin: Entry): void {
    const { stream, command, data } = reaction;
    const outcome = this.execute({
      type: command,
      data,
      stream,
      parts: reaction.parts.map((part) => origin.parts[part] ?? { erased: 0 }),
    });
    const settled =
      'rejection' in outcome
        ? ({ outcome: 'refused', code: outcome.rejection.code } as const)
        : ({ outcome: 'accepted' } as const);
    const event = {
      type: 'platform.ReactionSettled',
      version: 1,
      data: { originSeq, reaction: number, command, stream, data, ...settled },
    };
    this.append({ stream: origin.stream, time: this.#time, events: [event], parts: [] });
  }

  #evolve(event: DomainEvent, entry: Entry, content: Content): void {
    const handler = this.#domain.events[event.type];
    if (handler === undefined) throw new Error(`the domain does not know the event ${event.type}`);
    for (const key of handler.touches(event, content)) {
      const name = at(entry.stream, key);
      const slice = handler.evolve(key, this.#slices.get(name), event, content, entry.time);
      if (slice === undefined) this.#slices.delete(name);
      else this.#slices.set(name, JSON.parse(JSON.stringify(slice)) as Json);
    }
  }

  #project(event: DomainEvent, entry: Entry, seq: number, content: Content): void {
    const facts: EntryFacts = {
      stream: entry.stream,
      seq,
      time: entry.time,
      actor: 'alice',
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

/** NUL is allowed in no row, column or stream. */
function at(row: string, column: string): string {
  return `${row}\0${column}`;
}
