/**
 * The form of a message as it came in: fields, and files that are stored while they arrive. With files it comes
 * as multipart/form-data, its fields in front of them; without, as any form does. Whatever is refused, the
 * fields that were read are kept, so that the page can show what was typed.
 */
import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { safeFileName } from '../../message/file-names.ts';
import { sanitiseWritten, plainOf } from '../../message/rich-text.ts';
import { idFrom } from '../../pages/command-ids.ts';
import { field, type Fields } from '../../pages/form.ts';
import type { Pages } from '../../pages/pages.ts';
import { badField } from '../../pages/refusals.ts';
import type { Visit } from '../../pages/visit.ts';
import { mediaTypeOf, storeVisitorsFile } from '../../chunks/store-chunks.ts';
import type { Attachment, Typed } from '../../drafts/draft-content.ts';
import {
  ADDRESSES_BYTES_MAX,
  ATTACHMENTS_BYTES_MAX,
  SUBJECT_BYTES_MAX,
  TEXT_BYTES_MAX,
} from '../../drafts/draft-limits.ts';
import { isDraftId, tooLarge } from './drafts.ts';

/** The id of an identity. */
const FROM_BYTES_MAX = 64;
const FIELDS_MAX = 40;
const FILES_PER_FORM_MAX = 20;

export type WrittenForm = {
  readonly fields: Record<string, unknown>;
  commandId: string;
  readonly added: Attachment[];
};

/** Fills `form` as the request is read, so that a refusal half way loses nothing. Throws PageRefusal. */
export async function readForm(
  pages: Pages,
  request: FastifyRequest,
  visit: Visit,
  form: WrittenForm,
): Promise<void> {
  if (!request.isMultipart()) {
    if (typeof request.body === 'object' && request.body !== null) Object.assign(form.fields, request.body);
    form.commandId = pages.checkForm(request, form.fields);
    return;
  }
  const limits = {
    fileSize: ATTACHMENTS_BYTES_MAX + 1,
    files: FILES_PER_FORM_MAX,
    fields: FIELDS_MAX,
    fieldSize: TEXT_BYTES_MAX + 1,
    headerPairs: 50,
  };
  try {
    await readParts(pages, request, visit, form, limits);
  } catch (error) {
    throw LIMIT_CODES.has((error as { code?: unknown }).code) ? tooManyFiles() : error;
  }
  form.commandId = pages.checkForm(request, form.fields);
}

const LIMIT_CODES: ReadonlySet<unknown> = new Set(['FST_FILES_LIMIT', 'FST_FIELDS_LIMIT', 'FST_PARTS_LIMIT']);

function tooManyFiles() {
  return badField(`Too many files at once: attach at most ${FILES_PER_FORM_MAX}, then the next ones.`);
}

async function readParts(
  pages: Pages,
  request: FastifyRequest,
  visit: Visit,
  form: WrittenForm,
  limits: Readonly<Record<string, number>>,
): Promise<void> {
  for await (const part of request.parts({ limits, preservePath: true })) {
    if (part.type === 'field') {
      // What came twice is refused where it is read.
      const before = form.fields[part.fieldname];
      form.fields[part.fieldname] = before === undefined ? part.value : [before, part.value];
      continue;
    }
    // Fields stand in front of the files: nothing is stored for a form that is not ours.
    form.commandId = pages.checkForm(request, form.fields);
    // A browser sends one nameless, empty part when no file was chosen.
    if ((part.filename ?? '') === '') part.file.resume();
    else form.added.push(await store(pages, visit, part, uploadId(form)));
  }
}

/** A command of each file: files that a script sends one by one with the same form have names of their own. */
function uploadId({ fields, commandId, added }: WrittenForm): string {
  const { upload } = fields;
  const name = typeof upload === 'string' && /^[a-z0-9]{1,12}$/.test(upload) ? upload : 'a';
  return `${commandId}-${name}${added.length}`;
}

async function store(
  pages: Pages,
  visit: Visit,
  part: MultipartFile,
  commandId: string,
): Promise<Attachment> {
  // Browsers write a quote as %22 (WHATWG, multipart/form-data encoding).
  const given = part.filename.replaceAll('%22', '"');
  const type = mediaTypeOf(given, part.mimetype);
  const file = await storeVisitorsFile(pages, visit, part.file, commandId, 'Attach file').catch(
    (error: unknown) => {
      throw (error as { code?: unknown }).code === 'FST_REQ_FILE_TOO_LARGE' ? tooLarge() : error;
    },
  );
  if (part.file.truncated) throw tooLarge();
  return { kind: 'file', name: safeFileName(given, 0, type), type, ...file };
}

/** What a refusal can show again; never throws. */
export function typedAsSent(fields: Fields): Typed {
  const text = (name: string) => (typeof fields[name] === 'string' ? fields[name] : '');
  return {
    from: text('from').slice(0, FROM_BYTES_MAX),
    to: text('to'),
    cc: text('cc'),
    bcc: text('bcc'),
    subject: text('subject'),
    text: text('text'),
    html: sanitiseWritten(text('html').slice(0, TEXT_BYTES_MAX)),
    answers: isMessageId(fields['answers']) ? fields['answers'] : '',
  };
}

/** Throws PageRefusal 400 naming the field and its limit. */
export function typedOf(fields: Fields): Typed {
  const addresses = (name: string, label: string) =>
    field(fields, name, { label, bytesMax: ADDRESSES_BYTES_MAX, multiline: true });
  const text = field(fields, 'text', { label: 'Message', bytesMax: TEXT_BYTES_MAX, multiline: true });
  const html = field(fields, 'html', { label: 'Message', bytesMax: TEXT_BYTES_MAX, multiline: true });
  return {
    from: field(fields, 'from', { label: 'From', bytesMax: FROM_BYTES_MAX }),
    to: addresses('to', 'To'),
    cc: addresses('cc', 'Cc'),
    bcc: addresses('bcc', 'Bcc'),
    subject: field(fields, 'subject', { label: 'Subject', bytesMax: SUBJECT_BYTES_MAX }),
    ...body(text.replace(/\r\n?/g, '\n'), html),
    answers: isMessageId(fields['answers']) ? fields['answers'] : '',
  };
}

/**
 * Formatted text is written by the script, which then leaves the plain field empty. Without it the plain field
 * holds the plain form: if that was changed, it is what its writer meant.
 */
function body(text: string, html: string): { text: string; html: string } {
  const clean = html === '' ? '' : sanitiseWritten(html);
  const plain = plainOf(clean);
  const isUntouched = text.trim() === '' || text.trimEnd() === plain.trimEnd();
  return clean !== '' && isUntouched ? { text: plain, html: clean } : { text, html: '' };
}

/** The identity whose signature stands in the text, as the form was shown; undefined if it does not say. */
export function signedAs({ signed }: Fields): string | undefined {
  return typeof signed === 'string' && Buffer.byteLength(signed) <= FROM_BYTES_MAX ? signed : undefined;
}

function isMessageId(id: unknown): id is string {
  return typeof id === 'string' && /^[a-z2-7]{26}(?:-in)?$/.test(id);
}

export type DraftKeys = { readonly draftId: string; readonly revision: number; readonly window: string };

/** The draft that the form goes on with; a new one, the same for each sending of this form, if it names none. */
export function draftKeys(fields: Fields, visit: Visit, commandId: string): DraftKeys {
  const { draft, revision = '0', window } = fields;
  if (draft !== undefined && draft !== '' && !isDraftId(draft))
    throw badField('The draft’s id is malformed.');
  if (typeof revision !== 'string' || !/^\d{1,12}$/.test(revision)) {
    throw badField('The draft’s revision is malformed: open the page again.');
  }
  return {
    draftId: isDraftId(draft) ? draft : idFrom(visit.account.name, commandId, 'draft'),
    revision: Number(revision),
    window: typeof window === 'string' && /^[\w-]{1,64}$/.test(window) ? window : commandId,
  };
}

/** The message that a draft not yet saved forwards, and how. */
export function forwardedBy(fields: Fields): { id: string; asAttachment: boolean } | undefined {
  const { forwards, as } = fields;
  return isMessageId(forwards) ? { id: forwards, asAttachment: as === 'attachment' } : undefined;
}
