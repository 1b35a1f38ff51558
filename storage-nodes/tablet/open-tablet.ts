/**
 * Builds a tablet's copy from what the log found on the disk, which need not fit together: the cells may be
 * ahead of a log that lost its tail, and prepared entries may be left over from before a truncation that the
 * disk has lost.
 */
import type { RecoveredTablet } from '../log/log.ts';
import type { EpochEnd } from '../replication/messages.ts';
import type { Seq, TabletId } from '../words.ts';
import type { Judged } from './log-trust.ts';
import type { TabletHost } from './tablet-host.ts';
import { Tablet } from './tablet.ts';

/**
 * Cells tell of committed entries only, which were on the disk by then. Where they are ahead of any tablet's
 * log, the end of the journal is gone, however cleanly it was cut, and with it what other tablets had there:
 * none of them leads before it has heard the others (rule 5). Noted before the cells are built again.
 */
export async function withLostTails<T extends RecoveredTablet>(
  { log, cells, logger }: Pick<TabletHost, 'log' | 'cells' | 'logger'>,
  recovered: readonly T[],
): Promise<readonly T[]> {
  const sound = recovered.filter(({ damage }) => damage.length === 0);
  const ahead = sound.filter((one) => cells.applied(one.tablet) > lastOf(one));
  if (ahead.length === 0) return recovered;
  const tablets = ahead.map(({ tablet }) => tablet);
  logger.error({ tablets }, 'the cells are ahead of the log: the disk lost the end of the journal');
  for (const { tablet } of sound) await log.tailLost(tablet);
  return recovered.map((one) => (sound.includes(one) ? { ...one, cutTail: true } : one));
}

function lastOf({ committed, prepared }: RecoveredTablet): Seq {
  return prepared.at(-1)?.seq ?? committed;
}

/** `found` undefined: placed here for the first time. */
export async function openTablet(id: TabletId, host: TabletHost, found: Judged | undefined): Promise<Tablet> {
  const { log, cells, logger } = host;
  const isDamaged = (found?.damage.length ?? 0) > 0;
  const ends = found && !isDamaged ? ((await log.epochEnds(id)) as EpochEnd[]) : [];
  const recovered = found && !isDamaged ? await withoutLeftovers(id, host, found, ends) : found;
  const last = recovered ? lastOf(recovered) : 0;
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
  found: Judged,
  ends: readonly EpochEnd[],
): Promise<Judged> {
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
  // First, or a crash would find nothing that tells of it.
  await log.tailLost(id);
  await log.truncate(id, seq);
  return { ...found, prepared: found.prepared.filter((record) => record.seq < seq), cutTail: true };
}
