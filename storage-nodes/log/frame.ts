/**
 * A frame: the bytes of one log record, the same in the journal and in a tablet's segments, encoded
 * once. Small parts lie inside; large ones are named by their place in a part segment.
 *
 * All numbers are little-endian.
 *
 *    0  u32  length of the frame, these 4 bytes included
 *    4  u32  the same, every bit inverted: a frame that the file ends inside of is only then unfinished,
 *            and not damaged, if its length can be trusted
 *    8  u32  CRC-32 of bytes 12 .. length
 *   12  u48  seq
 *   18  u48  epoch
 *   24  u32  length of the head
 *   28  u16  number of parts
 *   30       the head
 *    …       per part, one of
 *              u8 0                                                      absent (erased)
 *              u8 1, u32 length, the bytes                               inline
 *              u8 2, u32 part segment, u48 offset, u32 length, u32 CRC   placed: of the part's header there
 */
import { crc32 } from 'node:zlib';
import type { Epoch, Seq } from '../words.ts';

export const FRAME_HEADER_BYTES = 30;
/** Larger frames are refused when written, and taken for damage when read. */
export const FRAME_BYTES_MAX = 64 * 1024 * 1024;

const ABSENT = 0;
const INLINE = 1;
const PLACED = 2;
const PLACED_BYTES = 1 + 4 + 6 + 4 + 4;

/** Where a large part lies: see part-segments.ts. */
export type PartPlace = {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
  /** CRC of the part's header, which in turn holds the CRCs of its blocks. */
  readonly headerCrc: number;
};

export type FramePart = Uint8Array | PartPlace | undefined;

export type Frame = {
  readonly seq: Seq;
  readonly epoch: Epoch;
  readonly head: Uint8Array;
  readonly parts: readonly FramePart[];
};

export const isPlace = (part: FramePart): part is PartPlace =>
  part !== undefined && !(part instanceof Uint8Array);

export function frameLength(frame: Frame): number {
  let length = FRAME_HEADER_BYTES + frame.head.length;
  for (const part of frame.parts) {
    if (part === undefined) length += 1;
    else if (part instanceof Uint8Array) length += 5 + part.length;
    else length += PLACED_BYTES;
  }
  return length;
}

/** Writes the frame, which is `length` = frameLength(frame) bytes long, into `into` at `start`; returns its CRC. */
export function writeFrame(frame: Frame, length: number, into: Buffer, start: number): number {
  into.writeUInt32LE(length, start);
  into.writeUInt32LE(~length >>> 0, start + 4);
  into.writeUIntLE(frame.seq, start + 12, 6);
  into.writeUIntLE(frame.epoch, start + 18, 6);
  into.writeUInt32LE(frame.head.length, start + 24);
  into.writeUInt16LE(frame.parts.length, start + 28);
  into.set(frame.head, start + FRAME_HEADER_BYTES);
  let at = start + FRAME_HEADER_BYTES + frame.head.length;
  for (const part of frame.parts) {
    if (part === undefined) {
      at = into.writeUInt8(ABSENT, at);
    } else if (part instanceof Uint8Array) {
      at = into.writeUInt8(INLINE, at);
      at = into.writeUInt32LE(part.length, at);
      into.set(part, at);
      at += part.length;
    } else {
      at = into.writeUInt8(PLACED, at);
      at = into.writeUInt32LE(part.segment, at);
      at = into.writeUIntLE(part.offset, at, 6);
      at = into.writeUInt32LE(part.length, at);
      at = into.writeUInt32LE(part.headerCrc, at);
    }
  }
  const crc = crc32(into.subarray(start + 12, start + length));
  into.writeUInt32LE(crc, start + 8);
  return crc;
}

export const frameCrc = (bytes: Buffer): number => bytes.readUInt32LE(8);
export const frameSeq = (bytes: Buffer): Seq => bytes.readUIntLE(12, 6) as Seq;
export const frameEpoch = (bytes: Buffer): Epoch => bytes.readUIntLE(18, 6) as Epoch;

export type FrameCheck =
  | { readonly kind: 'whole'; readonly length: number }
  /** More bytes are needed to tell: at least `length` from `start` on. */
  | { readonly kind: 'short'; readonly length: number }
  | { readonly kind: 'bad'; readonly reason: string };

/** Looks at the frame that starts at `start` in `bytes`, which end at `end`. */
export function checkFrame(bytes: Buffer, start: number, end: number): FrameCheck {
  if (end - start < FRAME_HEADER_BYTES) return { kind: 'short', length: FRAME_HEADER_BYTES };
  const length = bytes.readUInt32LE(start);
  if (bytes.readUInt32LE(start + 4) !== ~length >>> 0) {
    return { kind: 'bad', reason: 'the two copies of the length of a record differ' };
  }
  if (length < FRAME_HEADER_BYTES || length > FRAME_BYTES_MAX) {
    return { kind: 'bad', reason: `a record cannot be ${length} bytes long` };
  }
  if (end - start < length) return { kind: 'short', length };
  if (crc32(bytes.subarray(start + 12, start + length)) !== bytes.readUInt32LE(start + 8)) {
    return { kind: 'bad', reason: 'the checksum of a record does not match its bytes' };
  }
  return { kind: 'whole', length };
}

/** Decodes a whole frame whose CRC was checked. Head and inline parts alias `bytes`. */
export function readFrame(bytes: Buffer): Frame {
  const headLength = bytes.readUInt32LE(24);
  const partCount = bytes.readUInt16LE(28);
  const parts: FramePart[] = [];
  let at = FRAME_HEADER_BYTES + headLength;
  const head = bytes.subarray(FRAME_HEADER_BYTES, at);
  for (let i = 0; i < partCount; i++) {
    const kind = bytes.readUInt8(at);
    if (kind === ABSENT) {
      parts.push(undefined);
      at += 1;
    } else if (kind === INLINE) {
      const length = bytes.readUInt32LE(at + 1);
      parts.push(bytes.subarray(at + 5, at + 5 + length));
      at += 5 + length;
    } else if (kind === PLACED) {
      parts.push({
        segment: bytes.readUInt32LE(at + 1),
        offset: bytes.readUIntLE(at + 5, 6),
        length: bytes.readUInt32LE(at + 11),
        headerCrc: bytes.readUInt32LE(at + 15),
      });
      at += PLACED_BYTES;
    } else {
      throw new Error(`a part of a record is of unknown kind ${kind}: written by a newer version?`);
    }
  }
  if (at !== bytes.length) throw new Error('the parts of a record do not fill it');
  return { seq: frameSeq(bytes), epoch: frameEpoch(bytes), head, parts };
}
