/**
 * How the files of a tablet begin, and what they are called.
 *
 * All numbers are little-endian.
 *
 *    0  8 bytes  "PCLOGSEG" (committed records) or "PCLOGPRT" (large parts)
 *    8  u32      CRC-32 of bytes 12 .. 23+n
 *   12  u16      format version
 *   14  u16      length of this header, 23+n: where the first record begins
 *   16  u48      segments: seq of the first record; part segments: its number, from 1
 *   22  u8       n = bytes of the tablet's id
 *   23           the tablet's id, UTF-8
 */
import { crc32 } from 'node:zlib';
import { join } from 'node:path';
import { Fault } from '../faults.ts';
import type { FilePort, OpenFile } from './files.ts';
import type { Damage } from './log.ts';

const FORMAT_VERSION = 1;
const FIXED_BYTES = 23;
export const HEADER_BYTES_MAX = FIXED_BYTES + 255;

export type FileKind = 'segment' | 'parts';
const MAGIC: Readonly<Record<FileKind, string>> = { segment: 'PCLOGSEG', parts: 'PCLOGPRT' };

export function fileHeader(kind: FileKind, tablet: string, first: number): Buffer {
  const id = Buffer.from(tablet);
  const header = Buffer.alloc(FIXED_BYTES + id.length);
  header.write(MAGIC[kind], 0, 'latin1');
  header.writeUInt16LE(FORMAT_VERSION, 12);
  header.writeUInt16LE(header.length, 14);
  header.writeUIntLE(first, 16, 6);
  header.writeUInt8(id.length, 22);
  header.set(id, FIXED_BYTES);
  header.writeUInt32LE(crc32(header.subarray(12)), 8);
  return header;
}

/** The length of the header if the file is what its name and folder say; otherwise what is wrong. */
export async function checkFileHeader(
  file: OpenFile,
  kind: FileKind,
  tablet: string,
  first: number,
): Promise<number | string> {
  const expected = fileHeader(kind, tablet, first);
  const found = Buffer.alloc(expected.length);
  const bytes = await file.readFully(found, 0);
  if (bytes < expected.length) return 'the file ends inside its header';
  if (found.equals(expected)) return expected.length;
  if (found.toString('latin1', 0, 8) !== MAGIC[kind]) return `the file does not begin with ${MAGIC[kind]}`;
  if (found.readUInt16LE(12) > FORMAT_VERSION)
    return `format version ${found.readUInt16LE(12)} is newer than this program`;
  return 'the file header does not match its checksum, name or tablet';
}

const EXTENSION: Readonly<Record<FileKind, string>> = { segment: '.segment', parts: '.parts' };

export const fileName = (kind: FileKind, first: number): string =>
  String(first).padStart(15, '0') + EXTENSION[kind];

/** Name of the index file beside the segment that begins with `first`. */
export const indexName = (first: number): string => `${String(first).padStart(15, '0')}.index`;

/** The first seqs (or numbers) of a tablet's files of one kind, ascending. */
export async function listFiles(files: FilePort, folder: string, kind: FileKind): Promise<number[]> {
  const firsts: number[] = [];
  for (const name of await files.list(folder)) {
    const match = /^(\d{15})(\.\w+)$/.exec(name);
    if (match && match[2] === EXTENSION[kind]) firsts.push(Number(match[1]));
  }
  return firsts.sort((a, b) => a - b);
}

/** A tablet's folder: its id with everything that a file system could mind escaped. */
export const tabletFolderName = (tablet: string): string => encodeURIComponent(tablet).replaceAll('.', '%2E');
export const tabletOfFolder = (name: string): string => decodeURIComponent(name);
export const tabletsFolder = (folder: string): string => join(folder, 'tablets');

export function damageFault(damage: Damage): Fault {
  return new Fault('Damaged', `${damage.file}, byte ${damage.offset}: ${damage.reason}.`);
}
