/** A disk that is small enough to be filled: a tmpfs of its own, mounted where a node keeps its data. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Several journal files of 64 MiB, and room for cells. */
const SIZE = '640m';
const BALLAST = 'ballast';
const PIECE = Buffer.alloc(256 * 1024);

export class SmallDisk {
  readonly folder: string;

  /** Undefined if this user may not mount. */
  static mount(folder: string): SmallDisk | undefined {
    mkdirSync(folder, { recursive: true });
    const { status } = spawnSync('mount', [
      '-t',
      'tmpfs',
      '-o',
      `size=${SIZE},mode=700`,
      'penncloud-chaos',
      folder,
    ]);
    return status === 0 ? new SmallDisk(folder) : undefined;
  }

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Takes all the room that is left. */
  fill(): void {
    const file = openSync(join(this.folder, BALLAST), 'a');
    try {
      for (let size = PIECE.length; size >= 1; size = Math.floor(size / 4)) this.#writeAll(file, size);
    } finally {
      closeSync(file);
    }
  }

  #writeAll(file: number, size: number): void {
    try {
      while (writeSync(file, PIECE, 0, size) === size);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  makeRoom(): void {
    rmSync(join(this.folder, BALLAST), { force: true });
  }

  wipe(): void {
    for (const name of readdirSync(this.folder)) rmSync(join(this.folder, name), { recursive: true });
  }

  /** Requires: nobody has a file open there. */
  unmount(): void {
    const { status, stderr } = spawnSync('umount', [this.folder]);
    if (status !== 0) throw new Error(`${this.folder} could not be unmounted: ${String(stderr).trim()}`);
  }
}
