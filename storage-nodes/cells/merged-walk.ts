/**
 * A walk over RocksDB as it will be once the puts given are there too. Both are of the moment of the call:
 * RocksDB by its snapshot, the puts because they are handed in.
 */
import { compareKeys } from './cell-key.ts';
import type { Cursor, Put, RocksBinding, Visit, Walk } from './rocksdb-binding.ts';

/** As `RocksBinding.walk`; `puts` in any order, each key once. */
export function mergedWalk(
  binding: RocksBinding,
  walk: Walk,
  puts: readonly Put[],
  visit: Visit,
): Promise<boolean> {
  const cursor = mergedCursor(binding, walk, puts);
  return cursor.walk(visit).finally(() => cursor.end());
}

/** As `RocksBinding.cursor`. */
export function mergedCursor(binding: RocksBinding, walk: Walk, puts: readonly Put[]): Cursor {
  const sign = walk.reverse ? -1 : 1;
  // A reverse walk begins below its start, a forward one at it.
  const isAhead = ({ key }: Put): boolean => {
    const order = compareKeys(key, walk.start);
    return walk.reverse ? order < 0 : order >= 0;
  };
  const ahead = puts.filter(isAhead).sort((a, b) => sign * compareKeys(a.key, b.key));
  const cursor = binding.cursor(walk);
  if (ahead.length === 0) return cursor;
  let next = 0;
  /** Met in RocksDB when the visitor had enough with a put before it. */
  let held: { readonly key: Buffer; readonly value: Buffer } | undefined;
  const meet = (key: Buffer, value: Buffer, visit: Visit): boolean => {
    while (next < ahead.length) {
      const put = ahead[next]!;
      const order = sign * compareKeys(put.key, key);
      if (order > 0) break;
      next++;
      if (order === 0) return put.value === undefined || visit(put.key, put.value);
      if (put.value === undefined || visit(put.key, put.value)) continue;
      held = { key, value };
      return false;
    }
    return visit(key, value);
  };
  return {
    async walk(visit) {
      const first = held;
      held = undefined;
      if (first && !meet(first.key, first.value, visit)) return true;
      return cursor.walk((key, value) => meet(key, value, visit));
    },
    end: () => cursor.end(),
  };
}
