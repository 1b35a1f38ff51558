/**
 * A file on its way in: cut into chunks, each a command of its own, a few at once, in constant memory. The
 * file's id and those of its chunks come from the form's command id, so that the same form sent again stores
 * the same chunks under the same names, and so changes nothing. Nobody sees the file until something names it
 * (the drive's folder, a draft): what breaks off leaves nothing to be seen.
 */
import { createHash } from 'node:crypto';
import { lookup } from 'mime-types';
import { CHUNK_BYTES } from '../../domain/drive/commands.ts';
import { chunkStream } from '../../domain/streams.ts';
import { Rejected, type CommandRequest } from '../../storage-nodes/client/client.ts';
import { idFrom } from '../pages/command-ids.ts';
import type { Pages } from '../pages/pages.ts';
import { PageRefusal } from '../pages/refusals.ts';
import type { Visit } from '../pages/visit.ts';
import { Bounded, chunked } from './chunker.ts';
import type { StoredFile } from './read-chunks.ts';

const CHUNKS_IN_FLIGHT_MAX = 4;

export type ChunkCommand = Pick<CommandRequest, 'id' | 'stream' | 'type' | 'data' | 'parts' | 'action'>;

/** A visitor's file. */
export function storeVisitorsFile(
  pages: Pages,
  visit: Visit,
  bytes: AsyncIterable<Buffer>,
  commandId: string,
  action: string,
): Promise<StoredFile> {
  const sender = { actor: visit.account.name, sessionHash: visit.sessionHash };
  const owner = visit.account.name;
  return storeChunks((command) => pages.send(sender, command), { owner, bytes, commandId, action });
}

/** `commandId`: of this file alone. Throws PageRefusal 409 if it stored other bytes before. */
export async function storeChunks(
  send: (command: ChunkCommand) => Promise<unknown>,
  {
    owner,
    bytes,
    commandId,
    action,
  }: { owner: string; bytes: AsyncIterable<Buffer>; commandId: string; action: string },
): Promise<StoredFile> {
  const fileId = idFrom(owner, commandId, 'file');
  const whole = createHash('sha256');
  const sending = new Bounded(CHUNKS_IN_FLIGHT_MAX);
  let size = 0;
  let chunks = 0;
  for await (const piece of chunked(bytes, CHUNK_BYTES)) {
    const chunk = chunks++;
    size += piece.length;
    whole.update(piece);
    await sending.add(() =>
      send({
        // The digest belongs to the id: other bytes under an old form are refused, never mixed into one file.
        id: `${commandId}-c${chunk}-${contentHash(piece)}`,
        stream: chunkStream(fileId, chunk),
        type: 'drive.StoreChunk',
        data: { fileId, chunk },
        parts: [piece],
        action,
      }),
    );
  }
  await sending.done().catch((error: unknown) => {
    throw isMismatch(error) ? otherFile : error;
  });
  return { fileId, size, chunks, chunkBytes: CHUNK_BYTES, sha256: whole.digest('hex') };
}

function contentHash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

function isMismatch(error: unknown): boolean {
  return error instanceof Rejected && error.rejection.code === 'ValueMismatch';
}

const otherFile = new PageRefusal(
  409,
  'Another file',
  'This form was used for another file before: open the page again and choose your file once more.',
);

const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,100}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,100}$/;

/** As the browser said, if that tells anything; else by the name's ending. */
export function mediaTypeOf(name: string, said: string): string {
  if (MEDIA_TYPE.test(said) && said !== 'application/octet-stream') return said.toLowerCase();
  return lookup(name) || 'application/octet-stream';
}
