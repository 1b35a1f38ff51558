/**
 * Wall clocks that jump: libfaketime between a process and its clock, told by a file how far to be off.
 * The monotonic clock stays true, as it does on a machine whose wall clock is set.
 */
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const LIBRARY_FOLDERS = ['/usr/lib', '/usr/lib64', '/usr/local/lib'];

/** The library's path; undefined if it is not installed. */
export function findClockLibrary(): string | undefined {
  for (const folder of LIBRARY_FOLDERS) {
    for (const name of ['.', ...namesIn(folder)]) {
      const path = join(folder, name, 'faketime');
      if (namesIn(path).includes('libfaketime.so.1')) return join(path, 'libfaketime.so.1');
    }
  }
  return undefined;
}

/** What a process is started with, so that it reads its offset from the file about once a second. */
export function clockEnvironment(library: string, file: string): Record<string, string> {
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

export function setClock(file: string, offsetSeconds: number): void {
  // Replaced whole: a reader never finds half of it.
  writeFileSync(`${file}.new`, `${offsetSeconds < 0 ? '-' : '+'}${Math.abs(offsetSeconds)}\n`);
  renameSync(`${file}.new`, file);
}

/** Removes what the library leaves behind in shared memory when its process is killed. */
export function forgetClockOf(pid: number): void {
  for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`]) {
    rmSync(join('/dev/shm', name), { force: true });
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
