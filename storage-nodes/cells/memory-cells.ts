/**
 * The in-memory twin of RocksCells: the same keys, the same values, the same digests, nothing on disk. For
 * replaying a log that fits in memory, and for tests. Closing it forgets everything.
 *
 * A key is held as a latin1 string, one character a byte, so that `<` is byte order. The sorted list of
 * keys is made when a scan wants it and thrown away when a key comes or goes.
 */
import { createHash } from 'node:crypto';
import { Fault, assert } from '../faults.ts';
import { seq } from '../words.ts';
import type { Seq, TabletId } from '../words.ts';
import { digestRecord } from './cell-digest.ts';
import { cellKey, decodeCellKey, spaceKey } from './cell-key.ts';
import { PieceWriter, readPiece } from './cell-piece.ts';
import { encodeCell, openCell, sealAgain } from './cell-value.ts';
import type {
  Cell,
  CellAddress,
  CellScan,
  CellScrub,
  CellStore,
  CellView,
  CellWrite,
  ImportProgress,
} from './cells.ts';
import { FIRST_FORM } from './cells.ts';

const NO_PREFIX = Buffer.alloc(0);

type Imported = { readonly values: Map<string, Buffer>; progress: ImportProgress };
type Tablet = { applied: Seq; readonly values: Map<string, Buffer>; sorted: string[] | undefined };

export class MemoryCells implements CellStore {
  readonly form = FIRST_FORM;
  private tablets: Map<TabletId, Tablet> | undefined;
  private readonly imports = new Map<TabletId, Imported>();

  open(): Promise<{ condemned: string | undefined }> {
    assert(this.tablets === undefined, 'cells in memory are opened twice');
    this.tablets = new Map();
    return Promise.resolve({ condemned: undefined });
  }

  close(): Promise<void> {
    this.tablets = undefined;
    this.imports.clear();
    return Promise.resolve();
  }

  applied(tablet: TabletId): Seq {
    return this.find(tablet)?.applied ?? seq(0);
  }

  async get(tabletId: TabletId, addresses: readonly CellAddress[]): Promise<(Cell | undefined)[]> {
    return this.peek(tabletId, addresses);
  }

  peek(tabletId: TabletId, addresses: readonly CellAddress[]): (Cell | undefined)[] {
    const tablet = this.find(tabletId);
    return addresses.map(({ space, row, column }) => {
      const value = tablet?.values.get(nameOf(space, row, column));
      return value && { row, column, ...openCell(value)! };
    });
  }

  async scan(tabletId: TabletId, scan: CellScan): Promise<Cell[]> {
    const tablet = this.find(tabletId);
    const from = nameOf(scan.space, scan.from.row, scan.from.column);
    const to = scan.to
      ? nameOf(scan.space, scan.to.row, scan.to.column)
      : spaceKey(NO_PREFIX, scan.space + 1).toString('latin1');
    if (tablet === undefined) return [];
    const names = sortedNames(tablet);
    const first = firstNotBelow(names, from);
    const end = Math.max(first, firstNotBelow(names, to));
    const limit = Math.max(0, scan.limit);
    const wanted = scan.reverse
      ? names.slice(Math.max(first, end - limit), end).reverse()
      : names.slice(first, Math.min(end, first + limit));
    return wanted.map((name) => {
      const { row, column } = decodeCellKey(Buffer.from(name, 'latin1'), 0)!;
      return { row, column, ...openCell(tablet.values.get(name)!)! };
    });
  }

  write(tabletId: TabletId, applied: Seq, writes: readonly CellWrite[]): undefined {
    const existing = this.find(tabletId);
    const tablet: Tablet = existing ?? { applied: seq(0), values: new Map(), sorted: undefined };
    assert(applied >= tablet.applied, `tablet ${tabletId}: applied index ${applied} after ${tablet.applied}`);
    const puts = writes.map(({ space, row, column, content, seq: writtenAt }) => {
      const key = cellKey(NO_PREFIX, space, row, column);
      return { name: key.toString('latin1'), value: content && encodeCell(key, writtenAt, content) };
    });
    for (const { name, value } of puts) {
      if (tablet.values.has(name) !== (value !== undefined)) tablet.sorted = undefined;
      if (value === undefined) tablet.values.delete(name);
      else tablet.values.set(name, value);
    }
    tablet.applied = applied;
    if (existing === undefined) this.tablets!.set(tabletId, tablet);
  }

  async digest(tabletId: TabletId): Promise<{ applied: Seq; digest: string; cells: number }> {
    const tablet = this.find(tabletId);
    const hash = createHash('sha256');
    const names = tablet ? sortedNames(tablet) : [];
    for (const name of names) digestRecord(hash, Buffer.from(name, 'latin1'), tablet!.values.get(name)!);
    return { applied: tablet?.applied ?? seq(0), digest: hash.digest('hex'), cells: names.length };
  }

  async view(tabletId: TabletId): Promise<CellView> {
    const tablet = this.find(tabletId);
    const cells = tablet ? sortedNames(tablet).map((name) => [name, tablet.values.get(name)!] as const) : [];
    let next = 0;
    return {
      at: tablet?.applied ?? seq(0),
      next: async (maxBytes) => {
        const piece = new PieceWriter();
        while (next < cells.length && piece.bytes < maxBytes) {
          const [name, value] = cells[next++]!;
          piece.add(Buffer.from(name, 'latin1'), value);
        }
        return { bytes: piece.finish(), isLast: next === cells.length };
      },
      close: async () => undefined,
    };
  }

  async importPiece(tablet: TabletId, progress: ImportProgress, bytes: Uint8Array): Promise<void> {
    this.requireOpen();
    const records = readPiece(bytes);
    if (progress.chunk === 1) this.imports.delete(tablet);
    const before = this.imports.get(tablet);
    assert(
      progress.chunk === (before?.progress.chunk ?? 0) + 1,
      `piece ${progress.chunk} of ${tablet} does not follow ${before?.progress.chunk ?? 0}`,
    );
    const values = before?.values ?? new Map<string, Buffer>();
    for (const { place, rest } of records) values.set(place.toString('latin1'), sealAgain(place, rest));
    this.imports.set(tablet, { values, progress });
  }

  imported(tablet: TabletId): ImportProgress | undefined {
    return this.imports.get(tablet)?.progress;
  }

  async adoptImport(tablet: TabletId): Promise<void> {
    const { values, progress } = this.imports.get(tablet)!;
    assert(progress.isLast, `the import of ${tablet} is not complete`);
    this.requireOpen().set(tablet, { applied: progress.at, values, sorted: undefined });
    this.imports.delete(tablet);
  }

  async abandonImport(tablet: TabletId): Promise<void> {
    this.imports.delete(tablet);
  }

  async drop(tabletId: TabletId): Promise<void> {
    this.requireOpen().delete(tabletId);
  }

  scrub(): Promise<CellScrub> {
    return Promise.resolve({ damage: undefined, isBehind: false });
  }

  private find(tablet: TabletId): Tablet | undefined {
    return this.requireOpen().get(tablet);
  }

  private requireOpen(): Map<TabletId, Tablet> {
    if (this.tablets === undefined)
      throw new Fault('Closed', 'the cells in memory are not open: open them first');
    return this.tablets;
  }
}

function nameOf(space: number, row: string, column: string): string {
  return cellKey(NO_PREFIX, space, row, column).toString('latin1');
}

function sortedNames(tablet: Tablet): string[] {
  return (tablet.sorted ??= [...tablet.values.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
}

function firstNotBelow(names: readonly string[], bound: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (names[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
