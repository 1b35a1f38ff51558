/**
 * The keys and values of a run, the same for every system. Values are slices of a block of random bytes,
 * so they do not compress, cost nothing to make, and can be told again from key and number.
 */

export const WORKS = ['put', 'get', 'mixed'] as const;
export type Work = (typeof WORKS)[number];

export type Cell = { readonly work: Work; readonly callers: number; readonly valueBytes: number };

const SMALL_KEYS = 5000;
const LARGE_KEYS = 64;
const LARGE_BYTES = 64 * 1024;

/** How many keys there are for values of that length; no more callers than that can write them. */
export function keyCount(valueBytes: number): number {
  return valueBytes < LARGE_BYTES ? SMALL_KEYS : LARGE_KEYS;
}

/** First letters go round, so that keys spread over a store that splits its rows by name. */
export function keyName(valueBytes: number, key: number): string {
  return `${String.fromCharCode(97 + (key % 26))}-${valueBytes}-${String(key).padStart(6, '0')}`;
}

/** xorshift32 (Marsaglia 2003): quick, the same on every machine. Returns numbers from 0 to 1. */
export function randomFrom(seed: number): () => number {
  let state = seed * 2654435761 + 1013904223 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Values of one length. */
export class Values {
  readonly #bytes: number;
  readonly #block: Buffer;

  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#block = Buffer.allocUnsafe(bytes + 1024 * 1024);
    const random = randomFrom(bytes);
    for (let at = 0; at + 4 <= this.#block.length; at += 4) this.#block.writeUInt32LE(random() * 2 ** 32, at);
  }

  /** What the put number `number` of a key writes. A slice: do not change it. */
  of(key: number, number: number): Buffer {
    const at = (key * 7919 + number * 104_729) % (this.#block.length - this.#bytes - 3);
    return this.#block.subarray(at, at + this.#bytes);
  }
}
