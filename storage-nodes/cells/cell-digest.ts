/**
 * The digest of a tablet's cells: sha256 over all records in key order, each as
 *
 *   length of place u32 | length of rest u32 | place | rest
 *   place = space u8 | row… 00 01 | column…          the key behind tablet and generation (cell-key.ts)
 *   rest  = seq u48 | flag u8 | payload              the value behind its checksum (cell-value.ts)
 *
 * so that it depends on nothing but the cells: not on the node, the engine or the generation.
 */
import type { Hash } from 'node:crypto';
import { digestible } from './cell-value.ts';

export function digestRecord(hash: Hash, place: Buffer, value: Buffer): void {
  const rest = digestible(value);
  const lengths = Buffer.allocUnsafe(8);
  lengths.writeUInt32BE(place.length, 0);
  lengths.writeUInt32BE(rest.length, 4);
  hash.update(lengths).update(place).update(rest);
}
