/**
 * Stands between the log and its files, and sees each sync that fails (rule 12). After such a failure the
 * kernel may show bytes that it will never write: the files read well, and are missing some day. So the first
 * one leaves a mark before the failure is reported, and the next opening trusts no tablet of this log.
 *
 *   <folder>/fsync-failed     what failed, as text
 *
 * A sync that found no room is only marked where it is final (`syncForGood`): elsewhere the file is thrown
 * away and written anew. If the mark cannot be written, or takes long, the failure is reported all the same.
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { pause, type Timers } from '../timers.ts';
import { isNoRoom, type FilePort, type OpenFile } from './files.ts';
import type { Damage } from './log.ts';

const MARK_MS_MAX = 2000;

export class SyncGuard {
  /** What the log works with. */
  readonly files: FilePort;
  readonly #real: FilePort;
  readonly #folder: string;
  readonly #timers: Timers;
  readonly #logger: Logger | undefined;
  #marking: Promise<void> | undefined;

  constructor(real: FilePort, folder: string, timers: Timers, logger: Logger | undefined) {
    this.#real = real;
    this.#folder = folder;
    this.#timers = timers;
    this.#logger = logger;
    this.files = {
      open: async (path, mode) => this.#guarded(await real.open(path, mode), path),
      list: (name) => real.list(name),
      readWhole: (path) => real.readWhole(path),
      createNew: (path, content) => real.createNew(path, content),
      makeFolder: (name) => real.makeFolder(name),
      rename: (from, to) => real.rename(from, to),
      remove: (path) => real.remove(path),
      syncFolder: (name) => this.#watched(real.syncFolder(name), name),
    };
  }

  /** The mark of an earlier run, as what is wrong with every tablet. */
  async mark(): Promise<Damage | undefined> {
    const text = await this.#real.readWhole(this.#path);
    if (text === undefined) return undefined;
    const what = text.toString('utf8').trim();
    return { file: this.#path, offset: 0, reason: `an fsync failed in an earlier run (${what})` };
  }

  /** Requires that what it says is durable elsewhere. */
  async clear(): Promise<void> {
    await this.#real.remove(this.#path);
    await this.files.syncFolder(this.#folder);
  }

  get #path(): string {
    return join(this.#folder, 'fsync-failed');
  }

  #guarded(file: OpenFile, path: string): OpenFile {
    return {
      readFully: (into, position) => file.readFully(into, position),
      writeAll: (buffers, position) => file.writeAll(buffers, position),
      truncate: (length) => file.truncate(length),
      size: () => file.size(),
      close: () => file.close(),
      datasync: () => this.#watched(file.datasync(), path),
      distrust: (error) => this.#leave(path, error),
    };
  }

  async #watched(syncing: Promise<void>, path: string): Promise<void> {
    try {
      await syncing;
    } catch (error) {
      if (!isNoRoom(error)) await this.#leave(path, error);
      throw error;
    }
  }

  async #leave(path: string, error: unknown): Promise<void> {
    this.#marking ??= this.#write(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    await Promise.race([this.#marking, pause(this.#timers, MARK_MS_MAX)]);
  }

  async #write(text: string): Promise<void> {
    try {
      if (!(await this.#real.createNew(this.#path, `${text}\n`))) return;
      const file = await this.#real.open(this.#path, 'write');
      await file.datasync().finally(() => file.close());
      await this.#real.syncFolder(this.#folder);
    } catch (error) {
      this.#logger?.error({ err: error }, 'a failed fsync could not be marked for the next start');
    }
  }
}
