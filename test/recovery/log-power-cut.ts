/**
 * A disk on which a process can be killed, or the power cut, at any operation. Real files, with notes of
 * what no fsync has covered yet. After a power cut each 512-byte sector of such a write is kept or lost, at
 * random and in any order, and of the names that were created, renamed or removed since their folder was
 * synced, the latest are forgotten. After a kill all that was written stays, unsynced as it was, and the
 * write under way may have been cut short.
 */
import { mkdirSync, rmSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { realFiles } from '../../storage-nodes/log/real-files.ts';
import type { FilePort, OpenFile } from '../../storage-nodes/log/files.ts';

const SECTOR_BYTES = 512;

type Unsynced = {
  readonly position: number;
  readonly before: Buffer;
  readonly sizeBefore: number;
};
/** A file, whatever its name is by now. */
type Inode = { path: string; unsynced: Unsynced[] };
type NameChange = { readonly folder: string; readonly undo: () => Promise<void> };
export type Failure = 'power' | 'kill';

export class FailingDisk {
  readonly random: () => number;
  readonly #trash: string;
  #trashed = 0;
  readonly #inodes = new Map<string, Inode>();
  names: NameChange[] = [];

  /** `random` gives numbers in [0, 1); `trash` is a folder for what was removed and may come back. */
  constructor(random: () => number, trash: string) {
    this.random = random;
    this.#trash = trash;
    mkdirSync(trash);
  }

  /** The files as a process sees them that fails at its operation number `failAt`. */
  run(failure: Failure, failAt = Infinity): Life {
    return new Life(this, failure, failAt);
  }

  inode(path: string): Inode {
    const inode = this.#inodes.get(path) ?? { path, unsynced: [] };
    this.#inodes.set(path, inode);
    return inode;
  }

  move(from: string, to: string): void {
    for (const [path, inode] of [...this.#inodes]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.#inodes.delete(path);
      inode.path = to + path.slice(from.length);
      this.#inodes.set(inode.path, inode);
    }
  }

  /** Where a file or folder is kept that has lost its name; undefined if there was none. */
  async throwAway(path: string): Promise<string | undefined> {
    const kept = join(this.#trash, String(this.#trashed++));
    try {
      await fs.rename(path, kept);
    } catch {
      return undefined;
    }
    this.move(path, kept);
    return kept;
  }

  async bringBack(kept: string, path: string): Promise<void> {
    await fs.rename(kept, path);
    this.move(kept, path);
  }

  async cutPower(): Promise<void> {
    for (const inode of this.#inodes.values()) await this.#loseSectors(inode);
    const lost = Math.floor(this.random() * (this.names.length + 1));
    for (const change of this.names.slice(this.names.length - lost).reverse()) await change.undo();
    this.names = [];
    this.#inodes.clear();
  }

  async #loseSectors({ path, unsynced }: Inode): Promise<void> {
    if (unsynced.length === 0) return;
    const handle = await fs.open(path, 'r+');
    try {
      const keep = this.random();
      for (const { position, before } of unsynced.reverse()) {
        for (let at = 0; at < before.length;) {
          const end = Math.min(before.length, at + SECTOR_BYTES - ((position + at) % SECTOR_BYTES));
          if (this.random() >= keep) await handle.write(before, at, end - at, position + at);
          at = end;
        }
      }
      const smallest = Math.min(...unsynced.map(({ sizeBefore }) => sizeBefore));
      const { size } = await handle.stat();
      if (smallest < size && this.random() < 0.5) {
        await handle.truncate(smallest + Math.floor(this.random() * (size - smallest)));
      }
    } finally {
      await handle.close();
    }
  }
}

/** One process's view of the disk, from its start to its end. */
export class Life implements FilePort {
  /** Resolves when the process is gone. Nothing that it still does then has any effect, or ever returns. */
  readonly ended: Promise<void>;
  operations = 0;
  #end!: () => void;
  #dead = false;
  readonly #disk: FailingDisk;
  readonly #failure: Failure;
  readonly #failAt: number;
  readonly #open = new Set<OpenFile>();
  readonly #busy = new Set<Promise<unknown>>();

  constructor(disk: FailingDisk, failure: Failure, failAt: number) {
    this.#disk = disk;
    this.#failure = failure;
    this.#failAt = failAt;
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  /** Ends the process if it has not ended itself; the disk is then as the next one finds it. */
  async bury(folder: string): Promise<void> {
    this.#dead = true;
    await Promise.allSettled(this.#busy);
    for (const file of this.#open) await file.close();
    if (this.#failure === 'power') await this.#disk.cutPower();
    // Its holder would be this very process, which is alive.
    rmSync(join(folder, 'lock'), { force: true });
  }

  open(path: string, mode: 'read' | 'write'): Promise<OpenFile> {
    if (mode === 'read')
      return this.#alive(async () => this.#track(await realFiles.open(path, mode), { path, unsynced: [] }));
    return this.#step(async () => {
      const isNew = await fs.access(path).then(
        () => false,
        () => true,
      );
      const inode = this.#disk.inode(path);
      const undo = async (): Promise<void> => void (await this.#disk.throwAway(inode.path));
      if (isNew) this.#disk.names.push({ folder: dirname(path), undo });
      return this.#track(await realFiles.open(path, mode), inode);
    });
  }

  list(folder: string): Promise<string[]> {
    return this.#alive(() => realFiles.list(folder));
  }
  readWhole(path: string): Promise<Buffer | undefined> {
    return this.#alive(() => realFiles.readWhole(path));
  }
  createNew(path: string, content: string): Promise<boolean> {
    return this.#alive(() => realFiles.createNew(path, content));
  }
  makeFolder(folder: string): Promise<void> {
    return this.#alive(() => realFiles.makeFolder(folder));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#step(async () => {
      const replaced = await this.#disk.throwAway(to);
      await realFiles.rename(from, to);
      this.#disk.move(from, to);
      const undo = async (): Promise<void> => {
        await this.#disk.bringBack(to, from);
        if (replaced) await this.#disk.bringBack(replaced, to);
      };
      this.#disk.names.push({ folder: dirname(to), undo });
    });
  }

  remove(path: string): Promise<void> {
    return this.#step(async () => {
      const kept = await this.#disk.throwAway(path);
      const undo = (): Promise<void> => this.#disk.bringBack(kept!, path);
      if (kept) this.#disk.names.push({ folder: dirname(path), undo });
    });
  }

  syncFolder(folder: string): Promise<void> {
    return this.#step(async (last) => {
      if (!last) this.#disk.names = this.#disk.names.filter((change) => change.folder !== folder);
    });
  }

  #track(file: OpenFile, inode: Inode): OpenFile {
    this.#open.add(file);
    return {
      readFully: (into, position) => this.#alive(() => file.readFully(into, position)),
      size: () => this.#alive(() => file.size()),
      writeAll: (buffers, position) =>
        this.#step(async (last) => {
          const all = Buffer.concat(buffers);
          const part = last && this.#failure === 'kill' ? this.#disk.random() : 1;
          const bytes = all.subarray(0, Math.floor(part * all.length));
          await note(file, inode, position, bytes.length);
          await file.writeAll([bytes], position);
        }),
      truncate: (length) =>
        this.#step(async () => {
          const size = await file.size();
          if (size > length) await note(file, inode, length, size - length);
          await file.truncate(length);
        }),
      datasync: () =>
        this.#step(async (last) => {
          if (!last) inode.unsynced = [];
        }),
      close: async () => {
        await this.#alive(() => file.close());
        this.#open.delete(file);
      },
    };
  }

  /** One operation that changes the disk. The last one happens, but its caller never learns. */
  #step<T>(task: (last: boolean) => Promise<T>): Promise<T> {
    return this.#alive(() => {
      const last = ++this.operations >= this.#failAt;
      if (last) {
        this.#dead = true;
        this.#end();
      }
      return task(last);
    });
  }

  async #alive<T>(task: () => Promise<T>): Promise<T> {
    if (this.#dead) return await new Promise<never>(() => undefined);
    const running = task();
    this.#busy.add(running);
    try {
      const result = await running;
      if (this.#dead) await new Promise<never>(() => undefined);
      return result;
    } finally {
      this.#busy.delete(running);
    }
  }
}

async function note(file: OpenFile, inode: Inode, position: number, length: number): Promise<void> {
  const before = Buffer.alloc(length);
  await file.readFully(before, position);
  inode.unsynced.push({ position, before, sizeBefore: await file.size() });
}
