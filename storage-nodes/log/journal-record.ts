/**
 * A record of the journal: a header that says where in the journal's life it belongs, the tablet,
 * and, if it carries a log record, that record's frame (frame.ts).
 *
 * All numbers are little-endian.
 *
 *    0  u32  length of the journal record, these 4 bytes included
 *    4  u32  CRC-32 of bytes 8 .. 42+n
 *    8  u32  generation: the number of the journal file it was written for, so that what an earlier
 *            use of a recycled file left behind is never taken for this one's
 *   12  u48  number: one more than the journal record before, over all files (a mark: that of the next)
 *   18  u32  generation, and
 *   22  u32  offset: everything before this place was known to be synced when this was written
 *   26  u8   format version
 *   27  u8   kind: 1 append, 2 carry, 3 truncate, 4 drop, 5 mark, 6 barrier
 *   28  u48  seq (append, carry: of the frame; truncate: the first one dropped; otherwise 0)
 *   34  u32  length of the frame, 0 if there is none
 *   38  u32  CRC that the frame holds, so that no older frame can stand in for it
 *   42  u8   n = bytes of the tablet's id (0 for a mark)
 *   43       the tablet's id, UTF-8
 *   43+n     the frame
 *
 * Each write ends with JOURNAL_RECORD_BYTES_MIN zero bytes, which the next write overwrites: that is
 * how a clean end of the journal differs from a torn one.
 */
import { crc32 } from 'node:zlib';
import { checkFrame, frameCrc, frameSeq } from './frame.ts';

export const JOURNAL_RECORD_BYTES_MIN = 43;
const FORMAT_VERSION = 1;

export type JournalKind = 'append' | 'carry' | 'truncate' | 'drop' | 'mark' | 'barrier';
const KINDS: readonly (JournalKind | undefined)[] = [
  undefined,
  'append',
  'carry',
  'truncate',
  'drop',
  'mark',
  'barrier',
];

/** A place in the journal: of a file, by generation, and a byte of it. */
export type JournalPlace = { readonly generation: number; readonly offset: number };

export const isBefore = (a: JournalPlace, b: JournalPlace): boolean =>
  a.generation < b.generation || (a.generation === b.generation && a.offset < b.offset);

export type JournalRecord = {
  readonly kind: JournalKind;
  readonly tablet: string;
  readonly seq: number;
  readonly number: number;
  readonly synced: JournalPlace;
  readonly length: number;
  readonly frame: Buffer | undefined;
};

/** Room for a journal record, all set but what is known only when it is written (`stampRecord`). */
export function newRecord(kind: JournalKind, tablet: Buffer, seq: number, frameBytes: number): Buffer {
  const frameStart = JOURNAL_RECORD_BYTES_MIN + tablet.length;
  const record = Buffer.allocUnsafe(frameStart + frameBytes);
  record.writeUInt32LE(record.length, 0);
  record.writeUInt8(FORMAT_VERSION, 26);
  record.writeUInt8(KINDS.indexOf(kind), 27);
  record.writeUIntLE(seq, 28, 6);
  record.writeUInt32LE(frameBytes, 34);
  record.writeUInt32LE(0, 38);
  record.writeUInt8(tablet.length, 42);
  record.set(tablet, JOURNAL_RECORD_BYTES_MIN);
  return record;
}

export function setFrameCrc(record: Buffer, crc: number): void {
  record.writeUInt32LE(crc, 38);
}

/** The last thing done to a journal record before it is written. */
export function stampRecord(record: Buffer, generation: number, number: number, synced: JournalPlace): void {
  record.writeUInt32LE(generation, 8);
  record.writeUIntLE(number, 12, 6);
  record.writeUInt32LE(synced.generation, 18);
  record.writeUInt32LE(synced.offset, 22);
  const headerEnd = JOURNAL_RECORD_BYTES_MIN + record.readUInt8(42);
  record.writeUInt32LE(crc32(record.subarray(8, headerEnd)), 4);
}

/** Header of the longest kind. */
export const RECORD_HEADER_BYTES_MAX = JOURNAL_RECORD_BYTES_MIN + 255;

/**
 * Length of the record whose header stands at `start`, or why there is none. `room`: how many bytes the
 * file has from there on. Requires that `bytes` holds the longest header, or all that the file has.
 */
export function recordLength(bytes: Buffer, start: number, room: number): number | string {
  if (room < JOURNAL_RECORD_BYTES_MIN) return 'the file ends inside a record';
  const length = bytes.readUInt32LE(start);
  const headerEnd = JOURNAL_RECORD_BYTES_MIN + bytes.readUInt8(start + 42);
  const frameBytes = bytes.readUInt32LE(start + 34);
  if (length !== headerEnd + frameBytes) return 'the lengths in a record contradict each other';
  if (length > room) return 'a record is longer than what is left of the file';
  if (crc32(bytes.subarray(start + 8, start + headerEnd)) !== bytes.readUInt32LE(start + 4)) {
    return 'the checksum of a record header does not match its bytes';
  }
  return length;
}

/** The journal record that starts at `start`, or why there is none. The frame aliases `bytes`. */
export function readRecord(bytes: Buffer, start: number, generation: number): JournalRecord | string {
  const length = recordLength(bytes, start, bytes.length - start);
  if (typeof length === 'string') return length;
  const headerEnd = JOURNAL_RECORD_BYTES_MIN + bytes.readUInt8(start + 42);
  const frameBytes = length - headerEnd;
  if (bytes.readUInt32LE(start + 8) !== generation) return 'a record belongs to another generation';
  const kind = KINDS[bytes.readUInt8(start + 27)];
  if (bytes.readUInt8(start + 26) !== FORMAT_VERSION || kind === undefined) {
    return 'a record has a format version or kind that this program does not know: written by a newer version?';
  }
  const frame = frameBytes === 0 ? undefined : bytes.subarray(start + headerEnd, start + length);
  const seq = bytes.readUIntLE(start + 28, 6);
  if (frame !== undefined) {
    const check = checkFrame(frame, 0, frame.length);
    if (check.kind === 'bad') return check.reason;
    if (check.kind === 'short' || check.length !== frame.length)
      return 'a record does not fill its journal record';
    if (frameCrc(frame) !== bytes.readUInt32LE(start + 38) || frameSeq(frame) !== seq) {
      return 'a journal record holds another record than the one it was written for';
    }
  }
  return {
    kind,
    tablet: bytes.toString('utf8', start + JOURNAL_RECORD_BYTES_MIN, start + headerEnd),
    seq,
    number: bytes.readUIntLE(start + 12, 6),
    synced: { generation: bytes.readUInt32LE(start + 18), offset: bytes.readUInt32LE(start + 22) },
    length,
    frame,
  };
}

/** The generation of a sound journal record header at `start`, whichever file it was written for. */
export function generationAt(bytes: Buffer, start: number): number | undefined {
  if (bytes.length - start < JOURNAL_RECORD_BYTES_MIN) return undefined;
  const headerEnd = start + JOURNAL_RECORD_BYTES_MIN + bytes.readUInt8(start + 42);
  if (headerEnd > bytes.length) return undefined;
  if (crc32(bytes.subarray(start + 8, headerEnd)) !== bytes.readUInt32LE(start + 4)) return undefined;
  return bytes.readUInt32LE(start + 8);
}
