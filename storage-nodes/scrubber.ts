/**
 * Reads what is on a node's disk again from time to time, so that bytes which went bad are found before the
 * other copies of them are gone.
 *
 *   - The logs, one tablet at a time. What is found is told to the tablet, which gives up its copy and
 *     fetches it anew (rule 11).
 *   - The cells, one file at a time, and soon while there are files that nobody has looked at since they were
 *     written. Damage ends the process: the next one drops the cells and builds them from the log.
 */
import type { Logger } from 'pino';
import type { CellStore } from './cells/cells.ts';
import { Fault } from './faults.ts';
import type { NodeLog } from './log/log.ts';
import type { TabletId } from './words.ts';

export type Scrubbed = { readonly id: TabletId; damaged(error: Fault): void };

export type ScrubberOptions = {
  readonly log: NodeLog;
  readonly cells: CellStore;
  readonly tablets: () => readonly Scrubbed[];
  /** From the end of one tablet's scrub to the beginning of the next one's; of files of cells likewise. */
  readonly everyMs: number;
  readonly logger: Logger;
  /** The process must end. */
  readonly onCellsDamaged: (error: Fault) => void;
};

/** After each new file of cells, 64 MiB at most, which takes about a tenth of this. */
const NEW_CELLS_EVERY_MS = 1000;

export class Scrubber {
  readonly #options: ScrubberOptions;
  readonly #timers = new Set<NodeJS.Timeout>();
  #turn = 0;
  #stopped = false;

  constructor(options: ScrubberOptions) {
    this.#options = options;
  }

  start(): void {
    const { everyMs } = this.#options;
    this.#later(everyMs, async () => {
      await this.#scrubNext();
      return everyMs;
    });
    this.#later(Math.min(everyMs, NEW_CELLS_EVERY_MS), () => this.#scrubCells());
  }

  /** A scrub under way ends when the log and the cells are closed under it. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** `work` answers when to come again. */
  #later(ms: number, work: () => Promise<number>): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void work().then((next) => this.#later(next, work));
    }, ms).unref();
    this.#timers.add(timer);
  }

  async #scrubCells(): Promise<number> {
    const { cells, everyMs, logger, onCellsDamaged } = this.#options;
    try {
      const { damage, isBehind } = await cells.scrub();
      if (damage !== undefined && !this.#stopped)
        onCellsDamaged(new Fault('Damaged', `the cells are damaged and must be built again: ${damage}`));
      return isBehind ? Math.min(everyMs, NEW_CELLS_EVERY_MS) : everyMs;
    } catch (error) {
      if (!this.#stopped)
        logger.warn({ reason: String(error) }, 'a scrub of the cells did not come to its end');
      return everyMs;
    }
  }

  async #scrubNext(): Promise<void> {
    const tablets = this.#options.tablets();
    const tablet = tablets[this.#turn++ % Math.max(1, tablets.length)];
    if (!tablet) return;
    try {
      const [first, ...more] = await this.#options.log.scrub(tablet.id);
      if (!first || this.#stopped) return;
      const { file, offset, reason } = first;
      const rest = more.length > 0 ? ` (and ${more.length} more places)` : '';
      tablet.damaged(new Fault('Damaged', `${file} at ${offset}: ${reason}${rest}`));
    } catch (error) {
      if (this.#stopped) return;
      // A copy that was dropped meanwhile: the next turn will tell.
      this.#options.logger.warn(
        { tablet: tablet.id, reason: String(error) },
        'a scrub did not come to its end',
      );
    }
  }
}
