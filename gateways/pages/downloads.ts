/** Headers under which bytes from strangers leave: saved or looked at; never guessed at; never scripted. */
import type { FastifyReply } from 'fastify';
import { attachmentDisposition, inlineDisposition } from './content-disposition.ts';

export function asDownload(reply: FastifyReply, name: string, mediaType: string): FastifyReply {
  return strangers(reply, mediaType).header('content-disposition', attachmentDisposition(name));
}

/** A picture or text to look at. Requires a media type that the bytes were found to have, or text/plain. */
export function asPreview(reply: FastifyReply, name: string, mediaType: string): FastifyReply {
  return strangers(reply, mediaType).header('content-disposition', inlineDisposition(name));
}

/** A PDF to look at: browsers' viewers do not start under `sandbox` (decision 0020). Requires true PDF bytes. */
export function asPdfPreview(reply: FastifyReply, name: string): FastifyReply {
  return asPreview(reply, name, 'application/pdf').header(
    'content-security-policy',
    "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
}

function strangers(reply: FastifyReply, mediaType: string): FastifyReply {
  return reply
    .header('content-type', mediaType)
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', "sandbox; default-src 'none'")
    .header('cache-control', 'private, no-cache');
}
