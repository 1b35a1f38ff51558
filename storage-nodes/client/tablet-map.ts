/**
 * The tablet map as one client knows it: for each tablet its newest known configuration, learned from
 * any node that answers. It may be old; a node that is asked wrongly says so, and it is learned again.
 */
import { inRange, compareRows } from '../words.ts';
import type { Configuration } from '../replication/configuration.ts';

export class TabletMap {
  #byId = new Map<string, Configuration>();
  #sorted: Configuration[] = [];

  /** Keeps whichever is newer. */
  learn(configurations: readonly Configuration[]): void {
    for (const configuration of configurations) {
      const known = this.#byId.get(configuration.tablet);
      const newer =
        !known ||
        configuration.lineage > known.lineage ||
        (configuration.lineage === known.lineage && configuration.version > known.version);
      if (newer) this.#byId.set(configuration.tablet, configuration);
    }
    this.#sorted = [...this.#byId.values()].sort((a, b) => compareRows(a.range.from, b.range.from));
  }

  get(tablet: string): Configuration | undefined {
    return this.#byId.get(tablet);
  }

  owner(row: string): Configuration | undefined {
    return this.#sorted.find((configuration) => inRange(row, configuration.range));
  }

  /** In row order. */
  all(): readonly Configuration[] {
    return this.#sorted;
  }
}
