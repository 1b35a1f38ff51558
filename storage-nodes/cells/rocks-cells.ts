/**
 * Cells in RocksDB, written behind. What always holds:
 *
 *   - a lookup, a scan and a digest answer exactly the state of `applied(tablet)` at the moment of the call:
 *     a snapshot of RocksDB, and over it what is not there yet (write-behind.ts);
 *   - every record that is looked at has its checksum verified, also the one after the last of a scan, so
 *     that damage is answered with Fault Damaged and not with silence;
 *   - a store that lost a batch from the middle is condemned when it opens (store-state.ts, batch-chain.ts).
 *
 * A tablet's keys carry a generation. Dropping a tablet forgets its generation, at once and atomically;
 * the bytes are cleared behind it, and what a crash leaves of them is swept at the next open.
 *
 * For want of room a store takes no more writes, and goes on answering lookups. Each further write has it
 * tried whether there is room again; if there is, the store is opened anew (RocksDB needs that after a
 * write that failed) and gets what it missed.
 *
 * What it leaves out: damage that comes up under an open store in records that nobody reads. RocksDB's
 * iterators don't verify blocks: a bit that flips in a *key* can move its record out of a scanned range, and
 * one in a length can abort the process. `scrub` finds such blocks, and the next open condemns the store.
 */
import type { Logger } from 'pino';
import { assert } from '../faults.ts';
import { realTimers, type Timers } from '../timers.ts';
import { seq, type Seq, type TabletId } from '../words.ts';
import { CellCache } from './cell-cache.ts';
import * as keys from './cell-key.ts';
import { mergedWalk } from './merged-walk.ts';
import { digestOfNothing, digestTablet } from './tablet-digest.ts';
import { damagedRecord, decodeCell, encodeCell, encodeNumber, isSound, openCell } from './cell-value.ts';
import { CellImports } from './cell-import.ts';
import { CellViews } from './cell-views.ts';
import { cellName, FIRST_FORM, SPACE } from './cells.ts';
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
import { DroppedCells } from './dropped-cells.ts';
import { ReopeningStore } from './reopening-store.ts';
import type { Open } from './reopening-store.ts';
import type { StoreState } from './store-state.ts';
import { verifyNext } from './table-scrub.ts';
import type { Put } from './rocksdb-binding.ts';
import type { WriteBehind } from './write-behind.ts';

const CACHE_BYTES = 64 * 1024 * 1024;
/** The group of what is no tablet's. Generations begin at 1, and are never shared. */
const OWN_RECORDS = 0;

type Tablet = {
  readonly id: TabletId;
  readonly generation: number;
  readonly prefix: Buffer;
  applied: Seq;
  /** Up to here its cells are in RocksDB. */
  written: Seq;
};

export class RocksCells implements CellStore {
  readonly form: number;
  private readonly folder: string;
  private readonly store: ReopeningStore;
  private readonly logger: Logger | undefined;
  private readonly cache: CellCache;
  private tablets = new Map<TabletId, Tablet>();
  private imports = new CellImports();
  private readonly views = new CellViews();
  private lastGeneration = 0;
  private readonly dropped: DroppedCells;

  /** `form`: see cells.ts; from 1. `verifiedAtOpeningBytes`: of SSTs, see table-scrub.ts. */
  constructor(options: {
    folder: string;
    form?: number;
    logger?: Logger;
    cacheBytes?: number;
    verifiedAtOpeningBytes?: number;
    timers?: Timers;
  }) {
    this.folder = options.folder;
    this.form = options.form ?? FIRST_FORM;
    this.logger = options.logger;
    this.dropped = new DroppedCells(options.folder, options.logger);
    this.cache = new CellCache(options.cacheBytes ?? CACHE_BYTES);
    this.store = new ReopeningStore({
      folder: options.folder,
      form: this.form,
      logger: options.logger,
      verifiedAtOpeningBytes: options.verifiedAtOpeningBytes,
      timers: options.timers ?? realTimers,
      takeOver: (state, open) => this.takeOver(state, open),
      goOn: ({ binding }) => this.dropped.sweep(binding, (id, generation) => this.isLive(id, generation)),
      written: () => [...this.tablets.values()].map(({ id, written }) => ({ id, applied: written })),
      release: { before: () => this.views.closeAll(), after: () => this.dropped.settled() },
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

  private async takeOver(state: StoreState, { binding, behind }: Open): Promise<void> {
    this.tablets = new Map();
    for (const { tablet, generation, applied } of state.tablets) {
      const id = tablet as TabletId;
      const prefix = keys.tabletPrefix(id, generation);
      this.tablets.set(id, { id, generation, prefix, applied, written: applied });
    }
    this.imports = new CellImports(state.imports);
    this.lastGeneration = state.lastGeneration;
    this.cache.clear();
    if (state.isNew) {
      behind.put(OWN_RECORDS, 'end', { key: keys.END_KEY, value: encodeNumber(keys.END_KEY, this.form) });
      await behind.flush();
    } else {
      this.dropped.sweep(binding, (id, generation) => this.isLive(id, generation));
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
    return this.peek(tabletId, addresses) ?? this.lookUp(open, this.tablets.get(tabletId)!, addresses);
  }

  peek(tabletId: TabletId, addresses: readonly CellAddress[]): (Cell | undefined)[] | undefined {
    if (this.store.reopening) return undefined;
    const open = this.store.require();
    const tablet = this.tablets.get(tabletId);
    if (tablet === undefined) return addresses.map(() => undefined);
    return this.inMemory(open.behind, tablet, addresses);
  }

  async scan(tabletId: TabletId, scan: CellScan): Promise<Cell[]> {
    const { binding, behind } = this.store.reopening ? await this.whenOpen() : this.store.require();
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
    const ended = await mergedWalk(
      binding,
      walk,
      behind.under(tablet.generation, keys.spaceKey(prefix, scan.space)),
      visit,
    );
    if (!ended) throw damagedRecord(tabletId, 'the end of the store');
    return cells;
  }

  write(tabletId: TabletId, applied: Seq, writes: readonly CellWrite[]): Promise<void> | undefined {
    const { behind } = this.store.forWriting();
    const tablet = this.tablets.get(tabletId) ?? this.newTablet(tabletId);
    assert(applied >= tablet.applied, `tablet ${tabletId}: applied index ${applied} after ${tablet.applied}`);
    const puts = writes.map((write): Put => {
      const key = keys.cellKey(tablet.prefix, write.space, write.row, write.column);
      return { key, value: write.content && encodeCell(key, write.seq, write.content) };
    });
    // Nothing can fail from here on.
    if (!this.tablets.has(tabletId)) this.register(tablet, behind);
    const round = behind.next;
    for (let i = 0; i < writes.length; i++) {
      const write = writes[i]!;
      const put = puts[i]!;
      const name = cellName(write);
      behind.put(tablet.generation, name, put);
      if (isCached(write)) this.cache.wrote(tablet.generation, name, put.value, round);
    }
    const key = keys.appliedKey(tablet.prefix);
    behind.put(tablet.generation, 'applied', { key, value: encodeNumber(key, applied) });
    tablet.applied = applied;
    behind.whenWritten(() => (tablet.written = applied));
    return behind.schedule();
  }

  /** Resolves when everything written before the call is in RocksDB, unsynced. */
  async flush(): Promise<void> {
    await this.store.require().behind.flush();
  }

  async digest(tabletId: TabletId): Promise<{ applied: Seq; digest: string; cells: number }> {
    const { binding, behind } = this.store.reopening ? await this.whenOpen() : this.store.require();
    const tablet = this.tablets.get(tabletId);
    if (tablet === undefined) return { applied: seq(0), digest: digestOfNothing(), cells: 0 };
    const { applied, digest, cells } = await digestTablet(
      binding,
      tablet,
      behind.under(tablet.generation, tablet.prefix),
    );
    if (applied === undefined) throw damagedRecord(tabletId, 'the applied index');
    return { applied: seq(applied), digest, cells };
  }

  async view(tabletId: TabletId): Promise<CellView> {
    const { binding, behind } = this.store.reopening ? await this.whenOpen() : this.store.require();
    const tablet = this.tablets.get(tabletId);
    return this.views.open(binding, tablet, tablet ? behind.under(tablet.generation, tablet.prefix) : []);
  }

  async importPiece(tabletId: TabletId, progress: ImportProgress, bytes: Uint8Array): Promise<void> {
    if (this.store.isFull) await this.store.openAgain();
    const { behind } = this.store.require();
    if (progress.chunk === 1) await this.abandonImport(tabletId);
    const isNew = this.imported(tabletId) === undefined;
    const generation = isNew ? this.nextGeneration() : 0;
    const { puts, record } = this.imports.piece(tabletId, progress, bytes, generation);
    if (isNew) this.giveOut(generation, behind);
    for (const put of puts) behind.put(OWN_RECORDS, `imported/${put.key.toString('latin1')}`, put);
    behind.put(OWN_RECORDS, `import/${tabletId}`, record);
    await behind.flush();
  }

  imported(tabletId: TabletId): ImportProgress | undefined {
    return this.imports.get(tabletId)?.progress;
  }

  async adoptImport(tabletId: TabletId): Promise<void> {
    if (this.store.isFull) await this.store.openAgain();
    const { binding, behind } = this.store.require();
    const { generation, prefix, progress } = this.imports.complete(tabletId);
    const old = this.tablets.get(tabletId);
    const [liveKey, appliedKey] = [keys.tabletKey(tabletId), keys.appliedKey(prefix)];
    behind.put(OWN_RECORDS, `tablet/${tabletId}`, { key: liveKey, value: encodeNumber(liveKey, generation) });
    behind.put(generation, 'applied', { key: appliedKey, value: encodeNumber(appliedKey, progress.at) });
    behind.put(OWN_RECORDS, `import/${tabletId}`, { key: keys.importKey(tabletId), value: undefined });
    if (old) behind.put(old.generation, 'applied', { key: keys.appliedKey(old.prefix), value: undefined });
    const { at } = progress;
    this.tablets.set(tabletId, { id: tabletId, generation, prefix, applied: at, written: seq(0) });
    this.imports.delete(tabletId);
    await behind.flush();
    if (old) this.dropped.clear(binding, old.prefix);
  }

  async abandonImport(tabletId: TabletId): Promise<void> {
    if (this.store.isFull) await this.store.openAgain();
    const { binding, behind } = this.store.require();
    const entry = this.imports.get(tabletId);
    if (!entry) return;
    this.imports.delete(tabletId);
    behind.put(OWN_RECORDS, `import/${tabletId}`, { key: keys.importKey(tabletId), value: undefined });
    await behind.flush();
    this.dropped.clear(binding, entry.prefix);
  }

  async drop(tabletId: TabletId): Promise<void> {
    if (this.store.isFull) await this.store.openAgain();
    const { binding, behind } = this.store.require();
    const tablet = this.tablets.get(tabletId);
    if (tablet === undefined) return;
    this.tablets.delete(tabletId);
    behind.put(OWN_RECORDS, `tablet/${tabletId}`, { key: keys.tabletKey(tabletId), value: undefined });
    behind.put(tablet.generation, 'applied', { key: keys.appliedKey(tablet.prefix), value: undefined });
    // What it wrote before is in RocksDB then too, and is cleared with the rest.
    await behind.flush();
    this.dropped.clear(binding, tablet.prefix);
  }

  async scrub(): Promise<CellScrub> {
    const { binding, ledger } = this.store.reopening ? await this.whenOpen() : this.store.require();
    return verifyNext(binding, ledger);
  }

  private async whenOpen(): Promise<Open> {
    while (this.store.reopening) await this.store.reopening;
    return this.store.require();
  }

  private isLive(tablet: string, generation: number): boolean {
    return (
      this.tablets.get(tablet as TabletId)?.generation === generation ||
      this.imports.get(tablet as TabletId)?.generation === generation
    );
  }

  private newTablet(id: TabletId): Tablet {
    const generation = this.nextGeneration();
    return { id, generation, prefix: keys.tabletPrefix(id, generation), applied: seq(0), written: seq(0) };
  }

  private nextGeneration(): number {
    const generation = this.lastGeneration + 1;
    assert(generation <= keys.GENERATION_MAX, 'generations are used up');
    return generation;
  }

  /** The records that make a tablet's first round the start of its generation. */
  private register(tablet: Tablet, behind: WriteBehind): void {
    this.tablets.set(tablet.id, tablet);
    const key = keys.tabletKey(tablet.id);
    behind.put(OWN_RECORDS, `tablet/${tablet.id}`, { key, value: encodeNumber(key, tablet.generation) });
    this.giveOut(tablet.generation, behind);
  }

  /** The generation is never given out again. */
  private giveOut(generation: number, behind: WriteBehind): void {
    this.lastGeneration = generation;
    const key = keys.LAST_GENERATION_KEY;
    behind.put(OWN_RECORDS, 'generation', { key, value: encodeNumber(key, generation) });
  }

  /** Undefined unless all of them are cached, or not in RocksDB yet. */
  private inMemory(
    behind: WriteBehind,
    tablet: Tablet,
    addresses: readonly CellAddress[],
  ): (Cell | undefined)[] | undefined {
    const cells = new Array<Cell | undefined>(addresses.length);
    for (let i = 0; i < addresses.length; i++) {
      const address = addresses[i]!;
      const name = cellName(address);
      const known = this.cache.find(tablet.generation, name);
      if (known !== undefined) {
        cells[i] = known ? cellOf(address, known) : undefined;
        continue;
      }
      const put = behind.find(tablet.generation, name);
      if (put === undefined) return undefined;
      cells[i] = put.value && cellOf(address, put.value);
    }
    return cells;
  }

  /** The snapshot is taken before it returns. */
  private async lookUp(
    { binding, behind }: Open,
    tablet: Tablet,
    addresses: readonly CellAddress[],
  ): Promise<(Cell | undefined)[]> {
    const round = behind.completed;
    const known = addresses.map((address) => this.inMemory(behind, tablet, [address]));
    const found = known.map((one) => one?.[0]);
    const missing = [...known.keys()].filter((i) => known[i] === undefined);
    const wanted = missing.map((i) => {
      const { space, row, column } = addresses[i]!;
      return keys.cellKey(tablet.prefix, space, row, column);
    });
    const values = await binding.getMany(wanted);
    for (const [n, i] of missing.entries()) {
      const value = values[n];
      found[i] = value && readCell(tablet, wanted[n]!, value);
      const name = cellName(addresses[i]!);
      // What was written since stands in the cache, or waits.
      if (isCached(addresses[i]!) && behind.find(tablet.generation, name) === undefined)
        this.cache.read(tablet.generation, name, value, round);
    }
    return found;
  }
}

/** Ids of commands are nearly always new: none is asked for again soon. */
const isCached = ({ space }: CellAddress): boolean => space !== SPACE.commands;

/** Of a value whose checksum is right. */
function cellOf({ row, column }: CellAddress, value: Buffer): Cell {
  const { seq, content } = openCell(value)!;
  return { row, column, seq, content };
}

function readCell(tablet: Tablet, key: Buffer, value: Buffer): Cell {
  const record = decodeCell(key, value);
  const place = keys.decodeCellKey(key, tablet.prefix.length);
  if (record === undefined || place === undefined)
    throw damagedRecord(tablet.id, place ? `cell (${place.row}, ${place.column})` : 'a cell');
  return { row: place.row, column: place.column, seq: record.seq, content: record.content };
}
