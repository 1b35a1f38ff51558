/**
 * Contradictions that a few operations show by themselves (Gibbons & Korach 1997), found without a search
 * and told in a few lines. A value that was written once, and seen, was there all the time from the first
 * answer about it to the last call about it; what was called and answered within that time, and does not
 * fit, cannot be. Leaves out values written twice and the absence of the cell: those are the search's.
 */
import { ABSENT, type RegisterOperation } from './register.ts';

export interface Contradiction {
  readonly reason: string;
  readonly operations: readonly RegisterOperation[];
}

/** One value, its only writer, and who saw it. */
interface Cluster {
  readonly value: number;
  readonly members: readonly RegisterOperation[];
}

/** The value was there from the answer of `first` to the call of `last`. */
interface Presence {
  readonly value: number;
  readonly first: RegisterOperation;
  readonly last: RegisterOperation;
}

export function findContradiction(operations: readonly RegisterOperation[]): Contradiction | undefined {
  const writers = grouped(
    operations.filter(({ written }) => written >= 0),
    ({ written }) => written,
  );
  const seers = grouped(operations.filter(isSeer), ({ expected }) => expected);
  const clusters: Cluster[] = [];
  for (const [value, seen] of seers) {
    if (value === ABSENT) continue;
    const wrote = writers.get(value) ?? [];
    const early = seen.find(({ answered }) => wrote.every(({ called }) => called > answered));
    if (early) return { reason: 'a value was seen before anybody wrote it', operations: [early, ...wrote] };
    if (wrote.length > 1) continue;
    const swaps = seen.filter(({ kind }) => kind === 'swap');
    if (swaps.length > 1) {
      return { reason: 'a value that was written once was replaced twice', operations: [...wrote, ...swaps] };
    }
    clusters.push({ value, members: [...wrote, ...seen] });
  }
  const presences = clusters
    .map(presence)
    .filter((present) => present !== undefined)
    .sort((one, other) => one.first.answered - other.first.answered);
  return overlapping(presences) ?? intruding(presences, operations);
}

function isSeer({ kind, open }: RegisterOperation): boolean {
  return !open && (kind === 'read' || kind === 'swap');
}

function grouped(
  operations: readonly RegisterOperation[],
  by: (operation: RegisterOperation) => number,
): Map<number, RegisterOperation[]> {
  const groups = new Map<number, RegisterOperation[]>();
  for (const operation of operations) {
    const group = groups.get(by(operation));
    if (group) group.push(operation);
    else groups.set(by(operation), [operation]);
  }
  return groups;
}

function presence({ value, members }: Cluster): Presence | undefined {
  const first = members.reduce((one, other) => (other.answered < one.answered ? other : one));
  const last = members.reduce((one, other) => (other.called > one.called ? other : one));
  return first.answered < last.called ? { value, first, last } : undefined;
}

function overlapping(presences: readonly Presence[]): Contradiction | undefined {
  let longest = presences[0];
  for (const present of presences.slice(1)) {
    if (present.first.answered < longest!.last.called) {
      return {
        reason: 'two values must have been there at the same time',
        operations: [longest!.first, longest!.last, present.first, present.last],
      };
    }
    if (present.last.called > longest!.last.called) longest = present;
  }
  return undefined;
}

/** Requires: presences follow each other. */
function intruding(
  presences: readonly Presence[],
  operations: readonly RegisterOperation[],
): Contradiction | undefined {
  let at = 0;
  for (const operation of operations) {
    while (at < presences.length && presences[at]!.last.called <= operation.called) at++;
    const present = presences[at];
    if (!present) return undefined;
    const isWithin = present.first.answered < operation.called && operation.answered < present.last.called;
    if (isWithin && !fits(operation, present.value)) {
      return {
        reason: 'a value was there before and behind an operation that contradicts it',
        operations: [present.first, operation, present.last],
      };
    }
  }
  return undefined;
}

function fits({ kind, expected, open }: RegisterOperation, present: number): boolean {
  if (open) return true;
  return (kind === 'read' && expected === present) || (kind === 'differ' && expected !== present);
}
