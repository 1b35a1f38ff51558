/**
 * Uploading: the form's fields come first, then the files, each streamed to the store in chunks while
 * it arrives. A file exists only once its manifest is accepted, after all of its chunks: an upload that
 * breaks off leaves nothing in the folder. Sending the same form again stores the same chunks under the
 * same names, and so changes nothing.
 */
import type { MultipartFile } from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  FILE_BYTES_MAX,
  FILE_NAME_BYTES_MAX,
  fileNameFault,
  ROOT_FOLDER,
} from '../../../domain/drive/commands.ts';
import { Rejected } from '../../../storage-nodes/client/client.ts';
import type { Pages } from '../../pages/pages.ts';
import { badField, PageRefusal, tell } from '../../pages/refusals.ts';
import type { Visit } from '../../pages/visit.ts';
import { mediaTypeOf, storeVisitorsFile } from '../../chunks/store-chunks.ts';
import { showFolder } from './drive.ts';

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
  const stored = await storeVisitorsFile(pages, visit, part.file, commandId, 'Upload file');
  if (part.file.truncated) throw badField(`File is too large: at most ${FILE_BYTES_MAX} bytes.`);
  const { fileId, size, chunks, sha256 } = stored;
  const file = { fileId, folderId: ROOT_FOLDER, size, chunks, sha256 };
  await addFile(pages, visit, file, name, mediaTypeOf(name, part.mimetype), commandId);
}

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
