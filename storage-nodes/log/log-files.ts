/**
 * Reads a node's log from its files, from any process, also while the node writes them: committed
 * entries only, in order. It ends cleanly at a record that is not wholly written yet; anything else
 * that cannot be read is a Fault Damaged with file, byte and reason.
 */
import { join } from 'node:path';
import type { LogRecord } from './entry.ts';
import {
  HEADER_BYTES_MAX,
  checkFileHeader,
  damageFault,
  fileName,
  listFiles,
  tabletFolderName,
  tabletOfFolder,
  tabletsFolder,
} from './file-header.ts';
import { realFiles } from './real-files.ts';
import type { FilePort } from './files.ts';
import { FrameScanner } from './frame-scanner.ts';
import { readFrame } from './frame.ts';
import { withParts } from './committed-reader.ts';

export class LogFiles {
  readonly #folder: string;
  readonly #files: FilePort;

  constructor(folder: string, files: FilePort = realFiles) {
    this.#folder = folder;
    this.#files = files;
  }

  /** Tablets that this node holds, by id. */
  async tablets(): Promise<string[]> {
    return (await this.#files.list(tabletsFolder(this.#folder))).map(tabletOfFolder).sort();
  }

  /**
   * Committed entries with seq `from` .. `to` (default: all), with their parts. Ends before `to` if the
   * files do not reach it (yet): compare the last seq with what you expect. A damaged entry throws.
   */
  async *entries(
    tablet: string,
    { from = 1, to = Infinity }: { from?: number; to?: number } = {},
  ): AsyncGenerator<LogRecord> {
    const folder = join(tabletsFolder(this.#folder), tabletFolderName(tablet));
    let firsts = await listFiles(this.#files, folder, 'segment');
    if (firsts[0] === undefined) return;
    if (firsts[0] !== 1)
      throw damageFault({
        file: join(folder, fileName('segment', 1)),
        offset: 0,
        reason: 'a segment is missing',
      });
    let place: Place = {
      first: firsts.findLast((first) => first <= Math.max(from, 1))!,
      offset: 0,
      expected: 0,
    };
    while (place.first <= to) {
      const next = firsts.find((first) => first > place.first);
      const stop: Place | 'enough' = yield* this.#segment(tablet, folder, place, from, to, next);
      if (stop === 'enough') return;
      if (next !== undefined) {
        place = { first: next, offset: 0, expected: next };
        continue;
      }
      firsts = await listFiles(this.#files, folder, 'segment');
      // A newer segment shows that this one is complete by now: read what was added meanwhile.
      if (firsts.at(-1)! <= place.first) return;
      place = stop;
    }
  }

  /** Yields the entries of one segment from a place on; returns where it ended. `next` begins the segment after it. */
  async *#segment(
    tablet: string,
    folder: string,
    { first, offset, expected }: Place,
    from: number,
    to: number,
    next: number | undefined,
  ): AsyncGenerator<LogRecord, Place | 'enough'> {
    const path = join(folder, fileName('segment', first));
    const file = await this.#files.open(path, 'read');
    try {
      const sizeBefore = await file.size();
      const header = await checkFileHeader(file, 'segment', tablet, first);
      if (typeof header === 'string') {
        if (next === undefined && sizeBefore < HEADER_BYTES_MAX) return { first, offset, expected };
        throw damageFault({ file: path, offset: 0, reason: header });
      }
      // Asked again: the header may have been written only just now.
      const size = await file.size();
      const scanner = new FrameScanner(file, Math.max(offset, header), size, Math.max(expected, first));
      for (let run = await scanner.next(); run; run = await scanner.next()) {
        for (const { seq, bytes } of run) {
          if (seq > to) return 'enough';
          if (seq >= from) yield await withParts(this.#files, folder, readFrame(bytes));
        }
      }
      const end = scanner.end!;
      if (end.kind === 'bad' || (end.kind === 'short' && next !== undefined)) {
        throw damageFault({ file: path, offset: end.offset, reason: end.reason });
      }
      if (next !== undefined && scanner.expected !== next) {
        throw damageFault({
          file: path,
          offset: end.offset,
          reason: `the file ends before seq ${scanner.expected}`,
        });
      }
      return { first, offset: end.offset, expected: scanner.expected };
    } finally {
      await file.close();
    }
  }
}

type Place = { readonly first: number; readonly offset: number; readonly expected: number };
