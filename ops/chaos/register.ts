/**
 * The history of one register (one cell): operations as the search sees them, values numbered, `0` for a
 * cell that does not exist. Leaves out what can make no difference: open reads, and open writes whose
 * value nobody ever saw while no refusal is there that only they could explain.
 */
import type { CellContent, KvOperation } from './history.ts';

export const ABSENT = 0;
const NONE = -1;

export type Kind =
  /** saw `expected` */
  | 'read'
  /** saw anything but `expected` */
  | 'differ'
  /** made it `written` */
  | 'write'
  /** saw `expected` and made it `written`, at once */
  | 'swap';

export interface RegisterOperation {
  readonly source: KvOperation;
  readonly kind: Kind;
  readonly expected: number;
  readonly written: number;
  readonly called: number;
  /** Infinity when open. */
  readonly answered: number;
  /** May as well never have happened. */
  readonly open: boolean;
}

export interface Register {
  /** In the order of their calls. */
  readonly operations: readonly RegisterOperation[];
  readonly values: readonly CellContent[];
}

export function registerOf(history: readonly KvOperation[]): Register {
  const numbers = new Map<CellContent, number>([[null, ABSENT]]);
  const values: CellContent[] = [null];
  const numberOf = (content: CellContent): number => {
    const known = numbers.get(content);
    if (known !== undefined) return known;
    numbers.set(content, values.length);
    return values.push(content) - 1;
  };
  const operations = history
    .map((operation) => readOperation(operation, numberOf, () => values.push(null) - 1))
    .filter((operation) => operation !== undefined)
    .sort((one, other) => one.called - other.called);
  return { operations: withoutUseless(operations), values };
}

function readOperation(
  source: KvOperation,
  numberOf: (content: CellContent) => number,
  numberOfNone: () => number,
): RegisterOperation | undefined {
  const { action, called, answered } = source;
  const open = answered === undefined || (action.kind === 'cput' && action.swapped === undefined);
  const as = (kind: Kind, expected: number, written: number): RegisterOperation => {
    return { source, kind, expected, written, called, answered: open ? Infinity : answered, open };
  };
  switch (action.kind) {
    case 'put':
      return as('write', NONE, numberOf(action.value));
    case 'delete':
      return as('write', NONE, ABSENT);
    case 'get':
      return open ? undefined : as('read', numberOf(action.found), NONE);
    case 'cput':
      if (open || action.swapped) return as('swap', numberOf(action.expected), numberOf(action.value));
      if (action.found === undefined) return as('differ', numberOf(action.expected), NONE);
      // A refusal that found what it expected contradicts itself: a read of something nobody wrote.
      if (action.found === action.expected) return as('read', numberOfNone(), NONE);
      return as('read', numberOf(action.found), NONE);
  }
}

function withoutUseless(operations: readonly RegisterOperation[]): readonly RegisterOperation[] {
  const seen = new Set(operations.map(({ expected }) => expected));
  const refused = operations.some(({ kind }) => kind === 'differ');
  return operations.filter(({ open, written }) => !open || refused || seen.has(written));
}
