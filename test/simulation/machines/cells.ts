/**
 * A node's cells, as a database that syncs nothing keeps them: after a power cut a prefix of the batches
 * is there, or the store is condemned as a whole; after a kill, all of it. A cell whose bytes were damaged
 * is a Fault when it is met. Keys are compared as text, which is their order for the rows that simulations use.
 */
import { decode, encode } from '@msgpack/msgpack';
import { createHash } from 'node:crypto';
import type {
  Cell,
  CellAddress,
  CellScan,
  CellScrub,
  CellStore,
  CellView,
  CellWrite,
  ImportProgress,
} from '../../../storage-nodes/cells/cells.ts';
import { FIRST_FORM } from '../../../storage-nodes/cells/cells.ts';
import { Fault } from '../../../storage-nodes/faults.ts';
import type { Seq, TabletId } from '../../../storage-nodes/words.ts';
import type { Random } from '../engine/random.ts';

type Batch =
  | { readonly tablet: TabletId; readonly applied: Seq; readonly writes: readonly CellWrite[] }
  | { readonly tablet: TabletId; readonly imports: ImportProgress; readonly cells: readonly NamedCell[] }
  | { readonly tablet: TabletId; readonly what: 'drop' | 'adopt' | 'abandon' };

type NamedCell = readonly [name: string, cell: Cell];
type Import = { progress: ImportProgress; readonly cells: NamedCell[] };

class TabletCells {
  applied = 0 as Seq;
  readonly cells = new Map<string, Cell>();
  readonly damaged = new Set<string>();
  sorted: string[] | undefined;
}

/** What lies on the disk, from one life of the node to the next. */
export class CellDisk {
  readonly tablets = new Map<TabletId, TabletCells>();
  readonly imports = new Map<TabletId, Import>();
  #batches: Batch[] = [];
  #condemned = false;

  write(batch: Batch): void {
    this.#batches.push(batch);
    this.#apply(batch);
  }

  /** What a power cut leaves: `true` if some of it is gone. */
  losePower(random: Random): void {
    if (random.chance(0.1)) this.#condemned = true;
    const kept = this.#batches.slice(
      0,
      this.#batches.length - random.below(Math.min(40, this.#batches.length) + 1),
    );
    this.#batches = [];
    this.tablets.clear();
    this.imports.clear();
    for (const batch of kept) this.write(batch);
  }

  wipe(): void {
    this.tablets.clear();
    this.imports.clear();
    this.#batches = [];
    this.#condemned = false;
  }

  open(): string | undefined {
    if (!this.#condemned) return undefined;
    this.wipe();
    return 'a batch is missing from the middle';
  }

  /** Flips a byte of some cell; false if there is none. */
  damage(random: Random): boolean {
    const all = [...this.tablets.values()].filter(({ cells }) => cells.size > 0);
    if (all.length === 0) return false;
    const { cells, damaged } = random.pick(all);
    damaged.add(random.pick([...cells.keys()]));
    return true;
  }

  #apply(batch: Batch): void {
    if ('what' in batch) return this.#turn(batch.tablet, batch.what);
    if ('imports' in batch) {
      const before = batch.imports.chunk === 1 ? undefined : this.imports.get(batch.tablet);
      const cells = [...(before?.cells ?? []), ...batch.cells];
      this.imports.set(batch.tablet, { progress: batch.imports, cells });
      return;
    }
    let tablet = this.tablets.get(batch.tablet);
    if (!tablet) this.tablets.set(batch.tablet, (tablet = new TabletCells()));
    for (const { space, row, column, content, seq } of batch.writes) {
      const name = nameOf(space, row, column);
      tablet.damaged.delete(name);
      if (content === undefined) {
        if (tablet.cells.delete(name)) tablet.sorted = undefined;
        continue;
      }
      if (!tablet.cells.has(name)) tablet.sorted = undefined;
      tablet.cells.set(name, { row, column, seq, content });
    }
    tablet.applied = batch.applied;
  }

  #turn(id: TabletId, what: 'drop' | 'adopt' | 'abandon'): void {
    if (what === 'drop') {
      this.tablets.delete(id);
      return;
    }
    const found = this.imports.get(id);
    this.imports.delete(id);
    if (what === 'abandon' || !found) return;
    const tablet = new TabletCells();
    for (const [name, cell] of found.cells) tablet.cells.set(name, cell);
    tablet.applied = found.progress.at;
    this.tablets.set(id, tablet);
  }
}

export class StoredCells implements CellStore {
  readonly form = FIRST_FORM;
  readonly #disk: CellDisk;
  readonly #alive: () => boolean;

  constructor(disk: CellDisk, alive: () => boolean) {
    this.#disk = disk;
    this.#alive = alive;
  }

  async open(): Promise<{ condemned: string | undefined }> {
    return { condemned: this.#disk.open() };
  }
  async close(): Promise<void> {}

  applied(tablet: TabletId): Seq {
    return this.#disk.tablets.get(tablet)?.applied ?? (0 as Seq);
  }

  async get(id: TabletId, addresses: readonly CellAddress[]): Promise<(Cell | undefined)[]> {
    const tablet = this.#disk.tablets.get(id);
    return addresses.map(({ space, row, column }) => tablet && cellOf(tablet, nameOf(space, row, column)));
  }

  /** Now and then they are not in memory; a damaged one never is. */
  peek(id: TabletId, addresses: readonly CellAddress[]): (Cell | undefined)[] | undefined {
    const tablet = this.#disk.tablets.get(id);
    const names = addresses.map(({ space, row, column }) => nameOf(space, row, column));
    if (tablet && (tablet.applied % 3 === 0 || names.some((name) => tablet.damaged.has(name))))
      return undefined;
    return names.map((name) => tablet?.cells.get(name));
  }

  async scan(id: TabletId, { space, from, to, limit, reverse }: CellScan): Promise<Cell[]> {
    const tablet = this.#disk.tablets.get(id);
    if (!tablet) return [];
    const low = nameOf(space, from.row, from.column);
    const high = to ? nameOf(space, to.row, to.column) : nameOf(space + 1, '', '');
    const names = sortedNames(tablet).filter((name) => name >= low && name < high);
    const wanted = reverse ? names.reverse().slice(0, limit) : names.slice(0, limit);
    return wanted.map((name) => cellOf(tablet, name)!);
  }

  write(tablet: TabletId, applied: Seq, writes: readonly CellWrite[]): Promise<void> | undefined {
    if (applied < this.applied(tablet))
      throw new Error(`Defect: applied index ${applied} after ${this.applied(tablet)}`);
    if (!this.#alive()) return new Promise<never>(() => undefined);
    this.#disk.write({ tablet, applied, writes });
    return undefined;
  }

  async digest(id: TabletId): Promise<{ applied: Seq; digest: string; cells: number }> {
    const tablet = this.#disk.tablets.get(id);
    const hash = createHash('sha256');
    const names = tablet ? sortedNames(tablet) : [];
    for (const name of names) {
      const { seq, content } = tablet!.cells.get(name)!;
      hash.update(`${name}\n${seq}\n`);
      hash.update('bytes' in content ? content.bytes : JSON.stringify(content.part));
    }
    return { applied: tablet?.applied ?? (0 as Seq), digest: hash.digest('hex'), cells: names.length };
  }

  async view(id: TabletId): Promise<CellView> {
    const tablet = this.#disk.tablets.get(id);
    const cells: NamedCell[] = tablet ? sortedNames(tablet).map((name) => [name, cellOf(tablet, name)!]) : [];
    let next = 0;
    return {
      at: this.applied(id),
      next: async (maxBytes) => {
        const from = next;
        next = Math.min(cells.length, next + Math.max(1, maxBytes >> 6));
        return { bytes: encode(cells.slice(from, next)), isLast: next === cells.length };
      },
      close: async () => undefined,
    };
  }

  async importPiece(tablet: TabletId, imports: ImportProgress, bytes: Uint8Array): Promise<void> {
    if (imports.chunk !== 1 && imports.chunk !== (this.imported(tablet)?.chunk ?? 0) + 1)
      throw new Error(`Defect: piece ${imports.chunk} of ${tablet} does not follow`);
    await this.#write({ tablet, imports, cells: decode(bytes) as NamedCell[] });
  }

  imported(tablet: TabletId): ImportProgress | undefined {
    return this.#disk.imports.get(tablet)?.progress;
  }

  async adoptImport(tablet: TabletId): Promise<void> {
    if (!this.imported(tablet)?.isLast) throw new Error(`Defect: the import of ${tablet} is not complete`);
    await this.#write({ tablet, what: 'adopt' });
  }

  abandonImport(tablet: TabletId): Promise<void> {
    return this.#write({ tablet, what: 'abandon' });
  }

  async scrub(): Promise<CellScrub> {
    return { damage: undefined, isBehind: false };
  }

  drop(tablet: TabletId): Promise<void> {
    return this.#write({ tablet, what: 'drop' });
  }

  async #write(batch: Batch): Promise<void> {
    if (!this.#alive()) return new Promise<never>(() => undefined);
    this.#disk.write(batch);
  }
}

function cellOf(tablet: TabletCells, name: string): Cell | undefined {
  if (tablet.damaged.has(name)) throw new Fault('Damaged', 'a cell fails its checksum');
  return tablet.cells.get(name);
}

function nameOf(space: number, row: string, column: string): string {
  return `${space}\u0000${row}\u0000${column}`;
}

function sortedNames(tablet: TabletCells): string[] {
  return (tablet.sorted ??= [...tablet.cells.keys()].sort());
}
