/** A tablet's cells taken from one store and put into another, on each implementation of CellStore. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SPACE, type CellStore, type CellWrite } from '../../storage-nodes/cells/cells.ts';
import { MemoryCells } from '../../storage-nodes/cells/memory-cells.ts';
import { RocksCells } from '../../storage-nodes/cells/rocks-cells.ts';
import { seq, tabletId } from '../../storage-nodes/words.ts';

const T1 = tabletId('t01');
const T2 = tabletId('t02');
const PIECE_BYTES = 700;

const put = (row: string, value: string, at = 1): CellWrite => ({
  space: SPACE.table,
  row,
  column: 'c',
  seq: seq(at),
  content: { bytes: Buffer.from(value) },
});
const part: CellWrite = {
  space: SPACE.state,
  row: 'r1',
  column: 'big',
  seq: seq(7),
  content: { part: { seq: seq(7), part: 2, length: 123_456 } },
};
const many = (value: string, at: number): CellWrite[] =>
  Array.from({ length: 60 }, (_, i) => put(`row ${i}`, `${value} ${i}`, at));

const implementations: [string, (folder: string) => CellStore, boolean][] = [
  ['MemoryCells', () => new MemoryCells(), false],
  ['RocksCells', (folder) => new RocksCells({ folder }), true],
];

describe.each(implementations)('%s', (_name, create, keeps) => {
  let folder: string;
  let from: CellStore;
  let to: CellStore;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'penncloud-cells-'));
    [from, to] = [create(join(folder, 'from')), create(join(folder, 'to'))];
    await from.open();
    await to.open();
    await from.write(T1, seq(40), [...many('first', 40), part]);
  });
  afterEach(async () => {
    await from.close();
    await to.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Copies pieces from the view's next one on; stops after `most` of them. */
  async function copy(
    view: Awaited<ReturnType<CellStore['view']>>,
    first = 1,
    most = Infinity,
  ): Promise<boolean> {
    for (let chunk = first; chunk < first + most; chunk++) {
      const { bytes, isLast } = await view.next(PIECE_BYTES);
      await to.importPiece(T1, { snapshot: 's1', chunk, at: view.at, isLast }, bytes);
      if (isLast) return true;
    }
    return false;
  }

  test('gives the same cells with the same applied index, whatever was there before', async () => {
    await to.write(T1, seq(3), [put('row 5', 'old'), put('stale', 'gone soon')]);
    const view = await from.view(T1);
    expect(await copy(view)).toBe(true);
    await to.adoptImport(T1);
    await view.close();
    expect(to.applied(T1)).toBe(40);
    expect(await to.digest(T1)).toEqual(await from.digest(T1));
    expect(to.imported(T1)).toBeUndefined();
  });

  test('is of one moment, while writes go on', async () => {
    const before = await from.digest(T1);
    const view = await from.view(T1);
    await copy(view, 1, 2);
    await from.write(T1, seq(41), [...many('second', 41), put('new', 'new', 41)]);
    await copy(view, 3);
    await view.close();
    await to.adoptImport(T1);
    expect(await to.digest(T1)).toEqual(before);
    await to.write(T1, seq(41), [...many('second', 41), put('new', 'new', 41)]);
    expect(await to.digest(T1)).toEqual(await from.digest(T1));
  });

  test('is seen by nobody before it is adopted, and other tablets never see it', async () => {
    await to.write(T1, seq(3), [put('row 5', 'old')]);
    await to.write(T2, seq(1), [put('row 5', 'other')]);
    const [mine, other] = [await to.digest(T1), await to.digest(T2)];
    const view = await from.view(T1);
    await copy(view);
    await view.close();
    expect(await to.digest(T1)).toEqual(mine);
    await to.adoptImport(T1);
    expect(await to.digest(T2)).toEqual(other);
  });

  test('abandoned, or begun again, leaves nothing behind', async () => {
    const stray = await from.view(T1);
    await copy(stray, 1, 2);
    await stray.close();
    await to.abandonImport(T1);
    expect(to.imported(T1)).toBeUndefined();
    await from.write(T1, seq(41), [put('row 1', 'x', 41)]);
    const half = await from.view(T1);
    await copy(half, 1, 1);
    await half.close();
    const view = await from.view(T1);
    await copy(view);
    await view.close();
    await to.adoptImport(T1);
    expect(await to.digest(T1)).toEqual(await from.digest(T1));
  });

  test('refuses what is no piece, and goes on where it was', async () => {
    const view = await from.view(T1);
    await copy(view, 1, 1);
    const bad = { snapshot: 's1', chunk: 2, at: view.at, isLast: false };
    await expect(to.importPiece(T1, bad, Buffer.from('nonsense, and more of it'))).rejects.toMatchObject({
      code: 'Malformed',
    });
    expect(to.imported(T1)).toMatchObject({ chunk: 1 });
    await copy(view, 2);
    await view.close();
    await to.adoptImport(T1);
    expect(await to.digest(T1)).toEqual(await from.digest(T1));
  });

  test.runIf(keeps)('goes on after a restart with the piece that follows', async () => {
    const view = await from.view(T1);
    await copy(view, 1, 2);
    await to.close();
    to = create(join(folder, 'to'));
    await to.open();
    expect(to.imported(T1)).toEqual({ snapshot: 's1', chunk: 2, at: 40, isLast: false });
    await copy(view, 3);
    await view.close();
    await to.adoptImport(T1);
    await to.close();
    to = create(join(folder, 'to'));
    await to.open();
    expect(await to.digest(T1)).toEqual(await from.digest(T1));
  });

  test('a view that is closed while it is read ends that reading with Closed, or lets it end', async () => {
    const lines = Array.from({ length: 5000 }, (_, i) => put(`row ${i}`, 'x'.repeat(100), 41));
    await from.write(T1, seq(41), lines);
    await (from instanceof RocksCells ? from.flush() : undefined);
    for (const turns of [0, 1, 2, 5]) {
      const view = await from.view(T1);
      const reading = view.next(1 << 20).then(
        () => 'read',
        (error: { code?: string }) => error.code,
      );
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      await view.close();
      expect(['read', 'Closed']).toContain(await reading);
    }
  });

  test('a view that nobody closed does not hold up the store’s close', async () => {
    const view = await from.view(T1);
    await view.next(10);
    await from.close();
    await from.open();
  });
});
