/**
 * Reads the logs of a node's tablets again from time to time, one tablet at a time, so that bytes which
 * went bad are found before the other copies of them are gone. What it finds is told to the tablet, which
 * gives up its copy and fetches it anew (rule 11).
 */
import type { Logger } from 'pino';
import { Fault } from './faults.ts';
import type { NodeLog } from './log/log.ts';
import type { TabletId } from './words.ts';

export type Scrubbed = { readonly id: TabletId; damaged(error: Fault): void };

export class Scrubber {
  readonly #options: { log: NodeLog; tablets: () => readonly Scrubbed[]; everyMs: number; logger: Logger };
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;
  #stopped = false;

  /** `everyMs`: from the end of one tablet's scrub to the beginning of the next one's. */
  constructor(options: {
    log: NodeLog;
    tablets: () => readonly Scrubbed[];
    everyMs: number;
    logger: Logger;
  }) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setTimeout(() => {
      void this.#scrubNext().finally(() => {
        if (!this.#stopped) this.start();
      });
    }, this.#options.everyMs).unref();
  }

  /** A scrub under way ends when the log is closed under it. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
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
