/**
 * Reads committed records back from a tablet's segments, by seq, and behind them from memory what could not be
 * copied there yet for want of room. Every record is checked on the way: its CRC, that its seq follows the one
 * before, and the CRCs of the large parts it names. What fails a check is never returned: it is a Fault Damaged
 * with file, byte and reason.
 */
import { Fault } from '../faults.ts';
import type { LogRecord } from './entry.ts';
import { damageFault } from './file-header.ts';
import type { FilePort } from './files.ts';
import { FrameScanner } from './frame-scanner.ts';
import type { ScannedFrame } from './frame-scanner.ts';
import { isPlace, readFrame } from './frame.ts';
import type { Frame } from './frame.ts';
import { readPlacedPart } from './part-segments.ts';
import type { SparseIndex } from './sparse-index.ts';
import type { SegmentPlace, TabletSegments } from './tablet-segments.ts';

/** Reading one record takes about one read of this size: a stretch between two points of the index. */
const POINT_RUN_BYTES = 48 * 1024;
const SEQUENTIAL_RUN_BYTES = 1024 * 1024;

export class CommittedReader {
  readonly #files: FilePort;
  readonly #segments: TabletSegments;
  /** The frame of a committed record that is not in the segments. */
  readonly #uncopied: (seq: number) => Buffer | undefined;

  constructor(files: FilePort, segments: TabletSegments, uncopied: (seq: number) => Buffer | undefined) {
    this.#files = files;
    this.#segments = segments;
    this.#uncopied = uncopied;
  }

  /** Records from `from` on until `maxBytes` or the end, at least one if there is one. */
  async records(from: number, maxBytes: number): Promise<LogRecord[]> {
    const records: LogRecord[] = [];
    let bytes = 0;
    const runBytes = Math.min(SEQUENTIAL_RUN_BYTES, Math.max(POINT_RUN_BYTES, maxBytes));
    await this.#visit(from, runBytes, async (scanned) => {
      const frame = readFrame(scanned.bytes);
      bytes += scanned.bytes.length;
      for (const part of frame.parts) if (isPlace(part)) bytes += part.length;
      if (records.length > 0 && bytes > maxBytes) return false;
      records.push(await withParts(this.#files, this.#segments.folder, frame));
      return bytes < maxBytes;
    });
    return records;
  }

  async heads(from: number, countMax: number): Promise<{ seq: number; head: Uint8Array }[]> {
    const heads: { seq: number; head: Uint8Array }[] = [];
    if (countMax <= 0) return heads;
    await this.#visit(from, countMax > 64 ? SEQUENTIAL_RUN_BYTES : POINT_RUN_BYTES, ({ seq, bytes }) => {
      heads.push({ seq, head: readFrame(bytes).head });
      return heads.length < countMax;
    });
    return heads;
  }

  /** Requires 1 <= seq <= the tablet's last committed seq. */
  async frame(seq: number): Promise<Frame> {
    let frame: Frame | undefined;
    await this.#visit(seq, POINT_RUN_BYTES, ({ bytes }) => {
      frame = readFrame(bytes);
      return false;
    });
    return frame!;
  }

  /** Bytes of a part; undefined if erased. Requires 1 <= seq <= the tablet's last committed seq. */
  async part(seq: number, part: number, offset: number, length: number): Promise<Buffer | undefined> {
    const { parts } = await this.frame(seq);
    if (part < 0 || part >= parts.length) {
      throw new Fault(
        'Malformed',
        `Entry ${seq} of tablet ${this.#segments.tablet} has ${parts.length} parts, none numbered ${part}.`,
      );
    }
    const found = parts[part];
    if (isPlace(found)) return readPlacedPart(this.#files, this.#segments.folder, found, offset, length);
    return found && Buffer.from(found.subarray(offset, offset + length));
  }

  /** Calls `see` with each frame from `from` on, until it returns false or nothing committed is left. */
  async #visit(
    from: number,
    runBytes: number,
    see: (frame: Pick<ScannedFrame, 'seq' | 'bytes'>) => boolean | Promise<boolean>,
  ): Promise<void> {
    const last = this.#segments.last;
    let seq = Math.max(from, 1);
    const visit = async (frame: ScannedFrame): Promise<boolean> => {
      if (frame.seq > last || !(await see(frame))) return false;
      seq = frame.seq + 1;
      return true;
    };
    while (seq <= last) {
      const segment = await this.#segments.locate(seq);
      const index = this.#segments.index(segment.first);
      try {
        if (!(await visitSegment(segment, index, seq, runBytes, visit))) return;
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'Damaged' || !index.isBorrowed) throw error;
        index.distrust();
      } finally {
        await segment.file.close();
      }
    }
    for (let bytes = this.#uncopied(seq); bytes; bytes = this.#uncopied(++seq))
      if (!(await see({ seq, bytes }))) return;
  }
}

/** Whether more is to be visited, in the segments behind this one. */
async function visitSegment(
  segment: SegmentPlace,
  index: SparseIndex,
  seq: number,
  runBytes: number,
  visit: (frame: ScannedFrame) => Promise<boolean>,
): Promise<boolean> {
  const { file, path } = segment;
  const point = await index.find(segment, seq);
  const scanner = new FrameScanner(file, point.offset, segment.end, point.seq, runBytes);
  for (let run = await scanner.next(); run; run = await scanner.next()) {
    for (const frame of run) if (frame.seq >= seq && !(await visit(frame))) return false;
  }
  const { end } = scanner;
  if (end && end.kind !== 'clean') throw damageFault({ file: path, offset: end.offset, reason: end.reason });
  if (scanner.expected <= segment.last) {
    const reason = `the file ends before seq ${segment.last}, where the next one begins`;
    throw damageFault({ file: path, offset: segment.end, reason });
  }
  return true;
}

/** The record that a frame holds, with its large parts read from their places. */
export async function withParts(files: FilePort, folder: string, frame: Frame): Promise<LogRecord> {
  const parts: (Uint8Array | undefined)[] = [];
  for (const part of frame.parts) {
    parts.push(isPlace(part) ? await readPlacedPart(files, folder, part) : part);
  }
  return { seq: frame.seq, epoch: frame.epoch, head: frame.head, parts };
}
