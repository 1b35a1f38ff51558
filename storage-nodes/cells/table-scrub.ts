/**
 * Verifies the SSTs of an open store: a bounded part of them before anything is read, the others in the
 * background, one at a time, round and round. table-ledger.ts remembers which.
 */
import type { CellScrub } from './cells.ts';
import type { RocksBinding } from './rocksdb-binding.ts';
import type { TableLedger } from './table-ledger.ts';

/**
 * What is damaged in the store, as far as the opening looks: at everything if the store is suspicious, otherwise
 * at about `bytesMax`, first the tables that nobody has verified yet, the newest first.
 */
export async function verifyAtOpening(
  binding: RocksBinding,
  ledger: TableLedger,
  bytesMax: number,
): Promise<string | undefined> {
  const tables = binding.listedTables().sort((a, b) => (a.file < b.file ? 1 : -1));
  const rank = ({ file }: { file: string }): number => (ledger.has(file) ? 1 : 0);
  tables.sort((a, b) => rank(a) - rank(b));
  let bytes = 0;
  for (const table of tables) {
    bytes += table.bytes;
    if (bytes > bytesMax && !ledger.isSuspicious) break;
    const damage = await binding.damageOf(table);
    if (damage !== undefined) return damage;
    await ledger.verified(
      table.file,
      tables.map(({ file }) => file),
    );
  }
  return undefined;
}

/** Verifies one more table. Damage is noted, so that the next opening drops the store. */
export async function verifyNext(binding: RocksBinding, ledger: TableLedger): Promise<CellScrub> {
  const before = binding.listedTables();
  const next = ledger.next(before.map(({ file }) => file));
  const table = before.find(({ file }) => file === next);
  if (table === undefined) return { damage: undefined, isBehind: false };
  const damage = await binding.damageOf(table);
  if (damage !== undefined) {
    await ledger.condemn(damage);
    return { damage, isBehind: false };
  }
  const present = binding.listedTables().map(({ file }) => file);
  await ledger.verified(table.file, present);
  return { damage: undefined, isBehind: present.some((file) => !ledger.has(file)) };
}
