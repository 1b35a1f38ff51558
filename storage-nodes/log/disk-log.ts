/**
 * The node's log on disk: one journal that makes records of all tablets durable, and a folder per
 * tablet that keeps the committed ones for good. `storage-nodes/README.md` draws the files.
 *
 * The rule of the journal's space: before a generation is recycled, each of its records is
 *   - in its tablet's segments, and these are synced; or
 *   - prepared still, and written again ("carried") to a later generation, and synced there; or
 *   - truncated or dropped by a record of that generation or a later one;
 * and a checkpoint that says "read from the later generation" is durable.
 */
import type { Logger } from 'pino';
import { Fault } from '../faults.ts';
import { realTimers, type Timers } from '../timers.ts';
import type { Seq, TabletId } from '../words.ts';
import { readCheckpoint } from './checkpoint.ts';
import { Checkpoints } from './checkpoints.ts';
import type { LogRecord } from './entry.ts';
import { diskFault } from './files.ts';
import { realFiles } from './real-files.ts';
import type { FilePort } from './files.ts';
import { FolderLock } from './folder-lock.ts';
import { JournalFiles, journalFolder } from './journal-files.ts';
import type { JournalEnd } from './journal-reader.ts';
import { Journal } from './journal.ts';
import type { Damage, NodeLog, RecoveredTablet } from './log.ts';
import { recover } from './recovery.ts';
import { scrubTablet } from './scrub.ts';
import { SyncGuard } from './sync-guard.ts';
import { TabletFolders } from './tablet-folders.ts';
import { TabletLog } from './tablet-log.ts';
import { NOTHING_SYNCED } from './tablet-segments.ts';

export type DiskLogOptions = {
  readonly folder: string;
  readonly logger?: Logger;
  /** Length of each journal file, the same for all; at least 16 KiB. */
  readonly journalSegmentBytes?: number;
  /** With this many files in use, appends wait until the oldest can be recycled. */
  readonly journalSegmentCountMax?: number;
  /** A tablet's segments and part segments are about this long. */
  readonly tabletSegmentBytes?: number;
  readonly files?: FilePort;
  readonly timers?: Timers;
  /** Keeps a second process out; a file in the folder unless another way is given. */
  readonly lock?: Pick<FolderLock, 'take' | 'release'>;
};

const MIB = 1024 * 1024;

export class DiskLog implements NodeLog {
  readonly #folder: string;
  readonly #logger: Logger | undefined;
  readonly #files: FilePort;
  readonly #guard: SyncGuard;
  readonly #lock: Pick<FolderLock, 'take' | 'release'>;
  readonly #timers: Timers;
  readonly #folders: TabletFolders;
  readonly #journalFiles: JournalFiles;
  readonly #journal: Journal;
  readonly #journalCountMax: number;
  readonly #tabletSegmentBytes: number;
  readonly #tablets = new Map<string, TabletLog>();
  readonly #checkpoints: Checkpoints;
  #state: 'new' | 'open' | 'closed' = 'new';
  #broken: Fault | undefined;
  /** The mark of a failed fsync is still there: it goes once it is noted. */
  #isSuspect = false;

  constructor(options: DiskLogOptions) {
    this.#folder = options.folder;
    this.#logger = options.logger;
    this.#timers = options.timers ?? realTimers;
    this.#guard = new SyncGuard(options.files ?? realFiles, this.#folder, this.#timers, this.#logger);
    this.#files = this.#guard.files;
    this.#journalCountMax = Math.max(2, options.journalSegmentCountMax ?? 16);
    this.#tabletSegmentBytes = options.tabletSegmentBytes ?? 64 * MIB;
    const segmentBytes = Math.max(16 * 1024, options.journalSegmentBytes ?? 64 * MIB);
    this.#lock = options.lock ?? new FolderLock(this.#files, this.#folder);
    this.#folders = new TabletFolders(this.#files, this.#folder);
    this.#journalFiles = new JournalFiles(this.#files, journalFolder(this.#folder), segmentBytes);
    this.#journal = new Journal(
      this.#journalFiles,
      this.#timers,
      () => this.#noteFindings(),
      (generation) => this.#checkpoints.generationBegun(generation),
    );
    this.#checkpoints = new Checkpoints({
      files: this.#files,
      folder: this.#folder,
      journal: this.#journal,
      journalFiles: this.#journalFiles,
      tablets: this.#tablets,
      timers: this.#timers,
      logger: this.#logger,
      fault: (error, doing) => this.#fault(error, doing),
    });
  }

  async open(): Promise<readonly RecoveredTablet[]> {
    if (this.#state !== 'new') throw new Fault('Closed', 'A log is opened once.');
    try {
      await this.#files.makeFolder(journalFolder(this.#folder));
      await this.#lock.take();
    } catch (error) {
      throw diskFault(error, `taking the log in ${this.#folder}`);
    }
    try {
      const recovered = await this.#recover();
      this.#state = 'open';
      this.#checkpoints.start();
      return recovered;
    } catch (error) {
      await this.#journal.close().catch(() => undefined);
      await this.#journalFiles.close().catch(() => undefined);
      await this.#lock.release();
      throw error instanceof Fault ? error : diskFault(error, `opening the log in ${this.#folder}`);
    }
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    await this.#checkpoints.stop();
    try {
      if (!this.#broken) await this.#checkpoints.makeLast();
    } finally {
      await this.#journal.close();
      for (const log of this.#tablets.values()) await log.close();
      await this.#journalFiles.close();
      await this.#lock.release();
    }
  }

  async append(tablet: TabletId, records: readonly LogRecord[]): Promise<void> {
    return this.#log(tablet).append(records);
  }

  async truncate(tablet: TabletId, from: Seq): Promise<void> {
    return this.#log(tablet).truncate(from);
  }

  async commit(tablet: TabletId, upTo: Seq): Promise<void> {
    return this.#log(tablet).commit(upTo);
  }

  async copied(tablet: TabletId): Promise<void> {
    this.#check();
    await this.#tablets.get(tablet)?.copied();
  }

  async saveConfiguration(tablet: TabletId, configuration: Uint8Array): Promise<void> {
    const log = this.#log(tablet);
    try {
      await this.#folders.make(tablet);
      await log.configuration.save(configuration);
    } catch (error) {
      throw this.#fault(error, `saving the configuration of tablet ${tablet}`);
    }
  }

  async drop(tablet: TabletId): Promise<void> {
    this.#check();
    const log = this.#tablets.get(tablet);
    if (!log) return;
    log.refuse(new Fault('Closed', `Tablet ${tablet} is being dropped from this node.`));
    await this.#checkpoints.exclusively(async () => {
      await log.settle();
      await log.close();
      await log.configuration.settled();
      try {
        await this.#folders.setAside(tablet);
        await log.forget();
        await this.#checkpoints.noteTablet(tablet, () => undefined);
        await this.#folders.remove(tablet);
      } catch (error) {
        throw this.#fault(error, `dropping tablet ${tablet}`);
      }
      this.#tablets.delete(tablet);
    });
  }

  async read(tablet: TabletId, from: Seq, maxBytes: number): Promise<readonly LogRecord[]> {
    const log = await this.#readable(tablet, Infinity);
    return (await log?.reader.records(from, maxBytes)) ?? [];
  }

  async readHeads(
    tablet: TabletId,
    from: Seq,
    countMax: number,
  ): Promise<readonly { seq: Seq; head: Uint8Array }[]> {
    const log = await this.#readable(tablet, from + countMax - 1);
    const heads = await log?.reader.heads(from, countMax);
    return (heads ?? []) as { seq: Seq; head: Uint8Array }[];
  }

  async readPart(
    tablet: TabletId,
    seq: Seq,
    part: number,
    offset: number,
    length: number,
  ): Promise<Buffer | undefined> {
    const log = await this.#readable(tablet, seq);
    if (!log || seq < 1 || seq > log.committed) {
      throw new Fault('Malformed', `Tablet ${tablet} has no committed entry ${seq} on this node.`);
    }
    return log.reader.part(seq, part, offset, length);
  }

  async epochEnds(tablet: TabletId): Promise<readonly { epoch: number; end: Seq }[]> {
    const log = await this.#readable(tablet, Infinity);
    return [...(log?.segments.epochEnds ?? [])] as { epoch: number; end: Seq }[];
  }

  async scrub(tablet: TabletId): Promise<readonly Damage[]> {
    const log = await this.#readable(tablet, Infinity);
    return log ? scrubTablet(this.#files, log.segments) : [];
  }

  tailRestored(tablet: TabletId): Promise<void> {
    return this.#noteTail(tablet, false);
  }

  tailLost(tablet: TabletId): Promise<void> {
    return this.#noteTail(tablet, true);
  }

  async #noteTail(tablet: TabletId, cutTail: boolean): Promise<void> {
    const log = this.#log(tablet);
    await this.#checkpoints.exclusively(async () => {
      log.cutTail = cutTail;
      try {
        await this.#checkpoints.noteTablet(
          tablet,
          (noted = { ...NOTHING_SYNCED, cutTail: false, damage: [] }) =>
            noted.cutTail === cutTail ? noted : { ...noted, cutTail },
        );
      } catch (error) {
        throw this.#fault(error, `noting how the tail of tablet ${tablet} is`);
      }
    });
  }

  // What holds the parts together.

  async #recover(): Promise<RecoveredTablet[]> {
    const checkpoint = await readCheckpoint(this.#files, this.#folder);
    if (typeof checkpoint === 'string') {
      this.#logger?.error(
        { folder: this.#folder, reason: checkpoint },
        'the checkpoint cannot be used: reading the whole log',
      );
    }
    const known = typeof checkpoint === 'string' ? undefined : checkpoint;
    const { present, dropped } = await this.#folders.list();
    for (const tablet of [...present, ...Object.keys(known?.tablets ?? {})]) {
      if (!dropped.has(tablet) && !this.#tablets.has(tablet))
        this.#tablets.set(tablet, this.#newTablet(tablet));
    }
    const suspicion = await this.#guard.mark();
    const { journal, prepared, configurations } = await recover(
      this.#files,
      this.#folder,
      known,
      this.#tablets,
      new Set(present),
      dropped,
      (tablet) => this.#newTablet(tablet),
      suspicion,
    );
    this.#report(journal);
    await this.#files.syncFolder(this.#folder);
    this.#checkpoints.found(journal, known);
    this.#isSuspect = suspicion !== undefined;
    await this.#ifThereIsRoom(() => this.#noteFindings());
    // Numbers go on behind what was read: were it lost after all, its place would look like damage.
    if (!journal.damage) await this.#journalFiles.sync(journal.read);
    await this.#journalFiles.start(journal.lastGeneration, journal.read);
    this.#checkpoints.needs(journal.damage ? [] : journal.read);
    const isDone = await this.#ifThereIsRoom(async () => {
      await this.#journal.begin(journal.nextNumber);
      await this.#checkpoints.advance();
    });
    if (journal.damage && isDone) await this.#journalFiles.keepAside(journal.read);
    for (const tablet of dropped) await this.#folders.remove(tablet);
    return [...this.#tablets].map(([tablet, log]) => ({
      tablet: tablet as TabletId,
      committed: log.segments.last as Seq,
      prepared: prepared.get(tablet) ?? [],
      cutTail: log.cutTail,
      damage: log.damage,
      failedSync: log.failedSync,
      configuration: configurations.get(tablet),
    }));
  }

  /** Before the journal goes on. */
  async #noteFindings(): Promise<void> {
    await this.#checkpoints.noteFindings();
    if (!this.#isSuspect) return;
    await this.#guard.clear();
    this.#isSuspect = false;
  }

  /** What an opening does for later ones can wait: the journal does it before it goes on, or with its next file. */
  async #ifThereIsRoom(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const fault = diskFault(error, `opening the log in ${this.#folder}`);
      if (fault.code !== 'DiskFull') throw fault;
      this.#logger?.warn(
        { err: fault },
        'no room on the disk as the log opens: it is read as it is, and takes entries once there is room',
      );
      return false;
    }
  }

  #report(journal: JournalEnd): void {
    if (journal.torn)
      this.#logger?.warn(journal.torn, 'the journal ended in an unfinished write, which was cut off');
    if (journal.damage) this.#logger?.error(journal.damage, 'the journal is damaged');
    for (const [tablet, log] of this.#tablets) {
      for (const damage of log.damage)
        this.#logger?.error({ tablet, ...damage }, 'this copy of a tablet is damaged');
      if (log.failedSync)
        this.#logger?.error({ tablet, ...log.failedSync }, 'this copy of a tablet is suspect');
    }
  }

  #newTablet(tablet: string): TabletLog {
    return new TabletLog(tablet, this.#folders.path(tablet), {
      files: this.#files,
      journal: this.#journal,
      timers: this.#timers,
      segmentBytes: this.#tabletSegmentBytes,
      room: () => this.#room(tablet),
      broken: (fault) => void this.#fault(fault, 'writing the log'),
    });
  }

  #log(tablet: string): TabletLog {
    this.#check();
    let log = this.#tablets.get(tablet);
    if (!log) this.#tablets.set(tablet, (log = this.#newTablet(tablet)));
    return log;
  }

  /** The tablet's log, once its segments hold what is committed up to `upTo` or there is no room for that. */
  async #readable(tablet: string, upTo: number): Promise<TabletLog | undefined> {
    this.#check();
    const log = this.#tablets.get(tablet);
    try {
      await log?.copied(upTo);
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'DiskFull') throw error;
    }
    return log;
  }

  /** What an append must wait for: its tablet's folder, and room in the journal. */
  #room(tablet: string): Promise<void> | undefined {
    const folder = this.#folders.make(tablet);
    if (folder) return folder;
    return this.#checkpoints.journalCount >= this.#journalCountMax ? this.#checkpoints.soon() : undefined;
  }

  #check(): void {
    if (this.#broken) throw this.#broken;
    if (this.#state !== 'open') throw new Fault('Closed', `The log in ${this.#folder} is not open.`);
  }

  /** The fault to answer with; one that is final is remembered, and refuses everything that follows. */
  #fault(error: unknown, doing: string): Fault {
    const fault = diskFault(error, doing);
    if (fault.code === 'DiskFailed' && !this.#broken) {
      this.#broken = fault;
      this.#logger?.fatal({ err: fault }, 'the disk failed: this node must not write any more');
    }
    return fault;
  }
}
