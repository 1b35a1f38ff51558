/**
 * A file read back: its chunks, streamed in order with a little read-ahead. The process holds a few chunks,
 * whatever the file's size and however slow the reader.
 */
import { createHash } from 'node:crypto';
import { chunkStream } from '../../domain/streams.ts';
import { chunkCell } from '../../projections/keys.ts';
import type { StoreClient } from '../../storage-nodes/client/client.ts';
import type { ByteRange } from '../pages/byte-range.ts';
import { chunksOf } from './chunk-pieces.ts';

const READ_AHEAD = 2;

/** What is known of a file whose chunks are stored. */
export type StoredFile = {
  readonly fileId: string;
  /** Bytes. */
  readonly size: number;
  readonly chunks: number;
  /** Bytes of every chunk but the last. */
  readonly chunkBytes: number;
  /** Of the whole file, lower-case hex. */
  readonly sha256: string;
};

/**
 * The bytes of a span, chunk by chunk. Of a whole file the digest is compared before the last chunk is
 * handed out: a file that does not match breaks off instead of ending well.
 */
export async function* fileBytes(
  store: StoreClient,
  file: StoredFile,
  span: ByteRange,
): AsyncGenerator<Buffer> {
  const pieces = chunksOf(span, file.chunkBytes);
  const digest = span.length === file.size ? createHash('sha256') : undefined;
  const coming: Promise<Buffer>[] = [];
  let next = 0;
  for (let index = 0; index < pieces.length; index++) {
    while (next < pieces.length && next <= index + READ_AHEAD) {
      const read = readPiece(store, file, pieces[next++]!);
      // Awaited in its turn; until then a failure must not count as unhandled.
      read.catch(() => undefined);
      coming.push(read);
    }
    const bytes = await coming.shift()!;
    digest?.update(bytes);
    if (index === pieces.length - 1 && digest !== undefined && digest.digest('hex') !== file.sha256) {
      throw new Error(`File ${file.fileId} does not match its digest: its chunks are damaged.`);
    }
    yield bytes;
  }
}

async function readPiece(
  store: StoreClient,
  file: StoredFile,
  piece: { chunk: number; offset: number; length: number },
): Promise<Buffer> {
  const answer = await store.read(chunkStream(file.fileId, piece.chunk), [
    { get: chunkCell(file.fileId, piece.chunk) },
  ]);
  const cell = answer.results[0]?.[0];
  if (cell === undefined) throw new Error(`Chunk ${piece.chunk} of file ${file.fileId} is missing.`);
  const whole = cell.bytes?.subarray(piece.offset, piece.offset + piece.length);
  const bytes = whole ?? (await part(store, cell.part!, piece));
  if (bytes.length !== piece.length) {
    throw new Error(
      `Chunk ${piece.chunk} of file ${file.fileId} has ${bytes.length} bytes instead of ${piece.length}.`,
    );
  }
  return bytes;
}

async function part(
  store: StoreClient,
  reference: Parameters<StoreClient['readPart']>[0],
  range: ByteRange,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const bytes of store.readPart(reference, { offset: range.offset, length: range.length }))
    pieces.push(bytes);
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}
