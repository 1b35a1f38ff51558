/**
 * What the disk itself does, by the simplest program that could: one writer, synced writes one after the
 * other into a file that was preallocated with zeros, as a journal's segments are.
 */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Histogram } from '../load/histogram.ts';
import { randomFrom } from '../load/workload.ts';

export type DiskRate = {
  readonly writeBytes: number;
  readonly writesPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
};

const FILE_BYTES = 64 * 1024 * 1024;

/** Blocks the event loop for `seconds`, and a little more. */
export function measureDisk(folder: string, writeBytes: number, seconds: number): DiskRate {
  const file = join(folder, `disk-${writeBytes}`);
  const data = Buffer.allocUnsafe(writeBytes);
  const random = randomFrom(writeBytes);
  for (let at = 0; at + 4 <= writeBytes; at += 4) data.writeUInt32LE(random() * 2 ** 32, at);
  const handle = openSync(file, 'w');
  try {
    for (let at = 0; at < FILE_BYTES; at += 1024 * 1024) writeSync(handle, Buffer.alloc(1024 * 1024));
    fdatasyncSync(handle);
    const histogram = new Histogram();
    const start = performance.now();
    let writes = 0;
    let now = start;
    while (now < start + seconds * 1000) {
      writeSync(handle, data, 0, writeBytes, (writes++ * writeBytes) % FILE_BYTES);
      fdatasyncSync(handle);
      const after = performance.now();
      histogram.record(after - now);
      now = after;
    }
    const elapsed = (now - start) / 1000;
    return {
      writeBytes,
      writesPerSecond: writes / elapsed,
      megabytesPerSecond: (writes * writeBytes) / elapsed / 1e6,
      p50Ms: histogram.percentile(0.5),
      p99Ms: histogram.percentile(0.99),
    };
  } finally {
    closeSync(handle);
    rmSync(file, { force: true });
  }
}
