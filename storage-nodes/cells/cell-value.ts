/**
 * What a record of the store holds. RocksDB's iterators skip block checksums, so every record carries its
 * own, over its key and everything behind the checksum:
 *
 *   crc32 u32 | seq u48 | flag u8 | payload        big endian
 *
 *   flag 0   a cell: the payload is its bytes
 *   flag 1   a cell whose bytes are a part in the log: seq u48 | part u32 | length u48
 *   flag 2   a record of the store's own (applied index, marker, generation …): the payload is `number` u48
 *
 * A flipped byte in the key, the seq or the payload is found whenever the record is looked at.
 */
import { crc32 } from 'node:zlib';
import { Fault, assert } from '../faults.ts';
import type { Seq } from '../words.ts';
import type { CellContent } from './cells.ts';

const HEAD_BYTES = 11;
const INLINE = 0;
const PART = 1;
const NUMBER = 2;
const U48_MAX = 2 ** 48 - 1;

export type CellRecord = { readonly seq: Seq; readonly content: CellContent };

/** `key` is the record's whole key. The content's bytes are copied. */
export function encodeCell(key: Buffer, seq: Seq, content: CellContent): Buffer {
  let value: Buffer;
  if ('bytes' in content) {
    value = Buffer.allocUnsafe(HEAD_BYTES + content.bytes.length);
    value.set(content.bytes, HEAD_BYTES);
    value[10] = INLINE;
  } else {
    const { part } = content;
    value = Buffer.allocUnsafe(HEAD_BYTES + 16);
    value[10] = PART;
    value.writeUIntBE(part.seq, HEAD_BYTES, 6);
    value.writeUInt32BE(part.part, HEAD_BYTES + 6);
    value.writeUIntBE(part.length, HEAD_BYTES + 10, 6);
  }
  assert(seq >= 0 && seq <= U48_MAX, `a seq outside 48 bits: ${seq}`);
  value.writeUIntBE(seq, 4, 6);
  return sealed(key, value);
}

/** Undefined if the checksum or the form is wrong. The bytes alias `value`. */
export function decodeCell(key: Buffer, value: Buffer): CellRecord | undefined {
  return isSound(key, value) ? openCell(value) : undefined;
}

/** As `decodeCell`, for a value that was sealed in this process: the checksum is not computed again. */
export function openCell(value: Buffer): CellRecord | undefined {
  const seq = value.readUIntBE(4, 6) as Seq;
  if (value[10] === INLINE) return { seq, content: { bytes: value.subarray(HEAD_BYTES) } };
  if (value[10] !== PART || value.length !== HEAD_BYTES + 16) return undefined;
  const part = {
    seq: value.readUIntBE(HEAD_BYTES, 6) as Seq,
    part: value.readUInt32BE(HEAD_BYTES + 6),
    length: value.readUIntBE(HEAD_BYTES + 10, 6),
  };
  return { seq, content: { part } };
}

/** A record of the store's own. */
export function encodeNumber(key: Buffer, number: number): Buffer {
  const value = Buffer.alloc(HEAD_BYTES + 6);
  value[10] = NUMBER;
  value.writeUIntBE(number, HEAD_BYTES, 6);
  return sealed(key, value);
}

/** Undefined if the checksum or the form is wrong. */
export function decodeNumber(key: Buffer, value: Buffer): number | undefined {
  if (!isSound(key, value) || value[10] !== NUMBER || value.length !== HEAD_BYTES + 6) return undefined;
  return value.readUIntBE(HEAD_BYTES, 6);
}

export function isSound(key: Buffer, value: Buffer): boolean {
  return value.length >= HEAD_BYTES && value.readUInt32BE(0) === crc32(value.subarray(4), crc32(key));
}

/** What a digest takes of a record: all but the checksum, which depends on the generation in the key. */
export function digestible(value: Buffer): Buffer {
  return value.subarray(4);
}

/** The record of another store (`digestible`) as this one keeps it under its own key. */
export function sealAgain(key: Buffer, rest: Uint8Array): Buffer {
  const value = Buffer.allocUnsafe(4 + rest.length);
  value.set(rest, 4);
  return sealed(key, value);
}

/** The fault that a record with a wrong checksum is answered with: unknown, never absent. */
export function damagedRecord(tablet: string, what: string): Fault {
  return new Fault(
    'Damaged',
    `tablet ${tablet}: ${what} fails its checksum; ask another replica and rebuild these cells from the log`,
  );
}

function sealed(key: Buffer, value: Buffer): Buffer {
  value.writeUInt32BE(crc32(value.subarray(4), crc32(key)), 0);
  return value;
}
