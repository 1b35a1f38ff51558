/** A message behind its looks: the fields of its header, its source, and the file that other programs open. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { readHeaderLines } from '../../../message/header-lines.ts';
import { asDownload } from '../../../pages/downloads.ts';
import type { Pages } from '../../../pages/pages.ts';
import { sendBytes } from '../../../pages/representation.ts';
import { openMessage, rawBytes, type MessageRoute } from './open-message.ts';

export async function sendRaw(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw, meta } = await openMessage(pages, request, request.params.message);
  const bytes = await rawBytes(pages, raw);
  if (request.query['download'] === '1') {
    asDownload(reply, `${meta.subject.slice(0, 80) || 'message'}.eml`, 'message/rfc822');
    return sendBytes(request, reply, bytes);
  }
  void reply
    .header('content-type', 'text/plain; charset=utf-8')
    .header('content-security-policy', "sandbox; default-src 'none'")
    .header('cache-control', 'private, no-cache');
  return sendBytes(request, reply, bytes);
}

export async function showHeaders(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw, meta } = await openMessage(pages, request, request.params.message);
  const lines = readHeaderLines(await rawBytes(pages, raw));
  return pages.show(request, reply, {
    title: `Headers of ${meta.subject || '(no subject)'}`,
    template: 'web/mail/reading/headers.hbs',
    section: 'mail',
    data: { url: `/mail/${request.params.folder}/${meta.id}`, subject: meta.subject, lines },
  });
}
