/**
 * The judge of histories, judged: by histories whose verdict is known, by a plain trial of every order, and
 * by true registers under many callers.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CellContent, KvAction, KvOperation } from '../../../ops/chaos/history.ts';
import { checkLinearizable } from '../../../ops/chaos/linearizability.ts';
import { isLinearizableByTrial, trueHistory } from './histories.ts';

const put = (value: string): KvAction => ({ kind: 'put', value });
const get = (found: CellContent): KvAction => ({ kind: 'get', found });
const cput = (expected: CellContent, value: string, swapped?: boolean): KvAction => {
  return { kind: 'cput', expected, value, swapped };
};
const erase: KvAction = { kind: 'delete' };

function history(...operations: readonly [number, number | undefined, KvAction][]): readonly KvOperation[] {
  return operations.map(([called, answered, action]) => ({
    row: 'r',
    column: 'c',
    action,
    called,
    answered,
  }));
}

function accepts(operations: readonly KvOperation[]): void {
  expect(isLinearizableByTrial(operations)).toBe(true);
  expect(checkLinearizable(operations)).toEqual({ linearizable: true });
}

function refuses(operations: readonly KvOperation[]): string {
  expect(isLinearizableByTrial(operations)).toBe(false);
  const verdict = checkLinearizable(operations);
  expect(verdict).toMatchObject({ linearizable: false, row: 'r', column: 'c' });
  return verdict.linearizable ? '' : verdict.story;
}

describe('a history is linearizable', () => {
  it('when it is empty', () => accepts([]));

  it('when reads during a write see the old value and the new one, in that order', () => {
    accepts(history([1, 10, put('a')], [2, 4, get(null)], [5, 7, get('a')], [11, 12, get('a')]));
  });

  it('when an open write took effect long after its call', () => {
    accepts(history([1, undefined, put('a')], [2, 3, put('b')], [4, 5, get('b')], [6, 7, get('a')]));
  });

  it('when an open write never took effect', () => {
    accepts(history([1, undefined, put('a')], [2, 3, get(null)], [4, 5, get(null)]));
  });

  it('when only an open write explains a refusal', () => {
    accepts(
      history([1, 2, put('a')], [3, undefined, put('b')], [4, 5, cput('a', 'c', false)], [6, 7, get('b')]),
    );
    accepts(history([1, 2, put('a')], [3, undefined, erase], [4, 5, cput('a', 'c', false)]));
  });

  it('when of two open writes only one explains all refusals', () => {
    accepts(
      history(
        [1, undefined, cput(null, 'a')],
        [2, 5, cput(null, 'b', false)],
        [3, undefined, cput(null, 'a')],
        [4, undefined, cput(null, 'b')],
        [6, 7, cput('a', 'a', false)],
      ),
    );
  });

  it('when an open swap must explain the first refusal, so that an open write is left for the second', () => {
    accepts(
      history(
        [1, 2, put('a')],
        [3, undefined, put('x')],
        [4, undefined, cput('a', 'y')],
        [5, 6, cput('a', 'c', false)],
        [7, 8, put('b')],
        [9, 10, get('b')],
        [11, 12, cput('b', 'c', false)],
      ),
    );
  });

  it('when open swaps took effect one after the other', () => {
    accepts(
      history(
        [1, undefined, put('a')],
        [2, undefined, cput('a', 'b')],
        [3, undefined, cput('b', 'c')],
        [4, 5, get(null)],
        [6, 7, get('c')],
      ),
    );
  });

  it('when one value was written twice', () => {
    accepts(history([1, 2, put('a')], [3, 4, put('b')], [5, 6, put('a')], [7, 8, get('a')], [9, 10, erase]));
  });
});

describe('a history is not linearizable', () => {
  it('when a read is stale', () => {
    const story = refuses(history([1, 2, put('a')], [3, 4, put('b')], [5, 6, get('b')], [7, 8, get('a')]));
    expect(story).toContain('get found "a" (called at 7, answered at 8)');
    expect(story).toContain('get found "b" (called at 5, answered at 6)');
  });

  it('when an answered write is lost', () => {
    const story = refuses(history([1, 2, put('a')], [3, 4, put('b')], [5, 6, get('a')]));
    expect(story).toContain('put "b" (called at 3, answered at 4)');
    refuses(history([1, 2, put('a')], [3, 4, get(null)]));
    refuses(history([1, 2, put('a')], [3, 4, erase], [5, 6, get('a')]));
  });

  it('when two reads see two writes in different orders', () => {
    refuses(
      history(
        [1, 10, put('a')],
        [2, 9, put('b')],
        [11, 12, get('a')],
        [13, 14, get('b')],
        [15, 16, get('a')],
      ),
    );
  });

  it('when two swaps replaced the same value', () => {
    const story = refuses(
      history([1, 2, put('a')], [3, 8, cput('a', 'b', true)], [4, 7, cput('a', 'c', true)]),
    );
    expect(story).toContain('cput "a" to "b" succeeded');
    expect(story).toContain('cput "a" to "c" succeeded');
  });

  it('when a refusal has no cause', () => {
    refuses(history([1, 2, put('a')], [3, 4, cput('a', 'b', false)], [5, 6, get('a')]));
    refuses(history([1, 2, cput(null, 'b', false)]));
  });

  it('when a refusal found what it expected', () => {
    refuses(
      history(
        [1, 2, put('a')],
        [3, 4, { kind: 'cput', expected: 'a', value: 'b', swapped: false, found: 'a' }],
      ),
    );
  });

  it('when a value comes from nowhere, or before its write', () => {
    refuses(history([1, 2, get('a')]));
    refuses(history([1, 2, get('a')], [3, 4, put('a')]));
  });

  it('when a write took effect twice', () => {
    refuses(history([1, 2, put('a')], [3, 4, put('b')], [5, 6, get('b')], [7, 8, erase], [9, 10, get('b')]));
  });

  it('in one cell of many: the story names the cell', () => {
    const good = trueHistory({ seed: 1, operations: 500, clients: 8, rows: 3 });
    const bad = history([1, 2, put('a')], [3, 4, get(null)]).map((one) => ({
      ...one,
      row: 'bad',
      column: 'x',
    }));
    expect(checkLinearizable([...good, ...bad])).toMatchObject({
      linearizable: false,
      row: 'bad',
      column: 'x',
    });
  });
});

const anyContent = fc.constantFrom(null, 'v0', 'v1', 'v2');
const anyMischief = fc.record({
  at: fc.nat(),
  found: anyContent,
  flag: fc.constantFrom(true, false, undefined),
});

/** Changes one answer. */
function spoil(
  operations: KvOperation[],
  mischief: { readonly at: number; readonly found: CellContent; readonly flag: boolean | undefined },
): void {
  const at = mischief.at % operations.length;
  const one = operations[at]!;
  const { action } = one;
  if (action.kind === 'get') operations[at] = { ...one, action: { kind: 'get', found: mischief.found } };
  else if (action.kind === 'cput') operations[at] = { ...one, action: { ...action, swapped: mischief.flag } };
  else operations[at] = { ...one, answered: mischief.flag ? one.called + 0.5 : undefined };
}

describe('the verdict', () => {
  it('is that of trying every order', () => {
    let refused = 0;
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.integer(),
          operations: fc.integer({ min: 2, max: 7 }),
          clients: fc.integer({ min: 2, max: 5 }),
          rows: fc.constant(1),
          lost: fc.constantFrom(0, 0.2, 0.5),
          values: fc.constantFrom(2, 3, 100),
          refusalsTell: fc.boolean(),
        }),
        fc.array(anyMischief, { maxLength: 3 }),
        (load, mischiefs) => {
          const operations = trueHistory(load);
          for (const mischief of mischiefs) spoil(operations, mischief);
          const verdict = isLinearizableByTrial(operations);
          if (!verdict) refused++;
          expect(checkLinearizable(operations).linearizable).toBe(verdict);
        },
      ),
      { numRuns: 10_000 },
    );
    expect(refused).toBeGreaterThan(1_000);
  });

  it('is yes for true registers, whatever the load', () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.integer(),
          operations: fc.constant(2_000),
          clients: fc.constantFrom(2, 16, 64),
          rows: fc.constantFrom(1, 4),
          lost: fc.constantFrom(0, 0.01, 0.1),
          refusalsTell: fc.boolean(),
        }),
        (load) => {
          expect(checkLinearizable(trueHistory(load))).toEqual({ linearizable: true });
        },
      ),
      { numRuns: 40 },
    );
  });

  it('comes within seconds for 100,000 operations of 64 callers', () => {
    const operations = trueHistory({ seed: 7, operations: 100_000, clients: 64, rows: 4, lost: 0.002 });
    const before = process.cpuUsage();
    expect(checkLinearizable(operations)).toEqual({ linearizable: true });
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1e6, 'CPU seconds').toBeLessThan(10);
  });

  it('finds one stale read among them', () => {
    const operations = trueHistory({ seed: 8, operations: 100_000, clients: 64, rows: 4 });
    const isRead = ({ row, action }: KvOperation): boolean =>
      row === 'r0' && action.kind === 'get' && action.found !== null;
    const old = operations.find(isRead)!;
    const late = operations.findLastIndex(isRead);
    operations[late] = { ...operations[late]!, action: old.action };
    const verdict = checkLinearizable(operations);
    expect(verdict).toMatchObject({ linearizable: false, row: 'r0' });
    expect(!verdict.linearizable && verdict.story).toContain(`called at ${operations[late].called},`);
  });
});
