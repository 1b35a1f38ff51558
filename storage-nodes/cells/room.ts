/** Whether a store that ran out of room can be opened again: RocksDB then writes what it had in memory. */
import { open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../faults.ts';
import { WRITE_BUFFER_BYTES } from './rocksdb-binding.ts';

/** Two write buffers, and room for what it does next. */
const ROOM_BYTES = 3 * WRITE_BUFFER_BYTES;
const PIECE = Buffer.alloc(1024 * 1024);

/** Rejects with Fault DiskFull. Quotas and other writers count, so it is tried, and not only looked up. */
export async function requireRoom(folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < ROOM_BYTES) throw noRoom(folder);
  const path = join(folder, 'room');
  const file = await open(path, 'w');
  try {
    for (let bytes = 0; bytes < ROOM_BYTES; bytes += PIECE.length) await file.write(PIECE);
    await file.datasync();
  } catch (error) {
    throw noRoom(folder, error);
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}

function noRoom(folder: string, cause?: unknown): Fault {
  const text = `cells in ${folder}: the disk is full; free ${ROOM_BYTES / 1024 / 1024} MiB or more`;
  return new Fault('DiskFull', text, { cause });
}
