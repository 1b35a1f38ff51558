/**
 * Cells in RocksDB. What always holds:
 *
 *   - a lookup, a scan and a digest answer exactly the state of `applied(tablet)` at the moment they take
 *     their snapshot: never a part of a batch, never one that has not completed (write-queue.ts);
 *   - every record that is looked at has its checksum verified, also the one after the last of a scan, so
 *     that damage is answered with Fault Damaged and not with silence;
 *   - a store that lost a batch from the middle is condemned when it opens (store-state.ts, batch-chain.ts).
 *
 * A tablet's keys carry a generation. Dropping a tablet forgets its generation, at once and atomically;
 * the bytes are cleared behind it, and what a crash leaves of them is swept at the next open.
 *
 * For want of room a store takes no more writes, and goes on answering lookups. Each further write tries
 * whether there is room again, opens the store anew if there is, and goes on (RocksDB needs that after a
 * write that failed).
 *
 * What it leaves out: damage that comes up under an open store in records that nobody reads. RocksDB's
 * iterators don't verify blocks: a bit that flips in a *key* can move its record out of a scanned range, and
 * one in a length can abort the process. `scrub` finds such blocks, and the next open condemns the store.
 */
import type { Logger } from 'pino';
import { Fault, assert } from '../faults.ts';
import { seq } from '../words.ts';
import type { Seq, TabletId } from '../words.ts';
import { CellCache } from './cell-cache.ts';
import * as keys from './cell-key.ts';
import { digestOfNothing, digestTablet } from './tablet-digest.ts';
import type { TabletDigest } from './tablet-digest.ts';
import { damagedRecord, decodeCell, encodeCell, encodeNumber, isSound, openCell } from './cell-value.ts';
import { CellImports } from './cell-import.ts';
import { CellViews } from './cell-views.ts';
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
import { clearPrefix, orphanPrefixes } from './dropped-cells.ts';
import { ReopeningStore } from './reopening-store.ts';
import type { Open } from './reopening-store.ts';
import type { StoreState } from './store-state.ts';
import { verifyNext } from './table-scrub.ts';
import type { Put, RocksBinding } from './rocksdb-binding.ts';

const CACHE_BYTES = 64 * 1024 * 1024;
/** What RocksDB's memory table takes for a record besides key and value, at least. */
const PUT_OVERHEAD_BYTES = 16;

type Tablet = {
  readonly id: TabletId;
  readonly generation: number;
  readonly prefix: Buffer;
  applied: Seq;
  queued: Seq;
};

export class RocksCells implements CellStore {
  private readonly folder: string;
  private readonly store: ReopeningStore;
  private readonly logger: Logger | undefined;
  private readonly cache: CellCache;
  private tablets = new Map<TabletId, Tablet>();
  private imports = new CellImports();
  private readonly views = new CellViews();
  private lastGeneration = 0;
  private background: Promise<void> = Promise.resolve();

  /** `verifiedAtOpeningBytes`: of SSTs, see table-scrub.ts. */
  constructor(options: {
    folder: string;
    logger?: Logger;
    cacheBytes?: number;
    verifiedAtOpeningBytes?: number;
  }) {
    this.folder = options.folder;
    this.logger = options.logger;
    this.cache = new CellCache(options.cacheBytes ?? CACHE_BYTES);
    this.store = new ReopeningStore({
      folder: options.folder,
      logger: options.logger,
      verifiedAtOpeningBytes: options.verifiedAtOpeningBytes,
      takeOver: (state, open) => this.takeOver(state, open),
      told: () => [...this.tablets.values()],
      release: { before: () => this.views.closeAll(), after: () => this.background },
    });
  }

  async open(): Promise<{ condemned: string | undefined }> {
    const { condemned } = await this.store.open();
    if (condemned !== undefined) {
      this.logger?.error(
        { folder: this.folder, condemned },
        'cells condemned and dropped; they are rebuilt from the log',
      );
    }
    return { condemned };
  }

  private async takeOver(state: StoreState, { binding, queue }: Open): Promise<void> {
    this.tablets = new Map();
    for (const { tablet, generation, applied } of state.tablets) {
      const id = tablet as TabletId;
      const prefix = keys.tabletPrefix(id, generation);
      this.tablets.set(id, { id, generation, prefix, applied, queued: applied });
    }
    this.imports = new CellImports(state.imports);
    this.lastGeneration = state.lastGeneration;
    this.cache.clear();
    if (state.isNew) {
      const end = { key: keys.END_KEY, value: encodeNumber(keys.END_KEY, 1) };
      await queue.write({ puts: [end], bytes: 32, tablet: this, touches: [], done: () => undefined });
    } else {
      this.inBackground(() => this.sweep(binding));
    }
  }

  close(): Promise<void> {
    return this.store.close();
  }

  applied(tablet: TabletId): Seq {
    this.store.requireKnown();
    return this.tablets.get(tablet)?.applied ?? seq(0);
  }

  async get(tabletId: TabletId, addresses: readonly CellAddress[]): Promise<(Cell | undefined)[]> {
    const open = this.store.reopening ? await this.whenOpen() : this.store.require();
    const { queue } = open;
    const tablet = this.tablets.get(tabletId);
    if (tablet === undefined) return addresses.map(() => undefined);
    const names = addresses.map((address) => identity(tablet, address));
    const cached = this.allCached(names);
    if (cached !== undefined) return cached;
    if (!names.some((name) => queue.touchesCell(name))) return this.lookUp(open, tablet, addresses, names);
    return queue.inGap(() => this.lookUp(open, tablet, addresses, names));
  }

  async scan(tabletId: TabletId, scan: CellScan): Promise<Cell[]> {
    const { binding, queue } = this.store.reopening ? await this.whenOpen() : this.store.require();
    const tablet = this.tablets.get(tabletId);
    const { prefix } = tablet ?? { prefix: keys.tabletPrefix(tabletId, 0) };
    const from = keys.cellKey(prefix, scan.space, scan.from.row, scan.from.column);
    const to = scan.to
      ? keys.cellKey(prefix, scan.space, scan.to.row, scan.to.column)
      : keys.spaceKey(prefix, scan.space + 1);
    if (tablet === undefined || scan.limit <= 0 || keys.compareKeys(from, to) >= 0) return [];

    const cells: Cell[] = [];
    const visit = (key: Buffer, value: Buffer): boolean => {
      const isPast = scan.reverse ? keys.compareKeys(key, from) < 0 : keys.compareKeys(key, to) >= 0;
      if (isPast) {
        // The record that ends the scan is verified too: a damaged key must not cut it short.
        if (!isSound(key, value)) throw damagedRecord(tabletId, 'the record after a scanned range');
        return false;
      }
      cells.push(readCell(tablet, key, value));
      return cells.length < scan.limit;
    };
    const walk = { start: scan.reverse ? to : from, reverse: scan.reverse ?? false };
    const take = (): Promise<boolean> => binding.walk(walk, visit);
    const ended = await (queue.touchesTablet(tablet) ? queue.inGap(take) : take());
    if (!ended) throw damagedRecord(tabletId, 'the end of the store');
    return cells;
  }

  async write(tabletId: TabletId, applied: Seq, writes: readonly CellWrite[]): Promise<void> {
    if (this.store.isFull) await this.store.openAgain();
    const { queue } = this.store.require();
    const puts: Put[] = [];
    const tablet = this.tablets.get(tabletId) ?? this.newTablet(tabletId);
    const touches = new Array<string>(writes.length);
    let bytes = 0;
    for (const [i, write] of writes.entries()) {
      const key = keys.cellKey(tablet.prefix, write.space, write.row, write.column);
      const value = write.content && encodeCell(key, write.seq, write.content);
      puts.push({ key, value });
      bytes += key.length + (value?.length ?? 0) + PUT_OVERHEAD_BYTES;
      touches[i] = identity(tablet, write);
    }
    assert(applied >= tablet.queued, `tablet ${tabletId}: applied index ${applied} after ${tablet.queued}`);
    if (!this.tablets.has(tabletId)) puts.push(...this.register(tablet));
    tablet.queued = applied;
    const appliedKey = keys.appliedKey(tablet.prefix);
    puts.push({ key: appliedKey, value: encodeNumber(appliedKey, applied) });
    const done = (batch: number): void => {
      for (const [i, { row, column }] of writes.entries()) {
        const record = puts[i]!.value && openCell(puts[i]!.value!);
        this.cache.wrote(touches[i]!, record && { row, column, ...record }, batch);
      }
      tablet.applied = applied;
    };
    return queue.write({ puts, bytes, tablet, touches, done });
  }

  async digest(tabletId: TabletId): Promise<{ applied: Seq; digest: string; cells: number }> {
    const { binding, queue } = this.store.reopening ? await this.whenOpen() : this.store.require();
    const tablet = this.tablets.get(tabletId);
    if (tablet === undefined) return { applied: seq(0), digest: digestOfNothing(), cells: 0 };
    const take = (): Promise<TabletDigest> => digestTablet(binding, tablet);
    const { applied, digest, cells } = await (queue.touchesTablet(tablet) ? queue.inGap(take) : take());
    if (applied === undefined) {
      // Dropped while this waited for the gap.
      if (this.tablets.get(tabletId) !== tablet) return this.digest(tabletId);
      throw damagedRecord(tabletId, 'the applied index');
    }
    return { applied: seq(applied), digest, cells };
  }

  async view(tabletId: TabletId): Promise<CellView> {
    const { binding, queue } = this.store.reopening ? await this.whenOpen() : this.store.require();
    const tablet = this.tablets.get(tabletId);
    const take = async (): Promise<CellView> => this.views.open(binding, tablet);
    return tablet && queue.touchesTablet(tablet) ? queue.inGap(take) : take();
  }

  async importPiece(tabletId: TabletId, progress: ImportProgress, bytes: Uint8Array): Promise<void> {
    if (this.store.isFull) await this.store.openAgain();
    const { queue } = this.store.require();
    if (progress.chunk === 1) await this.abandonImport(tabletId);
    const isNew = this.imported(tabletId) === undefined;
    const generation = isNew ? this.nextGeneration() : 0;
    const { entry, puts } = this.imports.piece(tabletId, progress, bytes, generation);
    if (isNew) puts.push(this.generationRecord(generation));
    await queue.write({ puts, bytes: bytes.length, tablet: entry, touches: [], done: () => undefined });
  }

  imported(tabletId: TabletId): ImportProgress | undefined {
    return this.imports.get(tabletId)?.progress;
  }

  async adoptImport(tabletId: TabletId): Promise<void> {
    if (this.store.isFull) await this.store.openAgain();
    const { binding, queue } = this.store.require();
    const { generation, prefix, progress } = this.imports.complete(tabletId);
    const old = this.tablets.get(tabletId);
    const applied = progress.at;
    const tablet: Tablet = { id: tabletId, generation, prefix, applied: seq(0), queued: applied };
    const [liveKey, appliedKey] = [keys.tabletKey(tabletId), keys.appliedKey(prefix)];
    const puts: Put[] = [
      { key: liveKey, value: encodeNumber(liveKey, generation) },
      { key: appliedKey, value: encodeNumber(appliedKey, applied) },
      { key: keys.importKey(tabletId), value: undefined },
    ];
    if (old) puts.push({ key: keys.appliedKey(old.prefix), value: undefined });
    const done = (): void => {
      tablet.applied = applied;
      this.tablets.set(tabletId, tablet);
      this.imports.delete(tabletId);
    };
    await queue.write({ puts, bytes: 128, tablet, touches: [], done });
    if (old) this.inBackground(() => this.clear(binding, old.prefix));
  }

  async abandonImport(tabletId: TabletId): Promise<void> {
    if (this.store.isFull) await this.store.openAgain();
    const { binding, queue } = this.store.require();
    const entry = this.imports.get(tabletId);
    if (!entry) return;
    this.imports.delete(tabletId);
    const puts = [{ key: keys.importKey(tabletId), value: undefined }];
    await queue.write({ puts, bytes: 64, tablet: entry, touches: [], done: () => undefined });
    this.inBackground(() => this.clear(binding, entry.prefix));
  }

  async drop(tabletId: TabletId): Promise<void> {
    if (this.store.isFull) await this.store.openAgain();
    const { binding, queue } = this.store.require();
    const tablet = this.tablets.get(tabletId);
    if (tablet === undefined) return;
    this.tablets.delete(tabletId);
    const puts = [keys.tabletKey(tabletId), keys.appliedKey(tablet.prefix)].map((key) => ({
      key,
      value: undefined,
    }));
    try {
      await queue.write({ puts, bytes: 64, tablet, touches: [], done: () => undefined });
    } catch (error) {
      // It may be asked for again.
      this.tablets.set(tabletId, tablet);
      throw error;
    }
    this.inBackground(() => this.clear(binding, tablet.prefix));
  }

  async scrub(): Promise<CellScrub> {
    const { binding, ledger } = this.store.reopening ? await this.whenOpen() : this.store.require();
    return verifyNext(binding, ledger);
  }

  private async whenOpen(): Promise<Open> {
    while (this.store.reopening) await this.store.reopening;
    return this.store.require();
  }

  private newTablet(id: TabletId): Tablet {
    const generation = this.nextGeneration();
    return { id, generation, prefix: keys.tabletPrefix(id, generation), applied: seq(0), queued: seq(0) };
  }

  private nextGeneration(): number {
    const generation = this.lastGeneration + 1;
    assert(generation <= keys.GENERATION_MAX, 'generations are used up');
    return generation;
  }

  /** The records that make a tablet's first batch the start of its generation. */
  private register(tablet: Tablet): Put[] {
    this.tablets.set(tablet.id, tablet);
    const key = keys.tabletKey(tablet.id);
    return [{ key, value: encodeNumber(key, tablet.generation) }, this.generationRecord(tablet.generation)];
  }

  /** Gives the generation out, for good. */
  private generationRecord(generation: number): Put {
    this.lastGeneration = generation;
    const key = keys.LAST_GENERATION_KEY;
    return { key, value: encodeNumber(key, generation) };
  }

  private allCached(names: readonly string[]): (Cell | undefined)[] | undefined {
    const cells = new Array<Cell | undefined>(names.length);
    for (let i = 0; i < names.length; i++) {
      const entry = this.cache.find(names[i]!);
      if (entry === undefined) return undefined;
      cells[i] = entry.cell;
    }
    return cells;
  }

  /** Requires that no running round touches these cells. The snapshot is taken before it returns. */
  private async lookUp(
    { binding, queue }: Open,
    tablet: Tablet,
    addresses: readonly CellAddress[],
    names: readonly string[],
  ): Promise<(Cell | undefined)[]> {
    const batch = queue.completed;
    const wanted = addresses.map(({ space, row, column }) => keys.cellKey(tablet.prefix, space, row, column));
    const values = await binding.getMany(wanted);
    return wanted.map((key, i) => {
      const value = values[i];
      const cell = value && readCell(tablet, key, value);
      if (!queue.touchesCell(names[i]!)) this.cache.read(names[i]!, cell, batch);
      return cell;
    });
  }

  private inBackground(work: () => Promise<void>): void {
    this.background = this.background.then(work).catch((error: unknown) => {
      // Closed: what is left is swept at the next open.
      if (error instanceof Fault && error.code === 'Closed') return;
      this.logger?.warn(
        { folder: this.folder, err: error },
        'cells of a dropped tablet are not cleared yet; the next open tries again',
      );
    });
  }

  private async sweep(binding: RocksBinding): Promise<void> {
    const isLive = (tablet: string, generation: number): boolean =>
      this.tablets.get(tablet as TabletId)?.generation === generation ||
      this.imports.get(tablet as TabletId)?.generation === generation;
    for (const prefix of await orphanPrefixes(binding, isLive)) await this.clear(binding, prefix);
  }

  private async clear(binding: RocksBinding, prefix: Buffer): Promise<void> {
    await clearPrefix(binding, prefix);
    const dropped = keys.decodePrefix(prefix);
    this.logger?.info(
      { folder: this.folder, tablet: dropped?.tablet, generation: dropped?.generation },
      'cells of a dropped tablet are cleared',
    );
  }
}

/** A cell's name in cache and queue: generations are never shared, and the row's length ends the row. */
function identity(tablet: Tablet, { space, row, column }: CellAddress): string {
  return `${tablet.generation}/${space}/${row.length}/${row}${column}`;
}

function readCell(tablet: Tablet, key: Buffer, value: Buffer): Cell {
  const record = decodeCell(key, value);
  const place = keys.decodeCellKey(key, tablet.prefix.length);
  if (record === undefined || place === undefined)
    throw damagedRecord(tablet.id, place ? `cell (${place.row}, ${place.column})` : 'a cell');
  return { row: place.row, column: place.column, seq: record.seq, content: record.content };
}
