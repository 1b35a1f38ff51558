/**
 * Is a history linearizable: is there one order of all operations, each at a moment between its call and
 * its answer, in which every answer is right (Herlihy & Wing 1990)? Linearizability is local, so that each
 * cell is judged on its own. A row's columns count as registers of their own: that is right as long as no
 * operation touches two columns, which this history cannot express.
 *
 * Exact: nothing is sampled. A verdict against a history names the first answer with which no order is
 * left, and what stands around it.
 */
import type { CellContent, KvAction, KvOperation } from './history.ts';
import { findContradiction, type Contradiction } from './contradictions.ts';
import { searchOrder, type Outcome } from './register-search.ts';
import { registerOf } from './register.ts';

export type { CellContent, KvAction, KvOperation } from './history.ts';

export type Verdict =
  | { readonly linearizable: true }
  | {
      readonly linearizable: false;
      readonly row: string;
      readonly column: string;
      /** For a person, several lines. */
      readonly story: string;
    };

/** Operations of the story before and behind the answer that cannot be. */
const STORY_OPERATIONS_MAX = 12;

/** @throws Error if a cell's history is too entangled to be judged: the problem is NP-complete. */
export function checkLinearizable(history: readonly KvOperation[]): Verdict {
  for (const cell of byCell(history).values()) {
    const { row, column } = cell[0]!;
    const { operations } = registerOf(cell);
    const contradiction = findContradiction(operations);
    if (contradiction)
      return { linearizable: false, row, column, story: storyOfContradiction(contradiction) };
    const { complete } = searchOrder(operations);
    if (complete === undefined) {
      throw new Error(
        `Cell (${row}, ${column}): too entangled to say whether its ${cell.length} operations are linearizable. Record with fewer callers to a cell, or with more distinct values.`,
      );
    }
    if (!complete) return { linearizable: false, row, column, story: storyOfSearch(cell) };
  }
  return { linearizable: true };
}

function byCell(history: readonly KvOperation[]): Map<string, KvOperation[]> {
  const cells = new Map<string, KvOperation[]>();
  for (const operation of history) {
    const key = JSON.stringify([operation.row, operation.column]);
    const cell = cells.get(key);
    if (cell) cell.push(operation);
    else cells.set(key, [operation]);
  }
  return cells;
}

function outcomeOf(cell: readonly KvOperation[]): Outcome {
  return searchOrder(registerOf(cell).operations);
}

/** What was known at one time: later calls did not happen yet, later answers are open. */
function until(cell: readonly KvOperation[], time: number): readonly KvOperation[] {
  return cell
    .filter(({ called }) => called <= time)
    .map((operation) => {
      return (operation.answered ?? Infinity) <= time ? operation : { ...operation, answered: undefined };
    });
}

function storyOfContradiction({ reason, operations }: Contradiction): string {
  const sources = operations.slice(0, STORY_OPERATIONS_MAX).map(({ source }) => source);
  return [`No order exists, since ${reason}:`, ...lines(sources)].join('\n');
}

/** Whether an order exists can only turn from yes to no as answers come in: the turn is found by halving. */
function storyOfSearch(cell: readonly KvOperation[]): string {
  const answers = cell
    .filter(({ answered }) => answered !== undefined)
    .sort((one, other) => one.answered! - other.answered!);
  let low = 0;
  let high = answers.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (outcomeOf(until(cell, answers[middle]!.answered!)).complete === false) high = middle;
    else low = middle + 1;
  }
  const culprit = answers[low]!;
  const known = until(cell, culprit.answered!);
  const { order, value } = outcomeOf(known);
  const ordered = new Set(order.map(({ source }) => source));
  const content = registerOf(known).values[value] ?? null;
  const left = known.filter((operation) => !ordered.has(operation) && operation.answered !== undefined);
  const open = known.filter((operation) => !ordered.has(operation) && operation.answered === undefined);
  return [
    `Until this answer an order exists, with it none: ${told(culprit)}.`,
    `The longest order found has ${order.length} operations, ends in ${shown(content)}, and ends with:`,
    ...lines(order.slice(-STORY_OPERATIONS_MAX).map(({ source }) => source)),
    `What must follow and cannot:`,
    ...lines(left.slice(0, STORY_OPERATIONS_MAX)),
    ...(left.length > STORY_OPERATIONS_MAX ? [`  … and ${left.length - STORY_OPERATIONS_MAX} more`] : []),
    ...(open.length > 0 ? [`Open at that time, the last of ${open.length}:`] : []),
    ...lines(open.slice(-STORY_OPERATIONS_MAX)),
  ].join('\n');
}

function lines(operations: readonly KvOperation[]): readonly string[] {
  return operations.map((operation) => `  ${told(operation)}`);
}

function told({ action, called, answered }: KvOperation): string {
  const time =
    answered === undefined ? `called at ${called}, open` : `called at ${called}, answered at ${answered}`;
  return `${toldAction(action, answered === undefined)} (${time})`;
}

function toldAction(action: KvAction, open: boolean): string {
  switch (action.kind) {
    case 'put':
      return `put ${shown(action.value)}`;
    case 'delete':
      return 'delete';
    case 'get':
      return open ? 'get' : `get found ${shown(action.found)}`;
    case 'cput': {
      const asked = `cput ${shown(action.expected)} to ${shown(action.value)}`;
      if (open || action.swapped === undefined) return asked;
      if (action.swapped) return `${asked} succeeded`;
      return action.found === undefined
        ? `${asked} refused`
        : `${asked} refused, found ${shown(action.found)}`;
    }
  }
}

function shown(content: CellContent): string {
  return content === null ? 'no cell' : JSON.stringify(content);
}
