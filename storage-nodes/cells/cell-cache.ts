/**
 * Recently used cells, least recently used first, bounded by bytes. What always holds, for every key that
 * is in it: the cached answer (a cell, or "absent") is the store's after all batches that have *completed*.
 *
 *   - A completed batch puts its cells here (write-through), deletions as "absent".
 *   - A lookup may fill in what it read only if no batch has touched the key since its snapshot. If one
 *     has, either its write-through entry is still here, or it was evicted: `evictedBatch` remembers the
 *     youngest batch whose entry was.
 */
import type { Cell } from './cells.ts';

type Entry = { readonly cell: Cell | undefined; readonly bytes: number; readonly batch: number };

/** Map entry, strings' headers, cell object: measured around 300 bytes. */
const ENTRY_OVERHEAD_BYTES = 300;

export class CellCache {
  private readonly entries = new Map<string, Entry>();
  private readonly bytesMax: number;
  private bytes = 0;
  /** The youngest batch whose write-through entry was evicted. */
  private evictedBatch = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Undefined: not cached. A hit makes the entry the most recently used. */
  find(key: string): Entry | undefined {
    const entry = this.entries.get(key);
    if (entry !== undefined) {
      this.entries.delete(key);
      this.entries.set(key, entry);
    }
    return entry;
  }

  /** Batch `batch` has completed and left the key so. */
  wrote(key: string, cell: Cell | undefined, batch: number): void {
    this.put(key, cell, batch);
  }

  /** A lookup whose snapshot had exactly the batches up to `batch` found the key so. */
  read(key: string, cell: Cell | undefined, batch: number): void {
    if (!this.entries.has(key) && this.evictedBatch <= batch) this.put(key, cell, 0);
  }

  clear(): void {
    this.entries.clear();
    this.bytes = 0;
  }

  private put(key: string, cell: Cell | undefined, batch: number): void {
    const before = this.entries.get(key);
    if (before !== undefined) {
      this.bytes -= before.bytes;
      this.entries.delete(key);
    }
    const payload = cell !== undefined && 'bytes' in cell.content ? cell.content.bytes.length : 0;
    const bytes = ENTRY_OVERHEAD_BYTES + 2 * key.length + payload;
    this.entries.set(key, { cell, bytes, batch });
    this.bytes += bytes;
    for (const [oldest, entry] of this.entries) {
      if (this.bytes <= this.bytesMax) break;
      this.entries.delete(oldest);
      this.bytes -= entry.bytes;
      if (entry.batch > this.evictedBatch) this.evictedBatch = entry.batch;
    }
  }
}
