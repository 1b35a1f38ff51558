/** The batch chain: whatever batch is lost from the middle of the WAL, the markers tell. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BatchChain, ChainCheck } from '../../storage-nodes/cells/batch-chain.ts';
import { CHAIN_BASE_KEY, markerNumber } from '../../storage-nodes/cells/cell-key.ts';
import { decodeNumber } from '../../storage-nodes/cells/cell-value.ts';
import { WRITE_BUFFER_BYTES } from '../../storage-nodes/cells/rocksdb-binding.ts';
import type { Put } from '../../storage-nodes/cells/rocksdb-binding.ts';

const MEBIBYTE = 1024 * 1024;
const sizes = fc.array(fc.integer({ min: 100, max: 3 * MEBIBYTE }), { minLength: 20, maxLength: 120 });

/** What is in the store after these batches. */
function store(batches: readonly (readonly Put[])[]): Map<string, Put & { value: Buffer }> {
  const records = new Map<string, Put & { value: Buffer }>();
  for (const { key, value } of batches.flat()) {
    if (value === undefined) records.delete(key.toString('hex'));
    else records.set(key.toString('hex'), { key, value });
  }
  return records;
}

/** Reads the markers as an opening store does: what is wrong with them, and the check. */
function reread(records: Map<string, Put & { value: Buffer }>): {
  gap: string | undefined;
  base: number;
  check: ChainCheck;
} {
  const baseRecord = records.get(CHAIN_BASE_KEY.toString('hex'));
  const base = baseRecord ? decodeNumber(baseRecord.key, baseRecord.value)! : 1;
  const markers = [...records.values()].filter(({ key }) => (markerNumber(key) ?? 0) >= base);
  markers.sort((a, b) => Buffer.compare(a.key, b.key));
  const check = new ChainCheck(base);
  for (const { key, value } of markers) {
    const gap = check.see(key, value);
    if (gap !== undefined) return { gap, base, check };
  }
  return { gap: check.sizes.length === 0 ? 'no marker' : undefined, base, check };
}

test('a store that lost nothing has no gap, and a chain goes on from it where it ended', () => {
  fc.assert(
    fc.property(sizes, fc.nat(), (all, cut) => {
      const stop = 1 + (cut % all.length);
      const chain = new BatchChain();
      const batches = all.slice(0, stop).map((size) => chain.link(size));
      const { gap, base, check } = reread(store(batches));
      expect(gap).toBeUndefined();
      const resumed = new BatchChain();
      resumed.resume(base, check.sizes);
      expect(resumed.last).toBe(stop);
      for (const size of all.slice(stop)) batches.push(resumed.link(size));
      expect(reread(store(batches)).gap).toBeUndefined();
    }),
  );
});

test('any batch among the last four write buffers’ worth, lost with others after it kept, leaves a gap', () => {
  fc.assert(
    fc.property(sizes, fc.nat(), (all, pick) => {
      const chain = new BatchChain();
      const batches = all.map((size) => chain.link(size));
      let bytes = 0;
      let oldest = all.length - 1;
      while (oldest > 0 && bytes + all[oldest]! <= 4 * WRITE_BUFFER_BYTES) bytes += all[oldest--]!;
      const candidates = all.length - 1 - oldest - 1;
      fc.pre(candidates > 0);
      const lost = oldest + 1 + (pick % candidates);
      expect(reread(store(batches.filter((_, i) => i !== lost))).gap).toEqual(expect.any(String));
    }),
  );
});

test('a lost tail is an earlier, whole state', () => {
  fc.assert(
    fc.property(sizes, fc.nat(), (all, pick) => {
      const chain = new BatchChain();
      const batches = all.map((size) => chain.link(size));
      expect(reread(store(batches.slice(0, 1 + (pick % all.length)))).gap).toBeUndefined();
    }),
  );
});

test('markers are pruned: their number stays bounded by bytes', () => {
  const chain = new BatchChain();
  const batches = Array.from({ length: 2000 }, () => chain.link(MEBIBYTE));
  expect(store(batches).size).toBeLessThan((5 * WRITE_BUFFER_BYTES) / MEBIBYTE + 2);
});
