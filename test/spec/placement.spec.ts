/** Placement of the first tablets. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CONSOLE_STREAM, accountStream, chunkStream } from '../../domain/streams.ts';
import { brokenRule } from '../../storage-nodes/master/configuration-rules.ts';
import { defaultRanges, initialConfigurations } from '../../storage-nodes/master/placement.ts';
import { compareRows, inRange, nodeId } from '../../storage-nodes/words.ts';

/** Any text that has a UTF-8 form. */
const anyText = fc.string({
  unit: fc
    .integer({ min: 0, max: 0x10ffff - 0x800 })
    .map((n) => String.fromCodePoint(n < 0xd800 ? n : n + 0x800)),
});
const tabletsOf = (row: string): string[] =>
  defaultRanges()
    .filter(({ range }) => inRange(row, range))
    .map(({ id }) => id);

function countsBy(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

describe('the default ranges', () => {
  test('are twelve, from the first row to the last, each starting where the one before ends', () => {
    const ranges = defaultRanges();
    expect(ranges.map(({ id }) => id)).toEqual(
      Array.from({ length: 12 }, (_, i) => `t${String(i + 1).padStart(2, '0')}`),
    );
    expect([ranges[0]!.range.from, ranges.at(-1)!.range.to]).toEqual(['', null]);
    for (const [i, { range }] of ranges.entries()) {
      expect(range.to).toBe(ranges[i + 1]?.range.from ?? null);
      if (range.to !== null) expect(compareRows(range.from, range.to)).toBeLessThan(0);
    }
  });

  test('give every row to exactly one tablet', () => {
    const edges = defaultRanges().flatMap(({ range }) => [
      range.from,
      `${range.from}\0`,
      `${range.from}/`,
      `${range.from}\u{10ffff}`,
    ]);
    const row = fc.oneof(
      anyText,
      fc.constantFrom(...edges),
      fc.string().map((text) => `~${text}`),
    );
    fc.assert(fc.property(row, (name) => void expect(tabletsOf(name)).toHaveLength(1)));
  });

  test('keep all rows of a stream in the stream’s tablet', () => {
    const stream = fc.oneof(
      fc.stringMatching(/^[a-z0-9][a-z0-9._-]{1,31}$/).map(accountStream),
      fc
        .tuple(fc.stringMatching(/^[a-z2-7]{26}$/), fc.nat(5000))
        .map(([file, chunk]) => chunkStream(file, chunk)),
      fc.constant(CONSOLE_STREAM),
    );
    fc.assert(
      fc.property(stream, anyText, (name, rest) => {
        expect(tabletsOf(`${name}/${rest}`)).toEqual(tabletsOf(name));
      }),
    );
  });

  test('spread 1,000 users over four tablets, and 1,000 chunks over three, within a factor of two', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9]{3,11}$/), { minLength: 1000, maxLength: 1000 }),
        (names) => {
          const users = countsBy(names.flatMap((name) => tabletsOf(accountStream(name))));
          const chunks = countsBy(names.flatMap((name, i) => tabletsOf(chunkStream(name, i))));
          expect([...users.keys()].sort()).toEqual(['t08', 't09', 't10', 't11']);
          expect([...chunks.keys()].sort()).toEqual(['t05', 't06', 't07']);
          for (const counts of [[...users.values()], [...chunks.values()]]) {
            expect(Math.max(...counts)).toBeLessThan(2 * Math.min(...counts));
          }
        },
      ),
      { numRuns: 5 },
    );
  });

  test('have the console, and kv rows before and after the platform’s, in tablets of their kind', () => {
    expect(
      ['apple', 'grape', 'orange', 'zebra', CONSOLE_STREAM, 'é', '中文', '😀'].map(
        (row) => tabletsOf(row)[0],
      ),
    ).toEqual(['t01', 't02', 't03', 't04', 't07', 't12', 't12', 't12']);
  });
});

describe('the first configurations', () => {
  test('keep every rule and spread replicas and primaries evenly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 5 }), (count, copies) => {
        const nodes = Array.from({ length: count }, (_, i) => nodeId(`node-${i + 1}`));
        const first = initialConfigurations(nodes, copies);
        for (const configuration of first) {
          expect(brokenRule(configuration, undefined)).toBeUndefined();
          expect(configuration.replicas).toHaveLength(Math.min(copies, count));
          expect(configuration.inSync).toEqual(configuration.replicas);
        }
        for (const held of [first.map(({ primary }) => primary), first.flatMap(({ replicas }) => replicas)]) {
          const counts = nodes.map((node) => held.filter((holder) => holder === node).length);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(Math.min(copies, count));
        }
      }),
    );
  });

  test('of a local cluster: three copies of each tablet, four primaries on each of three nodes', () => {
    const first = initialConfigurations(['n1', 'n2', 'n3'].map(nodeId));
    expect([...countsBy(first.map(({ primary }) => primary)).values()]).toEqual([4, 4, 4]);
    expect(first.every(({ replicas }) => replicas.length === 3)).toBe(true);
  });

  test('need nodes', () => {
    expect(() => initialConfigurations([])).toThrow('at least one node');
  });
});
