/**
 * A history of cells that anyone can recompute: what entry n of a tablet writes follows from n alone, so
 * that the applied index says exactly which cells there must be.
 */
import { SPACE } from '../../storage-nodes/cells/cells.ts';
import type { Cell, CellWrite } from '../../storage-nodes/cells/cells.ts';
import { MemoryCells } from '../../storage-nodes/cells/memory-cells.ts';
import type { RocksCells } from '../../storage-nodes/cells/rocks-cells.ts';
import { seq, tabletId } from '../../storage-nodes/words.ts';
import type { TabletId } from '../../storage-nodes/words.ts';

export const TABLETS: readonly TabletId[] = ['t01', 't02', 't03'].map(tabletId);

/** Values of about 200 bytes, overwritten and deleted now and then. */
export function writesOf(tablet: TabletId, n: number): CellWrite[] {
  const row = (k: number): string => `${tablet}-row-${String(k).padStart(4, '0')}`;
  const value = Buffer.from(`value ${n} of ${tablet} `.repeat(9));
  const cell = (k: number) => ({ space: SPACE.table, row: row(k), column: 'c', seq: seq(n) });
  return [
    { ...cell(n), content: { bytes: value } },
    { ...cell(Math.floor(n / 2)), content: { bytes: value } },
    ...(n % 5 === 0 ? [{ ...cell(n - 4), content: undefined }] : []),
  ];
}

export const everything = {
  space: SPACE.table,
  from: { row: '', column: '' },
  to: null,
  limit: 1_000_000,
} as const;

const models = new Map<string, Promise<{ cells: Cell[]; digest: string }>>();

/** The cells and the digest that a tablet has after entries 1 … applied. */
export function expected(tablet: TabletId, applied: number): Promise<{ cells: Cell[]; digest: string }> {
  const name = `${tablet}/${applied}`;
  const model = models.get(name) ?? recompute(tablet, applied);
  models.set(name, model);
  return model;
}

async function recompute(tablet: TabletId, applied: number): Promise<{ cells: Cell[]; digest: string }> {
  const model = new MemoryCells();
  await model.open();
  for (let n = 1; n <= applied; n++) model.write(tablet, seq(n), writesOf(tablet, n));
  return { cells: await model.scan(tablet, everything), digest: (await model.digest(tablet)).digest };
}

/** Writes entries from … to of every tablet. */
export async function writeHistory(cells: RocksCells, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) {
    for (const tablet of TABLETS) await cells.write(tablet, seq(n), writesOf(tablet, n));
    // So that there are many batches in the WAL.
    if (n % 4 === 0) await cells.flush();
  }
  await cells.flush();
}
