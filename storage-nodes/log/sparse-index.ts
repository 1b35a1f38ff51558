/**
 * Where a segment's records lie: one point for about every 32 KiB of it, so its size is bounded
 * whatever the size of the records. Points come from the records as they are written or scanned, and from
 * the index file of an earlier run (index-file.ts).
 *
 *   front: from the segment's first record on, without a gap        front.to <= back.from
 *   back:  of the newest segment after a restart, from the checkpoint on, until the two meet
 *
 * What no point covers is scanned, checking every record on the way, by the first reader that needs it.
 */
import { checkFileHeader, damageFault } from './file-header.ts';
import type { FilePort, OpenFile } from './files.ts';
import { FrameScanner } from './frame-scanner.ts';
import { readIndexFile, writeIndexFile } from './index-file.ts';
import type { Point } from './index-file.ts';

const POINT_EVERY_BYTES = 32 * 1024;

/** Points without a gap. */
class Run {
  readonly points: Point[];
  /** Everything before this seq, and this byte, is covered. */
  next: number;
  to: number;

  constructor(seq: number, offset: number) {
    this.points = [{ seq, offset }];
    this.next = seq;
    this.to = offset;
  }

  static of(points: Point[]): Run {
    const run = new Run(points.at(-1)!.seq, points.at(-1)!.offset);
    run.points.unshift(...points.slice(0, -1));
    return run;
  }

  note(seq: number, offset: number, length: number): void {
    if (offset - this.points.at(-1)!.offset >= POINT_EVERY_BYTES) this.points.push({ seq, offset });
    this.next = seq + 1;
    this.to = offset + length;
  }

  /** The last point at or before `seq`. */
  floor(seq: number): Point {
    let low = 0;
    let high = this.points.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.points[middle]!.seq <= seq) low = middle;
      else high = middle - 1;
    }
    return this.points[low]!;
  }
}

/** A segment's file, open, with its path and where its committed bytes end. */
export type IndexedFile = { readonly file: OpenFile; readonly path: string; readonly end: number };

export class SparseIndex {
  readonly #files: FilePort;
  readonly #tablet: string;
  readonly #first: number;
  readonly #path: string;
  #front: Run | undefined;
  #back: Run | undefined;
  /** The index file has not been read yet. */
  #unread: boolean;
  /** Points that the file is known to hold. */
  #stored = 0;
  #borrowed = false;
  #growing: Promise<void> | undefined;

  /** `path`: of the index file. `isNew`: the segment was made just now, so whatever lies there is not its own. */
  constructor(files: FilePort, tablet: string, first: number, path: string, isNew: boolean) {
    this.#files = files;
    this.#tablet = tablet;
    this.#first = first;
    this.#path = path;
    this.#unread = !isNew;
  }

  /** Notes a record that was written or scanned at the tail. */
  add(seq: number, offset: number, length: number): void {
    let run = this.#back ?? (this.#unread ? undefined : this.#front);
    if (run?.to !== offset) {
      // Points behind the tail: the index file was another's.
      if (run && run.to > offset) this.distrust();
      run = new Run(seq, offset);
      if (seq === this.#first && !this.#unread) this.#front = run;
      else this.#back = run;
    }
    run.note(seq, offset, length);
  }

  /**
   * A place to scan from for `seq`, which the segment has: at or before it, and near. Throws Fault Damaged
   * if a record that had to be scanned is damaged.
   */
  async find(segment: IndexedFile, seq: number): Promise<Point> {
    for (;;) {
      const back = this.#back;
      if (back && seq >= back.points[0]!.seq) return back.floor(seq);
      const front = this.#front;
      if (front && (seq < front.next || front.to >= segment.end)) return front.floor(seq);
      this.#growing ??= this.#grow(segment).finally(() => (this.#growing = undefined));
      await this.#growing;
    }
  }

  /** Forgets everything, since a point led to no good record: the segment is to be scanned. */
  distrust(): void {
    this.#front = this.#back = undefined;
    this.#unread = false;
    this.#borrowed = false;
    this.#stored = 0;
  }

  /** Points that this process has not seen the records of: what they lead to may be wrong. */
  get isBorrowed(): boolean {
    return this.#borrowed;
  }

  /** Adds to the index file what it lacks, if nothing in between is missing. */
  async store(): Promise<void> {
    if (this.#unread) await this.#readFile();
    this.#join();
    const front = this.#front;
    if (!front || this.#back) return;
    // The end is the place from which the next run goes on.
    if (front.points.at(-1)!.offset !== front.to) front.points.push({ seq: front.next, offset: front.to });
    const lacking = front.points.slice(this.#stored);
    if (lacking.length === 0) return;
    await writeIndexFile(this.#files, this.#path, this.#stored, lacking);
    this.#stored = Math.max(this.#stored, front.points.indexOf(lacking.at(-1)!) + 1);
  }

  async #grow(segment: IndexedFile): Promise<void> {
    if (this.#unread) {
      await this.#readFile();
      if (this.#front) return this.#join();
    }
    if (!this.#front) {
      const header = await checkFileHeader(segment.file, 'segment', this.#tablet, this.#first);
      if (typeof header === 'string') throw damageFault({ file: segment.path, offset: 0, reason: header });
      this.#front = new Run(this.#first, header);
    }
    const front = this.#front;
    const end = this.#back?.points[0]!.offset ?? segment.end;
    const scanner = new FrameScanner(segment.file, front.to, end, front.next);
    for (let run = await scanner.next(); run; run = await scanner.next()) {
      for (const { seq, offset, bytes } of run) {
        if (offset === front.to) front.note(seq, offset, bytes.length);
      }
    }
    if (this.#front !== front) return;
    if (scanner.end && scanner.end.kind !== 'clean') {
      throw damageFault({ file: segment.path, offset: scanner.end.offset, reason: scanner.end.reason });
    }
    this.#join();
    if (!this.#back) await this.store().catch(() => undefined);
  }

  async #readFile(): Promise<void> {
    const points = await readIndexFile(this.#files, this.#path);
    if (!this.#unread) return;
    this.#unread = false;
    // Points behind the checkpoint's place may be of records that a power cut took.
    const from = this.#back?.points[0];
    const sound = from
      ? points.filter(({ seq, offset }) => seq <= from.seq && offset <= from.offset)
      : points;
    if (sound[0]?.seq !== this.#first) return;
    this.#front = Run.of(sound);
    this.#stored = sound.length;
    this.#borrowed = true;
  }

  /** Makes one run of two that meet. */
  #join(): void {
    if (!this.#front && this.#back?.points[0]!.seq === this.#first) {
      this.#front = this.#back;
      this.#back = undefined;
    }
    const [front, back] = [this.#front, this.#back];
    if (!front || !back || front.to !== back.points[0]!.offset) return;
    const rest = front.points.at(-1)!.offset === front.to ? back.points.slice(1) : back.points;
    for (const point of rest) front.points.push(point);
    front.next = back.next;
    front.to = back.to;
    this.#back = undefined;
  }
}
