/** The part of the untyped `rocksdb` package that rocksdb-binding.ts uses. Buffers only: it stores a Uint8Array as text. */
declare module 'rocksdb' {
  type Done = (error?: Error | null) => void;

  export interface OpenOptions {
    createIfMissing?: boolean;
    compression?: boolean;
    writeBufferSize?: number;
    cacheSize?: number;
    blockSize?: number;
    /** -1: all, and every SST is opened, and its footer and index are checked, when the store opens. */
    maxOpenFiles?: number;
  }
  export interface RangeOptions {
    gte?: Buffer;
    lt?: Buffer;
    reverse?: boolean;
    limit?: number;
    values?: boolean;
    /** Bytes that one hop to a worker thread fetches ahead. */
    highWaterMark?: number;
  }
  export interface Iterator {
    /** Without key: the end. */
    next(callback: (error: Error | null | undefined, key?: Buffer, value?: Buffer) => void): void;
    end(callback: Done): void;
  }
  export interface ChainedBatch {
    put(key: Buffer, value: Buffer): ChainedBatch;
    del(key: Buffer): ChainedBatch;
    write(options: { sync?: boolean }, callback: Done): void;
  }
  export interface Database {
    open(options: OpenOptions, callback: Done): void;
    close(callback: Done): void;
    /** All from one snapshot, taken before the call returns. */
    getMany(
      keys: Buffer[],
      callback: (error: Error | null | undefined, values: (Buffer | undefined)[]) => void,
    ): void;
    batch(): ChainedBatch;
    /** The snapshot is taken before the call returns. */
    iterator(options: RangeOptions): Iterator;
    /** Scans and deletes up to `limit` keys of the range. */
    clear(options: RangeOptions, callback: Done): void;
    getProperty(name: string): string;
    compactRange(start: Buffer, end: Buffer, callback: Done): void;
  }
  const rocksdb: (folder: string) => Database;
  export default rocksdb;
}
