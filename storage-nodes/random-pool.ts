/**
 * Random bytes for salts, drawn from the system some thousands at a time: a call for sixteen costs as much.
 * No byte is handed out twice.
 */
import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 8192;

export function randomPool(): (into: Uint8Array) => Uint8Array {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return (into) => {
    if (into.length > POOL_BYTES) return randomFillSync(into);
    if (used + into.length > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    into.set(pool.subarray(used, used + into.length));
    used += into.length;
    return into;
  };
}
