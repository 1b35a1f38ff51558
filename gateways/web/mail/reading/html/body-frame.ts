/**
 * The HTML of a message as a document of its own: for the frame on the message's page, and for printing. Sanitised, and
 * under a policy of its own.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { previewOf } from '../../../../message/preview.ts';
import { readAttachments, readMessage, type ReadableMessage } from '../../../../message/read-message.ts';
import type { Pages } from '../../../../pages/pages.ts';
import { notFound } from '../../../../pages/refusals.ts';
import { sendBytes } from '../../../../pages/representation.ts';
import { framePolicy, sanitiseMail } from './html-mail.ts';
import { openMessage, rawBytes, type MessageRoute } from '../open-message.ts';
import { printable } from './print-view.ts';

export async function showBody(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw } = await openMessage(pages, request, request.params.message);
  const bytes = await rawBytes(pages, raw);
  const message = await readMessage(bytes);
  if (message.html === undefined) throw notFound('This message has no HTML.');
  return sendDocument(request, reply, { body: message.html }, await inlineImages(bytes, message));
}

/** The whole message on white paper, with nothing around it. */
export async function showPrintable(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw, meta } = await openMessage(pages, request, request.params.message);
  const bytes = await rawBytes(pages, raw);
  const message = await readMessage(bytes);
  return sendDocument(request, reply, printable(message, meta.at), await inlineImages(bytes, message));
}

function sendDocument(
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
  { body, front }: { body: string; front?: string },
  images: ReadonlyMap<string, string>,
): Promise<FastifyReply> {
  const remoteImages = request.query['images'] === '1';
  const html = sanitiseMail(body, {
    inlineImages: images,
    remoteImages,
    ...(front !== undefined && { front }),
  });
  void reply
    .header('content-type', 'text/html; charset=utf-8')
    .header('content-security-policy', framePolicy(remoteImages))
    .header('referrer-policy', 'no-referrer')
    // The sender's pictures are fetched without cookies.
    .header('cross-origin-embedder-policy', 'credentialless')
    .header('cache-control', 'private, no-cache');
  return sendBytes(request, reply, Buffer.from(html));
}

const INLINE_IMAGES_MAX = 40;
const INLINE_BYTES_MAX = 8 * 1024 * 1024;

/** The message's own pictures, as far as its HTML names them: data: URIs by Content-ID. */
async function inlineImages(
  raw: Buffer,
  { html, attachments }: ReadableMessage,
): Promise<Map<string, string>> {
  const images = new Map<string, string>();
  let left = INLINE_BYTES_MAX;
  const wanted = new Set(
    attachments
      .filter((one) => isInline(one, html))
      .slice(0, INLINE_IMAGES_MAX)
      .map(({ index }) => index),
  );
  if (wanted.size === 0) return images;
  for (const attachment of await readAttachments(raw, ({ index }) => wanted.has(index))) {
    const { contentId, content } = attachment;
    if (contentId === undefined || content.length > left) continue;
    const preview = await previewOf(content, attachment);
    if (preview?.kind !== 'image') continue;
    images.set(contentId, `data:${preview.mediaType};base64,${content.toString('base64')}`);
    left -= content.length;
  }
  return images;
}

/** Whether the HTML shows this attachment in its text. */
export function isInline(
  { contentId, type }: ReadableMessage['attachments'][number],
  html: string | undefined,
): boolean {
  if (contentId === undefined || html === undefined || !type.startsWith('image/')) return false;
  return [contentId, encodeURIComponent(contentId)].some((id) => html.includes(`cid:${id}`));
}
