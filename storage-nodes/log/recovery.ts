/**
 * What the log's files say when a node opens them.
 *
 *   1. Each tablet's segments are read from where the checkpoint knows them synced.
 *   2. The journal is read from where the checkpoint says; of each tablet, what lies beyond its
 *      segments is kept.
 *   3. Both are joined. Segments that are ahead of the journal tell that its end is lost. A segment's torn
 *      end is cut if, and only if, the journal goes on exactly there. Anything else that cannot be read, and
 *      any gap between the two, is damage. So is a tablet of which the checkpoint or the journal has
 *      records, and whose folder is gone: it was made before the first of them was written.
 *
 * Nothing is written but that cut, so that a crash during recovery changes nothing.
 */
import { join } from 'node:path';
import type { Checkpoint, CheckpointTablet } from './checkpoint.ts';
import type { LogRecord } from './entry.ts';
import { withParts } from './committed-reader.ts';
import type { FilePort } from './files.ts';
import { Fault } from '../faults.ts';
import { frameEpoch, readFrame } from './frame.ts';
import type { JournalRecord } from './journal-record.ts';
import { readJournal } from './journal-reader.ts';
import type { JournalEnd } from './journal-reader.ts';
import { journalFolder } from './journal-files.ts';
import type { Damage } from './log.ts';
import type { TabletLog } from './tablet-log.ts';

/** What the journal holds of one tablet beyond its segments. */
class PreparedRecords {
  readonly frames = new Map<number, Buffer>();
  /** The highest seq that the journal, as far as it was read, says anything of. */
  highest = 0;
  /** Why its appends do not follow one another. */
  gap: string | undefined;
  /** The seq that the tablet's next append must have; undefined before the first is seen. */
  #next: number | undefined;
  readonly #committed: number;

  constructor(committed: number) {
    this.#committed = committed;
  }

  apply(record: JournalRecord): void {
    const { seq } = record;
    if (record.kind === 'drop') {
      this.frames.clear();
      this.highest = 0;
      this.gap = undefined;
      this.#next = 1;
    } else if (record.kind === 'truncate') {
      for (const prepared of [...this.frames.keys()]) if (prepared >= seq) this.frames.delete(prepared);
      if (this.#next === undefined || this.#next > seq) this.#next = seq;
    } else if (record.kind === 'append') {
      if (this.#next !== undefined && seq !== this.#next) {
        this.gap ??= `journal record ${record.number} has seq ${seq} where seq ${this.#next} should follow`;
      }
      this.#keep(seq, record.frame);
      this.#next = seq + 1;
    } else {
      // A carried record repeats an earlier one; it may stand behind records that follow it.
      this.#keep(seq, record.frame);
    }
  }

  #keep(seq: number, frame: Buffer | undefined): void {
    if (frame) this.highest = Math.max(this.highest, seq);
    // Copied, or each record would keep a whole journal file in memory.
    if (frame && seq > this.#committed) this.frames.set(seq, Buffer.from(frame));
  }
}

export type Recovered = {
  readonly journal: JournalEnd;
  /** What each tablet has beyond its segments, with parts. */
  readonly prepared: ReadonlyMap<string, readonly LogRecord[]>;
  readonly configurations: ReadonlyMap<string, Uint8Array>;
};

/**
 * Sets up `tablets` from their files; `present` are those that have a folder. `unfinishedDrops` are tablets
 * whose removal a crash interrupted: what the journal still has of them is ignored. `makeTablet` is asked for
 * those only the journal knows. `suspicion`: what makes all of them suspect, whatever they say.
 */
export async function recover(
  files: FilePort,
  folder: string,
  checkpoint: Checkpoint | undefined,
  tablets: Map<string, TabletLog>,
  present: ReadonlySet<string>,
  unfinishedDrops: ReadonlySet<string>,
  makeTablet: (tablet: string) => TabletLog,
  suspicion: Damage | undefined,
): Promise<Recovered> {
  const torn = new Map<string, Damage & { readonly synced: boolean }>();
  for (const [tablet, log] of tablets) {
    const bad = await log.segments.scan(knownOf(checkpoint, tablet));
    if (bad) torn.set(tablet, bad);
  }
  const beyond = new Map<string, PreparedRecords>();
  const journal = await readJournal(files, journalFolder(folder), checkpoint?.journal, (record) => {
    if (record.kind === 'mark' || record.kind === 'barrier' || unfinishedDrops.has(record.tablet)) return;
    let prepared = beyond.get(record.tablet);
    if (!prepared)
      beyond.set(
        record.tablet,
        (prepared = new PreparedRecords(tablets.get(record.tablet)?.segments.last ?? 0)),
      );
    prepared.apply(record);
  });
  for (const [tablet, { frames }] of beyond) {
    if (frames.size > 0 && !tablets.has(tablet)) tablets.set(tablet, makeTablet(tablet));
  }
  // A missing checkpoint may have held the note that a tail was cut before; it is written before anything else,
  // so where there are tablets and neither it nor a journal, both are lost.
  const tailUnknown =
    journal.torn !== undefined ||
    (checkpoint === undefined && (journal.read.length > 0 || present.size > 0)) ||
    [...tablets.values()].some((log) =>
      isAhead(log, knownOf(checkpoint, log.tablet), beyond.get(log.tablet)),
    );
  const prepared = new Map<string, readonly LogRecord[]>();
  const configurations = new Map<string, Uint8Array>();
  for (const [tablet, log] of tablets) {
    const noted = knownOf(checkpoint, tablet);
    const damage = new Set<Damage>(noted?.damage);
    if (journal.damage) damage.add(journal.damage);
    prepared.set(
      tablet,
      await joinUp(files, log, join(folder, 'journal'), beyond.get(tablet), torn.get(tablet), damage),
    );
    const configuration = await log.configuration.read();
    if ('reason' in configuration) damage.add(configuration);
    else if (configuration.bytes) configurations.set(tablet, configuration.bytes);
    const hadRecords = log.segments.last > 0 || (beyond.get(tablet)?.highest ?? 0) > 0;
    // What was found may have been renamed into place by a process killed before it could sync the name.
    if (present.has(tablet)) await files.syncFolder(log.segments.folder);
    else if (hadRecords)
      damage.add({ file: log.segments.folder, offset: 0, reason: 'the folder of this tablet is missing' });
    log.damage = distinct(damage);
    log.failedSync = suspicion ?? noted?.failedSync;
    log.cutTail = tailUnknown || noted?.cutTail === true;
  }
  return { journal, prepared, configurations };
}

function knownOf(checkpoint: Checkpoint | undefined, tablet: string): CheckpointTablet | undefined {
  return checkpoint && Object.hasOwn(checkpoint.tablets, tablet) ? checkpoint.tablets[tablet] : undefined;
}

/**
 * Whether segments have what the journal should have, too: records get there from the journal alone, and
 * leave the journal only once the checkpoint notes them. Then the journal's end is gone, however cleanly it
 * was cut, and with it what other tablets had there.
 */
function isAhead(
  { segments }: TabletLog,
  noted: CheckpointTablet | undefined,
  beyond: PreparedRecords | undefined,
): boolean {
  return segments.last > Math.max(noted?.last ?? 0, beyond?.highest ?? 0);
}

/** Joins a tablet's segments with what the journal has beyond them; adds what does not fit to `damage`. */
async function joinUp(
  files: FilePort,
  log: TabletLog,
  journalPath: string,
  beyond: PreparedRecords | undefined,
  torn: (Damage & { readonly synced: boolean }) | undefined,
  damage: Set<Damage>,
): Promise<LogRecord[]> {
  const { segments } = log;
  const frames = beyond?.frames ?? new Map<number, Buffer>();
  const next = segments.last + 1;
  if (torn) {
    if (frames.has(next) && !torn.synced) await segments.cut();
    else damage.add({ file: torn.file, offset: torn.offset, reason: torn.reason });
  }
  if (beyond?.gap) damage.add({ file: journalPath, offset: 0, reason: beyond.gap });
  const found: { seq: number; epoch: number; bytes: Buffer }[] = [];
  const records: LogRecord[] = [];
  for (let seq = next, bytes = frames.get(next); bytes; bytes = frames.get(++seq)) {
    try {
      records.push(await withParts(files, segments.folder, readFrame(bytes)));
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'Damaged') throw error;
      damage.add({ file: segments.folder, offset: 0, reason: `a part of seq ${seq}: ${error.message}` });
      break;
    }
    found.push({ seq, epoch: frameEpoch(bytes), bytes });
  }
  if (found.length < frames.size && damage.size === 0) {
    const reason = `seq ${next + found.length} of tablet ${log.tablet} is missing, though later ones are there`;
    damage.add({ file: journalPath, offset: 0, reason });
  }
  log.recovered(found);
  return records;
}

const distinct = (damage: Iterable<Damage>): Damage[] => [
  ...new Map([...damage].map((place) => [`${place.file} ${place.offset} ${place.reason}`, place])).values(),
];
