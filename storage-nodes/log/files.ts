/**
 * The file operations the log needs, as a port, so that a test can make a write or an fsync fail as
 * a real disk would. `realFiles` is the one over node:fs/promises.
 *
 * `writeAll` and `readFully` hide short writes and reads; everything else is the system call.
 */
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
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

export interface FilePort {
  /** `write`: read and write, created when missing. */
  open(path: string, mode: 'read' | 'write'): Promise<OpenFile>;
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

class RealFile implements OpenFile {
  readonly #handle: fs.FileHandle;
  constructor(handle: fs.FileHandle) {
    this.#handle = handle;
  }

  async readFully(into: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const { bytesRead } = await this.#handle.read(into, done, into.length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async writeAll(buffers: Uint8Array[], position: number): Promise<void> {
    let total = 0;
    for (const buffer of buffers) total += buffer.length;
    let { bytesWritten } = await this.#handle.writev(buffers, position);
    // A short write happens when the disk fills up: the next call then gives the reason.
    while (bytesWritten < total) {
      const rest = remaining(buffers, bytesWritten);
      bytesWritten += (await this.#handle.writev(rest, position + bytesWritten)).bytesWritten;
    }
  }

  async datasync(): Promise<void> {
    await this.#handle.datasync();
  }
  async truncate(length: number): Promise<void> {
    await this.#handle.truncate(length);
  }
  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }
  async close(): Promise<void> {
    await this.#handle.close();
  }
}

function remaining(buffers: readonly Uint8Array[], written: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (written >= buffer.length) written -= buffer.length;
    else {
      rest.push(buffer.subarray(written));
      written = 0;
    }
  }
  return rest;
}

const isCode = (error: unknown, ...codes: string[]): boolean =>
  codes.includes((error as NodeJS.ErrnoException | undefined)?.code ?? '');

export const isNoRoom = (error: unknown): boolean => isCode(error, 'ENOSPC', 'EDQUOT');

export const realFiles: FilePort = {
  async open(path, mode) {
    const flags = mode === 'read' ? constants.O_RDONLY : constants.O_RDWR | constants.O_CREAT;
    return new RealFile(await fs.open(path, flags, 0o600));
  },
  async list(folder) {
    try {
      return await fs.readdir(folder);
    } catch (error) {
      if (isCode(error, 'ENOENT')) return [];
      throw error;
    }
  },
  async readWhole(path) {
    try {
      return await fs.readFile(path);
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  },
  async createNew(path, content) {
    try {
      await fs.writeFile(path, content, { flag: 'wx', mode: 0o600 });
      return true;
    } catch (error) {
      if (isCode(error, 'EEXIST')) return false;
      throw error;
    }
  },
  async makeFolder(folder) {
    await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  },
  async rename(from, to) {
    await fs.rename(from, to);
  },
  async remove(path) {
    await fs.rm(path, { recursive: true, force: true });
  },
  async syncFolder(folder) {
    const handle = await fs.open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

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
