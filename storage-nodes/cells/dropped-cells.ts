/**
 * Clears what dropped tablets leave behind. Dropping forgets a generation at once; its cells go later, in the
 * background, and again at the next opening if the process ended before.
 */
import * as keys from './cell-key.ts';
import type { RocksBinding } from './rocksdb-binding.ts';

const CLEAR_COUNT = 10_000;

/** In pieces, so that whoever closes the store waits for one of them at most. */
export async function clearPrefix(binding: RocksBinding, prefix: Buffer): Promise<void> {
  const to = keys.prefixEnd(prefix);
  let left = true;
  while (left) {
    await binding.clear(prefix, to, CLEAR_COUNT);
    left = false;
    await binding.walk({ start: prefix, keysOnly: true, aheadBytes: 1 }, (key) => {
      left = keys.compareKeys(key, to) < 0;
      return false;
    });
  }
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
