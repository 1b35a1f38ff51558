/** Headers under which bytes from strangers leave: saved, not shown; never guessed at; never scripted. */
import type { FastifyReply } from 'fastify';
import { attachmentDisposition } from './content-disposition.ts';

export function asDownload(reply: FastifyReply, name: string, mediaType: string): FastifyReply {
  return reply
    .header('content-type', mediaType)
    .header('content-disposition', attachmentDisposition(name))
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', "sandbox; default-src 'none'")
    .header('cache-control', 'private, no-cache');
}
