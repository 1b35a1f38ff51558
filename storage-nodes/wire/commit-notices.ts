/**
 * Commit notices of one node, gathered for a few milliseconds each, so that a burst of writes becomes
 * one message per tablet. Lossy by contract: they say where to look, nothing depends on them.
 */
import type { Notices } from './notices.ts';

const GATHER_MS = 5;
const ROWS_MAX = 64;

type Gathered = { epoch: number; from: number; to: number; rows: Set<string> };

export class CommitNotices {
  readonly #notices: Pick<Notices, 'committed'>;
  #gathered = new Map<string, Gathered>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(notices: Pick<Notices, 'committed'>) {
    this.#notices = notices;
  }

  add(tablet: string, epoch: number, from: number, to: number, rows: ReadonlySet<string>): void {
    if (this.#closed) return;
    const gathered = this.#gathered.get(tablet) ?? { epoch, from, to, rows: new Set<string>() };
    gathered.epoch = epoch;
    gathered.to = to;
    for (const row of rows) if (gathered.rows.size <= ROWS_MAX) gathered.rows.add(row);
    this.#gathered.set(tablet, gathered);
    this.#timer ??= setTimeout(() => this.#publish(), GATHER_MS);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #publish(): void {
    this.#timer = undefined;
    for (const [tablet, { epoch, from, to, rows }] of this.#gathered) {
      // Too many to name: an empty list says that all may have changed.
      this.#notices.committed({ tablet, epoch, from, to, rows: rows.size > ROWS_MAX ? [] : [...rows] });
    }
    this.#gathered.clear();
  }
}
