/**
 * What a message's text is on the wire, and where it ends (RFC 5321 §4.5.2, "Transparency"): a dot that begins a line is
 * never content. Alone on its line it is the end of the text; before anything else it is taken away, whether the client
 * doubled it or, against the rule, did not.
 *
 *   on the wire      CRLF . . CRLF      CRLF . foo CRLF      CRLF . CRLF      CRLF . CR x
 *   content          CRLF . CRLF        CRLF foo CRLF        CRLF (the end)   CRLF CR x
 *
 * Only CRLF ends a line here (§4.1.1.4). What it means does not depend on how the bytes are cut into chunks: all that is
 * ever held back is the CR behind such a dot. A chunk without a line that begins with a dot is passed on as it is;
 * otherwise what is left of it is copied once.
 */
const DOT = 0x2e;
const CR = 0x0d;
const LF = 0x0a;
const DOTTED_LINE = Buffer.from('\r\n.');
const HELD_BACK = Buffer.from('\r');

/** What the next byte comes behind. */
type Place = 'line end' | 'text' | 'CR' | 'dot' | 'dot CR';

export type Passage = {
  readonly content: Buffer;
  /** What stands behind the end of the text; undefined: it goes on. */
  readonly rest: Buffer | undefined;
};

/** One text. */
export class Transparency {
  #place: Place = 'line end';

  take(chunk: Buffer): Passage {
    const pieces: Buffer[] = [];
    let from = 0;
    const keepTo = (to: number): void => void (to > from && pieces.push(chunk.subarray(from, to)));
    for (let at = 0; at < chunk.length;) {
      if (this.#place === 'text') at = this.#textFrom(chunk, at);
      else if (this.#place === 'line end') {
        this.#place = chunk[at] === DOT ? 'dot' : 'text';
        if (this.#place === 'dot') {
          keepTo(at);
          from = ++at;
        }
      } else if (this.#place === 'dot') {
        this.#place = chunk[at] === CR ? 'dot CR' : 'text';
        if (this.#place === 'dot CR') at++;
      } else if (this.#place === 'CR') {
        this.#place = chunk[at] === LF ? 'line end' : 'text';
        if (this.#place === 'line end') at++;
      } else if (chunk[at] === LF) {
        return { content: joined(pieces), rest: chunk.subarray(at + 1) };
      } else {
        if (at === 0) pieces.push(HELD_BACK);
        this.#place = 'text';
      }
    }
    keepTo(this.#place === 'dot CR' ? chunk.length - 1 : chunk.length);
    return { content: joined(pieces), rest: undefined };
  }

  /** Behind the next line end that a dot follows, else to the end of the chunk. */
  #textFrom(chunk: Buffer, at: number): number {
    const found = chunk.indexOf(DOTTED_LINE, at);
    const end = chunk.length;
    if (found >= 0) {
      this.#place = 'line end';
      return found + 2;
    }
    if (end - 2 >= at && chunk[end - 2] === CR && chunk[end - 1] === LF) this.#place = 'line end';
    else if (chunk[end - 1] === CR) this.#place = 'CR';
    return end;
  }
}

function joined(pieces: readonly Buffer[]): Buffer {
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}
