/**
 * The journal's files: `journal/<generation>.journal`, each as long as the others and zero-filled
 * before its first use, so that writing to it changes no metadata that an fsync would have to sync as
 * well. A file whose records are all elsewhere is recycled: renamed to a generation that is still to come
 * (what is left in it carries older generations) and its first bytes zeroed.
 */
import { join } from 'node:path';
import { diskFault, syncForGood } from './files.ts';
import type { FilePort, OpenFile } from './files.ts';

const ZEROS = Buffer.alloc(1024 * 1024);
const CLEAN_START_BYTES = 4096;
/** Files kept ready for the next generations. */
const SPARE_COUNT_MAX = 2;

export const journalFolder = (folder: string): string => join(folder, 'journal');
export const journalName = (generation: number): string => `${String(generation).padStart(10, '0')}.journal`;

/** Generations that have a file, ascending. */
export async function listGenerations(files: FilePort, folder: string): Promise<number[]> {
  const generations: number[] = [];
  for (const name of await files.list(folder)) {
    const match = /^(\d{10})\.journal$/.exec(name);
    if (match) generations.push(Number(match[1]));
  }
  return generations.sort((a, b) => a - b);
}

type Spare = { readonly generation: number; readonly file: OpenFile };

export class JournalFiles {
  readonly segmentBytes: number;
  readonly #files: FilePort;
  readonly #folder: string;
  readonly #spares: Spare[] = [];
  /** The highest generation that was handed out or made ready. */
  #newest = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(files: FilePort, folder: string, segmentBytes: number) {
    this.#files = files;
    this.#folder = folder;
    this.segmentBytes = segmentBytes;
  }

  /** Begins after generation `last`. Requires that nothing needs the files outside `keep`. */
  async start(last: number, keep: readonly number[]): Promise<void> {
    this.#newest = last;
    const others = (await listGenerations(this.#files, this.#folder)).filter(
      (generation) => !keep.includes(generation),
    );
    // Those made ready by an earlier run come first: their new numbers are then never taken.
    const ready = others.filter((generation) => generation > last);
    await this.#recycle([...ready, ...others.filter((generation) => generation <= last)]);
  }

  /** What a killed process left in these files can be read, but may not be on the disk. */
  async sync(generations: readonly number[]): Promise<void> {
    for (const generation of generations) {
      const file = await this.#files.open(join(this.#folder, journalName(generation)), 'write');
      await syncForGood(file, 'the journal').finally(() => file.close());
    }
  }

  /** A file for the next generation, open and clean. */
  async take(): Promise<Spare> {
    const ready = this.#spares.shift();
    if (ready) return ready;
    // One being recycled has the next number already.
    return await this.#exclusively(async () => this.#spares.shift() ?? (await this.#create()));
  }

  /** Makes the files of these generations ready for use, or removes them if there are enough. */
  async #recycle(generations: readonly number[]): Promise<void> {
    for (const old of generations) {
      const path = join(this.#folder, journalName(old));
      if (this.#spares.length >= SPARE_COUNT_MAX) {
        await this.#files.remove(path);
        continue;
      }
      const generation = this.#newest + 1;
      const fresh = join(this.#folder, journalName(generation));
      if (old !== generation) await this.#files.rename(path, fresh);
      const file = await this.#cleaned(fresh);
      if (file === undefined) continue;
      this.#newest = generation;
      this.#spares.push({ generation, file });
    }
  }

  /** The file, ready for use. Undefined: it has another length, or there is no room; then it is gone. */
  async #cleaned(path: string): Promise<OpenFile | undefined> {
    let file: OpenFile | undefined;
    try {
      file = await this.#files.open(path, 'journal');
      if ((await file.size()) === this.segmentBytes) {
        await file.writeAll([ZEROS.subarray(0, Math.min(CLEAN_START_BYTES, this.segmentBytes))], 0);
        await file.datasync();
        // Under its old name it would not be read: it must not be written before the new one is durable.
        await this.#files.syncFolder(this.#folder);
        return file;
      }
    } catch (error) {
      // It has its new name already, and would not be found under the old one by another attempt.
      if (diskFault(error, 'recycling a journal file').code !== 'DiskFull') throw error;
    }
    await file?.close();
    await this.#files.remove(path);
    return undefined;
  }

  /** Nothing in this generation is needed any more. */
  async retire(generation: number): Promise<void> {
    await this.#exclusively(() => this.#recycle([generation]));
  }

  /** Leaves damaged files where a person can look into them, under names that are never read again. */
  async keepAside(generations: readonly number[]): Promise<void> {
    for (const generation of generations) {
      const path = join(this.#folder, journalName(generation));
      await this.#files.rename(path, `${path}.damaged`);
    }
    await this.#files.syncFolder(this.#folder);
  }

  async close(): Promise<void> {
    await this.#turn;
    for (const { file } of this.#spares.splice(0)) await file.close();
  }

  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(task);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #create(): Promise<Spare> {
    const generation = this.#newest + 1;
    const path = join(this.#folder, journalName(generation));
    const file = await this.#files.open(path, 'journal');
    try {
      for (let at = 0; at < this.segmentBytes; at += ZEROS.length) {
        await file.writeAll([ZEROS.subarray(0, Math.min(ZEROS.length, this.segmentBytes - at))], at);
      }
      await file.datasync();
      await this.#files.syncFolder(this.#folder);
      this.#newest = generation;
      return { generation, file };
    } catch (error) {
      await file.close();
      await this.#files.remove(path).catch(() => undefined);
      throw error;
    }
  }
}
