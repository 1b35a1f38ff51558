/**
 * A node's disk in memory, with notes of what no fsync has covered yet. After a power cut each 512-byte
 * sector of such a write is kept or lost, in any order, and of the names that were created, renamed or
 * removed since their folder was synced, the latest are forgotten. After a kill all that was written
 * stays. What is damaged behind everyone's back is noted too, until it is written over.
 */
import type { Random } from '../engine/random.ts';

const SECTOR_BYTES = 512;

type Unsynced = {
  readonly position: number;
  readonly length: number;
  /** As far as there was anything before. */
  readonly before: Buffer;
  readonly sizeBefore: number;
  /** Damage that this write hides, unless it is lost itself. */
  readonly hides: readonly Range[];
};
export type Range = { from: number; to: number };

/** A file, whatever its name is by now. */
export class Inode {
  bytes = Buffer.alloc(0);
  size = 0;
  unsynced: Unsynced[] = [];
  /** Written, said to be synced after a failure, and never to reach the disk (what Linux does). */
  forgotten: Unsynced[] = [];
  damaged: Range[] = [];
  /** Where the last write ended. */
  writtenTo = 0;

  read(into: Uint8Array, position: number): number {
    const end = Math.min(this.size, position + into.length);
    if (position >= end) return 0;
    this.bytes.copy(into, 0, position, end);
    return end - position;
  }

  write(source: Uint8Array, position: number): void {
    const end = position + source.length;
    this.#noteChange(position, end);
    this.#reserve(end);
    this.bytes.set(source, position);
    if (end > this.size) this.size = end;
    this.writtenTo = end;
  }

  truncate(length: number): void {
    if (length < this.size) this.#noteChange(length, this.size);
    this.#reserve(length);
    this.bytes.fill(0, length, Math.max(length, this.size));
    this.size = length;
  }

  /** Takes the first `count` unsynced writes to the disk. */
  synced(count: number): void {
    this.unsynced.splice(0, count);
  }

  /** The fsync failed: the kernel calls the pages clean, and some never reach the disk. */
  forget(random: Random): void {
    this.forgotten.push(...this.unsynced.filter(() => random.chance(0.7)));
    this.unsynced = [];
  }

  losePower(random: Random): void {
    const lost = [...this.forgotten, ...this.unsynced];
    if (lost.length === 0) return;
    const keep = this.forgotten.length > 0 ? 0 : random.pick([0, 1, random.next()]);
    const smallest = Math.min(...lost.map(({ sizeBefore }) => sizeBefore));
    this.unsynced = [];
    this.forgotten = [];
    for (const { position, length, before, hides } of lost.reverse()) {
      this.damaged.push(...hides);
      for (let at = 0; at < length;) {
        const end = Math.min(length, at + SECTOR_BYTES - ((position + at) % SECTOR_BYTES));
        if (random.next() >= keep) this.#putBack(position, before, at, end);
        at = end;
      }
    }
    if (smallest < this.size && keep < 1 && random.chance(0.5)) {
      const size = smallest + random.below(this.size - smallest);
      this.bytes.fill(0, size, this.size);
      this.size = size;
    }
  }

  /** Behind everyone's back. */
  damage(from: number, to: number, change: (bytes: Buffer) => void): void {
    change(this.bytes.subarray(from, to));
    this.damaged.push({ from, to });
  }

  #noteChange(from: number, to: number): void {
    const before = Buffer.from(this.bytes.subarray(from, Math.max(from, Math.min(to, this.size))));
    const isHidden = (range: Range): boolean => range.from >= from && range.to <= to;
    const hides = this.damaged.length > 0 ? this.damaged.filter(isHidden) : [];
    if (hides.length > 0) this.damaged = this.damaged.filter((range) => !isHidden(range));
    this.unsynced.push({ position: from, length: to - from, before, sizeBefore: this.size, hides });
    if (this.forgotten.length > 0)
      this.forgotten = this.forgotten.filter(
        ({ position, length }) => position + length <= from || position >= to,
      );
  }

  #putBack(position: number, before: Buffer, from: number, to: number): void {
    this.#reserve(position + to);
    this.bytes.fill(0, position + from, position + to);
    if (from < before.length) before.copy(this.bytes, position + from, from, Math.min(to, before.length));
    if (position + to > this.size) this.size = position + to;
  }

  #reserve(length: number): void {
    if (length <= this.bytes.length) return;
    const grown = Buffer.alloc(Math.max(length, this.bytes.length * 2, 1024));
    this.bytes.copy(grown, 0, 0, this.size);
    this.bytes = grown;
  }
}

type NameChange = { readonly folder: string; readonly undo: () => void };

export class Disk {
  readonly files = new Map<string, Inode>();
  readonly folders = new Set<string>();
  #names: NameChange[] = [];
  full = false;
  /** A full disk that refuses also to write over what is there (copy on write). */
  fullForAll = false;
  /** A part of the journal's last write stands there, for which there was no room: the end looks torn by now. */
  halfWritten = false;
  failSyncs = false;
  /** Told of each write before it is done, but of those that only make room. */
  watch: ((path: string, position: number) => void) | undefined;
  /** The next write lands elsewhere in its file. */
  misdirect = false;
  /** Asked before anything is lost that was, or may be, acknowledged. */
  mayLose: () => boolean = () => true;
  /** Asked before a write is left half done. */
  mayTear: () => boolean = () => true;
  /** Told when something was lost. */
  onLost: () => void = () => undefined;

  create(path: string): Inode {
    const inode = new Inode();
    this.files.set(path, inode);
    this.#changed(path, () => this.files.delete(path));
    return inode;
  }

  /** Names in a folder: files and folders. */
  list(folder: string): string[] {
    const prefix = `${folder}/`;
    const names = new Set<string>();
    for (const path of this.files.keys())
      if (path.startsWith(prefix)) names.add(path.slice(prefix.length).split('/')[0]!);
    for (const path of this.folders)
      if (path.startsWith(prefix)) names.add(path.slice(prefix.length).split('/')[0]!);
    return [...names].sort();
  }

  rename(from: string, to: string): void {
    const replaced = this.files.get(to);
    this.#move(from, to);
    this.#changed(to, () => {
      this.#move(to, from);
      if (replaced) this.files.set(to, replaced);
    });
  }

  remove(path: string): void {
    const within = (one: string): boolean => one === path || one.startsWith(`${path}/`);
    const files = [...this.files].filter(([one]) => within(one));
    const folders = [...this.folders].filter(within);
    for (const [one] of files) this.files.delete(one);
    for (const folder of folders) this.folders.delete(folder);
    if (files.length === 0 && folders.length === 0) return;
    this.#changed(path, () => {
      for (const [one, inode] of files) this.files.set(one, inode);
      for (const folder of folders) this.folders.add(folder);
    });
  }

  syncFolder(folder: string): void {
    this.#names = this.#names.filter((change) => change.folder !== folder);
  }

  losePower(random: Random): void {
    for (const inode of this.files.values()) inode.losePower(random);
    const lost = random.below(this.#names.length + 1);
    for (const { undo } of this.#names.slice(this.#names.length - lost).reverse()) undo();
    this.#names = [];
  }

  wipe(): void {
    this.halfWritten = false;
    this.files.clear();
    this.folders.clear();
    this.#names = [];
  }

  /** Some byte of some file is not what was written. */
  get damaged(): boolean {
    for (const inode of this.files.values())
      if (inode.damaged.length > 0 || inode.forgotten.length > 0) return true;
    return false;
  }

  /** A copy of all bytes, to go back to. */
  snapshot(): Map<string, Buffer> {
    return new Map(
      [...this.files].map(([path, { bytes, size }]) => [path, Buffer.from(bytes.subarray(0, size))]),
    );
  }

  restore(snapshot: ReadonlyMap<string, Buffer>): void {
    this.files.clear();
    this.#names = [];
    for (const [path, bytes] of snapshot) {
      const inode = new Inode();
      inode.bytes = Buffer.from(bytes);
      inode.size = bytes.length;
      this.files.set(path, inode);
    }
  }

  #move(from: string, to: string): void {
    const within = (path: string): boolean => path === from || path.startsWith(`${from}/`);
    const moved = (path: string): string => to + path.slice(from.length);
    for (const [path, inode] of [...this.files].filter(([path]) => within(path))) {
      this.files.delete(path);
      this.files.set(moved(path), inode);
    }
    for (const path of [...this.folders].filter(within)) {
      this.folders.delete(path);
      this.folders.add(moved(path));
    }
  }

  #changed(path: string, undo: () => void): void {
    this.#names.push({ folder: path.slice(0, path.lastIndexOf('/')), undo });
  }
}
