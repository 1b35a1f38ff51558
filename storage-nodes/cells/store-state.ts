/**
 * What `open` must find in a RocksDB folder before it may serve, and how a condemned one is dropped. The
 * checks, in the order they are made:
 *
 *   - RocksDB itself opens, and every SST it lists is there (rocksdb-binding.ts);
 *   - no scrub has condemned it, and the blocks of the SSTs are whole, as far as `verifyAtOpening` looks
 *     (table-scrub.ts): all of a small store, a bounded part of a big one;
 *   - the batch markers from the base on are contiguous (batch-chain.ts);
 *   - every tablet on the list of live generations has an applied index;
 *   - the last record of the store is there and says that the cells are of the form wanted, and each record met on the way has a sound checksum.
 *
 * Any failure condemns the whole store: the log is the truth and the cells are built from it again.
 * Faults that say nothing about the bytes (folder in use, disk full) condemn nothing and are thrown.
 */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../faults.ts';
import type { Seq, TabletId } from '../words.ts';
import { ChainCheck } from './batch-chain.ts';
import * as keys from './cell-key.ts';
import { decodeNumber } from './cell-value.ts';
import { readImportRecord, type Import } from './cell-import.ts';
import { RocksBinding } from './rocksdb-binding.ts';
import { TableLedger } from './table-ledger.ts';
import { verifyAtOpening } from './table-scrub.ts';

/** Checked in some tens of milliseconds (about 1 GB/s, measured). */
const VERIFIED_AT_OPENING_BYTES = 32 * 1024 * 1024;

export type StoreState = {
  readonly binding: RocksBinding;
  readonly ledger: TableLedger;
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
  form: number,
  verifiedBytesMax = VERIFIED_AT_OPENING_BYTES,
): Promise<{ state: StoreState; condemned: string | undefined }> {
  await mkdir(folder, { recursive: true });
  const first = await tryOpen(folder, form, verifiedBytesMax);
  if (typeof first !== 'string') return { state: first, condemned: undefined };
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const second = await tryOpen(folder, form, verifiedBytesMax);
  if (typeof second === 'string')
    throw new Fault('DiskFailed', `cells in ${folder}: even an empty store does not open: ${second}`);
  return { state: second, condemned: first };
}

/** Closes what `openStore` opened, and notes that nothing brought it down. */
export async function closeStore({ binding, ledger }: Pick<StoreState, 'binding' | 'ledger'>): Promise<void> {
  await binding.close();
  await ledger.closed();
}

/** The store's state, or why it is condemned (it is closed then). */
async function tryOpen(folder: string, form: number, verifiedBytesMax: number): Promise<StoreState | string> {
  if (
    !existsSync(join(folder, 'CURRENT')) &&
    readdirSync(folder).some((name) => /\.(sst|log)$|^MANIFEST/.test(name))
  ) {
    return 'the file CURRENT is missing';
  }
  const ledger = await TableLedger.read(folder);
  if (ledger.condemned !== undefined) return ledger.condemned;
  const binding = new RocksBinding(folder);
  try {
    await binding.open();
    const damage = await verifyAtOpening(binding, ledger, verifiedBytesMax);
    if (damage !== undefined) throw new Fault('Damaged', damage);
    await ledger.opened();
    const state = await readState(binding, ledger, form);
    if (typeof state === 'string') await binding.close();
    return state;
  } catch (error) {
    await binding.close();
    if (error instanceof Fault && error.code === 'Damaged') return error.message;
    throw error;
  }
}

async function readState(
  binding: RocksBinding,
  ledger: TableLedger,
  form: number,
): Promise<StoreState | string> {
  const [baseValue, generationValue, endValue] = await binding.getMany([
    keys.CHAIN_BASE_KEY,
    keys.LAST_GENERATION_KEY,
    keys.END_KEY,
  ]);
  const isNew = !(await binding.walk({ start: Buffer.from([0]) }, () => false));
  if (isNew)
    return {
      binding,
      ledger,
      chainBase: 1,
      markerSizes: [],
      lastGeneration: 0,
      tablets: [],
      imports: new Map(),
      isNew,
    };
  const foundForm = endValue && decodeNumber(keys.END_KEY, endValue);
  if (foundForm === undefined) return 'the last record of the store is missing';
  if (foundForm !== form)
    return `its cells are of form ${foundForm}, and this release makes and reads form ${form}`;

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
  return { binding, ledger, chainBase, markerSizes: check.sizes, lastGeneration, tablets, imports, isNew };
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
