/**
 * What of a message leaves on its own: its HTML for the frame, its source, its attachments. All of it is a
 * stranger's: sanitised and sandboxed, or plain text, or a download.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readAttachment, readMessage, type ReadableMessage } from '../../message/read-message.ts';
import { asDownload } from '../../pages/downloads.ts';
import type { Pages } from '../../pages/pages.ts';
import { notFound } from '../../pages/refusals.ts';
import { framePolicy, sanitiseMail } from './html-mail.ts';
import { openMessage, rawBytes, type MessageParams, type MessageRoute } from './open-message.ts';

export function registerMessageParts(app: FastifyInstance, pages: Pages): void {
  app.get<MessageRoute>('/mail/:folder/:message/body', (request, reply) => showBody(pages, request, reply));
  app.get<MessageRoute>('/mail/:folder/:message/raw', (request, reply) => sendRaw(pages, request, reply));
  app.get<AttachmentRoute>('/mail/:folder/:message/attachment/:index', (request, reply) =>
    sendAttachment(pages, request, reply),
  );
}

type AttachmentRoute = { Params: MessageParams & { index: string } };

/** The HTML of a message, for the frame alone: sanitised, under a policy of its own. */
async function showBody(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw } = await openMessage(pages, request, request.params.message);
  const bytes = await rawBytes(pages, raw);
  const message = await readMessage(bytes);
  if (message.html === undefined) throw notFound('This message has no HTML.');
  const remoteImages = request.query['images'] === '1';
  const html = sanitiseMail(message.html, {
    inlineImages: await inlineImages(bytes, message),
    remoteImages,
  });
  return (
    reply
      .header('content-type', 'text/html; charset=utf-8')
      .header('content-security-policy', framePolicy(remoteImages))
      .header('referrer-policy', 'no-referrer')
      // The sender's pictures are fetched without cookies.
      .header('cross-origin-embedder-policy', 'credentialless')
      .header('cache-control', 'private, no-cache')
      .send(html)
  );
}

const INLINE_IMAGES_MAX = 20;
const INLINE_BYTES_MAX = 8 * 1024 * 1024;

/** The message's own pictures, as far as its HTML names them. */
async function inlineImages(raw: Buffer, message: ReadableMessage): Promise<Map<string, string>> {
  const images = new Map<string, string>();
  let left = INLINE_BYTES_MAX;
  for (const { index, contentId, type, size } of message.attachments) {
    if (contentId === undefined || !/^image\/(?:png|jpeg|gif|webp)$/.test(type) || size > left) continue;
    if (!message.html?.includes(contentId)) continue;
    const attachment = await readAttachment(raw, index);
    if (attachment === undefined) continue;
    images.set(contentId, `data:${type};base64,${attachment.content.toString('base64')}`);
    left -= size;
    if (images.size >= INLINE_IMAGES_MAX) break;
  }
  return images;
}

async function sendRaw(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw, meta } = await openMessage(pages, request, request.params.message);
  const bytes = await rawBytes(pages, raw);
  if (request.query['download'] === '1') {
    return asDownload(reply, `${meta.subject.slice(0, 80) || 'message'}.eml`, 'message/rfc822').send(bytes);
  }
  return reply
    .header('content-type', 'text/plain; charset=utf-8')
    .header('content-security-policy', "sandbox; default-src 'none'")
    .header('cache-control', 'private, no-cache')
    .send(bytes);
}

async function sendAttachment(
  pages: Pages,
  request: FastifyRequest<AttachmentRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw } = await openMessage(pages, request, request.params.message);
  const index = /^\d{1,4}$/.test(request.params.index) ? Number(request.params.index) : -1;
  const attachment = await readAttachment(await rawBytes(pages, raw), index);
  if (attachment === undefined) throw notFound('This message has no such attachment.');
  return asDownload(reply, attachment.name, attachment.type).send(attachment.content);
}
