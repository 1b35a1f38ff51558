/**
 * A tablet's large parts: each written once into a part segment, and synced before the record that
 * names its place goes to the journal. Several appends that wait share one fsync. CRCs are kept per
 * block of 1 MiB, so that a range of a part can be checked without reading all of it.
 *
 * A part whose record never became durable, or was truncated, stays behind unnamed.
 *
 * All numbers are little-endian. A part in a part segment:
 *
 *    0  u32  0x54524150, "PART"
 *    4  u32  CRC-32 of bytes 8 .. 26+4b; repeated in the record that names this place
 *    8  u48  seq
 *   14  u48  epoch
 *   20  u16  number of the part in its entry
 *   22  u32  length in bytes
 *   26  u32  CRC-32 of each block, b = ceil(length / 1 MiB) of them
 *   26+4b    the bytes
 */
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { checkFileHeader, damageFault, fileHeader, fileName, listFiles } from './file-header.ts';
import { diskFault, syncForGood } from './files.ts';
import type { FilePort, OpenFile } from './files.ts';
import type { PartPlace } from './frame.ts';

const MAGIC = 0x54524150;
const FIXED_BYTES = 26;
export const PART_BLOCK_BYTES = 1024 * 1024;
/** Checksums of big parts are computed in slices of this size, so that beacons are answered in between. */
const BLOCKS_PER_TURN = 4;

export type LargePart = {
  readonly seq: number;
  readonly epoch: number;
  readonly part: number;
  readonly bytes: Uint8Array;
};

const headerLength = (length: number): number => FIXED_BYTES + 4 * Math.ceil(length / PART_BLOCK_BYTES);

async function partHeader(part: LargePart): Promise<Buffer> {
  const header = Buffer.alloc(headerLength(part.bytes.length));
  header.writeUInt32LE(MAGIC, 0);
  header.writeUIntLE(part.seq, 8, 6);
  header.writeUIntLE(part.epoch, 14, 6);
  header.writeUInt16LE(part.part, 20);
  header.writeUInt32LE(part.bytes.length, 22);
  for (let block = 0; block * PART_BLOCK_BYTES < part.bytes.length; block++) {
    if (block % BLOCKS_PER_TURN === BLOCKS_PER_TURN - 1) await nextTurn();
    const start = block * PART_BLOCK_BYTES;
    header.writeUInt32LE(
      crc32(part.bytes.subarray(start, start + PART_BLOCK_BYTES)),
      FIXED_BYTES + 4 * block,
    );
  }
  header.writeUInt32LE(crc32(header.subarray(8)), 4);
  return header;
}

/**
 * Bytes [offset, offset+length) of the part at `place`, cut at the part's end. Throws Fault Damaged if
 * a checksum of what was read does not match.
 */
export async function readPlacedPart(
  files: FilePort,
  folder: string,
  place: PartPlace,
  offset = 0,
  length = place.length,
): Promise<Buffer> {
  const path = join(folder, fileName('parts', place.segment));
  const damaged = (at: number, reason: string) => damageFault({ file: path, offset: at, reason });
  let file: OpenFile;
  try {
    file = await files.open(path, 'read');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw damaged(0, 'a file that records point to is missing');
    throw diskFault(error, `opening ${path}`);
  }
  try {
    const header = Buffer.alloc(headerLength(place.length));
    await file.readFully(header, place.offset);
    const headerCrc = header.readUInt32LE(4);
    if (
      headerCrc !== place.headerCrc ||
      headerCrc !== crc32(header.subarray(8)) ||
      header.readUInt32LE(0) !== MAGIC
    ) {
      throw damaged(place.offset, 'the header of a part does not match its checksum or its record');
    }
    const end = Math.min(offset + length, place.length);
    if (offset >= end) return Buffer.alloc(0);
    const firstBlock = Math.floor(offset / PART_BLOCK_BYTES);
    const start = firstBlock * PART_BLOCK_BYTES;
    const stop = Math.min(Math.ceil(end / PART_BLOCK_BYTES) * PART_BLOCK_BYTES, place.length);
    const bytes = Buffer.allocUnsafe(stop - start);
    const bodyStart = place.offset + header.length;
    const found = await file.readFully(bytes, bodyStart + start);
    for (let at = 0, block = firstBlock; at < bytes.length; at += PART_BLOCK_BYTES, block++) {
      if ((block - firstBlock) % BLOCKS_PER_TURN === BLOCKS_PER_TURN - 1) await nextTurn();
      const blockEnd = Math.min(at + PART_BLOCK_BYTES, bytes.length);
      if (blockEnd > found) throw damaged(bodyStart + start + at, 'the file ends inside a part');
      if (crc32(bytes.subarray(at, blockEnd)) !== header.readUInt32LE(FIXED_BYTES + 4 * block)) {
        throw damaged(bodyStart + start + at, 'the checksum of a block of a part does not match its bytes');
      }
    }
    return bytes.subarray(offset - start, end - start);
  } finally {
    await file.close();
  }
}

type Waiting = {
  readonly parts: readonly LargePart[];
  readonly resolve: (places: PartPlace[]) => void;
  readonly reject: (error: unknown) => void;
};

export class PartSegments {
  readonly #files: FilePort;
  readonly #folder: string;
  readonly #tablet: string;
  readonly #segmentBytes: number;
  #number = 0;
  #tail = 0;
  #file: OpenFile | undefined;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;

  constructor(files: FilePort, folder: string, tablet: string, segmentBytes: number) {
    this.#files = files;
    this.#folder = folder;
    this.#tablet = tablet;
    this.#segmentBytes = segmentBytes;
  }

  /** Durable when it resolves, with the place of each part. Rejects with Fault DiskFull or DiskFailed. */
  write(parts: readonly LargePart[]): Promise<PartPlace[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ parts, resolve, reject });
      if (!this.#running) this.#start();
    });
  }

  async close(): Promise<void> {
    while (this.#running) await this.#running;
    await this.#file?.close();
    this.#file = undefined;
  }

  #start(): void {
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#waiting.length > 0) this.#start();
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        const places = await this.#writeGroup(group.flatMap((waiting) => waiting.parts));
        let taken = 0;
        for (const { parts, resolve } of group) resolve(places.slice(taken, (taken += parts.length)));
      } catch (error) {
        const fault = diskFault(error, `writing large parts of tablet ${this.#tablet}`);
        for (const { reject } of group) reject(fault);
      }
    }
  }

  async #writeGroup(parts: readonly LargePart[]): Promise<PartPlace[]> {
    const file = await this.#openFile();
    const places: PartPlace[] = [];
    const buffers: Uint8Array[] = [];
    let at = this.#tail;
    for (const part of parts) {
      const header = await partHeader(part);
      places.push({
        segment: this.#number,
        offset: at,
        length: part.bytes.length,
        headerCrc: header.readUInt32LE(4),
      });
      buffers.push(header, part.bytes);
      at += header.length + part.bytes.length;
    }
    try {
      await file.writeAll(buffers, this.#tail);
    } catch (error) {
      // Give the room back; nothing names these bytes. Should this fail too, they are overwritten later.
      await file.truncate(this.#tail).catch(() => undefined);
      throw error;
    }
    await syncForGood(file, `the large parts of tablet ${this.#tablet}`);
    this.#tail = at;
    return places;
  }

  async #openFile(): Promise<OpenFile> {
    if (this.#file && this.#tail < this.#segmentBytes) return this.#file;
    if (this.#number === 0) await this.#resume();
    if (this.#file && this.#tail < this.#segmentBytes) return this.#file;
    return await this.#create();
  }

  /** Goes on in the newest part segment of an earlier run, behind everything that is there. */
  async #resume(): Promise<void> {
    const newest = (await listFiles(this.#files, this.#folder, 'parts')).at(-1);
    if (newest === undefined) return;
    this.#number = newest;
    const file = await this.#files.open(join(this.#folder, fileName('parts', newest)), 'write');
    const header = await checkFileHeader(file, 'parts', this.#tablet, newest);
    if (typeof header === 'string') {
      // Torn or damaged: leave it to the readers of what may lie there, and begin another.
      await file.close();
      return;
    }
    this.#tail = await file.size();
    this.#file = file;
  }

  async #create(): Promise<OpenFile> {
    await this.#file?.close();
    this.#file = undefined;
    const number = this.#number + 1;
    const file = await this.#files.open(join(this.#folder, fileName('parts', number)), 'write');
    try {
      const header = fileHeader('parts', this.#tablet, number);
      await file.writeAll([header], 0);
      await file.datasync();
      await this.#files.syncFolder(this.#folder);
      this.#number = number;
      this.#tail = header.length;
      this.#file = file;
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }
}
