/**
 * Cells as they will be once entries that are decided, but not applied yet, are applied.
 *
 *   what a decision sees = cells at some applied index + the overlay of all entries after it
 */
import { cellName, type CellAddress } from '../cells/cells.ts';
import type { Seq } from '../words.ts';

export class Overlay {
  /** undefined value = removed. */
  #values = new Map<string, { readonly seq: Seq; readonly value: unknown }>();
  #order: { readonly seq: Seq; readonly key: string }[] = [];

  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** Requires `has`. */
  get(key: string): unknown {
    return this.#values.get(key)?.value;
  }

  set(address: CellAddress, seq: Seq, value: unknown): void {
    const key = cellName(address);
    this.#values.set(key, { seq, value });
    this.#order.push({ seq, key });
  }

  /** Forgets what entries up to `applied` wrote: lookups that begin from now on find it in the cells. */
  drop(applied: Seq): void {
    let dropped = 0;
    for (const { seq, key } of this.#order) {
      if (seq > applied) break;
      dropped++;
      if (this.#values.get(key)?.seq === seq) this.#values.delete(key);
    }
    if (dropped > 0) this.#order = this.#order.slice(dropped);
  }
}
