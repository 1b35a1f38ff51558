/**
 * A journal file, read front to back in pieces, so that opening a log reads what was written since the
 * checkpoint and not the zeros and older records behind it.
 */
import { join } from 'node:path';
import type { FilePort, OpenFile } from './files.ts';
import { journalName } from './journal-files.ts';
import { RECORD_HEADER_BYTES_MAX, readRecord, recordLength } from './journal-record.ts';
import type { JournalRecord } from './journal-record.ts';

/** The first piece is small: after a clean stop there is nothing to read. Each is larger than the one before. */
const FIRST_PIECE_BYTES = 16 * 1024;
const PIECE_BYTES_MAX = 1024 * 1024;
/** How far good records are looked for in a file that was not read: twice the longest write of journal.ts. */
const SEARCH_BYTES = 16 * 1024 * 1024;

export class JournalWindow {
  readonly path: string;
  readonly generation: number;
  /** Length of the file. */
  readonly bytes: number;
  readonly #file: OpenFile;
  #piece: Buffer = Buffer.alloc(0);
  #pieceAt = 0;
  #nextBytes = FIRST_PIECE_BYTES;

  private constructor(path: string, generation: number, file: OpenFile, bytes: number) {
    this.path = path;
    this.generation = generation;
    this.#file = file;
    this.bytes = bytes;
  }

  static async open(files: FilePort, folder: string, generation: number): Promise<JournalWindow> {
    const path = join(folder, journalName(generation));
    const file = await files.open(path, 'read');
    return new JournalWindow(path, generation, file, await file.size());
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** The record that starts at `at`, or why there is none. Its frame aliases a piece: copy what is kept. */
  async record(at: number): Promise<JournalRecord | string> {
    const header = await this.#from(at, RECORD_HEADER_BYTES_MAX);
    const length = recordLength(header, 0, this.bytes - at);
    if (typeof length === 'string') return length;
    const whole = await this.#from(at, length);
    return readRecord(whole.subarray(0, length), 0, this.generation);
  }

  /** At least `count` bytes from `at` on, fewer only at the end of the file. */
  async slice(at: number, count: number): Promise<Buffer> {
    return (await this.#from(at, count)).subarray(0, count);
  }

  /**
   * Good records behind `at`, found by their generation's bytes, since lengths cannot be trusted there: to
   * the end of a file that was read as far as `at`, and near the start of one (-1) that was not.
   */
  async *goodRecordsAfter(at: number): AsyncGenerator<JournalRecord> {
    const pattern = Buffer.alloc(4);
    pattern.writeUInt32LE(this.generation);
    const stop = at >= 0 ? this.bytes : Math.min(this.bytes, SEARCH_BYTES);
    for (let from = at + 1; from < stop; from += PIECE_BYTES_MAX) {
      const starts = Math.min(PIECE_BYTES_MAX, stop - from);
      const bytes = Buffer.allocUnsafe(Math.min(starts + RECORD_HEADER_BYTES_MAX, this.bytes - from));
      const found = bytes.subarray(0, await this.#file.readFully(bytes, from));
      for (let hit = found.indexOf(pattern, 8); hit !== -1; hit = found.indexOf(pattern, hit + 1)) {
        const start = hit - 8;
        if (start >= starts) break;
        if (typeof recordLength(found, start, this.bytes - from - start) === 'string') continue;
        const record = await this.record(from + start);
        if (typeof record !== 'string') yield record;
      }
    }
  }

  async #from(at: number, count: number): Promise<Buffer> {
    const wanted = Math.min(count, this.bytes - at);
    const offset = at - this.#pieceAt;
    if (offset < 0 || offset + wanted > this.#piece.length) {
      const piece = Buffer.allocUnsafe(
        Math.max(0, Math.min(Math.max(this.#nextBytes, wanted), this.bytes - at)),
      );
      const found = await this.#file.readFully(piece, at);
      this.#piece = piece.subarray(0, found);
      this.#pieceAt = at;
      this.#nextBytes = Math.min(this.#nextBytes * 4, PIECE_BYTES_MAX);
      return this.#piece;
    }
    return this.#piece.subarray(offset);
  }
}
