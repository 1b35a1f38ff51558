/** What every CellStore promises, run on each implementation. */
import fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SPACE } from '../../storage-nodes/cells/cells.ts';
import type { Cell, CellScan, CellStore, CellWrite, Space } from '../../storage-nodes/cells/cells.ts';
import { MemoryCells } from '../../storage-nodes/cells/memory-cells.ts';
import { RocksCells } from '../../storage-nodes/cells/rocks-cells.ts';
import { Fault } from '../../storage-nodes/faults.ts';
import type { Timers } from '../../storage-nodes/timers.ts';
import { compareRows, seq, tabletId } from '../../storage-nodes/words.ts';

const T1 = tabletId('t01');
const T2 = tabletId('t02');
const { table, state } = SPACE;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (cell: Cell | undefined): string | undefined =>
  cell && 'bytes' in cell.content ? Buffer.from(cell.content.bytes).toString() : undefined;
const put = (row: string, column: string, value: string, at = 1, space: Space = table): CellWrite => ({
  space,
  row,
  column,
  seq: seq(at),
  content: { bytes: bytes(value) },
});
const remove = (row: string, column: string, at = 1): CellWrite => ({
  space: table,
  row,
  column,
  seq: seq(at),
  content: undefined,
});
const at = (row: string, column: string, space: Space = table) => ({ space, row, column });
const range = (more: Partial<CellScan> = {}): CellScan => ({
  space: table,
  from: { row: '', column: '' },
  to: null,
  limit: 1000,
  ...more,
});
const places = (cells: readonly Cell[]): string[] => cells.map((cell) => `${cell.row}/${cell.column}`);

/** Nothing waits for others: what was written is in RocksDB almost at once, and is read from there. */
const eager: Timers = {
  after(_ms, run) {
    const soon = setImmediate(run);
    return () => clearImmediate(soon);
  },
  soon: (run) => void setImmediate(run),
};

const implementations: [string, (folder: string) => CellStore][] = [
  ['MemoryCells', () => new MemoryCells()],
  ['RocksCells', (folder) => new RocksCells({ folder })],
  ['RocksCells without a useful cache', (folder) => new RocksCells({ folder, cacheBytes: 500 })],
  [
    'RocksCells without a useful cache that writes at once',
    (folder) => new RocksCells({ folder, cacheBytes: 500, timers: eager }),
  ],
];

describe.each(implementations)('%s', (_name, create) => {
  let folder: string;
  let cells: CellStore;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'penncloud-cells-'));
    cells = create(folder);
    await cells.open();
  });
  afterEach(async () => {
    await cells.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('a tablet that was never written is empty, with applied index 0', async () => {
    expect(cells.applied(T1)).toBe(0);
    expect(await cells.get(T1, [at('r', 'c')])).toEqual([undefined]);
    expect(await cells.scan(T1, range())).toEqual([]);
    expect((await cells.digest(T1)).cells).toBe(0);
  });

  test('gives back what was written, with the seq that wrote it, in the order asked', async () => {
    await cells.write(T1, seq(7), [put('a', 'x', 'one', 6), put('b', 'y', 'two', 7)]);
    const [second, absent, first] = await cells.get(T1, [at('b', 'y'), at('a', 'y'), at('a', 'x')]);
    expect([text(first), first?.seq, text(second), second?.seq, absent]).toEqual([
      'one',
      6,
      'two',
      7,
      undefined,
    ]);
    expect([first?.row, first?.column]).toEqual(['a', 'x']);
    expect(cells.applied(T1)).toBe(7);
  });

  test('keeps a reference to a part as it is', async () => {
    const part = { seq: seq(2 ** 40), part: 3, length: 2 ** 33 };
    await cells.write(T1, seq(1), [{ ...at('a', 'x'), seq: seq(1), content: { part } }]);
    expect((await cells.get(T1, [at('a', 'x')]))[0]?.content).toEqual({ part });
    expect((await cells.scan(T1, range()))[0]?.content).toEqual({ part });
  });

  test('keeps empty values apart from absent ones', async () => {
    await cells.write(T1, seq(1), [put('a', '', '')]);
    expect((await cells.get(T1, [at('a', '')])).map(text)).toEqual(['']);
  });

  test('what is in memory can be had at once, and is what a lookup gives', async () => {
    await cells.write(T1, seq(1), [put('a', 'x', 'v'), put('b', 'x', 'v')]);
    await cells.write(T1, seq(2), [remove('b', 'x', 2)]);
    expect(cells.peek(T1, [at('a', 'x'), at('b', 'x')])?.map(text)).toEqual(['v', undefined]);
    expect(cells.peek(T2, [at('a', 'x')])).toEqual([undefined]);
  });

  test('the last write of a cell wins, within a batch and over batches that are not awaited', async () => {
    await Promise.all([
      cells.write(T1, seq(1), [put('a', 'x', 'first'), put('a', 'x', 'second')]),
      cells.write(T1, seq(2), [put('a', 'x', 'third', 2)]),
      cells.write(T1, seq(3), [remove('a', 'x', 3), put('b', 'x', 'kept', 3)]),
    ]);
    expect((await cells.get(T1, [at('a', 'x'), at('b', 'x')])).map(text)).toEqual([undefined, 'kept']);
    expect(places(await cells.scan(T1, range()))).toEqual(['b/x']);
  });

  test('does not let a caller change a cell through the bytes it passed in', async () => {
    const mine = bytes('mine');
    await cells.write(T1, seq(1), [{ ...at('a', 'x'), seq: seq(1), content: { bytes: mine } }]);
    mine.fill(0);
    expect((await cells.get(T1, [at('a', 'x')])).map(text)).toEqual(['mine']);
  });

  test('an empty batch moves the applied index alone', async () => {
    await cells.write(T1, seq(4), []);
    expect(cells.applied(T1)).toBe(4);
    expect((await cells.digest(T1)).applied).toBe(4);
  });

  test('tablets and spaces do not see each other', async () => {
    await cells.write(T1, seq(1), [put('a', 'x', 'table'), put('a', 'x', 'state', 1, state)]);
    await cells.write(T2, seq(9), [put('a', 'x', 'other')]);
    expect((await cells.get(T1, [at('a', 'x'), at('a', 'x', state)])).map(text)).toEqual(['table', 'state']);
    expect((await cells.scan(T1, range())).map(text)).toEqual(['table']);
    expect((await cells.scan(T1, range({ reverse: true }))).map(text)).toEqual(['table']);
    expect([cells.applied(T1), cells.applied(T2)]).toEqual([1, 9]);
  });

  test('scans forward and backward between positions, from inclusive and to exclusive, up to the limit', async () => {
    await cells.write(
      T1,
      seq(1),
      ['a/1', 'a/2', 'b/1', 'b/2', 'c/1'].map((place) => put(place[0]!, place[2]!, place)),
    );
    const between = { from: { row: 'a', column: '2' }, to: { row: 'c', column: '1' } };
    expect(places(await cells.scan(T1, range(between)))).toEqual(['a/2', 'b/1', 'b/2']);
    expect(places(await cells.scan(T1, range({ ...between, reverse: true })))).toEqual(['b/2', 'b/1', 'a/2']);
    expect(places(await cells.scan(T1, range({ ...between, limit: 2 })))).toEqual(['a/2', 'b/1']);
    expect(places(await cells.scan(T1, range({ ...between, limit: 2, reverse: true })))).toEqual([
      'b/2',
      'b/1',
    ]);
    expect(places(await cells.scan(T1, range({ limit: 0 })))).toEqual([]);
    expect(places(await cells.scan(T1, range({ from: between.to, to: between.from })))).toEqual([]);
    expect(places(await cells.scan(T1, range({ reverse: true, limit: 1 })))).toEqual(['c/1']);
  });

  test('refuses text that has no UTF-8 form, naming the field, and changes nothing', async () => {
    for (const [row, column, field] of [
      ['\ud800', 'c', 'row'],
      ['r', 'x\udfff', 'column'],
    ] as const) {
      const refused = () => cells.write(T1, seq(1), [put('fine', 'c', 'v'), put(row, column, 'v')]);
      expect(refused).toThrow(
        expect.objectContaining({ code: 'Malformed', message: expect.stringContaining(field) }),
      );
    }
    expect(cells.applied(T1)).toBe(0);
    expect(await cells.scan(T1, range())).toEqual([]);
  });

  test('never lowers the applied index', async () => {
    await cells.write(T1, seq(5), []);
    expect(() => cells.write(T1, seq(4), [])).toThrow('Defect');
  });

  test('a dropped tablet is empty at once, and what is written afterwards is all there is', async () => {
    await cells.write(T1, seq(3), [put('a', 'x', 'old'), put('b', 'x', 'old')]);
    await cells.write(T2, seq(1), [put('a', 'x', 'other')]);
    await cells.drop(T1);
    expect(cells.applied(T1)).toBe(0);
    expect(await cells.get(T1, [at('a', 'x')])).toEqual([undefined]);
    await cells.write(T1, seq(1), [put('b', 'x', 'new')]);
    expect((await cells.scan(T1, range())).map(text)).toEqual(['new']);
    expect((await cells.scan(T2, range())).map(text)).toEqual(['other']);
  });

  test('a drop between writes that are not awaited takes its place in their order', async () => {
    const before = cells.write(T1, seq(1), [put('a', 'x', 'before')]);
    const dropped = cells.drop(T1);
    const after = cells.write(T1, seq(1), [put('b', 'x', 'after')]);
    await Promise.all([before, dropped, after]);
    expect((await cells.scan(T1, range())).map(text)).toEqual(['after']);
    expect(cells.applied(T1)).toBe(1);
  });

  test('a digest asked for while a tablet is being dropped is of before or after, not damaged', async () => {
    await cells.write(T1, seq(1), [put('a', 'x', 'old')]);
    const before = await cells.digest(T1);
    const dropped = cells.drop(T1);
    await Promise.resolve();
    const after = await cells.digest(T1);
    await dropped;
    expect([before.cells, 0]).toContain(after.cells);
  });

  test('a digest depends on the cells alone: not on batches, order, drops or the tablet’s name', async () => {
    await cells.write(T1, seq(2), [put('a', 'x', '1', 1), put('b', 'x', '2', 2), put('c', 'x', '3', 2)]);
    await cells.write(T1, seq(3), [remove('c', 'x', 3)]);
    await cells.write(T2, seq(1), [put('z', 'z', 'gone')]);
    await cells.drop(T2);
    await cells.write(T2, seq(1), [put('b', 'x', '2', 2)]);
    await cells.write(T2, seq(8), [put('a', 'x', '1', 1)]);
    const [one, two] = await Promise.all([cells.digest(T1), cells.digest(T2)]);
    expect(one).toEqual({ applied: 3, digest: two.digest, cells: 2 });
    expect(two).toEqual({ applied: 8, digest: one.digest, cells: 2 });
    await cells.write(T2, seq(9), [put('a', 'x', '1', 9)]);
    expect((await cells.digest(T2)).digest, 'the seq of a cell counts').not.toBe(one.digest);
  });

  test('a lookup of several cells never mixes two states, while writes go on', async () => {
    const names = ['a', 'b', 'c', 'd'];
    await cells.write(
      T1,
      seq(1),
      names.map((row) => put(row, 'x', '1')),
    );
    let writing = true;
    const writer = (async () => {
      for (let n = 2; n <= 400; n++) {
        const done = cells.write(
          T1,
          seq(n),
          names.map((row) => put(row, 'x', String(n), n)),
        );
        if (n % 3 === 0) await done;
      }
      writing = false;
    })();
    while (writing) {
      const before = cells.applied(T1);
      const found = await cells.get(
        T1,
        names.map((row) => at(row, 'x')),
      );
      const scanned = await cells.scan(T1, range());
      expect(new Set(found.map(text)).size).toBe(1);
      expect(new Set(scanned.map(text)).size).toBe(1);
      expect(found[0]!.seq).toBeGreaterThanOrEqual(before);
      expect(scanned[0]!.seq).toBeGreaterThanOrEqual(found[0]!.seq);
      await new Promise(setImmediate);
    }
    await writer;
  });

  test('answers any history of writes like a sorted map does', { timeout: 30_000 }, async () => {
    const word = fc.oneof(
      fc.constantFrom('', 'a', 'ab', 'a\0', 'a\0b', 'a\u0001', '\u00ff', '\uffff', '😀'),
      fc.string({ unit: 'binary', maxLength: 3 }),
    );
    const step = fc.array(
      fc.record({ row: word, column: word, value: fc.option(fc.string({ maxLength: 6 })) }),
      { maxLength: 8 },
    );
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 6 }),
        word,
        word,
        fc.integer({ min: 1, max: 6 }),
        async (steps, low, high, limit) => {
          const tablet = tabletId(`property ${++round}`);
          const model = new Map<string, { row: string; column: string; value: string }>();
          for (const [i, writes] of steps.entries()) {
            const batch = writes.map(({ row, column, value }) => {
              if (value === null) model.delete(JSON.stringify([row, column]));
              else model.set(JSON.stringify([row, column]), { row, column, value });
              return value === null ? remove(row, column) : put(row, column, value, i + 1);
            });
            await cells.write(tablet, seq(i + 1), batch);
          }
          const sorted = [...model.values()].sort(
            (a, b) => compareRows(a.row, b.row) || compareRows(a.column, b.column),
          );
          const inside = sorted.filter(
            (cell) => compareRows(cell.row, low) >= 0 && compareRows(cell.row, high) < 0,
          );
          const span = { from: { row: low, column: '' }, to: { row: high, column: '' } };
          const shown = (found: readonly Cell[]) =>
            found.map((cell) => ({ row: cell.row, column: cell.column, value: text(cell) }));
          expect(shown(await cells.scan(tablet, range({ limit: 10_000 })))).toEqual(sorted);
          expect(shown(await cells.scan(tablet, range({ ...span, limit })))).toEqual(inside.slice(0, limit));
          expect(shown(await cells.scan(tablet, range({ ...span, limit, reverse: true })))).toEqual(
            inside.reverse().slice(0, limit),
          );
          const found = await cells.get(
            tablet,
            sorted.map(({ row, column }) => at(row, column)),
          );
          expect(found.map(text)).toEqual(sorted.map(({ value }) => value));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('refuses every call before open and after close', async () => {
    await cells.write(T1, seq(1), [put('a', 'x', 'v')]);
    await cells.close();
    for (const store of [cells, create(folder)]) {
      const closed = { code: 'Closed' };
      expect(() => store.applied(T1)).toThrow(Fault);
      await expect(store.get(T1, [at('a', 'x')])).rejects.toMatchObject(closed);
      await expect(store.scan(T1, range())).rejects.toMatchObject(closed);
      expect(() => store.write(T1, seq(2), [])).toThrow(Fault);
      await expect(store.digest(T1)).rejects.toMatchObject(closed);
      await expect(store.drop(T1)).rejects.toMatchObject(closed);
      await store.close();
    }
  });

  test('close waits for what is in flight', async () => {
    await cells.write(T1, seq(1), [put('a', 'x', '1')]);
    await cells.write(T1, seq(2), [put('a', 'x', '2', 2)]);
    const asked = [
      cells.get(T1, [at('a', 'x'), at('never', 'asked')]),
      cells.scan(T1, range()),
      cells.digest(T1),
    ];
    await cells.close();
    const settled = await Promise.allSettled(asked);
    expect(settled.map((outcome) => outcome.status)).toEqual(asked.map(() => 'fulfilled'));
  });
});

test('both engines give the same cells the same digest', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'penncloud-cells-'));
  const stores: CellStore[] = [new MemoryCells(), new RocksCells({ folder })];
  const digests = [];
  for (const store of stores) {
    await store.open();
    await store.write(T1, seq(2), [put('a', 'x\0', '1'), put('😀\0', '', '2', 2, state), remove('a', 'y')]);
    digests.push(await store.digest(T1));
    await store.close();
  }
  await rm(folder, { recursive: true, force: true });
  expect(digests[1]).toEqual(digests[0]);
});
