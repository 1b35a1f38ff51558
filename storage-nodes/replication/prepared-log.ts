/**
 * The core's view of one tablet's log: how far it reaches, which epoch each entry is of, and the
 * records that are not committed yet. Committed records are on disk and leave memory.
 *
 *   committed <= durable <= last;  records in memory: (committed, last]
 */
import type { LogRecord } from '../log/entry.ts';
import type { Epoch, Seq } from '../words.ts';
import { assert } from '../faults.ts';
import type { EpochEnd } from './messages.ts';

const ZERO = 0 as Seq;

export class PreparedLog {
  committed: Seq;
  durable: Seq;
  /** (epoch, end) of everything up to `last`, oldest first; epochs grow strictly. */
  readonly #ends: { epoch: Epoch; end: Seq }[];
  #records: LogRecord[];

  constructor(committed: Seq, ends: readonly EpochEnd[], prepared: readonly LogRecord[]) {
    this.committed = committed;
    this.durable = committed;
    this.#ends = ends.map((e) => ({ ...e }));
    this.#records = [];
    for (const record of prepared) this.append(record);
    this.durable = this.last;
  }

  get last(): Seq {
    return (this.committed + this.#records.length) as Seq;
  }

  get lastEpoch(): Epoch {
    return this.#ends.at(-1)?.epoch ?? (0 as Epoch);
  }

  /** The epoch of an entry; undefined if the log does not reach it. Seq 0 is of epoch 0. */
  epochAt(seq: Seq): Epoch | undefined {
    if (seq === ZERO) return 0 as Epoch;
    if (seq > this.last) return undefined;
    // Few epochs, and the question is nearly always about the newest: walk from the end.
    let found: Epoch | undefined;
    for (let i = this.#ends.length - 1; i >= 0 && this.#ends[i]!.end >= seq; i--)
      found = this.#ends[i]!.epoch;
    return found;
  }

  append(record: LogRecord): void {
    assert(record.seq === this.last + 1, `entry ${record.seq} does not follow ${this.last}`);
    const newest = this.#ends.at(-1);
    assert(!newest || record.epoch >= newest.epoch, `epoch ${record.epoch} after ${newest?.epoch}`);
    if (newest && newest.epoch === record.epoch) newest.end = record.seq;
    else this.#ends.push({ epoch: record.epoch, end: record.seq });
    this.#records.push(record);
  }

  /** Drops prepared entries with seq >= from. Requires from > committed (rule 6). */
  truncate(from: Seq): void {
    assert(from > this.committed, `truncating ${from}, which is committed`);
    if (from > this.last) return;
    this.#records.length = from - this.committed - 1;
    while (this.#ends.length > 0 && this.#ends.at(-1)!.end >= from) {
      const newest = this.#ends.at(-1)!;
      const before = this.#ends.at(-2)?.end ?? ZERO;
      if (before >= from - 1) this.#ends.pop();
      else newest.end = (from - 1) as Seq;
    }
    if (this.durable >= from) this.durable = (from - 1) as Seq;
  }

  commit(upTo: Seq): void {
    assert(upTo <= this.durable, `commit ${upTo} beyond durable ${this.durable}`);
    if (upTo <= this.committed) return;
    this.#records = this.#records.slice(upTo - this.committed);
    this.committed = upTo;
  }

  /** Prepared records from `from` on; undefined if `from` is committed (ask the disk). */
  recordsFrom(from: Seq): readonly LogRecord[] | undefined {
    if (from <= this.committed) return undefined;
    return this.#records.slice(from - this.committed - 1);
  }

  /** The newest `count` epoch ends, newest last. */
  ends(count: number): readonly EpochEnd[] {
    return this.#ends.slice(-count).map((e) => ({ ...e }));
  }

  /**
   * The last entry that this log and one with the given epoch ends have in common (KIP-101): within an
   * epoch there was one writer, so both agree up to the shorter end. Undefined: not within these ends.
   */
  matchWith(ends: readonly EpochEnd[]): { seq: Seq; epoch: Epoch } {
    for (let i = ends.length - 1; i >= 0; i--) {
      const theirs = ends[i]!;
      const ours = this.#ends.find((e) => e.epoch === theirs.epoch);
      if (ours) return { seq: Math.min(ours.end, theirs.end) as Seq, epoch: theirs.epoch };
    }
    return { seq: ZERO, epoch: 0 as Epoch };
  }
}
