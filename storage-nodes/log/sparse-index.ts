/**
 * Where a segment's records lie: one point for about every 32 KiB of it, so its size is bounded
 * whatever the size of the records. It is never on disk: the first reader makes it by scanning the
 * segment, checking every record on the way.
 */
import { checkFileHeader, damageFault } from './file-header.ts';
import type { OpenFile } from './files.ts';
import { FrameScanner } from './frame-scanner.ts';

const POINT_BYTES = 32 * 1024;

export class SparseIndex {
  readonly #tablet: string;
  readonly #first: number;
  readonly #seqs: number[] = [];
  readonly #offsets: number[] = [];
  /** Everything before this byte, and this seq, is covered. */
  #builtTo = 0;
  #nextSeq: number;
  #building: Promise<void> | undefined;

  constructor(tablet: string, first: number) {
    this.#tablet = tablet;
    this.#first = first;
    this.#nextSeq = first;
  }

  /** Notes a record just written at the tail; ignored until a reader has built what comes before. */
  add(seq: number, offset: number, length: number): void {
    if (this.#building === undefined && offset === this.#builtTo) this.#note(seq, offset, length);
  }

  /**
   * The last known place at or before `seq`, in the segment `file` whose committed bytes end at `end`.
   * Throws Fault Damaged if a record that had to be scanned is damaged.
   */
  async find(
    file: OpenFile,
    path: string,
    end: number,
    seq: number,
  ): Promise<{ seq: number; offset: number }> {
    while (this.#builtTo < end && seq >= this.#nextSeq) {
      this.#building ??= this.#build(file, path, end).finally(() => (this.#building = undefined));
      await this.#building;
    }
    let low = 0;
    let high = this.#seqs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#seqs[middle]! <= seq) low = middle;
      else high = middle - 1;
    }
    return { seq: this.#seqs[low]!, offset: this.#offsets[low]! };
  }

  async #build(file: OpenFile, path: string, end: number): Promise<void> {
    if (this.#builtTo === 0) {
      const header = await checkFileHeader(file, 'segment', this.#tablet, this.#first);
      if (typeof header === 'string') throw damageFault({ file: path, offset: 0, reason: header });
      this.#builtTo = header;
    }
    const scanner = new FrameScanner(file, this.#builtTo, end, this.#nextSeq);
    for (let run = await scanner.next(); run; run = await scanner.next()) {
      for (const { seq, offset, bytes } of run) this.#note(seq, offset, bytes.length);
    }
    if (scanner.end && scanner.end.kind !== 'clean') {
      throw damageFault({ file: path, offset: scanner.end.offset, reason: scanner.end.reason });
    }
  }

  #note(seq: number, offset: number, length: number): void {
    const newest = this.#offsets.at(-1);
    if (newest === undefined || offset - newest >= POINT_BYTES) {
      this.#seqs.push(seq);
      this.#offsets.push(offset);
    }
    this.#builtTo = offset + length;
    this.#nextSeq = seq + 1;
  }
}
