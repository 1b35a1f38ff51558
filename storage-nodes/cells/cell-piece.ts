/**
 * Cells on their way to another node: a piece of a snapshot is a row of records, each as
 *
 *   length of place u32 | length of rest u32 | place | rest         big endian
 *
 * with place and rest as a digest takes them (cell-digest.ts): free of node, engine and generation. Who
 * sends pieces checksums them as a whole.
 */
import { Fault } from '../faults.ts';
import { decodeCellKey } from './cell-key.ts';
import { digestible, openCell } from './cell-value.ts';

const LENGTHS_BYTES = 8;

export class PieceWriter {
  readonly #parts: Buffer[] = [];
  bytes = 0;

  add(place: Buffer, value: Buffer): void {
    const rest = digestible(value);
    const lengths = Buffer.allocUnsafe(LENGTHS_BYTES);
    lengths.writeUInt32BE(place.length, 0);
    lengths.writeUInt32BE(rest.length, 4);
    this.#parts.push(lengths, place, rest);
    this.bytes += LENGTHS_BYTES + place.length + rest.length;
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

export type PieceRecord = { readonly place: Buffer; readonly rest: Buffer };

/** Throws Fault Malformed on bytes that PieceWriter cannot have written. The records alias the piece. */
export function readPiece(piece: Uint8Array): PieceRecord[] {
  const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
  const records: PieceRecord[] = [];
  for (let at = 0; at < bytes.length;) {
    if (at + LENGTHS_BYTES > bytes.length) throw malformed(at);
    const restAt = at + LENGTHS_BYTES + bytes.readUInt32BE(at);
    const end = restAt + bytes.readUInt32BE(at + 4);
    if (end > bytes.length) throw malformed(at);
    const record = { place: bytes.subarray(at + LENGTHS_BYTES, restAt), rest: bytes.subarray(restAt, end) };
    if (!isCell(record)) throw malformed(at);
    records.push(record);
    at = end;
  }
  return records;
}

function isCell({ place, rest }: PieceRecord): boolean {
  if (place.length < 1 || rest.length < 7) return false;
  return (
    decodeCellKey(place, 0) !== undefined && openCell(Buffer.concat([Buffer.alloc(4), rest])) !== undefined
  );
}

function malformed(at: number): Fault {
  return new Fault('Malformed', `a piece of a snapshot holds no cell at byte ${at}: ask for it again`);
}
