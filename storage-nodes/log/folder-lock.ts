/**
 * One process at a time has a log open: a file `lock` names it. A lock is stale when its process is
 * gone: another boot of the machine, no such pid, or that pid given to a process that started at
 * another time. A lock copied along with its folder (a restored backup) is stale too.
 */
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../faults.ts';
import type { FilePort } from './files.ts';

type Holder = {
  readonly pid: number;
  readonly started: string;
  readonly boot: string;
  readonly folder: string;
};

export class FolderLock {
  readonly #files: FilePort;
  readonly #path: string;
  #held = false;

  constructor(files: FilePort, folder: string) {
    this.#files = files;
    this.#path = join(folder, 'lock');
  }

  /** Throws Fault Unavailable, naming the process, if another live one holds the folder. */
  async take(): Promise<void> {
    const folder = await realpath(join(this.#path, '..'));
    const own: Holder = {
      pid: process.pid,
      started: await startOf(process.pid),
      boot: await bootId(),
      folder,
    };
    for (let attempt = 0; attempt < 3; attempt++) {
      if (await this.#files.createNew(this.#path, JSON.stringify(own))) {
        this.#held = true;
        return;
      }
      const found = await this.#read(this.#path);
      if (found && (await isAlive(found, own))) throw this.#refusal(found);
      await this.#discard(found, own);
    }
    throw this.#refusal(await this.#read(this.#path));
  }

  async release(): Promise<void> {
    if (this.#held) await this.#files.remove(this.#path);
    this.#held = false;
  }

  #refusal(holder: Holder | undefined): Fault {
    const who = holder ? `process ${holder.pid}` : 'another process';
    return new Fault(
      'Unavailable',
      `The log folder ${join(this.#path, '..')} is in use by ${who}: stop it first, or give this node another folder.`,
    );
  }

  async #read(path: string): Promise<Holder | undefined> {
    const text = await this.#files.readWhole(path);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text.toString()) as Holder;
    } catch {
      return undefined; // Written in part by a process that died, or being written: `take` tries again.
    }
  }

  /** Moves a stale lock away. If a live one turns up in its place (a race), that one is put back. */
  async #discard(stale: Holder | undefined, own: Holder): Promise<void> {
    const aside = `${this.#path}.stale-${process.pid}`;
    try {
      await this.#files.rename(this.#path, aside);
    } catch {
      return; // Someone else was faster.
    }
    const moved = await this.#read(aside);
    if (moved && JSON.stringify(moved) !== JSON.stringify(stale) && (await isAlive(moved, own))) {
      await this.#files.rename(aside, this.#path);
      throw this.#refusal(moved);
    }
    await this.#files.remove(aside);
  }
}

async function isAlive(holder: Holder, own: Holder): Promise<boolean> {
  if (holder.folder !== own.folder || holder.boot !== own.boot) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return holder.started === (await startOf(holder.pid));
}

/** When a process started, in ticks since boot; '' where the system does not say. */
async function startOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field, the program's name, may hold blanks and brackets; the start time is the 22nd.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

async function bootId(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  } catch {
    return '';
  }
}
