/**
 * Clears what dropped tablets leave behind. Dropping forgets a generation at once; its cells go later, in the
 * background, and again at the next opening if the process ended before.
 */
import type { Logger } from 'pino';
import { Fault } from '../faults.ts';
import * as keys from './cell-key.ts';
import type { RocksBinding } from './rocksdb-binding.ts';

const CLEAR_COUNT = 10_000;

/** One after the other, behind everything else. */
export class DroppedCells {
  readonly #folder: string;
  readonly #logger: Logger | undefined;
  #background: Promise<void> = Promise.resolve();

  constructor(folder: string, logger: Logger | undefined) {
    this.#folder = folder;
    this.#logger = logger;
  }

  clear(binding: RocksBinding, prefix: Buffer): void {
    this.#later(() => this.#clear(binding, prefix));
  }

  sweep(binding: RocksBinding, isLive: (tablet: string, generation: number) => boolean): void {
    this.#later(async () => {
      for (const prefix of await orphanPrefixes(binding, isLive)) await this.#clear(binding, prefix);
    });
  }

  settled(): Promise<void> {
    return this.#background;
  }

  #later(work: () => Promise<void>): void {
    this.#background = this.#background.then(work).catch((error: unknown) => {
      // Closed: what is left is swept at the next open.
      if (error instanceof Fault && error.code === 'Closed') return;
      this.#logger?.warn(
        { folder: this.#folder, err: error },
        'cells of a dropped tablet are not cleared yet; the next open tries again',
      );
    });
  }

  async #clear(binding: RocksBinding, prefix: Buffer): Promise<void> {
    await clearPrefix(binding, prefix);
    const dropped = keys.decodePrefix(prefix);
    this.#logger?.info(
      { folder: this.#folder, tablet: dropped?.tablet, generation: dropped?.generation },
      'cells of a dropped tablet are cleared',
    );
  }
}

/** In pieces, so that whoever closes the store waits for one of them at most. */
async function clearPrefix(binding: RocksBinding, prefix: Buffer): Promise<void> {
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
async function orphanPrefixes(
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
