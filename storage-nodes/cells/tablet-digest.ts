/** The digest over all cells of a tablet, from one snapshot of RocksDB and what is not there yet. */
import { createHash } from 'node:crypto';
import type { TabletId } from '../words.ts';
import { digestRecord } from './cell-digest.ts';
import * as keys from './cell-key.ts';
import { damagedRecord, decodeNumber, isSound } from './cell-value.ts';
import { mergedWalk } from './merged-walk.ts';
import type { Put, RocksBinding } from './rocksdb-binding.ts';

/** Handled between two turns of the event loop while a whole tablet is walked: about a millisecond. */
const AHEAD_BYTES = 16 * 1024;

export type TabletDigest = {
  /** Undefined: there is no such record. */
  readonly applied: number | undefined;
  readonly digest: string;
  readonly cells: number;
};

export const digestOfNothing = (): string => createHash('sha256').digest('hex');

/** The snapshot is taken before it returns; `puts`: what of the tablet is not in RocksDB yet. Throws Fault Damaged. */
export async function digestTablet(
  binding: RocksBinding,
  { id, prefix }: { readonly id: TabletId; readonly prefix: Buffer },
  puts: readonly Put[],
): Promise<TabletDigest> {
  const hash = createHash('sha256');
  const start = keys.appliedKey(prefix);
  const to = keys.prefixEnd(prefix);
  let cells = 0;
  let applied: number | undefined;
  const ended = await mergedWalk(binding, { start, aheadBytes: AHEAD_BYTES }, puts, (key, value) => {
    if (!isSound(key, value)) throw damagedRecord(id, 'a record');
    if (keys.compareKeys(key, to) >= 0) return false;
    if (key.equals(start)) {
      applied = decodeNumber(key, value);
    } else {
      digestRecord(hash, key.subarray(prefix.length), value);
      cells++;
    }
    return true;
  });
  if (!ended) throw damagedRecord(id, 'the end of the store');
  return { applied, digest: hash.digest('hex'), cells };
}
