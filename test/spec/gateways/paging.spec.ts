import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cursorOf, pageOf, scanFor, type Cursor, type Page } from '../../../gateways/pages/paging.ts';

/** A folder of numbered rows, scanned as the store scans: `after` and `before` exclusive. */
function folder(total: number) {
  const keys = Array.from({ length: total }, (_, index) => String(index).padStart(6, '0'));
  return (cursor: Cursor, size: number): Page<string> => {
    const { after, before, reverse, limit } = scanFor(cursor, size);
    const within = keys.filter(
      (key) => (after === undefined || key > after) && (before === undefined || key < before),
    );
    const scanned = (reverse ? within.reverse() : within).slice(0, limit);
    return pageOf(cursor, scanned, size, total, (key) => key);
  };
}

const follow = (link: string) => cursorOf(Object.fromEntries(new URLSearchParams(link)));

describe('pages of a list', () => {
  test('say where they are: "1–50 of 130"', () => {
    const { from, to, total, rows } = folder(130)({ kind: 'first' }, 50);
    expect([from, to, total, rows.length]).toEqual([1, 50, 130, 50]);
  });

  test('lead forward to the end, meeting every row once, with right numbers', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 60 }), (total, size) => {
        const read = folder(total);
        const seen: string[] = [];
        let page = read({ kind: 'first' }, size);
        for (;;) {
          expect([page.from, page.to]).toEqual([seen.length + 1, seen.length + page.rows.length]);
          seen.push(...page.rows);
          if (page.links.older === undefined) break;
          page = read(follow(page.links.older), size);
        }
        expect(page.to).toBe(total);
        expect(new Set(seen).size).toBe(total);
      }),
    );
  });

  test('lead back from the end to the beginning, meeting every row once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 60 }), (total, size) => {
        const read = folder(total);
        let seen: string[] = [];
        let page = read({ kind: 'last' }, size);
        for (;;) {
          expect(page.to).toBe(total - seen.length);
          seen = [...page.rows, ...seen];
          if (page.links.newer === undefined) break;
          page = read(follow(page.links.newer), size);
        }
        expect(page.from).toBe(1);
        expect(seen).toHaveLength(total);
        expect([...seen].sort()).toEqual(seen);
      }),
    );
  });

  test('offer no way further than the first and the last', () => {
    const read = folder(100);
    expect(read({ kind: 'first' }, 50).links.newer).toBeUndefined();
    expect(read({ kind: 'last' }, 50).links.older).toBeUndefined();
    expect(folder(50)({ kind: 'first' }, 50).links).toEqual({});
  });

  test('of an empty list have nothing to lead to', () => {
    expect(folder(0)({ kind: 'first' }, 50)).toMatchObject({ rows: [], from: 0, to: 0, links: {} });
  });

  test('behind the last row lead back to the first', () => {
    const page = folder(3)({ kind: 'after', key: '999999', at: 4 }, 50);
    expect(page).toMatchObject({ rows: [], links: { newest: '' } });
  });

  test('take nonsense in a link for the first page', () => {
    expect(cursorOf({})).toEqual({ kind: 'first' });
    expect(cursorOf({ after: ['a', 'b'] })).toEqual({ kind: 'first' });
    expect(cursorOf({ after: 'k', at: 'many' })).toEqual({ kind: 'after', key: 'k', at: 1 });
    expect(cursorOf({ before: 'k', at: '-5' })).toEqual({ kind: 'before', key: 'k', at: 1 });
  });
});
