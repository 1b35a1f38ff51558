/**
 * The file of the embedded config store: canonical configurations, appended one after the other, each
 * synced before anyone is told. Drawn byte by byte, numbers big endian:
 *
 *   file   = "PCCONF1\n" | record …
 *   record = length u32 | crc32(length) u32 | crc32(text) u32 | text (UTF-8, `length` bytes) | 0a
 *
 * Because each record is synced before the next is written, only the last can be torn. Torn, and cut off
 * (nobody was told of it), is a tail that
 *   - is shorter than its record says, or than a record's head; or
 *   - ends in a byte 00: the file had grown, the bytes had not arrived.
 * Everything else that doesn't fit is damage: the file is refused with the place and the reason, since
 * going on with an older configuration could bring back a primary that was replaced.
 */
import { crc32 } from 'node:zlib';
import { canonical, parseConfiguration } from '../replication/configuration.ts';
import type { Configuration } from '../replication/configuration.ts';

export const FILE_HEAD = Buffer.from('PCCONF1\n');
const RECORD_HEAD_BYTES = 12;
const TEXT_BYTES_MAX = 1024 * 1024;
const NEWLINE = 0x0a;

export type FileContent = {
  readonly configurations: readonly Configuration[];
  /** Where the sound part ends; the rest is a torn tail. */
  readonly soundBytes: number;
};

export type FileDamage = { readonly offset: number; readonly reason: string };

export function encodeRecord(configuration: Configuration): Buffer {
  const text = Buffer.from(canonical(configuration), 'utf8');
  const record = Buffer.alloc(RECORD_HEAD_BYTES + text.length + 1, NEWLINE);
  record.writeUInt32BE(text.length, 0);
  record.writeUInt32BE(crc32(record.subarray(0, 4)), 4);
  record.writeUInt32BE(crc32(text), 8);
  text.copy(record, RECORD_HEAD_BYTES);
  return record;
}

export function encodeFile(configurations: Iterable<Configuration>): Buffer {
  return Buffer.concat([FILE_HEAD, ...[...configurations].map(encodeRecord)]);
}

export function readFileContent(bytes: Buffer): FileContent | { readonly damage: FileDamage } {
  if (!bytes.subarray(0, FILE_HEAD.length).equals(FILE_HEAD)) {
    return { damage: { offset: 0, reason: 'it does not start with "PCCONF1"' } };
  }
  const configurations: Configuration[] = [];
  let at = FILE_HEAD.length;
  while (at < bytes.length) {
    const record = readRecord(bytes, at);
    if (record === 'torn') break;
    if ('reason' in record) return { damage: { offset: at, reason: record.reason } };
    configurations.push(record.configuration);
    at = record.end;
  }
  return { configurations, soundBytes: at };
}

function readRecord(
  bytes: Buffer,
  at: number,
): 'torn' | { configuration: Configuration; end: number } | { reason: string } {
  if (bytes.length - at < RECORD_HEAD_BYTES) return 'torn';
  const length = bytes.readUInt32BE(at);
  if (bytes.readUInt32BE(at + 4) !== crc32(bytes.subarray(at, at + 4)) || length > TEXT_BYTES_MAX) {
    return bytes[bytes.length - 1] === 0 ? 'torn' : { reason: "a record's length fails its checksum" };
  }
  const start = at + RECORD_HEAD_BYTES;
  const end = start + length + 1;
  if (end > bytes.length) return 'torn';
  const text = bytes.subarray(start, end - 1);
  if (bytes[end - 1] !== NEWLINE || bytes.readUInt32BE(at + 8) !== crc32(text)) {
    return end === bytes.length && bytes[end - 1] === 0
      ? 'torn'
      : { reason: 'a configuration fails its checksum' };
  }
  try {
    return { configuration: parseConfiguration(text.toString('utf8')), end };
  } catch (error) {
    return { reason: (error as Error).message };
  }
}
