/**
 * When the log's checkpoint is made, and which journal files it lets go. A checkpoint says that the
 * journal is read from the file being written on, so before it is saved
 *   - all segments are synced, and
 *   - prepared records of older files are carried to this one, and synced there.
 * Then older files are recycled. It is made whenever a file is begun: because the one before is full, or
 * because as much as 1 MiB was written in the last 10 s, or because the log is being closed.
 */
import type { Logger } from 'pino';
import { type Fault } from '../faults.ts';
import type { Timers } from '../timers.ts';
import { writeCheckpoint } from './checkpoint.ts';
import type { Checkpoint, CheckpointTablet } from './checkpoint.ts';
import type { FilePort } from './files.ts';
import type { JournalFiles } from './journal-files.ts';
import type { JournalEnd } from './journal-reader.ts';
import type { Journal } from './journal.ts';
import type { TabletLog } from './tablet-log.ts';
import { NOTHING_SYNCED } from './tablet-segments.ts';

/** What an opening after a kill has to read again is bounded by what is written in this time. */
const EVERY_MS = 10_000;
const BYTES_MIN = 1024 * 1024;

export type CheckpointsOptions = {
  readonly files: FilePort;
  readonly folder: string;
  readonly journal: Journal;
  readonly journalFiles: JournalFiles;
  readonly tablets: ReadonlyMap<string, TabletLog>;
  readonly timers: Timers;
  readonly logger: Logger | undefined;
  /** The fault to answer with; remembers one that is final. */
  readonly fault: (error: unknown, doing: string) => Fault;
};

export class Checkpoints {
  readonly #options: CheckpointsOptions;
  /** Journal files whose records may be needed, oldest first; the last is being written. */
  #generations: number[] = [];
  #last: Checkpoint | undefined;
  /** What the opening found is in `#last`, and not on the disk yet. */
  #isUnnoted = false;
  #saving: Promise<void> = Promise.resolve();
  #making: Promise<void> | undefined;
  /** Checkpoints and drops exclude one another. */
  #turn: Promise<unknown> = Promise.resolve();
  #open = false;
  #cancelTimer: () => void = () => undefined;

  constructor(options: CheckpointsOptions) {
    this.#options = options;
  }

  /** How many journal files are in use. */
  get journalCount(): number {
    return this.#generations.length;
  }

  /** What the opening found, on top of the checkpoint that it began with. */
  found(journal: JournalEnd, known: Checkpoint | undefined): void {
    const tablets: Record<string, CheckpointTablet> = {};
    let changed = journal.torn !== undefined || known?.journal.closedBefore !== undefined;
    for (const [tablet, { cutTail, damage, failedSync }] of this.#options.tablets) {
      tablets[tablet] = { ...NOTHING_SYNCED, ...known?.tablets[tablet], cutTail, damage, failedSync };
      changed ||= damage.length > 0 || failedSync !== undefined;
      changed ||= cutTail && known?.tablets[tablet]?.cutTail !== true;
    }
    const { closedBefore: _, ...start } = journal.start;
    this.#last = { format: 1, journal: start, tablets };
    this.#isUnnoted = changed;
  }

  /**
   * Notes what was found wrong, as must be done before anything new is written: behind a new file, the torn
   * end of the one before could no longer be told from the end of a full file. Nor is a clean stop one any
   * more then. Does nothing if it is noted already; rejects without room.
   */
  async noteFindings(): Promise<void> {
    if (this.#isUnnoted) await this.#save(() => (this.#isUnnoted ? this.#last : undefined));
  }

  /** These journal files were read, and are needed until the next checkpoint. */
  needs(generations: readonly number[]): void {
    this.#generations = [...generations];
  }

  /** From here on checkpoints are made as the journal grows. */
  start(): void {
    this.#open = true;
    this.#watchTheTime();
  }

  generationBegun(generation: number): void {
    this.#generations.push(generation);
    // What a checkpoint itself carries may fill a file too: no reason for another one at once.
    if (!this.#open || this.#making) return;
    this.soon().catch((error: unknown) =>
      this.#options.logger?.warn(
        { err: error },
        'no checkpoint could be written; trying again with the next journal file',
      ),
    );
  }

  soon(): Promise<void> {
    this.#making ??= this.exclusively(() => this.advance())
      .catch((error: unknown) => {
        throw this.#options.fault(error, 'writing a checkpoint');
      })
      .finally(() => (this.#making = undefined));
    return this.#making;
  }

  /** Makes a checkpoint that frees all journal files before the one being written, if there is one. */
  async advance(): Promise<void> {
    const { journal, journalFiles, tablets } = this.#options;
    const { start } = journal;
    // Nothing was written yet in this run: what the last one left is all there is.
    if (start.generation === 0) return;
    await Promise.all([...tablets.values()].map((log) => log.carry(start.generation)));
    const tabletStates = await this.#syncTablets();
    await this.#save(() => ({ format: 1, journal: start, tablets: tabletStates }));
    while (this.#generations[0] !== undefined && this.#generations[0] < start.generation) {
      await journalFiles.retire(this.#generations[0]);
      this.#generations.shift();
    }
  }

  /** Replaces what is noted of one tablet; undefined: nothing is any more. */
  async noteTablet(
    tablet: string,
    change: (noted: CheckpointTablet | undefined) => CheckpointTablet | undefined,
  ): Promise<void> {
    const last = this.#last!;
    const { [tablet]: noted, ...others } = last.tablets;
    const changed = change(noted);
    if (changed === noted) return;
    await this.#save(() => ({ ...last, tablets: changed ? { ...others, [tablet]: changed } : others }));
  }

  exclusively<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(task);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** No more checkpoints; waits for the one being made. */
  async stop(): Promise<void> {
    this.#open = false;
    this.#cancelTimer();
    await this.#turn;
  }

  /** Waits for all that is under way, and leaves as little as possible for the next opening to read. */
  async makeLast(): Promise<void> {
    const { tablets, journal, fault, logger } = this.#options;
    for (const log of tablets.values()) await log.settle();
    try {
      await this.#leaveJournal();
      await journal.close();
      const { journal: before } = this.#last!;
      const { synced } = journal.start.generation > 0 ? journal.start : before;
      const start = { ...before, synced, closedBefore: journal.nextNumber };
      const tabletStates = await this.#syncTablets();
      await this.#save(() => ({ ...this.#last!, journal: start, tablets: tabletStates }));
    } catch (error) {
      const cause = fault(error, 'writing the last checkpoint');
      // Without room for it, the checkpoint before is as good: more is read when the log opens again.
      if (cause.code !== 'DiskFull') throw cause;
      logger?.warn({ err: cause }, 'no room for a last checkpoint');
    }
  }

  /** Makes a checkpoint in a new file, unless most of what this one holds would have to be carried there. */
  async #leaveJournal(): Promise<void> {
    const { tablets, journal } = this.#options;
    let heldBytes = 0;
    for (const log of tablets.values()) heldBytes += log.heldBytes;
    if (heldBytes * 8 >= journal.usedBytes) return;
    journal.beginNext();
    await journal.idle();
    await this.advance();
  }

  #watchTheTime(): void {
    const { journal, timers } = this.#options;
    this.#cancelTimer = timers.after(EVERY_MS, () => {
      if (journal.usedBytes >= BYTES_MIN) journal.beginNext();
      this.#watchTheTime();
    });
  }

  async #syncTablets(): Promise<Record<string, CheckpointTablet>> {
    const states: Record<string, CheckpointTablet> = {};
    for (const [tablet, log] of this.#options.tablets) {
      const { cutTail, damage, failedSync } = log;
      states[tablet] = { ...(await log.segments.sync()), cutTail, damage, failedSync };
    }
    return states;
  }

  /** One after the other. What is to be saved is asked for when it is its turn; undefined: nothing any more. */
  #save(content: () => Checkpoint | undefined): Promise<void> {
    const saving = this.#saving.then(async () => {
      const checkpoint = content();
      if (!checkpoint) return;
      await writeCheckpoint(this.#options.files, this.#options.folder, checkpoint);
      this.#last = checkpoint;
      this.#isUnnoted = false;
    });
    this.#saving = saving.catch(() => undefined);
    return saving;
  }
}
