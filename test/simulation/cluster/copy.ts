/**
 * What the world knows of one copy of a tablet, beside what the copy says itself: which entries it took,
 * how many of them it had on its disk, and whether it has lost any by a fault that the design does not
 * promise to survive alone. It outlives the node's process.
 *
 *   durable <= taken.length; entries up to `durable` were reported durable, and not cut since
 */
import type { LogRecord } from '../../../storage-nodes/log/entry.ts';
import type { NodeLog } from '../../../storage-nodes/log/log.ts';
import { parseConfiguration, type Configuration } from '../../../storage-nodes/replication/configuration.ts';
import type { NodeId, Seq, TabletId } from '../../../storage-nodes/words.ts';

export class Copy {
  readonly node: NodeId;
  readonly tablet: TabletId;
  taken: LogRecord[] = [];
  durable = 0;
  committed = 0;
  /** The newest that is on its disk. */
  configuration: Configuration | undefined;
  /** It lost what it had said to hold: nothing is promised of it until it is whole again. */
  lossy = false;
  /** At its last opening. */
  cut = false;
  damaged = false;
  /** An fsync failed before its last opening: it will be given up as soon as it is not the only one. */
  suspect = false;

  constructor(node: NodeId, tablet: TabletId) {
    this.node = node;
    this.tablet = tablet;
  }

  /** By a fault, or because it was asked to. */
  empty(): void {
    this.taken = [];
    this.durable = 0;
    this.committed = 0;
    this.configuration = undefined;
    this.cut = false;
    this.damaged = false;
    this.suspect = false;
  }

  holds(truth: readonly LogRecord[]): boolean {
    if (this.durable < truth.length) return false;
    // Entries up to `committed` were compared when they were committed.
    for (let i = this.committed; i < truth.length; i++)
      if (!isSameRecord(this.taken[i], truth[i])) return false;
    return true;
  }
}

export function isSameRecord(a: LogRecord | undefined, b: LogRecord | undefined): boolean {
  return (
    a !== undefined &&
    b !== undefined &&
    (a === b || (a.epoch === b.epoch && Buffer.compare(a.head, b.head) === 0))
  );
}

export type LogWatch = {
  readonly copyOf: (tablet: TabletId) => Copy;
  /** Before a copy cuts its log. */
  readonly onCut: (copy: Copy, from: Seq) => void;
  /** Before committed entries go where they are kept. */
  readonly onCommit: () => void;
};

/** A node's log that tells what becomes of its entries. */
export function watchedLog(log: NodeLog, { copyOf, onCut, onCommit }: LogWatch): NodeLog {
  return {
    open: () => log.open(),
    close: () => log.close(),
    async append(tablet, records) {
      const copy = copyOf(tablet);
      const { taken } = copy;
      const first = records[0]!.seq;
      for (const record of records) taken[record.seq - 1] = record;
      taken.length = records.at(-1)!.seq;
      try {
        await log.append(tablet, records);
      } catch (error) {
        if (copy.taken === taken && taken[first - 1] === records[0]) taken.length = first - 1;
        throw error;
      }
      const last = records.at(-1)!;
      if (copy.taken === taken && taken[last.seq - 1] === last)
        copy.durable = Math.max(copy.durable, last.seq);
    },
    truncate(tablet, from) {
      const copy = copyOf(tablet);
      onCut(copy, from);
      copy.taken.length = Math.min(copy.taken.length, from - 1);
      copy.durable = Math.min(copy.durable, from - 1);
      return log.truncate(tablet, from);
    },
    commit(tablet, upTo) {
      onCommit();
      return log.commit(tablet, upTo);
    },
    async saveConfiguration(tablet, configuration) {
      const copy = copyOf(tablet);
      const { taken } = copy;
      await log.saveConfiguration(tablet, configuration);
      if (copy.taken === taken)
        copy.configuration = parseConfiguration(Buffer.from(configuration).toString());
    },
    async tailRestored(tablet) {
      copyOf(tablet).cut = false;
      await log.tailRestored(tablet);
    },
    tailLost: (tablet) => log.tailLost(tablet),
    drop(tablet) {
      const copy = copyOf(tablet);
      copy.empty();
      copy.lossy = true;
      return log.drop(tablet);
    },
    copied: (tablet) => log.copied(tablet),
    read: (tablet, from, maxBytes) => log.read(tablet, from, maxBytes),
    readHeads: (tablet, from, countMax) => log.readHeads(tablet, from, countMax),
    readPart: (tablet, seq, part, offset, length) => log.readPart(tablet, seq, part, offset, length),
    epochEnds: (tablet) => log.epochEnds(tablet),
    scrub: (tablet) => log.scrub(tablet),
  };
}
