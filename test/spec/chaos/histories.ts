/**
 * Histories to judge checkers by: of a true register under many callers, and the plainest possible check,
 * which tries every order.
 */
import type { CellContent, KvAction, KvOperation } from '../../../ops/chaos/history.ts';
import { SeededRandom } from '../../../ops/chaos/seeded-random.ts';

export interface Load {
  readonly seed: number;
  readonly operations: number;
  readonly clients: number;
  readonly rows: number;
  /** The share of calls that are never answered; half of them take effect, sooner or later. */
  readonly lost?: number;
  /** Values are drawn from so many; each is written once when left out. */
  readonly values?: number;
  /** Whether a refused cput says what it found. */
  readonly refusalsTell?: boolean;
}

interface Caller {
  readonly row: number;
  readonly asked: KvAction;
  readonly at: number;
  answer: KvAction | undefined;
  readonly lost: boolean;
}

/** What callers see of real registers, one step of one caller at a time. */
export function trueHistory(load: Load): KvOperation[] {
  const random = new SeededRandom(load.seed);
  const cells: CellContent[] = Array.from({ length: load.rows }, () => null);
  const lastSeen = new Map<string, CellContent>();
  const callers = new Array<Caller | undefined>(load.clients).fill(undefined);
  const ghosts: Caller[] = [];
  const history: KvOperation[] = [];
  let time = 0;
  let values = 0;
  const newValue = (): string => `v${load.values === undefined ? values++ : random.below(load.values)}`;
  const draw = (row: number, client: number): KvAction => {
    const dice = random.next();
    if (dice < 0.4) return { kind: 'get', found: null };
    if (dice < 0.65) return { kind: 'put', value: newValue() };
    if (dice < 0.72) return { kind: 'delete' };
    const expected = random.chance(0.1) ? null : (lastSeen.get(`${client} ${row}`) ?? cells[row]!);
    return { kind: 'cput', expected, value: newValue(), swapped: undefined };
  };
  let finished = 0;
  while (finished < load.operations) {
    if (ghosts.length > 0 && random.chance(0.02)) {
      const [ghost] = ghosts.splice(random.below(ghosts.length), 1);
      if (random.chance(0.5)) carryOut(cells, ghost!, false);
    }
    const client = random.below(load.clients);
    const caller = callers[client];
    if (!caller) {
      const row = random.below(load.rows);
      const asked = draw(row, client);
      const called = ++time;
      const at =
        history.push({ row: `r${row}`, column: 'c', action: asked, called, answered: undefined }) - 1;
      callers[client] = { row, asked, at, answer: undefined, lost: random.chance(load.lost ?? 0) };
    } else if (caller.lost) {
      ghosts.push(caller);
      callers[client] = undefined;
      finished++;
    } else if (!caller.answer) {
      caller.answer = carryOut(cells, caller, load.refusalsTell ?? false);
    } else {
      history[caller.at] = { ...history[caller.at]!, action: caller.answer, answered: ++time };
      if (caller.answer.kind === 'get') lastSeen.set(`${client} ${caller.row}`, caller.answer.found);
      callers[client] = undefined;
      finished++;
    }
  }
  return history;
}

function carryOut(cells: CellContent[], { row, asked }: Caller, tell: boolean): KvAction {
  const present = cells[row]!;
  switch (asked.kind) {
    case 'get':
      return { kind: 'get', found: present };
    case 'put':
      cells[row] = asked.value;
      return asked;
    case 'delete':
      cells[row] = null;
      return asked;
    case 'cput':
      if (present !== asked.expected)
        return { ...asked, swapped: false, ...(tell ? { found: present } : {}) };
      cells[row] = asked.value;
      return { ...asked, swapped: true };
  }
}

/** Tries every order of a few operations on one cell. */
export function isLinearizableByTrial(history: readonly KvOperation[], content: CellContent = null): boolean {
  const isOpen = ({ answered, action }: KvOperation): boolean =>
    answered === undefined || (action.kind === 'cput' && action.swapped === undefined);
  if (history.every(isOpen)) return true;
  const end = Math.min(...history.filter((one) => !isOpen(one)).map(({ answered }) => answered!));
  return history.some((next) => {
    if (next.called > end) return false;
    const rest = history.filter((one) => one !== next);
    const after = effect(next.action, isOpen(next), content);
    return after !== 'impossible' && isLinearizableByTrial(rest, after.content);
  });
}

function effect(
  action: KvAction,
  open: boolean,
  content: CellContent,
): { readonly content: CellContent } | 'impossible' {
  switch (action.kind) {
    case 'get':
      return open || action.found === content ? { content } : 'impossible';
    case 'put':
      return { content: action.value };
    case 'delete':
      return { content: null };
    case 'cput': {
      const matches = action.expected === content;
      if (open || action.swapped) return matches ? { content: action.value } : 'impossible';
      const found = action.found === undefined || action.found === content;
      return !matches && found ? { content } : 'impossible';
    }
  }
}
