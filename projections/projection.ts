/**
 * A projection turns committed events into cells of a read model. Pure and deterministic: no parser,
 * locale, clock or Unicode table. It may read cells of its own model that it wrote earlier (a count,
 * a row to be changed); it declares them, so that the shell fetches them first.
 */
import type { Content, DomainEvent, Time } from '../domain/decider.ts';

export type CellKey = { readonly row: string; readonly column: string };

/** The bytes of a cell, or a reference to a part of the entry that wrote it (large values stay in the log). */
export type CellValue = { readonly bytes: Uint8Array } | { readonly part: number };

export type Mutation = { readonly put: CellKey; readonly value: CellValue } | { readonly delete: CellKey };

/** The entry that an event stands in. */
export type EntryFacts = {
  readonly stream: string;
  readonly seq: number;
  readonly time: Time;
  readonly actor: string;
  readonly action: string;
  readonly commandId: string;
};

export type PriorCells = (key: CellKey) => Uint8Array | undefined;

export interface Projection {
  readonly name: string;
  /** Event types (`area.Name`) it listens to. */
  readonly listensTo: ReadonlySet<string>;
  /** Cells of this model that `project` reads for this event. */
  priors(event: DomainEvent, entry: EntryFacts, content: Content): readonly CellKey[];
  project(event: DomainEvent, entry: EntryFacts, content: Content, prior: PriorCells): readonly Mutation[];
}
