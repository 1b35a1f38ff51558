/**
 * Latencies, counted in buckets that are 1/64 of a power of two wide: a percentile is off by at most
 * 1.6 %. Plain numbers, so that counts of several rounds and processes add up.
 *
 *   bucket(us) = us                                      below 64 µs
 *              = 64 * (exponent - 5) + next six bits     from there on
 */

const STEPS = 64;
const BUCKETS = STEPS * 32;

export class Histogram {
  readonly counts: Float64Array;

  constructor(counts: readonly number[] | Float64Array = new Float64Array(BUCKETS)) {
    this.counts = Float64Array.from(counts);
  }

  record(ms: number): void {
    const us = Math.max(0, Math.round(ms * 1000));
    this.counts[Math.min(bucketOf(us), BUCKETS - 1)]!++;
  }

  add(other: Histogram): void {
    for (let i = 0; i < BUCKETS; i++) this.counts[i]! += other.counts[i]!;
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** In milliseconds; `share` from 0 to 1. 0 if nothing was recorded. */
  percentile(share: number): number {
    let rest = share * this.count;
    if (rest === 0) return 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      rest -= this.counts[bucket]!;
      if (rest <= 0) return middleOf(bucket) / 1000;
    }
    return middleOf(BUCKETS - 1) / 1000;
  }
}

function bucketOf(us: number): number {
  if (us < STEPS) return us;
  const exponent = Math.floor(Math.log2(us));
  return STEPS * (exponent - 5) + Math.floor((us / 2 ** exponent - 1) * STEPS);
}

function middleOf(bucket: number): number {
  if (bucket < STEPS) return bucket;
  const width = 2 ** (Math.floor(bucket / STEPS) - 1);
  return (STEPS + (bucket % STEPS)) * width + width / 2;
}
