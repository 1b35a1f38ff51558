/** A message behind its looks: the fields of its header, its source, and the file that other programs open. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { readHeaderLines } from '../../message/header-lines.ts';
import { asDownload } from '../../pages/downloads.ts';
import type { Pages } from '../../pages/pages.ts';
import { openMessage, rawBytes, type MessageRoute } from './open-message.ts';

export async function sendRaw(
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

export async function showHeaders(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw, meta } = await openMessage(pages, request, request.params.message);
  const lines = readHeaderLines(await rawBytes(pages, raw));
  return pages.show(request, reply, {
    title: `Headers of ${meta.subject || '(no subject)'}`,
    template: 'web/mail/headers.hbs',
    section: 'mail',
    data: { url: `/mail/${meta.folder}/${meta.id}`, subject: meta.subject, lines },
  });
}
