/**
 * Builds a tablet's copy from what the log found on the disk, which need not fit together: the cells may be
 * ahead of a log that lost its tail, and prepared entries may be left over from before a truncation that the
 * disk has lost.
 */
import type { RecoveredTablet } from '../log/log.ts';
import type { EpochEnd } from '../replication/messages.ts';
import type { TabletId } from '../words.ts';
import type { TabletHost } from './tablet-host.ts';
import { Tablet } from './tablet.ts';

/** `found` undefined: placed here for the first time. */
export async function openTablet(
  id: TabletId,
  host: TabletHost,
  found: RecoveredTablet | undefined,
): Promise<Tablet> {
  const { log, cells, logger } = host;
  const isDamaged = (found?.damage.length ?? 0) > 0;
  const ends = found && !isDamaged ? ((await log.epochEnds(id)) as EpochEnd[]) : [];
  const recovered = found && !isDamaged ? await withoutLeftovers(id, host, found, ends) : found;
  const last = recovered?.prepared.at(-1)?.seq ?? recovered?.committed ?? 0;
  if (cells.applied(id) > last) {
    logger.warn({ tablet: id, last }, 'the cells are ahead of the log: building them again');
    await cells.drop(id);
  }
  return new Tablet(id, host, recovered, ends);
}

/** Epochs never fall along a log: what does not follow was cut off once, by a record that is gone (rule 5). */
async function withoutLeftovers(
  id: TabletId,
  { log, logger }: TabletHost,
  found: RecoveredTablet,
  ends: readonly EpochEnd[],
): Promise<RecoveredTablet> {
  let newest: number = ends.at(-1)?.epoch ?? 0;
  const first = found.prepared.find(({ epoch }) => {
    if (epoch < newest) return true;
    newest = epoch;
    return false;
  });
  if (!first) return found;
  const { seq, epoch } = first;
  logger.error(
    { tablet: id, seq, epoch, newest },
    'entries of an older epoch stand behind a newer one: the disk lost its tail',
  );
  await log.truncate(id, seq);
  return { ...found, prepared: found.prepared.filter((record) => record.seq < seq), cutTail: true };
}
