/**
 * What faults never do. What was acknowledged is lost (a wiped or damaged disk, a failed fsync) only while
 * another in-sync copy of each tablet that lost nothing remains, whatever becomes of changes under way:
 * that one copy is the promise's premise (rule 10). A power cut that tears what was not synced may meet any
 * number of nodes, but not while another's loss already needs their word (rule 5).
 */
import type { Configuration } from '../../../storage-nodes/replication/configuration.ts';
import type { TabletId } from '../../../storage-nodes/words.ts';
import type { Breakable } from './breakable.ts';
import type { SimNode } from './node.ts';

export class Premise {
  readonly #cluster: Breakable;

  constructor(cluster: Breakable) {
    this.#cluster = cluster;
  }

  mayTear(): boolean {
    const { profile, nodes, checkers } = this.#cluster;
    const isWhole = (node: SimNode): boolean =>
      !node.machine.disk.damaged && checkers.copiesOn(node).every((copy) => !copy.lossy);
    return profile.tears && nodes.every(isWhole);
  }

  /** Whatever the store says now or may yet be asked, somebody who lost nothing stays in sync. */
  mayLose(node: SimNode): boolean {
    const { master, nodes, checkers } = this.#cluster;
    for (const one of nodes) checkers.forgive(one);
    const survives = (tablet: TabletId, configuration: Configuration): boolean =>
      nodes.some((other) => {
        const copy = checkers.copyOf(other, tablet);
        const { disk } = other.machine;
        return (
          other !== node &&
          // One that is down may find, when it opens, that a power cut has torn its tail.
          other.up &&
          other.joined &&
          !copy.lossy &&
          !disk.damaged &&
          // Nor may its end look torn when it starts again.
          !disk.halfWritten &&
          !copy.cut &&
          configuration.inSync.includes(other.id) &&
          (copy.configuration?.version ?? 0) > 1
        );
      });
    return [...master.current].every(([tablet, current]) =>
      [current, ...master.proposed(tablet)].every((configuration) => survives(tablet, configuration)),
    );
  }
}
