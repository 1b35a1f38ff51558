/**
 * The batch chain tells whether RocksDB gave back everything it took. Its WAL is not synced, and a damaged
 * record in the middle of it is skipped without a word, so every batch n also writes marker n:
 *
 *   markers: base, base+1, … last      none missing  =>  no batch since `base` was lost from the middle
 *
 * A tail that is gone is no loss: the store is then an earlier, whole state, and the applied indexes say
 * which. Markers are kept for at least the last four write buffers' worth of bytes (each as large as its
 * batch): a batch older than that has left the WAL for an SST (there are at most two write buffers in
 * memory). They are pruned, oldest first, inside later batches, together with a new base; so is the base:
 * a lost batch can't take the evidence with it, because its own marker is among those still kept.
 */
import { CHAIN_BASE_KEY, markerKey, markerNumber } from './cell-key.ts';
import { decodeNumber, encodeNumber } from './cell-value.ts';
import { WRITE_BUFFER_BYTES } from './rocksdb-binding.ts';
import type { Put } from './rocksdb-binding.ts';

const KEEP_BYTES = 4 * WRITE_BUFFER_BYTES;
/** Pruning waits for this much more, so that most batches write no new base. */
const SLACK_BYTES = WRITE_BUFFER_BYTES / 2;
const PRUNE_COUNT_MAX = 512;

export class BatchChain {
  /** Sizes of the batches base … last, oldest first, in a queue that is compacted now and then. */
  private sizes: number[] = [];
  private head = 0;
  private keptBytes = 0;
  private base = 1;

  get last(): number {
    return this.base + (this.sizes.length - this.head) - 1;
  }

  /** Takes up the chain of a store that has been checked. Sizes in the order of the markers. */
  resume(base: number, sizes: readonly number[]): void {
    this.base = base;
    this.sizes = [...sizes];
    this.head = 0;
    this.keptBytes = sizes.reduce((sum, size) => sum + size, 0);
  }

  /** The records that make `bytes` of others the next batch. Call it once for each batch, in write order. */
  link(bytes: number): Put[] {
    const puts: Put[] = [];
    this.sizes.push(bytes);
    this.keptBytes += bytes;
    const key = markerKey(this.last);
    puts.push({ key, value: encodeNumber(key, bytes) });
    if (this.keptBytes > KEEP_BYTES + SLACK_BYTES) {
      while (puts.length < PRUNE_COUNT_MAX && this.keptBytes - this.sizes[this.head]! >= KEEP_BYTES) {
        puts.push({ key: markerKey(this.base), value: undefined });
        this.keptBytes -= this.sizes[this.head]!;
        this.head++;
        this.base++;
      }
      puts.push({ key: CHAIN_BASE_KEY, value: encodeNumber(CHAIN_BASE_KEY, this.base) });
      if (this.head > 4096 && this.head * 2 > this.sizes.length) {
        this.sizes = this.sizes.slice(this.head);
        this.head = 0;
      }
    }
    return puts;
  }
}

/** Checks markers one by one as a walk meets them; `undefined` from `see` means: in order. */
export class ChainCheck {
  readonly sizes: number[] = [];
  private readonly base: number;

  constructor(base: number) {
    this.base = base;
  }

  see(key: Buffer, value: Buffer): string | undefined {
    const number = markerNumber(key);
    const size = decodeNumber(key, value);
    if (number === undefined || size === undefined)
      return `a batch marker after number ${this.base + this.sizes.length - 1} is damaged`;
    const expected = this.base + this.sizes.length;
    if (number !== expected)
      return `batch ${expected}${number > expected + 1 ? ` to ${number - 1}` : ''} is missing from the middle`;
    this.sizes.push(size);
    return undefined;
  }
}
