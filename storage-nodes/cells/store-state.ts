/**
 * What `open` must find in a RocksDB folder before it may serve, and how a condemned one is dropped. The
 * checks, in the order they are made:
 *
 *   - RocksDB itself opens, and every SST it lists is there (rocksdb-binding.ts);
 *   - the blocks of the SSTs are whole (table-check.ts). A big store that was closed cleanly is spared
 *     this: the file `closed-cleanly` is there from `close` to the next `open`. If damage then brings the
 *     process down, the next open has no such file and finds it;
 *   - the batch markers from the base on are contiguous (batch-chain.ts);
 *   - every tablet on the list of live generations has an applied index;
 *   - the last record of the store is there, and each record met on the way has a sound checksum.
 *
 * Any failure condemns the whole store: the log is the truth and the cells are built from it again.
 * Faults that say nothing about the bytes (folder in use, disk full) condemn nothing and are thrown.
 */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../faults.ts';
import type { Seq, TabletId } from '../words.ts';
import { ChainCheck } from './batch-chain.ts';
import * as keys from './cell-key.ts';
import { decodeNumber } from './cell-value.ts';
import { readImportRecord, type Import } from './cell-import.ts';
import { RocksBinding } from './rocksdb-binding.ts';

const CLEAN_FILE = 'closed-cleanly';
/** Checked in a second or so (about 1 GB/s, measured), so always. */
const SMALL_STORE_BYTES = 1024 * 1024 * 1024;

export type StoreState = {
  readonly binding: RocksBinding;
  readonly chainBase: number;
  readonly markerSizes: readonly number[];
  readonly lastGeneration: number;
  readonly tablets: readonly {
    readonly tablet: string;
    readonly generation: number;
    readonly applied: Seq;
  }[];
  readonly imports: ReadonlyMap<TabletId, Import>;
  /** Nothing was ever written here. */
  readonly isNew: boolean;
};

/** Opens the folder, and once more after emptying it if what it holds is condemned. */
export async function openStore(
  folder: string,
): Promise<{ state: StoreState; condemned: string | undefined }> {
  await mkdir(folder, { recursive: true });
  const first = await tryOpen(folder);
  if (typeof first !== 'string') return { state: first, condemned: undefined };
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const second = await tryOpen(folder);
  if (typeof second === 'string')
    throw new Fault('DiskFailed', `cells in ${folder}: even an empty store does not open: ${second}`);
  return { state: second, condemned: first };
}

/** Closes what `openStore` opened, and says so to the next `openStore`. */
export async function closeStore(folder: string, binding: RocksBinding): Promise<void> {
  await binding.close();
  // Without it (a full disk) the next open only takes longer.
  await writeFile(join(folder, CLEAN_FILE), '').catch(() => undefined);
}

/** The store's state, or why it is condemned (it is closed then). */
async function tryOpen(folder: string): Promise<StoreState | string> {
  if (
    !existsSync(join(folder, 'CURRENT')) &&
    readdirSync(folder).some((name) => /\.(sst|log)$|^MANIFEST/.test(name))
  ) {
    return 'the file CURRENT is missing';
  }
  const binding = new RocksBinding(folder);
  const wasClean = existsSync(join(folder, CLEAN_FILE));
  try {
    await binding.open();
    await rm(join(folder, CLEAN_FILE), { force: true });
    const bytes = binding.listedTables().reduce((sum, table) => sum + table.bytes, 0);
    const damage = wasClean && bytes > SMALL_STORE_BYTES ? undefined : await binding.damagedTable();
    if (damage !== undefined) throw new Fault('Damaged', damage);
    const state = await readState(binding);
    if (typeof state === 'string') await binding.close();
    return state;
  } catch (error) {
    await binding.close();
    if (error instanceof Fault && error.code === 'Damaged') return error.message;
    throw error;
  }
}

async function readState(binding: RocksBinding): Promise<StoreState | string> {
  const [baseValue, generationValue, endValue] = await binding.getMany([
    keys.CHAIN_BASE_KEY,
    keys.LAST_GENERATION_KEY,
    keys.END_KEY,
  ]);
  const isNew = !(await binding.walk({ start: Buffer.from([0]) }, () => false));
  if (isNew)
    return {
      binding,
      chainBase: 1,
      markerSizes: [],
      lastGeneration: 0,
      tablets: [],
      imports: new Map(),
      isNew,
    };
  if (endValue === undefined || decodeNumber(keys.END_KEY, endValue) === undefined)
    return 'the last record of the store is missing';

  const chainBase = baseValue === undefined ? 1 : decodeNumber(keys.CHAIN_BASE_KEY, baseValue);
  if (chainBase === undefined) return 'the base of the batch markers is damaged';
  const lastGeneration =
    generationValue === undefined ? 0 : decodeNumber(keys.LAST_GENERATION_KEY, generationValue);
  if (lastGeneration === undefined) return 'the record of the last generation is damaged';

  const check = new ChainCheck(chainBase);
  let gap: string | undefined;
  await binding.walk({ start: keys.markerKey(chainBase), aheadBytes: 256 * 1024 }, (key, value) => {
    if (keys.compareKeys(key, keys.TABLETS_FROM) >= 0) return false;
    gap = check.see(key, value);
    return gap === undefined;
  });
  if (gap !== undefined) return gap;
  if (check.sizes.length === 0) return `batch ${chainBase} is missing`;

  const tablets = await readTablets(binding);
  if (typeof tablets === 'string') return tablets;
  const imports = await readImports(binding);
  if (typeof imports === 'string') return imports;
  return { binding, chainBase, markerSizes: check.sizes, lastGeneration, tablets, imports, isNew };
}

async function readTablets(binding: RocksBinding): Promise<StoreState['tablets'] | string> {
  const live: { tablet: string; generation: number }[] = [];
  let damage: string | undefined;
  await binding.walk({ start: keys.TABLETS_FROM }, (key, value) => {
    const tablet = keys.tabletOfKey(key);
    if (tablet === undefined) return false;
    const generation = decodeNumber(key, value);
    if (generation === undefined) damage = `the generation of tablet ${tablet} is damaged`;
    else live.push({ tablet, generation });
    return damage === undefined;
  });
  if (damage !== undefined) return damage;
  const appliedKeys = live.map(({ tablet, generation }) =>
    keys.appliedKey(keys.tabletPrefix(tablet, generation)),
  );
  const values = await binding.getMany(appliedKeys);
  const tablets: { tablet: string; generation: number; applied: Seq }[] = [];
  for (const [i, { tablet, generation }] of live.entries()) {
    const value = values[i];
    const applied = value && decodeNumber(appliedKeys[i]!, value);
    if (applied === undefined) return `the applied index of tablet ${tablet} is missing or damaged`;
    tablets.push({ tablet, generation, applied: applied as Seq });
  }
  return tablets;
}

async function readImports(binding: RocksBinding): Promise<StoreState['imports'] | string> {
  const imports = new Map<TabletId, Import>();
  let damage: string | undefined;
  await binding.walk({ start: keys.IMPORTS_FROM }, (key, value) => {
    const tablet = keys.tabletOfImport(key);
    if (tablet === undefined) return false;
    const record = readImportRecord(key, value);
    if (record === undefined) damage = `the import of tablet ${tablet} is damaged`;
    else {
      const prefix = keys.tabletPrefix(tablet, record.generation);
      imports.set(tablet as TabletId, { ...record, prefix });
    }
    return damage === undefined;
  });
  return damage ?? imports;
}

/** Prefixes of generations that no tablet owns any more: what a drop left behind when the process ended. */
export async function orphanPrefixes(
  binding: RocksBinding,
  isLive: (tablet: string, generation: number) => boolean,
): Promise<Buffer[]> {
  const orphans: Buffer[] = [];
  let start: Buffer = keys.CELLS_FROM;
  for (;;) {
    let found: Buffer | undefined;
    await binding.walk({ start, keysOnly: true, aheadBytes: 1 }, (key) => {
      if (keys.compareKeys(key, keys.CELLS_TO) < 0) found = key;
      return false;
    });
    if (found === undefined) return orphans;
    const decoded = keys.decodePrefix(found);
    if (decoded === undefined) return orphans;
    const prefix = found.subarray(0, decoded.length);
    if (!isLive(decoded.tablet, decoded.generation)) orphans.push(prefix);
    start = keys.prefixEnd(prefix);
  }
}
