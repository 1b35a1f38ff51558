/**
 * The state that one round of decisions sees: cells looked up in one go, or in a few, under the overlay of
 * what is decided but not applied. A round may look up more than once: whatever is applied between two
 * lookups was on the overlay when the round began, and the overlay drops nothing during a round; so what was
 * looked up first and what was looked up later are of one state all the same.
 */
import { cellName, type Cell, type CellAddress, type CellStore } from '../cells/cells.ts';
import type { TabletId } from '../words.ts';
import type { Overlay } from './overlay.ts';
import { decodeJson } from './platform-cells.ts';

export class RoundState {
  readonly #tablet: TabletId;
  readonly #cells: CellStore;
  readonly #overlay: Overlay;
  readonly #found = new Map<string, Cell | undefined>();

  constructor(tablet: TabletId, cells: CellStore, overlay: Overlay) {
    this.#tablet = tablet;
    this.#cells = cells;
    this.#overlay = overlay;
  }

  /** Says that there is no such cell, so that nobody looks for it. */
  isAbsent(address: CellAddress): void {
    this.#found.set(cellName(address), undefined);
  }

  has(address: CellAddress): boolean {
    const name = cellName(address);
    return this.#overlay.has(name) || this.#found.has(name);
  }

  /** Looks up what is not known yet, all of it at once. */
  async lookUp(addresses: Iterable<CellAddress>): Promise<void> {
    const wanted = new Map<string, CellAddress>();
    for (const address of addresses) if (!this.has(address)) wanted.set(cellName(address), address);
    if (wanted.size === 0) return;
    const missing = [...wanted.values()];
    const cells = this.#cells.peek(this.#tablet, missing) ?? (await this.#cells.get(this.#tablet, missing));
    for (const [i, cell] of cells.entries()) this.#found.set(cellName(missing[i]!), cell);
  }

  /** The JSON value of a cell; undefined if it does not exist. Requires `has`. */
  read(address: CellAddress): unknown {
    const name = cellName(address);
    if (this.#overlay.has(name)) return this.#overlay.get(name);
    if (!this.#found.has(name))
      throw new Error(`Defect: ${JSON.stringify(address)} was not declared by the command`);
    return decodeJson(this.#found.get(name));
  }
}
