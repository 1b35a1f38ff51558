/**
 * Uploading: the form's fields come first, then the files, each streamed to the store in chunks while
 * it arrives. A file exists only once its manifest is accepted, after all of its chunks: an upload that
 * breaks off leaves nothing in the folder. Sending the same form again stores the same chunks under the
 * same names, and so changes nothing.
 */
import { createHash } from 'node:crypto';
import type { MultipartFile } from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { lookup } from 'mime-types';
import {
  CHUNK_BYTES,
  FILE_BYTES_MAX,
  FILE_NAME_BYTES_MAX,
  fileNameFault,
  ROOT_FOLDER,
} from '../../../domain/drive/commands.ts';
import { chunkStream } from '../../../domain/streams.ts';
import { Rejected } from '../../../storage-nodes/client/client.ts';
import { idFrom } from '../../pages/command-ids.ts';
import type { Pages } from '../../pages/pages.ts';
import { badField, PageRefusal, tell } from '../../pages/refusals.ts';
import type { Visit } from '../../pages/visit.ts';
import { Bounded, chunked } from './chunker.ts';
import { showFolder } from './drive.ts';

const CHUNKS_IN_FLIGHT_MAX = 4;
const FILES_PER_FORM_MAX = 100;
/** "name.txt", "name (2).txt", … up to this many. */
const NAMES_TRIED_MAX = 100;

export function registerUpload(app: FastifyInstance, pages: Pages): void {
  app.post('/drive/upload', async (request, reply) => {
    try {
      const visit = await pages.visits.require(request);
      const added = await receive(pages, request, visit);
      return await reply.redirect(`/drive?${new URLSearchParams({ added: String(added) })}`, 303);
    } catch (error) {
      // What still arrives is let go by, so that the browser gets to read the answer.
      request.raw.unpipe();
      request.raw.resume();
      return refused(pages, request, reply, error);
    }
  });
}

async function refused(
  pages: Pages,
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
): Promise<FastifyReply> {
  if (!(error instanceof PageRefusal || error instanceof Rejected) || request.visit === undefined)
    throw error;
  const told = tell(error);
  return showFolder(pages, request, reply, { status: told?.status ?? 400, alert: error.message });
}

/** Stores all files of the form, one after the other; answers how many. */
async function receive(pages: Pages, request: FastifyRequest, visit: Visit): Promise<number> {
  const fields: Record<string, unknown> = {};
  let commandId: string | undefined;
  let count = 0;
  const limits = {
    fileSize: FILE_BYTES_MAX,
    files: FILES_PER_FORM_MAX,
    fields: 10,
    fieldSize: 4096,
    headerPairs: 50,
  };
  // preservePath: a name with '/' must be seen as it was sent, to be refused, not cut short.
  for await (const part of request.parts({ limits, preservePath: true })) {
    if (part.type === 'field') {
      fields[part.fieldname] = part.value;
      continue;
    }
    // Fields stand in front of the files: what comes later is too late to count.
    commandId ??= pages.checkForm(request, fields);
    // A browser sends one nameless, empty part when no file was chosen.
    if ((part.filename ?? '') === '') part.file.resume();
    else await storeFile(pages, visit, part, `${commandId}-f${count++}`);
  }
  if (commandId === undefined) pages.checkForm(request, fields);
  if (count === 0) throw badField('File is missing: choose at least one.');
  return count;
}

async function storeFile(pages: Pages, visit: Visit, part: MultipartFile, commandId: string): Promise<void> {
  // Browsers write a quote as %22 (WHATWG, multipart/form-data encoding).
  const name = part.filename.replaceAll('%22', '"');
  checkFileName(name);
  const sender = { actor: visit.account.name, sessionHash: visit.sessionHash };
  const fileId = idFrom(visit.account.name, commandId, 'file');
  const whole = createHash('sha256');
  const sending = new Bounded(CHUNKS_IN_FLIGHT_MAX);
  let size = 0;
  let chunks = 0;
  for await (const bytes of chunked(part.file, CHUNK_BYTES)) {
    const chunk = chunks++;
    size += bytes.length;
    whole.update(bytes);
    await sending.add(() =>
      pages.send(sender, {
        // The digest belongs to the id: other bytes under an old form are refused, never mixed into one file.
        id: `${commandId}-c${chunk}-${digestOf(bytes)}`,
        stream: chunkStream(fileId, chunk),
        type: 'drive.StoreChunk',
        data: { fileId, chunk },
        parts: [bytes],
        action: 'Upload file',
      }),
    );
  }
  await sending.done().catch((error: unknown) => {
    throw isMismatch(error) ? otherFile : error;
  });
  if (part.file.truncated) throw badField(`File is too large: at most ${FILE_BYTES_MAX} bytes.`);
  const file = { fileId, folderId: ROOT_FOLDER, size, chunks, sha256: whole.digest('hex') };
  await addFile(pages, visit, file, name, mediaTypeOf(name, part.mimetype), commandId);
}

function digestOf(bytes: Buffer): string {
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

/** Under the first name that is free: a file that is there already is never replaced. */
async function addFile(
  pages: Pages,
  visit: Visit,
  file: object,
  name: string,
  mediaType: string,
  commandId: string,
): Promise<void> {
  for (let tried = 1; ; tried++) {
    const chosen = tried === 1 ? name : numberedName(name, tried);
    try {
      await pages.send(
        { actor: visit.account.name, sessionHash: visit.sessionHash },
        {
          id: tried === 1 ? commandId : `${commandId}-n${tried}`,
          stream: visit.stream,
          type: 'drive.AddFile',
          data: file,
          parts: [Buffer.from(chosen), Buffer.from(mediaType)],
          action: 'Upload file',
        },
      );
      return;
    } catch (error) {
      const taken = error instanceof Rejected && error.rejection.code === 'NameTaken';
      if (!taken || tried === NAMES_TRIED_MAX) throw error;
    }
  }
}

/** Throws PageRefusal 400 before anything is stored. */
function checkFileName(name: string): void {
  const fault = fileNameFault(name);
  if (fault === undefined) return;
  const shown = name.length > 60 ? `${name.slice(0, 60)}…` : name;
  // The first sentence names the field and, whatever the fault, the limit stands beside it.
  throw badField(
    `File name must ${fault}. Nothing was uploaded of “${shown.replace(/[\0-\x1f\x7f-\x9f]/g, '�')}”; a file name has 1 to ${FILE_NAME_BYTES_MAX} bytes, without “/” and control characters.`,
  );
}

/** ("report.tar.gz", 2) -> "report (2).tar.gz"; never longer than a name may be. */
export function numberedName(name: string, number: number): string {
  const dot = name.search(/(?:\.tar)?\.[^.]{1,16}$/);
  const ending = dot > 0 ? name.slice(dot) : '';
  const mark = ` (${number})`;
  let stem = dot > 0 ? name.slice(0, dot) : name;
  while (Buffer.byteLength(stem + mark + ending) > FILE_NAME_BYTES_MAX)
    stem = [...stem].slice(0, -1).join('');
  return `${stem}${mark}${ending}`;
}

const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,100}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,100}$/;

function mediaTypeOf(name: string, said: string): string {
  if (MEDIA_TYPE.test(said) && said !== 'application/octet-stream') return said.toLowerCase();
  return lookup(name) || 'application/octet-stream';
}
