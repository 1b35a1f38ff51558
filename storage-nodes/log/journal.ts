/**
 * The writer of the node's journal. Records that arrive while a write is being synced are gathered
 * and go out together: one write and one fdatasync for all tablets.
 *
 *   synced <= tail; one write at a time, so all bytes before a write were synced when it began
 *
 * It knows nothing of tablets' states: records are bytes, and whoever waits for them holds a ticket.
 */
import type { Fault } from '../faults.ts';
import { diskFault, syncForGood } from './files.ts';
import type { OpenFile } from './files.ts';
import type { JournalFiles } from './journal-files.ts';
import { JOURNAL_RECORD_BYTES_MIN, newRecord, stampRecord } from './journal-record.ts';
import type { JournalPlace } from './journal-record.ts';
import type { JournalStart } from './journal-reader.ts';
import { nextTurn, type Timers } from '../timers.ts';

/** Told what became of a record. */
export interface JournalWaiter {
  /** It is durable, in this generation. */
  written(generation: number): void;
  /** It is not, and nothing queued behind it either. */
  failed(fault: Fault): void;
}

export type JournalItem = { readonly record: Buffer; readonly waiter: JournalWaiter };

/** One write is at most this long unless a single record is longer, so that no caller waits for long. */
const WRITE_BYTES_MAX = 8 * 1024 * 1024;
/** Small records are copied into one buffer: cheaper than many small pieces of a writev. */
const STAGING_BYTES = 256 * 1024;
const MARK_DELAY_MS = 10;
const NO_TABLET = Buffer.alloc(0);
const ZEROS = Buffer.alloc(JOURNAL_RECORD_BYTES_MIN);
const NOBODY: JournalWaiter = { written: () => undefined, failed: () => undefined };

export class Journal {
  readonly #files: JournalFiles;
  readonly #timers: Timers;
  readonly #mayBegin: () => Promise<void>;
  readonly #onNewGeneration: (generation: number) => void;
  /** Records that must precede whatever is written next: see `owe`. */
  #owed: Buffer[] = [];
  #queue: JournalItem[] = [];
  #file: OpenFile | undefined;
  #generation = 0;
  #tail = 0;
  #nextNumber = 1;
  #firstNumber = 1;
  #synced: JournalPlace = { generation: 0, offset: 0 };
  #running: Promise<void> | undefined;
  /** The next file is to be begun, though this one has room. */
  #nextWanted = false;
  #cancelMark: () => void = () => undefined;
  /** Nothing was written since the last mark. */
  #marked = true;
  /** Set by the first failure that is final. */
  #broken: Fault | undefined;
  readonly #staging = Buffer.alloc(STAGING_BYTES);

  /** `mayBegin` rejects while no new file may be begun; whoever waits for one is told why. */
  constructor(
    files: JournalFiles,
    timers: Timers,
    mayBegin: () => Promise<void>,
    onNewGeneration: (generation: number) => void,
  ) {
    this.#files = files;
    this.#timers = timers;
    this.#mayBegin = mayBegin;
    this.#onNewGeneration = onNewGeneration;
  }

  /** Where the generation being written begins (0: none yet in this run), and how far the journal is synced. */
  get start(): JournalStart {
    return {
      generation: this.#generation,
      number: this.#firstNumber,
      segmentBytes: this.#files.segmentBytes,
      synced: this.#synced,
    };
  }
  /** The number of the next record. */
  get nextNumber(): number {
    return this.#nextNumber;
  }
  /** How much of the current file is used. */
  get usedBytes(): number {
    return this.#tail;
  }
  /** The longest record that fits. */
  get recordBytesMax(): number {
    return this.#files.segmentBytes;
  }

  /** Begins a new generation whose first record has this number. If that fails, the next write tries again. */
  async begin(nextNumber: number): Promise<void> {
    this.#nextNumber = nextNumber;
    await this.#nextFile();
  }

  /** Requires that each record is at most `recordBytesMax` long. */
  enqueue(items: readonly JournalItem[]): void {
    if (this.#broken) {
      for (const { waiter } of items) waiter.failed(this.#broken);
      return;
    }
    for (const item of items) this.#queue.push(item);
    // The end of the turn gathers what callers of the same turn append, and lets the others have it first.
    if (!this.#running) this.#runAfter(nextTurn(this.#timers));
  }

  /** Begins the next file, behind what is being written; nothing happens if this one is unused. */
  beginNext(): void {
    if (!this.#file || this.#broken || this.#tail === 0) return;
    this.#nextWanted = true;
    if (!this.#running) this.#runAfter(Promise.resolve());
  }

  /** Resolves when nothing is being written or waits for it. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** Notes a record that is written before any other, whenever that is. */
  owe(record: Buffer): void {
    this.#owed.push(record);
  }

  /** Waits for writes in flight, then leaves a mark by which all of them are known to be synced. */
  async close(): Promise<void> {
    this.#cancelMark();
    await this.idle();
    const file = this.#file;
    this.#file = undefined;
    if (!file) return;
    try {
      if (!this.#broken && this.#tail > 0) {
        // Without room for it nothing is lost: only a damaged last write would be taken for a torn one.
        await this.#writeMark(file).catch((error: unknown) => {
          const fault = diskFault(error, 'writing the journal');
          if (fault.code !== 'DiskFull') throw fault;
        });
        await syncForGood(file, 'the journal');
      }
    } finally {
      await file.close();
    }
  }

  #runAfter(after: Promise<void>): void {
    this.#running = after
      .then(() => this.#run())
      .finally(() => {
        this.#running = undefined;
        if (this.#queue.length > 0) this.#runAfter(Promise.resolve());
      });
  }

  async #run(): Promise<void> {
    this.#cancelMark();
    while (this.#queue.length > 0 || this.#nextWanted) {
      try {
        if (this.#nextWanted) await this.#nextFile();
        if (this.#queue.length > 0) await this.#writeSome();
      } catch (error) {
        this.#fail(diskFault(error, 'writing the journal'));
      }
    }
    if (this.#file && !this.#broken && !this.#marked) {
      this.#cancelMark = this.#timers.after(MARK_DELAY_MS, () => this.#markIdle());
    }
  }

  async #writeSome(): Promise<void> {
    if (this.#owed.length > 0) {
      const owed = this.#owed;
      this.#owed = [];
      // Behind a failure the queue is empty, so these come before all that was enqueued since.
      this.#queue.unshift(
        ...owed.map((record) => ({ record, waiter: { ...NOBODY, failed: () => this.owe(record) } })),
      );
    }
    if (!this.#file || this.#queue[0]!.record.length > this.#files.segmentBytes - this.#tail)
      await this.#nextFile();
    const file = this.#file!;
    const room = Math.min(this.#files.segmentBytes - this.#tail, WRITE_BYTES_MAX);
    const synced = this.#synced;
    let length = 0;
    let count = 0;
    const buffers: Uint8Array[] = [];
    for (; count < this.#queue.length; count++) {
      const { record } = this.#queue[count]!;
      if (length + record.length > room && count > 0) break;
      stampRecord(record, this.#generation, this.#nextNumber + count, synced);
      buffers.push(record);
      length += record.length;
    }
    const end = this.#tail + length;
    buffers.push(ZEROS.subarray(0, Math.min(ZEROS.length, this.#files.segmentBytes - end)));
    try {
      await file.writeAll(this.#staged(buffers, length), this.#tail);
    } catch (error) {
      // What was written in part must not stand before what comes next: go on in another file. Its first
      // record's number says that records left here with that number and above are void. A file that holds
      // nothing else yet is kept, and written over: the file behind it must not be without a first record.
      if (this.#tail > 0) {
        this.#file = undefined;
        await file.close().catch(() => undefined);
      }
      throw error;
    }
    await syncForGood(file, 'the journal');
    this.#marked = false;
    this.#tail = end;
    this.#nextNumber += count;
    this.#synced = { generation: this.#generation, offset: end };
    const done = this.#queue.splice(0, count);
    for (const { waiter } of done) waiter.written(this.#generation);
  }

  #staged(buffers: Uint8Array[], length: number): Uint8Array[] {
    if (buffers.length <= 3 || length + ZEROS.length > STAGING_BYTES) return buffers;
    let at = 0;
    for (const buffer of buffers) {
      this.#staging.set(buffer, at);
      at += buffer.length;
    }
    return [this.#staging.subarray(0, at)];
  }

  async #nextFile(): Promise<void> {
    this.#nextWanted = false;
    await this.#mayBegin();
    const { generation, file } = await this.#files.take();
    await this.#file?.close();
    this.#file = file;
    this.#generation = generation;
    this.#tail = 0;
    this.#firstNumber = this.#nextNumber;
    this.#onNewGeneration(generation);
  }

  #fail(fault: Fault): void {
    const queue = this.#queue;
    this.#queue = [];
    if (fault.code !== 'DiskFull') this.#broken = fault;
    // Backwards, so that the last of a tablet's records goes first.
    for (let i = queue.length - 1; i >= 0; i--) queue[i]!.waiter.failed(fault);
  }

  /**
   * The last write before a pause has nobody behind it to tell that it was synced, and would be taken
   * for torn if a byte of it changed. The mark tells. It needs no fsync, for nothing depends on it: it
   * takes no number, and the next write takes its place.
   */
  #markIdle(): void {
    if (this.#running || !this.#file || this.#broken || this.#marked) return;
    this.#runAfter(
      this.#writeMark(this.#file).catch((error: unknown) =>
        this.#fail(diskFault(error, 'writing the journal')),
      ),
    );
  }

  async #writeMark(file: OpenFile): Promise<void> {
    const mark = newRecord('mark', NO_TABLET, 0, 0);
    const end = this.#tail + mark.length;
    this.#marked = true;
    if (end > this.#files.segmentBytes) return;
    stampRecord(mark, this.#generation, this.#nextNumber, this.#synced);
    const zeros = ZEROS.subarray(0, Math.min(ZEROS.length, this.#files.segmentBytes - end));
    await file.writeAll([mark, zeros], this.#tail);
  }
}
