/**
 * Bytes that are sent whole, under a strong validator: compressed if they are text and the client takes that, in
 * pieces if it asks for some, not at all if it has them. Routes that use this are registered with
 * AS_SENT, so that nothing is compressed behind the validator's back.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { byteRange, contentRange } from './byte-range.ts';
import { chooseCoding, encode, type Coding } from './content-coding.ts';
import { PageRefusal } from './refusals.ts';
import { etagIn, etagOf, judge, rangeIn } from './validators.ts';

export const AS_SENT = { compress: false as const };

const TEXT = /^(?:text\/|message\/|application\/(?:json|xml|javascript)\b|image\/svg)/;
const COMPRESSED_BYTES_MIN = 1024;
/** More would keep a thread busy for longer than it saves. */
const COMPRESSED_BYTES_MAX = 4 * 1024 * 1024;
/** Brotli's own default for pages made on the fly. */
const QUALITY = 4;

/** Headers such as the content type and Cache-Control are set before. Throws PageRefusal 412. */
export async function sendBytes(
  request: FastifyRequest,
  reply: FastifyReply,
  bytes: Uint8Array,
): Promise<FastifyReply> {
  const coding = codingFor(request, reply, bytes);
  const etag = etagIn(coding, await etagOf(bytes));
  void reply.headers({ etag, 'accept-ranges': 'bytes' });
  if (isText(reply)) void reply.header('vary', 'accept-encoding');
  const verdict = judge(request.headers, { etag });
  if (verdict === 'unchanged') return reply.status(304).send();
  if (verdict === 'failed') throw changed();

  const range = byteRange(rangeIn(request.headers, { etag }), bytes.length);
  if (range === 'unsatisfiable') {
    return reply.status(416).header('content-range', `bytes */${bytes.length}`).send('');
  }
  if (range !== 'whole') {
    const piece = bytes.subarray(range.offset, range.offset + range.length);
    return reply.status(206).header('content-range', contentRange(range, bytes.length)).send(piece);
  }
  if (coding !== 'identity') void reply.header('content-encoding', coding);
  return reply.send(await encode(bytes, coding, QUALITY));
}

export function changed(): PageRefusal {
  return new PageRefusal(412, 'Changed', 'What you asked for has changed since: please load it anew.');
}

/** Pieces are of the bytes as they are. */
function codingFor(request: FastifyRequest, reply: FastifyReply, { length }: Uint8Array): Coding {
  const fits = length >= COMPRESSED_BYTES_MIN && length <= COMPRESSED_BYTES_MAX;
  if (!fits || request.headers.range !== undefined || !isText(reply)) return 'identity';
  return chooseCoding(request.headers['accept-encoding']);
}

function isText(reply: FastifyReply): boolean {
  return TEXT.test(String(reply.getHeader('content-type')));
}
