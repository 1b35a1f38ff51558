/**
 * Mailbox files (mbox, RFC 4155, in its "mboxrd" form): messages one behind another, each opened by a line `From …`;
 * in a message such a line bears a `>` more. Read as a stream, a line at a time, in memory of one message at most.
 *
 * Files of other programs quote less: a line counts as an opening only behind an empty line and with a time in it.
 * Left out: Content-Length, which programs write and do not keep true.
 */

const LF = 0x0a;
const CR = 0x0d;
const CRLF = Buffer.from('\r\n');
const OPENING = Buffer.from('From ');
const QUOTED = /^>+From /;
/** Looked at of a line: longer openings are none. */
const OPENING_BYTES_MAX = 998;
/** A line of more is handed on in pieces. */
const LINE_BYTES_MAX = 1024 * 1024;

/** `bytes`: with CRLF line ends; undefined: it is longer than it may be. `opening`: its `From …` line. */
export type MboxMessage = { readonly opening: string; readonly bytes: Buffer | undefined };

export class NotMbox extends Error {}

/** Throws NotMbox, before anything is yielded, for what does not begin with an opening line. */
export async function* readMbox(
  input: AsyncIterable<Buffer>,
  messageBytesMax: number,
): AsyncGenerator<MboxMessage> {
  let current: Collected | undefined;
  let isBehindEmpty = true;
  for await (const line of linesOf(input)) {
    const end = contentEnd(line);
    if (isBehindEmpty && isOpening(line, end)) {
      if (current !== undefined) yield current.message();
      current = new Collected(line.toString('latin1', 0, end), messageBytesMax);
    } else if (current === undefined) {
      if (end > 0) throw new NotMbox('This is no mbox file: its first line must begin with "From ".');
    } else current.add(line, end);
    isBehindEmpty = end === 0 && line.length > 0;
  }
  if (current !== undefined) yield current.message();
}

class Collected {
  readonly #opening: string;
  readonly #max: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(opening: string, max: number) {
    this.#opening = opening;
    this.#max = max;
  }

  add(line: Buffer, end: number): void {
    // Two more for the empty line that parts it from the next one.
    if (this.#bytes > this.#max + CRLF.length) return;
    const quoted = QUOTED.test(line.toString('latin1', 0, Math.min(end, 100))) ? 1 : 0;
    const pieces = line.at(-1) === LF ? [line.subarray(quoted, end), CRLF] : [line.subarray(quoted, end)];
    for (const piece of pieces) {
      this.#pieces.push(piece);
      this.#bytes += piece.length;
    }
    if (this.#bytes > this.#max + CRLF.length) this.#pieces = [];
  }

  message(): MboxMessage {
    const all = Buffer.concat(this.#pieces);
    const bytes = all.subarray(-4).equals(Buffer.from('\r\n\r\n')) ? all.subarray(0, -CRLF.length) : all;
    return { opening: this.#opening, bytes: this.#bytes > this.#max + CRLF.length ? undefined : bytes };
  }
}

/** Lines with their ends; the last one may have none, nor has a piece of a line that is too long. */
async function* linesOf(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of input) {
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (let lf = data.indexOf(LF, at); lf >= 0; lf = data.indexOf(LF, at)) {
      yield data.subarray(at, lf + 1);
      at = lf + 1;
    }
    // A copy, so that no chunk is kept for the sake of its last line.
    rest = Buffer.from(data.subarray(at));
    if (rest.length > LINE_BYTES_MAX) {
      yield rest;
      rest = Buffer.alloc(0);
    }
  }
  if (rest.length > 0) yield rest;
}

function contentEnd(line: Buffer): number {
  if (line.at(-1) !== LF) return line.length;
  return line.at(-2) === CR ? line.length - 2 : line.length - 1;
}

function isOpening(line: Buffer, end: number): boolean {
  if (end > OPENING_BYTES_MAX || !line.subarray(0, OPENING.length).equals(OPENING)) return false;
  const text = line.toString('latin1', 0, end);
  return /\b\d{1,2}:\d{2}\b/.test(text) && /\b(?:19|20)\d{2}\b/.test(text);
}

/** The message as it stands in an mbox file. `at`: ms since 1970, in its opening line (UTC, as asctime writes it). */
export function mboxEntry(sender: string, at: number, message: Buffer): Buffer {
  const from = /^[!-~]{1,254}$/.test(sender) ? sender : 'MAILER-DAEMON';
  const text = message
    .toString('latin1')
    .replace(/\r\n/g, '\n')
    .replace(/^(>*From )/gm, '>$1');
  const ended = text.endsWith('\n') ? text : `${text}\n`;
  return Buffer.from(`From ${from} ${asctime(at)}\n${ended}\n`, 'latin1');
}

/** `Thu Nov 12 09:05:00 2026` */
function asctime(at: number): string {
  const [day, date, month, year, time] = new Date(at).toUTCString().replace(',', '').split(' ');
  return `${day} ${month} ${date} ${time} ${year}`;
}
