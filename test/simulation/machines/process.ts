/**
 * One life of a process on a machine: its clock, its timers, its view of the disk. It can be paused: what
 * would happen to it waits. It can be killed at any operation that others could see, before or after it:
 * from then on nothing that it still does has any effect, and nothing that it waits for ever comes.
 */
import type { FilePort, OpenFile } from '../../../storage-nodes/log/files.ts';
import type { Timers } from '../../../storage-nodes/timers.ts';
import type { World } from '../engine/world.ts';
import type { Disk, Inode } from './disk.ts';

const NEVER = new Promise<never>(() => undefined);

export type Delays = { readonly syncMs: () => number; readonly writeMs: () => number };

/** What outlives a process. */
export class Machine {
  pausedUntil = 0;
  /** Its disk takes so much longer, ms. */
  slowMs = 0;
  /** Wall clock minus the world's time, ms. */
  wallOffset: number;
  /** Seconds of its clocks in one of the world's: drift, within what grace and lease allow. */
  readonly rate: number;
  readonly world: World;
  readonly disk: Disk;
  readonly delays: Delays;
  readonly name: string;

  constructor(
    name: string,
    world: World,
    disk: Disk,
    delays: Delays,
    clocks: { rate: number; wallOffset: number },
  ) {
    this.name = name;
    this.world = world;
    this.disk = disk;
    this.delays = delays;
    this.rate = clocks.rate;
    this.wallOffset = clocks.wallOffset;
  }
}

export class Process {
  readonly machine: Machine;
  readonly #world: World;
  readonly #onDeath: () => void;
  /** Operations left to it; then it dies. */
  #operations: number;
  #dead = false;
  /** A sync or a write failed here: the process may give up. */
  diskFailed = false;
  /** When a write was last refused for want of room, in the world's time. */
  refusedAt = -Infinity;

  constructor(machine: Machine, operations: number, onDeath: () => void) {
    this.machine = machine;
    this.#world = machine.world;
    this.#operations = operations;
    this.#onDeath = onDeath;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** Monotonic, ms. */
  get now(): number {
    return this.#world.now * this.machine.rate + 1000;
  }

  get clock(): number {
    return Math.floor(1_700_000_000_000 + this.#world.now * this.machine.rate + this.machine.wallOffset);
  }

  readonly timers: Timers = {
    after: (ms, run) => {
      let cancelled = false;
      this.later(ms / this.machine.rate, () => {
        if (!cancelled) run();
      });
      return () => {
        cancelled = true;
      };
    },
    soon: (run) => this.later(0, run),
  };

  /** Runs in this life, and not while the process is paused. `delayMs` of the world's time. */
  later(delayMs: number, run: () => void): void {
    this.#world.after(delayMs, () => this.happens(run));
  }

  /** Now, or when the process goes on. */
  happens(run: () => void): void {
    if (this.#dead) return;
    const { pausedUntil } = this.machine;
    if (this.#world.now < pausedUntil) {
      this.#world.after(pausedUntil - this.#world.now, () => this.happens(run));
      return;
    }
    run();
  }

  die(): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#onDeath();
  }

  /** It dies by itself, after so many operations more at most. */
  dieWithin(operations: number): void {
    this.#operations = Math.min(this.#operations, operations);
  }

  /** Called for whatever others could see of this process. False: it is dead, and must have no effect. */
  acts(): boolean {
    if (this.#dead) return false;
    if (--this.#operations > 0) return true;
    // Death comes behind this operation or before it.
    const before = this.#world.random.chance(0.5);
    this.die();
    return !before;
  }

  readonly files: FilePort = {
    open: async (path, mode) => {
      if (this.#dead) return NEVER;
      const { disk } = this.machine;
      let inode = disk.files.get(path);
      if (!inode) {
        if (mode === 'read') throw failure('ENOENT', path);
        if (!this.acts()) return NEVER;
        if (disk.full) throw this.#noRoom(path);
        inode = disk.create(path);
      }
      return this.#opened(path, inode);
    },
    list: async (folder) => (this.#dead ? NEVER : this.machine.disk.list(folder)),
    readWhole: async (path) => {
      if (this.#dead) return NEVER;
      const inode = this.machine.disk.files.get(path);
      return inode && Buffer.from(inode.bytes.subarray(0, inode.size));
    },
    createNew: async (path, content) => {
      if (this.#dead || !this.acts()) return NEVER;
      if (this.machine.disk.files.has(path)) return false;
      this.machine.disk.create(path).write(Buffer.from(content), 0);
      return true;
    },
    makeFolder: async (folder) => {
      if (this.#dead || !this.acts()) return NEVER;
      this.machine.disk.folders.add(folder);
    },
    rename: async (from, to) => {
      if (this.#dead || !this.acts()) return NEVER;
      this.machine.disk.rename(from, to);
      if (this.#dead) return NEVER;
    },
    remove: async (path) => {
      if (this.#dead || !this.acts()) return NEVER;
      this.machine.disk.remove(path);
      if (this.#dead) return NEVER;
    },
    syncFolder: (folder) =>
      this.#takes(this.machine.slowMs + this.machine.delays.syncMs() / 4, () =>
        this.machine.disk.syncFolder(folder),
      ),
  };

  #opened(path: string, inode: Inode): OpenFile {
    const { disk, delays } = this.machine;
    return {
      readFully: async (into, position) => (this.#dead ? NEVER : inode.read(into, position)),
      size: async () => (this.#dead ? NEVER : inode.size),
      writeAll: (buffers, position) => {
        const bytes = buffers.length === 1 ? buffers[0]! : Buffer.concat(buffers);
        return this.#takes(delays.writeMs(), () => this.#write(path, inode, bytes, position));
      },
      truncate: async (length) => {
        if (this.#dead || !this.acts()) return NEVER;
        if (disk.full && length > inode.size) throw this.#noRoom(path);
        inode.truncate(length);
        if (this.#dead) return NEVER;
      },
      datasync: () => {
        const count = inode.unsynced.length;
        return this.#takes(this.machine.slowMs + delays.syncMs(), () => {
          if (!disk.failSyncs || !disk.mayLose()) return inode.synced(count);
          this.diskFailed = true;
          this.#world.count('failed fsync');
          inode.forget(this.#world.random);
          disk.onLost();
          throw failure('EIO', path);
        });
      },
      close: async () => {
        if (this.#dead) return NEVER;
      },
    };
  }

  #write(path: string, inode: Inode, bytes: Uint8Array, position: number): void {
    const { disk } = this.machine;
    const { random } = this.#world;
    if (disk.misdirect && inode.size > 0 && disk.mayLose()) {
      disk.misdirect = false;
      disk.onLost();
      this.#world.count('misdirected write');
      const from = random.below(inode.size);
      const to = Math.min(inode.size, from + bytes.length);
      inode.damage(from, to, (there) => there.set(bytes.subarray(0, to - from)));
      // Where it should have gone, the old bytes stay, or nothing.
      const end = position + bytes.length;
      if (end > inode.size) inode.truncate(end);
      inode.damage(position, end, () => undefined);
      return;
    }
    const isJournal = path.includes('/journal/') && !isBlank(bytes);
    if (disk.watch && !isBlank(bytes)) disk.watch(path, position);
    const grows = position + bytes.length > inode.size;
    if (disk.full && (grows || disk.fullForAll)) {
      if (disk.mayTear()) {
        const part = bytes.subarray(0, random.below(bytes.length + 1));
        inode.write(part, position);
        if (isJournal && part.length > 0) disk.halfWritten = true;
      }
      throw this.#noRoom(path);
    }
    // Death in the middle leaves a part of it.
    const isTorn = this.#dead && random.chance(0.5) && disk.mayTear();
    const length = isTorn ? random.below(bytes.length + 1) : bytes.length;
    inode.write(bytes.subarray(0, length), position);
    if (isJournal && !isTorn) disk.halfWritten = false;
  }

  #noRoom(path: string): NodeJS.ErrnoException {
    this.#world.count('refused write');
    this.refusedAt = this.#world.now;
    return failure('ENOSPC', path);
  }

  /** An operation that takes its time. One that is cut off by death may be done in part. */
  #takes(delayMs: number, effect: () => void): Promise<void> {
    if (this.#dead) return NEVER;
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        if (!this.acts()) return;
        try {
          effect();
        } catch (error) {
          return reject(error as Error);
        }
        if (!this.#dead) resolve();
      };
      if (delayMs === 0) finish();
      else this.later(delayMs, finish);
    });
  }
}

/** As files are made ready for use. */
function isBlank(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}

function failure(code: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
