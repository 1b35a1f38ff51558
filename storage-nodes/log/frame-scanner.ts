/**
 * Walks the frames of a segment file from a place on, checking each one's CRC and that the seqs
 * follow one another. It stops at the first byte that is not a whole, expected frame and says what it
 * found there; whether that is damage is for the caller to judge.
 */
import { checkFrame, frameSeq } from './frame.ts';
import type { OpenFile } from './files.ts';

/** The bytes alias a buffer of a whole run: copy what is kept for long. */
export type ScannedFrame = { readonly seq: number; readonly offset: number; readonly bytes: Buffer };

export type ScanEnd = {
  /** `clean`: at the end of what was to be scanned. `short`: that end is inside a frame. */
  readonly kind: 'clean' | 'short' | 'bad';
  readonly offset: number;
  readonly reason: string;
};

const RUN_BYTES = 1024 * 1024;

export class FrameScanner {
  /** Set once `next` has returned undefined. */
  end: ScanEnd | undefined;
  /** The seq that the next frame must have. */
  expected: number;
  readonly #file: OpenFile;
  readonly #limit: number;
  readonly #runBytes: number;
  #at: number;
  #wanted = 0;

  /** Scans bytes `start` .. `limit` of the file; the first frame must have the seq `expected`. */
  constructor(file: OpenFile, start: number, limit: number, expected: number, runBytes = RUN_BYTES) {
    this.#file = file;
    this.#at = start;
    this.#limit = limit;
    this.expected = expected;
    this.#runBytes = runBytes;
  }

  /** The next run of frames (never empty), or undefined at the end. */
  async next(): Promise<ScannedFrame[] | undefined> {
    while (this.end === undefined) {
      const room = this.#limit - this.#at;
      if (room === 0) return this.#stop('clean', 'the end');
      if (room < 0) return this.#stop('bad', 'a place behind the last record');
      const size = Math.min(Math.max(this.#runBytes, this.#wanted), room);
      const buffer = Buffer.allocUnsafe(size);
      const found = await this.#file.readFully(buffer, this.#at);
      const frames = this.#split(buffer, found, found < size || size === room);
      if (frames.length > 0) return frames;
    }
    return undefined;
  }

  #split(buffer: Buffer, found: number, isLast: boolean): ScannedFrame[] {
    const frames: ScannedFrame[] = [];
    let start = 0;
    this.#wanted = 0;
    const base = this.#at;
    while (start < found) {
      const check = checkFrame(buffer, start, found);
      if (check.kind === 'short') {
        if (isLast) this.#stop('short', 'the file ends inside a record');
        else this.#wanted = check.length;
        break;
      }
      if (check.kind === 'bad') {
        this.#stop('bad', check.reason);
        break;
      }
      const bytes = buffer.subarray(start, start + check.length);
      const seq = frameSeq(bytes);
      if (seq !== this.expected) {
        this.#stop('bad', `expected the record with seq ${this.expected}, found ${seq}`);
        break;
      }
      frames.push({ seq, offset: base + start, bytes });
      start += check.length;
      this.#at = base + start;
      this.expected++;
    }
    if (found === 0) this.#stop('short', 'the file is shorter than what was written to it');
    return frames;
  }

  #stop(kind: ScanEnd['kind'], reason: string): undefined {
    this.end = { kind, offset: this.#at, reason };
    return undefined;
  }
}
