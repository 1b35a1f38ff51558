/**
 * The bytes between DATA and its final dot: collected within bounds, then checked for what would make
 * them dangerous or endless. Otherwise they stay exactly as they came (8-bit bytes, NULs, long lines).
 *
 * Three bounds: the size of one message; the bytes that all sessions hold together; and what a client
 * may go on sending after it was too large, before the line is cut.
 *
 * A message holds its bytes twice for a moment, when its pieces are joined; the shared bound counts
 * them once.
 */
import type { Readable } from 'node:stream';
import { SmtpReply, tooLarge } from './smtp-reply.ts';

/**
 * RFC 5321 §4.5.3.1.6 allows 1,000 octets a line and lets servers take more; real mail has lines of
 * 300 KB when a newsletter leaves out its line breaks, but no honest mailer sends these over SMTP.
 */
export const LINE_BYTES_MAX = 64 * 1024;

/** What a client may still send after going over the limit, before it is cut off. */
const EXCESS_BYTES_MAX = 64 * 1024 * 1024;

const LF = 0x0a;
const CR = 0x0d;

/** Bytes held by all sessions together. */
export class BufferBudget {
  readonly bytesMax: number;
  used = 0;
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** False, and nothing taken, if there is no room. */
  take(bytes: number): boolean {
    if (this.used + bytes > this.bytesMax) return false;
    this.used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

/** A client that does not stop. */
export class EndlessData extends Error {}

export type MessageData = { readonly pieces: readonly Buffer[]; readonly bytes: number };

/**
 * Reads to the end of the message, also of one that is refused: the reply comes after the final dot
 * (RFC 5321 §4.1.1.4). The caller gives `bytes` back to the budget.
 *
 * Throws SmtpReply (nothing is held then), EndlessData, or the stream's error when the client is gone.
 */
export async function collect(
  stream: Readable,
  bytesMax: number,
  budget: BufferBudget,
): Promise<MessageData> {
  let pieces: Buffer[] = [];
  let seen = 0;
  let held = 0;
  let refusal: SmtpReply | undefined;
  const drop = (why?: SmtpReply) => {
    budget.give(held);
    held = 0;
    pieces = [];
    refusal ??= why;
  };
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      seen += piece.length;
      if (seen > bytesMax + EXCESS_BYTES_MAX) throw new EndlessData();
      if (refusal) continue;
      if (seen > bytesMax) drop(tooLarge(bytesMax));
      else if (budget.take(piece.length)) {
        held += piece.length;
        pieces.push(piece);
      } else
        drop(new SmtpReply(451, '4.3.1', 'Too many large messages are arriving at once, try again later'));
    }
  } catch (error) {
    drop();
    throw error;
  }
  if (refusal) throw refusal;
  return { pieces, bytes: held };
}

/** Throws SmtpReply for line ends that two servers could read differently, and for endless lines. */
export function checkLines(raw: Buffer): void {
  let lineStart = 0;
  let line = 1;
  for (let lf = raw.indexOf(LF); lf >= 0; lf = raw.indexOf(LF, lineStart)) {
    if (lf === 0 || raw[lf - 1] !== CR) throw bare('LF', line);
    checkLength(lf + 1 - lineStart, line++);
    lineStart = lf + 1;
  }
  checkLength(raw.length - lineStart, line);
  for (let cr = raw.indexOf(CR); cr >= 0; cr = raw.indexOf(CR, cr + 1)) {
    if (raw[cr + 1] !== LF) throw bare('CR', undefined);
  }
}

/**
 * RFC 5321 §2.3.8: CR and LF must only stand together; servers that disagree on a bare one can be made
 * to see two messages in one ("SMTP smuggling"). 550 is a refusal by policy (§4.2.3), 5.5.2 a syntax
 * error (RFC 3463 §3.6).
 */
function bare(which: 'CR' | 'LF', line: number | undefined): SmtpReply {
  const where = line === undefined ? '' : ` in line ${line}`;
  return new SmtpReply(
    550,
    '5.5.2',
    `The message has a bare ${which}${where}; lines must end in CRLF (RFC 5321 2.3.8)`,
  );
}

/** RFC 5321 §4.5.3.1.10 gives `500 Line too long` for this. */
function checkLength(bytes: number, line: number): void {
  if (bytes <= LINE_BYTES_MAX) return;
  throw new SmtpReply(
    500,
    '5.5.2',
    `Line ${line} of the message is longer than the limit of ${LINE_BYTES_MAX} bytes`,
  );
}
