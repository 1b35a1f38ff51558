/**
 * Replays a tablet's log into a fresh cell store, through the same code that a node applies entries
 * with. Reactions are never carried out by a replay.
 */
import type { CellStore } from '../cells/cells.ts';
import type { LogRecord } from '../log/entry.ts';
import type { Seq, TabletId } from '../words.ts';
import type { Application } from './application.ts';
import { Applier } from './applier.ts';

const BATCH_RECORDS = 256;
const BATCH_BYTES = 8 * 1024 * 1024;

export type Replayed = { readonly upTo: Seq; readonly entries: number };

/** Applies `records` (from seq 1, contiguous) up to and including `to`, if given. */
export async function replayInto(
  cells: CellStore,
  records: AsyncIterable<LogRecord>,
  application: Application,
  tablet: TabletId,
  options: { to?: Seq } = {},
): Promise<Replayed> {
  const applier = new Applier(tablet, cells, application);
  let batch: LogRecord[] = [];
  let bytes = 0;
  let entries = 0;
  for await (const record of records) {
    if (options.to !== undefined && record.seq > options.to) break;
    if (record.seq !== entries + 1)
      throw new Error(
        `Tablet ${tablet}: entry ${entries + 1} is missing from the log (found ${record.seq}).`,
      );
    batch.push(record);
    entries++;
    bytes += record.head.length + record.parts.reduce((sum, part) => sum + (part?.length ?? 0), 0);
    if (batch.length < BATCH_RECORDS && bytes < BATCH_BYTES) continue;
    await applier.apply(batch);
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) await applier.apply(batch);
  return { upTo: cells.applied(tablet), entries };
}
