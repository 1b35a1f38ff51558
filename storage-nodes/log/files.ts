/**
 * The file operations the log needs, as a port, so that a test can make a write or an fsync fail as
 * a real disk would (real-files.ts is the one over the system's calls); and what a failure means.
 *
 * `writeAll` and `readFully` hide short writes and reads; everything else is the system call.
 */
import { dirname } from 'node:path';
import { Fault } from '../faults.ts';

export interface OpenFile {
  /** Fills `into` from `position` on; returns how many bytes there were (fewer only at the end of the file). */
  readFully(into: Uint8Array, position: number): Promise<number>;
  /** Writes all buffers, one after the other, from `position` on, with as few calls as possible. */
  writeAll(buffers: Uint8Array[], position: number): Promise<void>;
  datasync(): Promise<void>;
  /** Told of a failed sync after which what is in the file cannot be relied on any more. */
  distrust?(error: unknown): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export type OpenMode = 'read' | 'write' | 'journal';

export interface FilePort {
  /** `write`: read and write, created when missing. `journal`: the same, for small synced writes, one at a time. */
  open(path: string, mode: OpenMode): Promise<OpenFile>;
  /** Names in a folder; none if there is no such folder. */
  list(folder: string): Promise<string[]>;
  /** The whole file, or undefined if there is none. */
  readWhole(path: string): Promise<Buffer | undefined>;
  /** Creates the file; false if it exists. */
  createNew(path: string, content: string): Promise<boolean>;
  makeFolder(folder: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A file or a whole folder; nothing happens if it is not there. */
  remove(path: string): Promise<void>;
  /** Makes created, renamed and removed names of a folder durable. */
  syncFolder(folder: string): Promise<void>;
}

export const isNoRoom = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException | undefined)?.code ?? '');

/** Replaces a file as a whole: after a crash it holds the old bytes or the new ones. */
export async function replaceFile(files: FilePort, path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.new`;
  const file = await files.open(draft, 'write');
  try {
    await file.truncate(0);
    await file.writeAll([bytes], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await files.rename(draft, path);
  await files.syncFolder(dirname(path));
}

/**
 * Syncs a file that others rely on. After a failure nobody knows what is on disk, whatever the
 * reason was, and a second try would report success falsely: so it is final (rule 12).
 */
export async function syncForGood(file: OpenFile, what: string): Promise<void> {
  try {
    await file.datasync();
  } catch (error) {
    await file.distrust?.(error);
    const reason = error instanceof Error ? error.message : String(error);
    const advice = 'Check the disk, then restart the node.';
    throw new Fault('DiskFailed', `fsync of ${what} failed: ${reason}. ${advice}`, { cause: error });
  }
}

/**
 * No room is temporary; any other failure of a disk is final for the process (rule 12). What is no
 * failure of the system is a defect, and thrown as it is.
 */
export function diskFault(error: unknown, doing: string): Fault {
  if (error instanceof Fault) return error;
  if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error;
  const reason = error instanceof Error ? error.message : String(error);
  if (isNoRoom(error)) {
    return new Fault('DiskFull', `No room on the disk while ${doing}: free some space. (${reason})`, {
      cause: error,
    });
  }
  return new Fault(
    'DiskFailed',
    `The disk failed while ${doing}: ${reason}. Replace or check it, then restart the node.`,
    {
      cause: error,
    },
  );
}
