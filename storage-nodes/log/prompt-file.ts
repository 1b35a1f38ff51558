/**
 * A file for small synced writes, one at a time: while the disk is quick they are done on the calling
 * thread, because handing them to another one takes longer than the disk does (decision 0017).
 *
 * What is large, and everything on a slow disk, goes through the thread pool as with any other file.
 * Whether the disk is slow is told by the quickest of the last synced writes: a busy processor makes
 * most of them look slow, a slow disk all. On a slow disk one write a second is done here all the
 * same, to see whether that has changed.
 */
import { fdatasyncSync, writevSync } from 'node:fs';
import type { OpenFile } from './files.ts';

/** Longer writes take long whatever the disk is. */
const PROMPT_BYTES_MAX = 256 * 1024;
const QUICK_MS = 0.4;
/** Of so many the one at this place, from the quickest, is judged: not the very quickest, which may be a fluke. */
const REMEMBERED = 16;
const JUDGED = 1;
const TRY_AGAIN_MS = 1000;

export class PromptFile implements OpenFile {
  readonly #file: OpenFile;
  readonly #fd: number;
  readonly #clock: () => number;
  readonly #pace = new Pace();
  /** When a write began that was done here and is not synced yet. */
  #begunAt: number | undefined;
  /** There are others that are not synced. */
  #owesMore = false;

  /** `file`: how it is used otherwise, with the same descriptor. `clock`: monotonic, ms. */
  constructor(file: OpenFile, fd: number, clock = (): number => performance.now()) {
    this.#file = file;
    this.#fd = fd;
    this.#clock = clock;
  }

  async writeAll(buffers: Uint8Array[], position: number): Promise<void> {
    let length = 0;
    for (const buffer of buffers) length += buffer.length;
    const begunAt = this.#clock();
    if (length <= PROMPT_BYTES_MAX && this.#pace.permits(begunAt)) {
      this.#begunAt = begunAt;
      if (writevSync(this.#fd, buffers, position) === length) return;
      // The rest found no room: writing all of it again gives the reason.
    }
    this.#owesMore = true;
    await this.#file.writeAll(buffers, position);
  }

  async datasync(): Promise<void> {
    const begunAt = this.#begunAt;
    const isPrompt = begunAt !== undefined && !this.#owesMore;
    this.#begunAt = undefined;
    this.#owesMore = false;
    if (!isPrompt) return this.#file.datasync();
    fdatasyncSync(this.#fd);
    this.#pace.took(this.#clock() - begunAt);
  }

  readFully(into: Uint8Array, position: number): Promise<number> {
    return this.#file.readFully(into, position);
  }
  truncate(length: number): Promise<void> {
    return this.#file.truncate(length);
  }
  size(): Promise<number> {
    return this.#file.size();
  }
  close(): Promise<void> {
    return this.#file.close();
  }
}

/** How quick the disk is. All times in ms. */
class Pace {
  #isQuick = true;
  #took: number[] = [];
  #triedAt = -Infinity;

  /** Whether the next synced write may be waited for. */
  permits(now: number): boolean {
    if (this.#isQuick) return true;
    if (now - this.#triedAt < TRY_AGAIN_MS) return false;
    this.#triedAt = now;
    return true;
  }

  /** A synced write that was waited for took so long. */
  took(ms: number): void {
    if (!this.#isQuick) {
      this.#isQuick = ms <= QUICK_MS;
      return;
    }
    if (this.#took.push(ms) < REMEMBERED) return;
    this.#isQuick = this.#took.sort((a, b) => a - b)[JUDGED]! <= QUICK_MS;
    this.#took = [];
  }
}
