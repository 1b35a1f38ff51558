/**
 * Applies committed entries in order, a batch at a time, a moment after they are committed: entries that
 * are committed together are applied together, and a write is answered without waiting for it. Whoever
 * needs it sooner (a read) has it done at once (`untilApplied`).
 *
 *   applied <= readable <= committed;   recent = appended and not applied yet, as far as memory allows
 *
 * If all that a batch reads is in memory, it is applied in one go; if not, or if somebody is reading a
 * bundle between two batches, it takes its turn.
 *
 * What is not in memory any more is read back from the log, so a copy that applies slowly, or catches up
 * from far behind, needs no more memory than others. A failure stops the loop: whoever waits is told, and
 * the tablet decides what becomes of the copy.
 */
import type { CellStore } from '../cells/cells.ts';
import { Fault } from '../faults.ts';
import type { LogRecord } from '../log/entry.ts';
import type { NodeLog } from '../log/log.ts';
import type { Timers } from '../timers.ts';
import type { Seq, TabletId } from '../words.ts';
import { Applier, type Applied } from './applier.ts';
import type { Application } from './application.ts';
import { SeqWaits } from './seq-waits.ts';

/** How long an entry that is committed waits for others, unless a read wants it. */
const APPLY_MS = 10;
const APPLY_RECORDS = 256;
const APPLY_BYTES = 4 * 1024 * 1024;
/** Readable but unapplied records kept in memory; beyond this they are read back from the log. */
const RECENT_BYTES_MAX = 8 * 1024 * 1024;

/** What could not be read or applied. */
export type ApplyFailure = {
  readonly error: Error;
  /** Where it happened: reading the log, or working on the cells. */
  readonly at: 'log' | 'cells';
};

export type ApplyLoopOptions = {
  readonly tablet: TabletId;
  readonly cells: CellStore;
  readonly log: NodeLog;
  readonly application: Application;
  readonly timers: Timers;
  /** Up to here the segments can be read. */
  readonly readable: Seq;
  readonly onApplied: (from: Seq, applied: Applied) => void;
  readonly onFailed: (failure: ApplyFailure) => void;
};

export class ApplyLoop {
  readonly #options: ApplyLoopOptions;
  readonly #applier: Applier;
  readonly #waits = new SeqWaits();
  #recent = new Map<number, LogRecord>();
  #recentBytes = 0;
  #readable: Seq;
  #running: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  /** Batches that must wait for a disk, and bundles of reads, take turns here. */
  #turn: Promise<unknown> = Promise.resolve();
  #turns = 0;
  #paused = true;
  #failure: Error | undefined;

  constructor(options: ApplyLoopOptions) {
    this.#options = options;
    this.#readable = options.readable;
    this.#applier = new Applier(options.tablet, options.cells, options.application);
  }

  get applied(): Seq {
    return this.#options.cells.applied(this.#options.tablet);
  }

  /** Up to here the segments can be read. */
  get readableUpTo(): Seq {
    return this.#readable;
  }

  /** Bytes appended and not applied yet. */
  get bytes(): number {
    return this.#recentBytes;
  }

  start(): void {
    this.#paused = false;
    this.#go();
  }

  remember(record: LogRecord): void {
    this.#recent.set(record.seq, record);
    this.#recentBytes += sizeOf(record);
    if (this.#recentBytes <= RECENT_BYTES_MAX) return;
    for (const [seq] of this.#recent) {
      if (seq > this.#readable || this.#recentBytes <= RECENT_BYTES_MAX) break;
      this.#forget(seq);
    }
  }

  /** They were truncated, or refused by the disk. */
  forgetFrom(from: Seq): void {
    for (const seq of [...this.#recent.keys()]) if (seq >= from) this.#forget(seq);
  }

  /** An entry that is appended or committed but may not be in the segments yet. */
  recent(seq: Seq): LogRecord | undefined {
    return this.#recent.get(seq);
  }

  readable(upTo: Seq): void {
    if (upTo > this.#readable) this.#readable = upTo;
    if (this.#running || this.#paused || this.#failure) return;
    if (this.#readable - this.applied >= APPLY_RECORDS) this.#go();
    else this.#cancelTimer ??= this.#options.timers.after(APPLY_MS, () => this.#go());
  }

  /** Applies what is readable, if it can be done without waiting for anything. */
  now(): void {
    if (this.applied < this.#readable) this.#go();
  }

  /** Rejects with a Fault when the loop stops before. */
  untilApplied(seq: Seq): Promise<void> {
    this.now();
    if (seq <= this.applied) return Promise.resolve();
    if (this.#failure) return Promise.reject(this.#failure);
    return this.#waits.until(seq);
  }

  /** Runs `work` while no batch is being applied. */
  between<T>(work: () => Promise<T>): Promise<T> {
    this.#turns++;
    const done = this.#turn.then(work);
    this.#turn = done.then(
      () => void this.#turns--,
      () => void this.#turns--,
    );
    return done;
  }

  /** Stops between two batches and tells whoever waits. `start` goes on. */
  async pause(reason: Fault): Promise<void> {
    this.#paused = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#waits.fail(reason);
    await this.#running;
    this.#failure = undefined;
  }

  /** The copy starts from nothing. Requires `pause`. */
  reset(): void {
    this.#recent.clear();
    this.#recentBytes = 0;
    this.#readable = 0 as Seq;
  }

  #go(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    // Cells may be ahead of a log that was opened again: what they hold is not applied twice.
    const { applied } = this;
    for (const [seq] of this.#recent) {
      if (seq > this.#readable || seq > applied) break;
      this.#forget(seq);
    }
    if (this.#running) return;
    while (this.#mayGoOn() && !this.#running && this.#turns === 0) if (!this.#applyInOneGo()) break;
    if (this.#running || !this.#mayGoOn()) return;
    this.#runAfter(this.#applyAll());
  }

  #runAfter(work: Promise<void>): void {
    this.#running = work.finally(() => {
      this.#running = undefined;
      // What became readable while the last batch was being finished.
      this.#go();
    });
  }

  #mayGoOn(): boolean {
    return !this.#paused && !this.#failure && this.applied < this.#readable;
  }

  async #applyAll(): Promise<void> {
    while (this.#mayGoOn()) await this.between(() => this.#applyNext());
  }

  /** False: it must wait for something, and nothing was changed. */
  #applyInOneGo(): boolean {
    const from = (this.applied + 1) as Seq;
    const records = this.#recentFrom(from);
    if (records.length === 0) return false;
    try {
      const applied = this.#applier.applyInMemory(records);
      if (!applied) return false;
      this.#done(from, records, applied);
      // There is more on the way to the disk than there should be.
      if (applied.written) this.#runAfter(applied.written.catch((error) => this.#failed(error, 'cells')));
    } catch (cause) {
      this.#failed(cause, 'cells');
    }
    return true;
  }

  async #applyNext(): Promise<void> {
    const from = (this.applied + 1) as Seq;
    let at: ApplyFailure['at'] = 'log';
    try {
      const records = await this.#next(from);
      at = 'cells';
      this.#done(from, records, await this.#applier.apply(records));
    } catch (cause) {
      if (!this.#paused) this.#failed(cause, at);
    }
  }

  #done(from: Seq, records: readonly LogRecord[], applied: Applied): void {
    for (const record of records) this.#forget(record.seq);
    this.#waits.reached(applied.upTo);
    this.#options.onApplied(from, applied);
  }

  #failed(cause: unknown, at: ApplyFailure['at']): void {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    const reason = `tablet ${this.#options.tablet} cannot apply entries here: ${error.message}`;
    this.#failure = new Fault('NotServing', reason, { cause: error });
    this.#waits.fail(this.#failure);
    this.#options.onFailed({ error, at });
  }

  async #next(from: Seq): Promise<readonly LogRecord[]> {
    const records = this.#recentFrom(from);
    if (records.length > 0) return records;
    const { log, tablet } = this.#options;
    const upTo = this.#readable;
    const read = await log.read(tablet, from, APPLY_BYTES);
    const usable = read.filter((record) => record.seq <= upTo).slice(0, APPLY_RECORDS);
    if (usable[0]?.seq !== from)
      throw new Fault('Damaged', `entry ${from} of ${tablet} is committed but cannot be read`);
    return usable;
  }

  /** The next batch, as far as it is in memory. */
  #recentFrom(from: Seq): LogRecord[] {
    const records: LogRecord[] = [];
    let bytes = 0;
    let seq: number = from;
    while (seq <= this.#readable && records.length < APPLY_RECORDS && bytes < APPLY_BYTES) {
      const record = this.#recent.get(seq++);
      if (!record) break;
      records.push(record);
      bytes += sizeOf(record);
    }
    return records;
  }

  #forget(seq: number): void {
    const record = this.#recent.get(seq);
    if (!record) return;
    this.#recent.delete(seq);
    this.#recentBytes -= sizeOf(record);
  }
}

export function sizeOf(record: LogRecord): number {
  return record.head.length + record.parts.reduce((sum, part) => sum + (part?.length ?? 0), 64);
}
