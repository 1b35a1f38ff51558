/**
 * The attachments of a message: listed with size and type, looked at where that is safe, saved one by one or all in a
 * zip. What leaves is a stranger's: it is a download, or a preview whose type its bytes have proved.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { extension } from 'mime-types';
import yazl from 'yazl';
import { archiveNames } from '../../../message/archive-names.ts';
import { previewOf, promisedPreview, type PreviewKind } from '../../../message/preview.ts';
import {
  readAttachment,
  readAttachments,
  type Attachment,
  type ReadableAttachment,
  type ReadableMessage,
} from '../../../message/read-message.ts';
import { asDownload, asPdfPreview, asPreview } from '../../../pages/downloads.ts';
import type { Pages } from '../../../pages/pages.ts';
import { notFound } from '../../../pages/refusals.ts';
import { sendBytes } from '../../../pages/representation.ts';
import { isInline } from './html/body-frame.ts';
import { openMessage, rawBytes, type MessageParams, type MessageRoute } from './open-message.ts';

/** For the partial `attachments`; undefined if there are none. */
export type AttachmentsView = {
  /** Of the files, without the pictures in the text. */
  readonly count: number;
  readonly bytes: number;
  /** Where all can be had as one zip; undefined for a single file. */
  readonly allUrl: string | undefined;
  readonly files: readonly AttachmentView[];
  /** Pictures that the HTML shows in its text. */
  readonly inText: readonly AttachmentView[];
};

export type AttachmentView = {
  readonly name: string;
  /** 'PDF', 'PNG picture' */
  readonly kind: string;
  readonly size: number;
  readonly url: string;
  /** Where it can be looked at. */
  readonly previewUrl: string | undefined;
  /** A picture small enough to be shown in the list. */
  readonly thumbnailUrl: string | undefined;
};

const THUMBNAIL_BYTES_MAX = 3 * 1024 * 1024;
const THUMBNAILS_MAX = 8;

/** `url`: of the message. `asText`: its HTML is not shown, and so its inline pictures are not either. */
export function attachmentsView(
  url: string,
  { attachments, html }: ReadableMessage,
  asText: boolean,
): AttachmentsView | undefined {
  if (attachments.length === 0) return undefined;
  let thumbnails = 0;
  const view = (one: ReadableAttachment): AttachmentView => {
    const preview = promisedPreview(one);
    const previewUrl = preview && `${url}/attachment/${one.index}/view`;
    const thumbnail =
      preview === 'image' && one.size <= THUMBNAIL_BYTES_MAX && ++thumbnails <= THUMBNAILS_MAX;
    return {
      name: one.name,
      kind: kindInWords(one, preview),
      size: one.size,
      url: `${url}/attachment/${one.index}`,
      previewUrl,
      thumbnailUrl: thumbnail ? previewUrl : undefined,
    };
  };
  const inText = asText ? [] : attachments.filter((one) => isInline(one, html));
  const files = attachments.filter((one) => !inText.includes(one));
  return {
    count: files.length,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    allUrl: attachments.length > 1 ? `${url}/attachments.zip` : undefined,
    files: files.map(view),
    inText: inText.map(view),
  };
}

const KINDS: Readonly<Record<string, string>> = {
  'application/pdf': 'PDF',
  'text/plain': 'Text',
  'text/calendar': 'Calendar',
  'text/html': 'Web page',
  'message/rfc822': 'Mail message',
  'application/zip': 'ZIP archive',
};

function kindInWords({ type, name }: ReadableAttachment, preview: PreviewKind | undefined): string {
  const known = KINDS[type];
  if (known !== undefined) return known;
  const ending = /\.([a-z0-9]{1,5})$/i.exec(name)?.[1] ?? (extension(type) || '');
  if (preview === 'image') return `${ending.toUpperCase()} picture`.trim();
  return ending === '' ? 'File' : `${ending.toUpperCase()} file`;
}

type AttachmentRoute = { Params: MessageParams & { index: string } };

export async function sendAttachment(
  pages: Pages,
  request: FastifyRequest<AttachmentRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { name, type, content } = await openAttachment(pages, request);
  asDownload(reply, name, type);
  return sendBytes(request, reply, content);
}

export async function showAttachment(
  pages: Pages,
  request: FastifyRequest<AttachmentRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const attachment = await openAttachment(pages, request);
  const preview = await previewOf(attachment.content, attachment);
  if (preview === undefined) {
    throw notFound(
      'This attachment is not what its name says, or cannot be shown safely. You can download it.',
    );
  }
  if (preview.kind === 'pdf') asPdfPreview(reply, attachment.name);
  else asPreview(reply, attachment.name, preview.mediaType);
  return sendBytes(request, reply, preview.content);
}

/** All of them, as they are read: compressed and sent piece by piece. */
export async function sendAll(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw, meta } = await openMessage(pages, request, request.params.message);
  const attachments = await readAttachments(await rawBytes(pages, raw), () => true);
  if (attachments.length === 0) throw notFound('This message has no attachments that could be read.');
  const zip = new yazl.ZipFile();
  const names = archiveNames(attachments.map(({ name }) => name));
  for (const [position, { content, type }] of attachments.entries()) {
    const options = { mtime: new Date(meta.at), compress: !PACKED.test(type) };
    zip.addBuffer(content, names[position] ?? `attachment-${position + 1}`, options);
  }
  zip.end();
  const name = `${meta.subject.slice(0, 80) || 'attachments'}.zip`;
  return asDownload(reply, name, 'application/zip').send(zip.outputStream);
}

/** Compressing these again gains nothing. */
const PACKED = /^(?:image\/(?!svg|bmp)|video\/|audio\/|application\/(?:zip|gzip|pdf|vnd\.openxml))/;

async function openAttachment(pages: Pages, request: FastifyRequest<AttachmentRoute>): Promise<Attachment> {
  const { raw } = await openMessage(pages, request, request.params.message);
  const index = /^\d{1,4}$/.test(request.params.index) ? Number(request.params.index) : -1;
  const attachment = await readAttachment(await rawBytes(pages, raw), index);
  if (attachment === undefined) throw notFound('This message has no such attachment.');
  return attachment;
}
