/**
 * Which command ids a serving primary need not look up: nearly every command is new, and this says so
 * without reading a cell (Bloom filters, Bloom 1970).
 *
 *   mayHave(id) false  =>  no entry of this tablet carried the id, or the command has expired
 *
 * Ids that were remembered before this primary began to serve are read from the cells, a page at a time and
 * behind everything else; until that is done, and when there are more ids than the filters may hold, the
 * answer is "maybe", and the cell decides. Filters are filled one after the other; each goes once all in
 * it have expired.
 */
import { SPACE, type CellStore } from '../cells/cells.ts';
import { Fault } from '../faults.ts';
import type { Timers } from '../timers.ts';
import type { TabletId } from '../words.ts';
import { decodeJson, type KnownCommand } from './platform-cells.ts';

/** 16 bits for each of 65,536 ids: 128 KiB, and with 4 probes one id in 400 is looked up in vain. */
const FILTER_BITS = 2 ** 20;
const FILTER_IDS_MAX = FILTER_BITS / 16;
const PROBES = 4;
/** 2 MiB a tablet. */
const FILTERS_MAX = 16;
const PAGE = 1000;
const PAGE_EVERY_MS = 20;

type Filter = { readonly bits: Uint32Array; count: number; latestExpiry: number };

export class KnownCommands {
  readonly #tablet: TabletId;
  readonly #cells: CellStore;
  readonly #timers: Timers;
  /** Oldest first. */
  #filters: Filter[] = [];
  #isLoaded = false;
  /** Ids beyond what the filters hold, and when the last of them expires. */
  #beyondUntil = 0;
  #stopped = false;

  constructor(options: { tablet: TabletId; cells: CellStore; timers: Timers }) {
    this.#tablet = options.tablet;
    this.#cells = options.cells;
    this.#timers = options.timers;
    this.#loadSoon('');
  }

  mayHave(id: string): boolean {
    if (!this.#isLoaded || this.#beyondUntil > 0) return true;
    const [one, two] = hashes(id);
    return this.#filters.some(({ bits }) => isIn(bits, one, two));
  }

  /** `expiresAt` in log time; 0: never. */
  add(id: string, expiresAt: number): void {
    const expiry = expiresAt === 0 ? Infinity : expiresAt;
    let filter = this.#filters.at(-1);
    if (!filter || filter.count >= FILTER_IDS_MAX) {
      if (this.#filters.length >= FILTERS_MAX) {
        this.#beyondUntil = Math.max(this.#beyondUntil, expiry);
        return;
      }
      filter = { bits: new Uint32Array(FILTER_BITS / 32), count: 0, latestExpiry: 0 };
      this.#filters.push(filter);
    }
    const [one, two] = hashes(id);
    for (let i = 0; i < PROBES; i++) {
      const bit = (one + Math.imul(i, two)) & (FILTER_BITS - 1);
      filter.bits[bit >>> 5]! |= 1 << (bit & 31);
    }
    filter.count++;
    if (expiry > filter.latestExpiry) filter.latestExpiry = expiry;
  }

  /** What has expired in log time. */
  forget(time: number): void {
    if (this.#beyondUntil > 0 && this.#beyondUntil <= time) this.#beyondUntil = 0;
    while (this.#filters[0] && this.#filters[0].latestExpiry <= time) this.#filters.shift();
  }

  stop(): void {
    this.#stopped = true;
  }

  #loadSoon(after: string): void {
    this.#timers.after(PAGE_EVERY_MS, () => {
      if (this.#stopped) return;
      // Without it every command is looked up; the tablet hears of the damage when it does that.
      this.#load(after).catch((error: unknown) => {
        if (!(error instanceof Fault)) throw error;
      });
    });
  }

  async #load(after: string): Promise<void> {
    const commands = await this.#cells.scan(this.#tablet, {
      space: SPACE.commands,
      from: { row: '', column: after },
      to: null,
      limit: PAGE,
    });
    for (const cell of commands) this.add(cell.column, decodeJson<KnownCommand>(cell)!.expiresAt);
    if (commands.length < PAGE || this.#beyondUntil === Infinity) this.#isLoaded = true;
    else this.#loadSoon(`${commands.at(-1)!.column}\u0001`);
  }
}

function isIn(bits: Uint32Array, one: number, two: number): boolean {
  for (let i = 0; i < PROBES; i++) {
    const bit = (one + Math.imul(i, two)) & (FILTER_BITS - 1);
    if ((bits[bit >>> 5]! & (1 << (bit & 31))) === 0) return false;
  }
  return true;
}

/** Two 32-bit hashes (FNV-1a, and one with another offset and prime), from which the probes are made. */
function hashes(id: string): [number, number] {
  let one = 0x811c9dc5;
  let two = 0x9e3779b9;
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i);
    one = Math.imul(one ^ code, 0x01000193);
    two = Math.imul(two ^ code, 0x85ebca6b);
  }
  // Their low bits mix badly: the high ones are folded in. The second must be odd.
  one ^= one >>> 15;
  two ^= two >>> 13;
  return [one >>> 0, (two | 1) >>> 0];
}
