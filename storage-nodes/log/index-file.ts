/**
 * The points of a segment's index, beside the segment: `<first seq>.index`. Added to when a checkpoint is
 * made, not synced, and never believed (sparse-index.ts): without it, or with a wrong one, reading an
 * entry only takes longer. Each point is 16 bytes, little-endian:
 *
 *    0  u48  seq
 *    6  u48  offset of that seq's frame in the segment; of the last point: where the next one will be
 *   12  u32  CRC-32 of bytes 0 .. 12
 */
import { crc32 } from 'node:zlib';
import type { FilePort } from './files.ts';

const POINT_BYTES = 16;

export type Point = { readonly seq: number; readonly offset: number };

/** Its points up to the first that is damaged or does not follow the one before. */
export async function readIndexFile(files: FilePort, path: string): Promise<Point[]> {
  const bytes = (await files.readWhole(path)) ?? Buffer.alloc(0);
  const points: Point[] = [];
  for (let at = 0; at + POINT_BYTES <= bytes.length; at += POINT_BYTES) {
    if (crc32(bytes.subarray(at, at + 12)) !== bytes.readUInt32LE(at + 12)) break;
    const point = { seq: bytes.readUIntLE(at, 6), offset: bytes.readUIntLE(at + 6, 6) };
    const before = points.at(-1);
    if (before && (point.seq <= before.seq || point.offset <= before.offset)) break;
    points.push(point);
  }
  return points;
}

/** Writes points behind the first `keep`; whatever else the file held is cut off. */
export async function writeIndexFile(
  files: FilePort,
  path: string,
  keep: number,
  points: readonly Point[],
): Promise<void> {
  const bytes = Buffer.alloc(points.length * POINT_BYTES);
  for (const [i, { seq, offset }] of points.entries()) {
    const at = i * POINT_BYTES;
    bytes.writeUIntLE(seq, at, 6);
    bytes.writeUIntLE(offset, at + 6, 6);
    bytes.writeUInt32LE(crc32(bytes.subarray(at, at + 12)), at + 12);
  }
  const file = await files.open(path, 'write');
  try {
    await file.truncate(keep * POINT_BYTES);
    await file.writeAll([bytes], keep * POINT_BYTES);
  } finally {
    await file.close();
  }
}
