/**
 * Tells a reader which rows changed, as server-sent events: what changes within a moment becomes one event. To a
 * reader who does not keep up nothing is sent until the stream has drained; what changed meanwhile is then one
 * event, so nothing piles up and nothing is left untold.
 */
import type { Writable } from 'node:stream';

/** Notices of one burst become one event. */
const GATHER_MS = 60;
/** Rows that an event names; a reader fetches anew whichever they are. */
const ROWS_NAMED_MAX = 50;

export class ChangedRows {
  readonly #reader: Writable;
  readonly #rows = new Set<string>();
  #gathering: NodeJS.Timeout | undefined;
  readonly #drained = (): void => {
    if (this.#rows.size > 0) this.#gather();
  };

  constructor(reader: Writable) {
    this.#reader = reader;
    reader.on('drain', this.#drained);
  }

  tell(row: string): void {
    if (this.#rows.size <= ROWS_NAMED_MAX) this.#rows.add(row);
    this.#gather();
  }

  stop(): void {
    clearTimeout(this.#gathering);
    this.#reader.off('drain', this.#drained);
  }

  #gather(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      if (this.#reader.writableNeedDrain) return;
      const named = [...this.#rows].slice(0, ROWS_NAMED_MAX);
      this.#rows.clear();
      this.#reader.write(`event: changed\ndata: ${JSON.stringify(named)}\n\n`);
    }, GATHER_MS);
  }
}
