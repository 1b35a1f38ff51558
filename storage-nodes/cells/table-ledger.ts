/**
 * Which SST files were verified, and how often the store was opened without being closed: the file
 * `verified` in the store's folder. SSTs never change, so one that was whole when it was written needs no
 * look at each opening; the scrubber looks at all of them in turns, for what rots later.
 *
 * A damaged block can bring the process down before the scrubber comes to it. `openings` counts how often
 * in a row that may have happened: from `SUSPICIOUS` on, everything is verified before it is served.
 *
 *    JSON {format: 1, openings, tables: [name …], condemned: reason | undefined}
 *
 * Nothing depends on it: without it, more is verified.
 */
import { rename, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const FILE = 'verified';
const SUSPICIOUS = 3;

type Content = {
  readonly format: 1;
  readonly openings: number;
  readonly tables: readonly string[];
  /** Why the next opening must drop the store. */
  readonly condemned?: string;
};

export class TableLedger {
  readonly #folder: string;
  #openings = 0;
  #verified = new Set<string>();
  /** Verified by this process in this round: what was verified long ago may have rotted since. */
  #round = new Set<string>();
  #condemned: string | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async read(folder: string): Promise<TableLedger> {
    const ledger = new TableLedger(folder);
    try {
      const content = JSON.parse(await readFile(join(folder, FILE), 'utf8')) as Content;
      if (content.format !== 1) return ledger;
      ledger.#openings = content.openings;
      ledger.#verified = new Set(content.tables);
      ledger.#condemned = content.condemned;
    } catch {
      // Missing, torn or damaged: as if nothing had been verified.
    }
    return ledger;
  }

  /** Why the store must be dropped, if a scrub found out. */
  get condemned(): string | undefined {
    return this.#condemned;
  }

  /** The last openings all ended otherwise than by closing, and without a whole pass of the scrubber. */
  get isSuspicious(): boolean {
    return this.#openings >= SUSPICIOUS;
  }

  has(table: string): boolean {
    return this.#verified.has(table);
  }

  opened(): Promise<void> {
    this.#openings++;
    return this.#save();
  }

  closed(): Promise<void> {
    this.#openings = 0;
    return this.#save();
  }

  /** The table to verify next; undefined: there is none. Those that never were come first. */
  next(present: readonly string[]): string | undefined {
    return (
      present.find((name) => !this.#verified.has(name)) ??
      present.find((name) => !this.#round.has(name)) ??
      present[0]
    );
  }

  /** `present`: the tables that there are by now; others are forgotten. */
  verified(table: string, present: readonly string[]): Promise<void> {
    if (present.every((name) => this.#round.has(name))) this.#round.clear();
    this.#round.add(table);
    this.#verified.add(table);
    this.#round = new Set(present.filter((name) => this.#round.has(name)));
    this.#verified = new Set(present.filter((name) => this.#verified.has(name)));
    if (this.#round.size === present.length) this.#openings = 1;
    return this.#save();
  }

  condemn(reason: string): Promise<void> {
    this.#condemned = reason;
    return this.#save();
  }

  /** Without room for it the next opening only takes longer. */
  async #save(): Promise<void> {
    const content: Content = {
      format: 1,
      openings: this.#openings,
      tables: [...this.#verified],
      ...(this.#condemned !== undefined && { condemned: this.#condemned }),
    };
    const path = join(this.#folder, FILE);
    try {
      await writeFile(`${path}.new`, JSON.stringify(content));
      await rename(`${path}.new`, path);
    } catch {
      // The one before stays.
    }
  }
}
