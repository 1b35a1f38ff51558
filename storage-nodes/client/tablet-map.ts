/**
 * The tablet map as one client knows it: for each tablet its newest known configuration, learned from
 * any node that answers. It may be old; a node that is asked wrongly says so, and it is learned again.
 */
import { inRange, compareRows } from '../words.ts';
import type { Configuration } from '../replication/configuration.ts';

export class TabletMap {
  #byId = new Map<string, Configuration>();
  #sorted: Configuration[] = [];

  /** Keeps whichever is newer. Returns whether anything was. */
  learn(configurations: readonly Configuration[]): boolean {
    let news = false;
    for (const configuration of configurations) {
      const known = this.#byId.get(configuration.tablet);
      const newer =
        !known ||
        configuration.lineage > known.lineage ||
        (configuration.lineage === known.lineage && configuration.version > known.version);
      if (!newer) continue;
      this.#byId.set(configuration.tablet, configuration);
      news = true;
    }
    if (news) this.#sorted = [...this.#byId.values()].sort((a, b) => compareRows(a.range.from, b.range.from));
    return news;
  }

  get(tablet: string): Configuration | undefined {
    return this.#byId.get(tablet);
  }

  owner(row: string): Configuration | undefined {
    // The last one that begins at or before the row.
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareRows(this.#sorted[middle]!.range.from, row) <= 0) low = middle + 1;
      else high = middle;
    }
    const candidate = this.#sorted[low - 1];
    return candidate && inRange(row, candidate.range) ? candidate : undefined;
  }

  /** In row order. */
  all(): readonly Configuration[] {
    return this.#sorted;
  }
}
