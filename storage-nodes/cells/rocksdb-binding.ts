/**
 * The only door to the native RocksDB binding. It segfaults when it is called before `open` or after
 * `close`, so this class is a state machine that counts what is in flight:
 *
 *   new/closed -> opening -> open -> closing -> closed       native calls happen in `open` only
 *
 * `close` first refuses new calls (Fault Closed), then waits for those in flight, then closes. Native
 * errors become Faults: damage is Damaged, a full disk DiskFull, the rest DiskFailed.
 *
 * Compression is off: a flipped byte stays one flipped byte, which the cell's own checksum finds. RocksDB
 * opens happily when an SST is gone or cut short and fails at some later read, so `open` compares the
 * files that the store lists with those in the folder. What it leaves out: order between concurrent batches, which is the caller's (write-queue.ts).
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import rocksdb from 'rocksdb';
import type { ChainedBatch, Database } from 'rocksdb';
import { Fault } from '../faults.ts';
import { checkTable } from './table-check.ts';

export const WRITE_BUFFER_BYTES = 8 * 1024 * 1024;
const BLOCK_CACHE_BYTES = 32 * 1024 * 1024;
/** Readers of SSTs that stay open; each holds its table's index and filter, about 1 MiB for 64 MiB of cells. */
const OPEN_TABLES_MAX = 128;

export type ListedTable = { readonly file: string; readonly bytes: number };
export type Put = { readonly key: Buffer; readonly value: Buffer | undefined /* undefined: delete */ };

export type Walk = {
  /** Where to start: at this key (forward), or just below it (reverse). */
  readonly start: Buffer;
  readonly reverse?: boolean;
  readonly keysOnly?: boolean;
  /** Bytes fetched ahead; also what is handled between two turns of the event loop. */
  readonly aheadBytes?: number;
};

export type Visit = (key: Buffer, value: Buffer) => boolean;

export type Cursor = {
  /** Goes on until `visit` answers false (true), or the store has no more keys (false). */
  walk(visit: Visit): Promise<boolean>;
  end(): Promise<void>;
};

export class RocksBinding {
  private readonly folder: string;
  private db: Database | undefined;
  private state: 'new' | 'opening' | 'open' | 'closing' | 'closed' = 'new';
  private inFlight = 0;
  private whenIdle: (() => void) | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Rejects with Fault Damaged if the store's own files are broken; nothing is left open then. */
  async open(): Promise<void> {
    if (this.state !== 'new' && this.state !== 'closed')
      throw new Fault('Closed', `cells in ${this.folder}: already ${this.state}`);
    this.state = 'opening';
    const db = rocksdb(this.folder);
    const options = {
      createIfMissing: true,
      compression: false,
      writeBufferSize: WRITE_BUFFER_BYTES,
      cacheSize: BLOCK_CACHE_BYTES,
      // With -1 RocksDB would open every table at start, and keep them all in memory.
      maxOpenFiles: OPEN_TABLES_MAX,
    };
    try {
      await new Promise<void>((resolve, reject) =>
        db.open(options, (error) => (error ? reject(error) : resolve())),
      );
    } catch (error) {
      this.state = 'closed';
      throw this.fault(error);
    }
    this.db = db;
    this.state = 'open';
    const lost = this.lostTable();
    if (lost !== undefined) {
      await this.close();
      throw new Fault('Damaged', `cells in ${this.folder} are damaged: ${lost}`);
    }
  }

  /** Calling it again, or before `open`, does nothing. */
  async close(): Promise<void> {
    if (this.state !== 'open') return;
    this.state = 'closing';
    if (this.inFlight > 0) await new Promise<void>((resolve) => (this.whenIdle = resolve));
    await new Promise<void>((resolve, reject) =>
      this.db!.close((error) => (error ? reject(this.fault(error)) : resolve())),
    );
    this.db = undefined;
    this.state = 'closed';
  }

  private requireOpen(): Database {
    if (this.state !== 'open') {
      throw new Fault(
        'Closed',
        `cells in ${this.folder} are ${this.state === 'new' ? 'not open yet' : this.state}: open the store first`,
      );
    }
    return this.db!;
  }

  /** One snapshot, taken before the call returns. */
  getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
    const db = this.requireOpen();
    return this.count((resolve, reject) => {
      db.getMany(keys, (error, values) => (error ? reject(error) : resolve(values)));
    });
  }

  /** Atomic, unsynced. */
  write(puts: Iterable<Put>): Promise<void> {
    const batch: ChainedBatch = this.requireOpen().batch();
    for (const { key, value } of puts) {
      if (value === undefined) batch.del(key);
      else batch.put(key, value);
    }
    return this.count((resolve, reject) => batch.write({}, (error) => (error ? reject(error) : resolve())));
  }

  /**
   * Walks one snapshot, taken before the call returns, until `visit` answers false. Resolves to whether
   * `visit` stopped it (false: the store has no more keys). What `visit` throws ends the walk.
   */
  walk(walk: Walk, visit: Visit): Promise<boolean> {
    const cursor = this.cursor(walk);
    return cursor.walk(visit).finally(() => cursor.end());
  }

  /**
   * A walk that can stop and go on, over one snapshot taken before the call returns. Requires `end` before `close`;
   * a walk that is under way then is refused with Fault Closed.
   */
  cursor(walk: Walk): Cursor {
    const iterator = this.requireOpen().iterator({
      ...(walk.reverse ? { lt: walk.start } : { gte: walk.start }),
      reverse: walk.reverse ?? false,
      values: !walk.keysOnly,
      highWaterMark: walk.aheadBytes ?? 16 * 1024,
    });
    this.inFlight++;
    let isEnded = false;
    const ended = (): Fault => new Fault('Closed', `a walk through the cells in ${this.folder} was ended`);
    return {
      walk: (visit) =>
        this.count((resolve, reject) => {
          const next = (): void => {
            if (isEnded) return reject(ended());
            iterator.next((error, key, value) => {
              if (error) return reject(isEnded ? ended() : error);
              if (key === undefined) return resolve(false);
              let more: boolean;
              try {
                more = visit(key, value!);
              } catch (thrown) {
                return reject(thrown);
              }
              if (more) next();
              else resolve(true);
            });
          };
          next();
        }),
      end: () => {
        isEnded = true;
        return new Promise((resolve, reject) =>
          iterator.end((error) => {
            this.leave();
            if (error) reject(this.fault(error));
            else resolve();
          }),
        );
      },
    };
  }

  /** Deletes up to `countMax` keys of [from, to); not in the batch chain. */
  clear(from: Buffer, to: Buffer, countMax: number): Promise<void> {
    const db = this.requireOpen();
    return this.count((resolve, reject) => {
      db.clear({ gte: from, lt: to, limit: countMax }, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Rewrites [from, to] from memory and WAL into SST files. */
  compact(from: Buffer, to: Buffer): Promise<void> {
    const db = this.requireOpen();
    return this.count((resolve, reject) =>
      db.compactRange(from, to, (error) => (error ? reject(error) : resolve())),
    );
  }

  /** What is wrong with an SST's blocks. */
  async damageOf({ file, bytes }: ListedTable): Promise<string | undefined> {
    this.requireOpen();
    try {
      const damage = await checkTable(join(this.folder, file), bytes);
      return damage === undefined ? undefined : `${file}: ${damage}`;
    } catch (error) {
      // A compaction may have deleted it meanwhile.
      if (this.state !== 'open' || this.listedTables().some((table) => table.file === file))
        throw this.fault(error);
      return undefined;
    }
  }

  /** What is wrong with the first SST that the store lists and the folder has not, or not whole. */
  private lostTable(): string | undefined {
    for (const { file, bytes } of this.listedTables()) {
      const found = statSync(join(this.folder, file), { throwIfNoEntry: false })?.size;
      // A compaction that ended just now may have taken the file off the list before deleting it.
      if (found === bytes || !this.listedTables().some((table) => table.file === file)) continue;
      return found === undefined ? `${file} is missing` : `${file} has ${found} bytes instead of ${bytes}`;
    }
    return undefined;
  }

  /** The SSTs of the store. From the lines ` 8:2294260[1 .. 20000]…` of RocksDB's summary: file number and size. */
  listedTables(): ListedTable[] {
    const summary = this.requireOpen().getProperty('rocksdb.sstables');
    return [...summary.matchAll(/^ (\d+):(\d+)\[/gm)].map((line) => ({
      file: `${line[1]!.padStart(6, '0')}.sst`,
      bytes: Number(line[2]),
    }));
  }

  private count<T>(
    start: (resolve: (value: T) => void, reject: (error: unknown) => void) => void,
  ): Promise<T> {
    this.inFlight++;
    return new Promise<T>((resolve, reject) => {
      const fail = (error: unknown): void => {
        this.leave();
        reject(this.fault(error));
      };
      try {
        start((value) => {
          this.leave();
          resolve(value);
        }, fail);
      } catch (error) {
        fail(error);
      }
    });
  }

  private leave(): void {
    if (--this.inFlight === 0) this.whenIdle?.();
  }

  private fault(error: unknown): Fault {
    if (error instanceof Fault) return error;
    const text = error instanceof Error ? error.message : String(error);
    const where = `cells in ${this.folder}`;
    if (/lock file|lock hold|\/LOCK:/i.test(text)) {
      return new Fault('DiskFailed', `${where} are in use by another process: stop it first`, {
        cause: error,
      });
    }
    if (/no space left|quota exceeded/i.test(text)) {
      return new Fault('DiskFull', `${where}: the disk is full; make room: the store is then opened again`, {
        cause: error,
      });
    }
    if (
      /corruption|no such file|not an sstable|checksum|does not exist|invalid argument|not implemented/i.test(
        text,
      )
    ) {
      return new Fault('Damaged', `${where} are damaged: ${text}`, { cause: error });
    }
    return new Fault('DiskFailed', `${where}: ${text}`, { cause: error });
  }
}
