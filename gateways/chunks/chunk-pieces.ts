/** The chunks that a byte range of a file lies in. */
import type { ByteRange } from '../pages/byte-range.ts';

/** With the piece of each. */
export function chunksOf(
  range: ByteRange,
  chunkBytes: number,
): { chunk: number; offset: number; length: number }[] {
  const pieces = [];
  let at = range.offset;
  const end = range.offset + range.length;
  while (at < end) {
    const chunk = Math.floor(at / chunkBytes);
    const offset = at - chunk * chunkBytes;
    const length = Math.min(chunkBytes - offset, end - at);
    pieces.push({ chunk, offset, length });
    at += length;
  }
  return pieces;
}
