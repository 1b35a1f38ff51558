/**
 * What has happened to a drive. Bytes come first, as chunks in streams of their own, spread over
 * tablets; a file begins to exist when its manifest is added to the account.
 */

/** Part 0: the chunk's bytes. Stream: chunkStream(fileId, chunk). */
export type ChunkStored = {
  readonly type: 'drive.ChunkStored';
  readonly version: 1;
  readonly data: { readonly fileId: string; readonly chunk: number };
};

/** Parts: 0 the file's name, 1 its media type. `sha256` is of the whole file. Stream: the account's. */
export type FileAdded = {
  readonly type: 'drive.FileAdded';
  readonly version: 1;
  readonly data: {
    readonly fileId: string;
    readonly folderId: string;
    readonly size: number;
    readonly chunks: number;
    readonly sha256: string;
  };
};

export type DriveEvent = ChunkStored | FileAdded;
