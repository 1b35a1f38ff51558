/**
 * Replays one node's copy of a tablet's log, from the node's own segment files, into cells of its own,
 * through the code that nodes apply entries with. On the way each entry is checked against the hash of
 * the one before it.
 */
import type { CellStore } from '../../storage-nodes/cells/cells.ts';
import { decodeHead, sha256, ZERO_HASH, type LogRecord } from '../../storage-nodes/log/entry.ts';
import type { Application } from '../../storage-nodes/tablet/application.ts';
import { replayInto } from '../../storage-nodes/tablet/replay.ts';
import type { Seq, TabletId } from '../../storage-nodes/words.ts';

/** Where to stop: after an entry, or before the first entry of a later time. */
export type ReplayEnd = { readonly seq: number } | { readonly time: number } | undefined;

export type ReplayedCopy = {
  /** The last entry replayed; 0: none. */
  readonly applied: number;
  readonly events: number;
  readonly cells: number;
  /** Over the cells, as `CellStore.digest`. */
  readonly digest: string;
  readonly seconds: number;
};

export async function replayCopy(options: {
  cells: CellStore;
  application: Application;
  tablet: TabletId;
  records: AsyncIterable<LogRecord>;
  end: ReplayEnd;
  /** Called with each entry's place and hash. */
  onEntry?: (seq: number, hash: string) => void;
}): Promise<ReplayedCopy> {
  const { cells, application, tablet, end, onEntry } = options;
  const startedAt = performance.now();
  const counted = { events: 0 };
  const records = checked(options.records, end, counted, onEntry);
  await replayInto(cells, records, application, tablet, end && 'seq' in end ? { to: end.seq as Seq } : {});
  const seconds = (performance.now() - startedAt) / 1000;
  const { applied, digest, cells: cellCount } = await cells.digest(tablet);
  return { applied, events: counted.events, cells: cellCount, digest, seconds };
}

/** Passes entries on up to the end. Throws at the first that does not follow from the one before. */
async function* checked(
  records: AsyncIterable<LogRecord>,
  end: ReplayEnd,
  counted: { events: number },
  onEntry?: (seq: number, hash: string) => void,
): AsyncIterable<LogRecord> {
  let previous: Uint8Array = ZERO_HASH;
  for await (const record of records) {
    const head = decodeHead(record.head);
    if (end && ('seq' in end ? record.seq > end.seq : head.time > end.time)) return;
    if (Buffer.compare(head.previousHash, previous) !== 0) {
      throw new Error(`entry ${record.seq} does not follow from the entry before it: their hashes differ`);
    }
    const hash = sha256(record.head);
    previous = hash;
    counted.events += head.events.length;
    onEntry?.(record.seq, hash.toString('hex'));
    yield record;
  }
}
