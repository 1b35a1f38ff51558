/**
 * Checks the data blocks of an SST file. RocksDB's iterators don't verify a block before they parse it, and
 * parsing a damaged one aborts the whole process (an assertion on the lengths inside), so a store that may
 * be damaged is checked here before any iterator touches it. The format (RocksDB's "block based table"):
 *
 *   file   = data blocks | other blocks | footer
 *   block  = content | type u8 (0: not compressed) | crc32c over content and type, masked, u32 LE
 *   footer = checksum type u8 (1: crc32c) | metaindex handle | index handle | zeros up to byte 41 |
 *            version u32 LE | magic u64 LE                                            53 bytes
 *   handle = offset varint | size varint
 *   index  = entries | restart offsets u32 LE … | their count u32 LE
 *   entry  = shared varint | own varint | [value length varint, before version 4] | own key bytes | value
 *   value  = handle; from version 4 on, and if shared > 0: only size minus the previous size (zigzag varint)
 *
 * What it leaves out: blocks other than index and data; RocksDB verifies those when it loads them.
 */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { crc32c } from './crc32c.ts';

const FOOTER_BYTES = 53;
const TRAILER_BYTES = 5;
const MAGIC = 0x88e241b785f4cff7n;
const READ_BYTES = 1024 * 1024;

type Handle = { readonly offset: number; readonly size: number };

/** What is wrong with the file, or undefined. Throws if it can't be read. */
export async function checkTable(file: string, bytes: number): Promise<string | undefined> {
  const handle = await open(file);
  try {
    const footer = await readExactly(handle, Math.max(0, bytes - FOOTER_BYTES), FOOTER_BYTES);
    if (footer?.readBigUInt64LE(FOOTER_BYTES - 8) !== MAGIC || footer[0] !== 1)
      return 'its footer is damaged';
    const version = footer.readUInt32LE(FOOTER_BYTES - 12);
    const metaindex = readHandle(footer, 1);
    const index = readHandle(footer, metaindex.end);
    const block = await readExactly(handle, index.offset, index.size + TRAILER_BYTES);
    if (block === undefined || !isWhole(block)) return 'its index is damaged';
    return await checkBlocks(handle, dataBlocks(block.subarray(0, index.size), version));
  } catch (error) {
    if (error instanceof RangeError) return 'its footer or index is damaged';
    throw error;
  } finally {
    await handle.close();
  }
}

/** Reads neighbouring blocks together. */
async function checkBlocks(handle: FileHandle, blocks: readonly Handle[]): Promise<string | undefined> {
  let first = 0;
  while (first < blocks.length) {
    const { offset } = blocks[first]!;
    let end = offset;
    let next = first;
    while (
      next < blocks.length &&
      (next === first || blocks[next]!.offset + blocks[next]!.size - offset < READ_BYTES)
    ) {
      end = blocks[next]!.offset + blocks[next]!.size + TRAILER_BYTES;
      next++;
    }
    const bytes = await readExactly(handle, offset, end - offset);
    if (bytes === undefined) return `it ends within a block`;
    for (; first < next; first++) {
      const at = blocks[first]!.offset - offset;
      if (!isWhole(bytes.subarray(at, at + blocks[first]!.size + TRAILER_BYTES))) {
        return `the block at byte ${blocks[first]!.offset} fails its checksum`;
      }
    }
  }
  return undefined;
}

function dataBlocks(index: Buffer, version: number): Handle[] {
  const entriesEnd = index.length - 4 - 4 * index.readUInt32LE(index.length - 4);
  const blocks: Handle[] = [];
  let at = 0;
  while (at < entriesEnd) {
    const shared = readVarint(index, at);
    const own = readVarint(index, shared.end);
    const valueAt = (version < 4 ? readVarint(index, own.end).end : own.end) + own.value;
    const before = blocks.at(-1);
    if (version < 4 || shared.value === 0 || before === undefined) {
      const { end, ...block } = readHandle(index, valueAt);
      blocks.push(block);
      at = end;
    } else {
      const { value, end } = readVarint(index, valueAt);
      const change = value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      blocks.push({ offset: before.offset + before.size + TRAILER_BYTES, size: before.size + change });
      at = end;
    }
  }
  return blocks;
}

/** A block with its trailer. */
function isWhole(block: Buffer): boolean {
  const end = block.length - 4;
  const crc = crc32c(block.subarray(0, end));
  const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  return block[end - 1] === 0 && masked === block.readUInt32LE(end);
}

function readHandle(bytes: Buffer, at: number): Handle & { end: number } {
  const offset = readVarint(bytes, at);
  const size = readVarint(bytes, offset.end);
  return { offset: offset.value, size: size.value, end: size.end };
}

/** Throws RangeError beyond the end or above 2^53. */
function readVarint(bytes: Buffer, at: number): { value: number; end: number } {
  let value = 0;
  for (let i = 0; i < 8; i++) {
    const byte = bytes.readUInt8(at + i);
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  throw new RangeError('a varint longer than 8 bytes');
}

async function readExactly(handle: FileHandle, offset: number, length: number): Promise<Buffer | undefined> {
  const bytes = Buffer.allocUnsafe(length);
  const { bytesRead } = await handle.read(bytes, 0, length, offset);
  return bytesRead === length ? bytes : undefined;
}
