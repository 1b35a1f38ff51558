/**
 * One tablet's side of the node's log: which records are prepared, and the order of what is done to
 * them. The journal and the files of the tablet do the writing.
 *
 *   committed = segments' last <= durable <= appended
 *   held = the prepared records, seqs committed+1 .. ; their frames stay in memory until committed
 *
 * Appends and truncations run in the order of the calls. One that must wait (for its large parts to be
 * synced, or for room in the journal) makes those behind it wait: the *lane*.
 *
 * Committed records are copied to the segments a moment later, many at a time: the journal keeps them safe
 * until then, and whoever reads here waits for the copy (`copied`).
 */
import { Fault, assert } from '../faults.ts';
import type { LogRecord } from './entry.ts';
import { diskFault } from './files.ts';
import type { FilePort } from './files.ts';
import { frameLength, writeFrame } from './frame.ts';
import type { FramePart } from './frame.ts';
import { Held, type Append } from './held-record.ts';
import type { Journal, JournalItem } from './journal.ts';
import { JOURNAL_RECORD_BYTES_MIN, newRecord, setFrameCrc } from './journal-record.ts';
import { CommittedReader } from './committed-reader.ts';
import { ConfigurationFile } from './configuration-file.ts';
import type { Damage } from './log.ts';
import type { Timers } from '../timers.ts';
import { PartSegments } from './part-segments.ts';
import type { LargePart } from './part-segments.ts';
import { TabletSegments } from './tablet-segments.ts';

/** Parts from this size on go to a part segment. */
export const LARGE_PART_BYTES = 64 * 1024;
const OLDEST_GENERATION = 1;
/** Small parts of one record beyond this total go there too, so that a record always fits the journal. */
const INLINE_BYTES_MAX = 1024 * 1024;

/** How long, and how much, committed records wait to be copied together. */
const COPY_MS = 50;
const COPY_BYTES = 256 * 1024;

/** Stands for a part until its place in a part segment is known. */
const LARGE = Symbol('goes to a part segment');

export type TabletSurroundings = {
  readonly files: FilePort;
  readonly journal: Journal;
  readonly timers: Timers;
  readonly segmentBytes: number;
  /** Resolves when the journal has room for more; undefined: it has. */
  readonly room: () => Promise<void> | undefined;
  /** A disk failed for good. */
  readonly broken: (fault: Fault) => void;
};

type Operation = {
  readonly ready: Promise<void> | undefined;
  readonly run: () => void;
  readonly reject: (fault: Fault) => void;
};

export class TabletLog {
  readonly tablet: string;
  readonly segments: TabletSegments;
  readonly reader: CommittedReader;
  readonly configuration: ConfigurationFile;
  cutTail = false;
  failedSync: Damage | undefined;
  damage: readonly Damage[] = [];
  readonly #around: TabletSurroundings;
  readonly #id: Buffer;
  readonly #parts: PartSegments;
  #held: Held[] = [];
  #appended = 0;
  /** The highest seq that `commit` was asked for; segments' last follows. */
  #committed = 0;
  #uncopiedBytes = 0;
  #lane: Operation[] = [];
  #draining: Promise<void> | undefined;
  #copying: Promise<void> | undefined;
  #cancelCopy: (() => void) | undefined;
  /** Why the last copy failed: until one succeeds, commits wait for their copy. */
  #uncopied: Fault | undefined;
  #refusal: Fault | undefined;

  constructor(tablet: string, folder: string, around: TabletSurroundings) {
    this.tablet = tablet;
    this.#around = around;
    this.#id = Buffer.from(tablet);
    assert(this.#id.length > 0 && this.#id.length <= 255, 'a tablet id has 1 to 255 bytes');
    this.segments = new TabletSegments(around.files, folder, tablet, around.segmentBytes);
    this.reader = new CommittedReader(around.files, this.segments, (seq) => this.#uncopiedFrame(seq));
    this.configuration = new ConfigurationFile(around.files, folder);
    this.#parts = new PartSegments(around.files, folder, tablet, around.segmentBytes);
  }

  /** Takes over prepared records that recovery found, in order. They are durable in an older generation. */
  recovered(
    frames: readonly { readonly seq: number; readonly epoch: number; readonly bytes: Buffer }[],
  ): void {
    this.#held = frames.map(({ seq, epoch, bytes }) => new Held(seq, epoch, bytes));
    for (const held of this.#held) held.generation = OLDEST_GENERATION;
    this.#appended = this.#lastHeld;
    this.#committed = this.segments.last;
  }

  append(records: readonly LogRecord[]): Promise<void> {
    this.#refuseUnlessSound();
    if (records.length === 0) return Promise.resolve();
    records.forEach(({ seq }, i) =>
      assert(
        seq === this.#appended + 1 + i,
        `append to ${this.tablet}: seq ${seq} does not follow ${this.#appended + i}`,
      ),
    );
    const first = this.#appended + 1;
    const last = this.#appended + records.length;
    const large: LargePart[] = [];
    const splits = records.map((record) => this.#split(record, large));
    this.#appended = last;
    return new Promise((resolve, reject) => {
      const append: Append = {
        last,
        resolve,
        fail: (fault) => {
          this.#rollBack(first, fault);
          reject(fault);
        },
      };
      const room = this.#around.room();
      const place = async (): Promise<void> => {
        await room;
        const places = await this.#parts.write(large);
        // They come in the order in which `#split` met the large parts.
        let next = 0;
        for (const parts of splits) parts.forEach((part, i) => part === LARGE && (parts[i] = places[next++]));
      };
      this.#submit({
        ready: large.length > 0 ? place() : room,
        run: () => this.#enqueue(records, splits as FramePart[][], append),
        reject,
      });
    });
  }

  truncate(from: number): Promise<void> {
    this.#refuseUnlessSound();
    assert(
      from > this.#committed,
      `truncate of ${this.tablet} from ${from}: committed up to ${this.#committed}`,
    );
    if (from > this.#appended + 1) return Promise.resolve();
    this.#appended = from - 1;
    return new Promise((resolve, reject) => {
      const run = (): void => {
        this.#held = this.#held.filter((held) => held.seq < from);
        const record = newRecord('truncate', this.#id, from, 0);
        const failed = (fault: Fault): void => {
          // Memory has forgotten the records, so the journal must be told before anything follows.
          if (fault.code === 'DiskFull') this.#around.journal.owe(record);
          else this.#around.broken(fault);
          reject(fault);
        };
        this.#around.journal.enqueue([{ record, waiter: { written: () => resolve(), failed } }]);
      };
      this.#submit({ ready: undefined, run, reject });
    });
  }

  commit(upTo: number): Promise<void> {
    this.#refuseUnlessSound();
    if (upTo <= this.segments.last) return Promise.resolve();
    const base = this.#held[0]?.seq ?? 0;
    const held = this.#held[upTo - base];
    assert(held && held.generation > 0, `commit of ${this.tablet} up to ${upTo}, which is not durable here`);
    for (let i = Math.max(this.#committed + 1, base) - base; i <= upTo - base; i++)
      this.#uncopiedBytes += this.#held[i]!.bytes.length;
    if (upTo > this.#committed) this.#committed = upTo;
    if (this.#uncopied) return this.copied(upTo);
    if (this.#uncopiedBytes >= COPY_BYTES) this.#copySoon(0);
    else this.#copySoon(COPY_MS);
    return Promise.resolve();
  }

  /** Resolves when the committed records up to `upTo` are in the segments. Rejects with Fault DiskFull or DiskFailed. */
  async copied(upTo = this.#committed): Promise<void> {
    const wanted = Math.min(upTo, this.#committed);
    while (this.segments.last < wanted) {
      this.#copying ??= this.#copy();
      await this.#copying;
      if (this.#uncopied && this.segments.last < wanted) throw this.#uncopied;
    }
  }

  /** The last committed record, in the segments or not. */
  get committed(): number {
    return this.#committed;
  }

  /** Bytes of its prepared records. */
  get heldBytes(): number {
    return this.#held.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** Writes those prepared records again that are still in a generation before this one. */
  async carry(generation: number): Promise<void> {
    const old = this.#held.filter((held) => held.generation > 0 && held.generation < generation);
    await Promise.all(
      old.map(
        (held) =>
          new Promise<void>((resolve, reject) => {
            const record = newRecord('carry', this.#id, held.seq, held.bytes.length);
            record.set(held.bytes, record.length - held.bytes.length);
            setFrameCrc(record, held.bytes.readUInt32LE(8));
            const written = (newest: number): void => {
              held.generation = newest;
              resolve();
            };
            this.#around.journal.enqueue([{ record, waiter: { written, failed: reject } }]);
          }),
      ),
    );
  }

  /** Writes the record by which the journal forgets this tablet. Requires `settle`. */
  forget(): Promise<void> {
    return new Promise((resolve, reject) => {
      const record = newRecord('drop', this.#id, 0, 0);
      this.#around.journal.enqueue([{ record, waiter: { written: () => resolve(), failed: reject } }]);
    });
  }

  /** Answers whatever comes from now on with this fault. */
  refuse(fault: Fault): void {
    this.#refusal = fault;
  }

  /** Waits until nothing that was asked of this tablet is under way. */
  async settle(): Promise<void> {
    while (this.#draining) await this.#draining;
    // Behind all that this tablet has in the journal's queue; what fails there has failed those waiting.
    await new Promise<void>((resolve) => {
      const waiter = { written: () => resolve(), failed: () => resolve() };
      this.#around.journal.enqueue([{ record: newRecord('barrier', this.#id, 0, 0), waiter }]);
    });
    await this.copied().catch(() => undefined);
    this.#cancelCopy?.();
    this.#cancelCopy = undefined;
  }

  /** Closes the tablet's files. Requires `settle`, or that the disk failed. */
  async close(): Promise<void> {
    await this.#parts.close();
    await this.segments.close();
  }

  #uncopiedFrame(seq: number): Buffer | undefined {
    const first = this.#held[0]?.seq;
    return first === undefined || seq > this.#committed ? undefined : this.#held[seq - first]?.bytes;
  }

  get #lastHeld(): number {
    return this.#held.at(-1)?.seq ?? this.segments.last;
  }

  #refuseUnlessSound(): void {
    if (this.#refusal) throw this.#refusal;
    const bad = this.damage[0];
    if (!bad) return;
    const reason = `${bad.file}, byte ${bad.offset}: ${bad.reason}`;
    throw new Fault(
      'Damaged',
      `This node's copy of tablet ${this.tablet} is damaged (${reason}): drop it and copy it anew.`,
    );
  }

  /** The record's parts, with a mark in place of each that goes to a part segment. */
  #split(record: LogRecord, large: LargePart[]): (FramePart | typeof LARGE)[] {
    const inlineMax = Math.min(INLINE_BYTES_MAX, this.#around.journal.recordBytesMax >> 3);
    const overhead = JOURNAL_RECORD_BYTES_MIN + this.#id.length + record.parts.length * 20 + 64;
    if (
      record.head.length + overhead + inlineMax > this.#around.journal.recordBytesMax ||
      record.parts.length > 65535
    ) {
      throw new Fault(
        'Malformed',
        `Entry ${record.seq} does not fit the journal: a head of ${record.head.length} bytes.`,
      );
    }
    let inline = 0;
    return record.parts.map((bytes, part) => {
      if (bytes === undefined) return undefined;
      if (bytes.length < LARGE_PART_BYTES && inline + bytes.length <= inlineMax) {
        inline += bytes.length;
        return bytes;
      }
      large.push({ seq: record.seq, epoch: record.epoch, part, bytes });
      return LARGE;
    });
  }

  #enqueue(records: readonly LogRecord[], splits: FramePart[][], append: Append): void {
    const items: JournalItem[] = records.map(({ seq, epoch, head }, i) => {
      const frame = { seq, epoch, head, parts: splits[i]! };
      const length = frameLength(frame);
      const record = newRecord('append', this.#id, seq, length);
      const start = record.length - length;
      setFrameCrc(record, writeFrame(frame, length, record, start));
      const held = new Held(seq, epoch, record.subarray(start), append);
      this.#held.push(held);
      return { record, waiter: held };
    });
    this.#around.journal.enqueue(items);
  }

  #submit(operation: Operation): void {
    if (!this.#draining && !operation.ready) return operation.run();
    operation.ready?.catch(() => undefined); // Seen by `#drain`, which may come to it later.
    this.#lane.push(operation);
    this.#draining ??= this.#drain().finally(() => (this.#draining = undefined));
  }

  async #drain(): Promise<void> {
    for (let next = this.#lane[0]; next; next = this.#lane[0]) {
      try {
        await next.ready;
      } catch (error) {
        // Unless another failure has already emptied the lane.
        if (this.#lane[0] === next) this.#rejectLane(diskFault(error, `appending to tablet ${this.tablet}`));
        continue;
      }
      if (this.#lane[0] === next) this.#lane.shift()!.run();
    }
  }

  /** An append failed: those behind it do not follow anything any more. */
  #rejectLane(fault: Fault): void {
    if (fault.code !== 'DiskFull') this.#around.broken(fault);
    this.#appended = this.#lastHeld;
    for (const operation of this.#lane.splice(0)) operation.reject(fault);
  }

  #rollBack(first: number, fault: Fault): void {
    const gone = this.#held.filter((held) => held.seq >= first);
    this.#held = this.#held.filter((held) => held.seq < first);
    // Part of a long append may have become durable before the rest failed.
    if (gone.some((held) => held.generation > 0))
      this.#around.journal.owe(newRecord('truncate', this.#id, first, 0));
    this.#rejectLane(fault);
  }

  #copySoon(ms: number): void {
    if (ms > 0) {
      this.#cancelCopy ??= this.#around.timers.after(ms, () => {
        this.#cancelCopy = undefined;
        this.#copySoon(0);
      });
      return;
    }
    // A failure is told to whoever asks next, and tried again meanwhile.
    this.copied().catch(() => this.#copySoon(COPY_MS));
  }

  async #copy(): Promise<void> {
    const base = this.#held[0]?.seq ?? 0;
    const frames = this.#held.slice(this.segments.last + 1 - base, this.#committed + 1 - base);
    this.#uncopiedBytes = 0;
    try {
      await this.segments.append(frames);
      this.#uncopied = undefined;
    } catch (error) {
      this.#uncopied = diskFault(error, `writing the segments of tablet ${this.tablet}`);
      if (this.#uncopied.code !== 'DiskFull') this.#around.broken(this.#uncopied);
    } finally {
      this.#held.splice(0, this.segments.last + 1 - (this.#held[0]?.seq ?? 0));
      this.#copying = undefined;
    }
  }
}
