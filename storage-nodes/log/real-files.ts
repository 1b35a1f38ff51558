/** The files of the system, by the calls of node:fs/promises (files.ts is the port). */
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { FilePort, OpenFile } from './files.ts';
import { PromptFile } from './prompt-file.ts';

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

const isCode = (error: unknown, code: string): boolean =>
  (error as NodeJS.ErrnoException | undefined)?.code === code;

export const realFiles: FilePort = {
  async open(path, mode) {
    const flags = mode === 'read' ? constants.O_RDONLY : constants.O_RDWR | constants.O_CREAT;
    const handle = await fs.open(path, flags, 0o600);
    const file = new RealFile(handle);
    return mode === 'journal' ? new PromptFile(file, handle.fd) : file;
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
