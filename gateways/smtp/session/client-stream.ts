/**
 * The bytes of one client, taken apart: lines of commands, and the text of messages (transparency.ts). In place of
 * smtp-server's own reading, which takes a bare LF for the end of a command, hands on half a line when the connection
 * ends, and leaves the dot of a line that a client forgot to stuff.
 *
 * A command ends at CRLF and nowhere else (RFC 5321 §2.3.8): a bare LF, as an endless line, is a fault after which
 * nothing more of this client is read, because what stands behind it is a command to one reader and part of one to
 * another (as Postfix does with `smtpd_forbid_bare_newline = reject`).
 *
 * Always holds: one command is under way at a time; what is pipelined behind it waits (RFC 2920), and after a hundred
 * commands other clients have their turn.
 */
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';
import { SmtpReply } from './smtp-reply.ts';
import { Transparency } from './transparency.ts';

const LF = 0x0a;
const CR = 0x0d;
const COMMANDS_IN_TURN = 100;

type Next = (error?: Error | null) => void;

export type ClientStreamOptions = {
  readonly commandBytesMax: number;
  /** A line without its end; `done` is called once the next one may come. */
  readonly onCommand: (line: Buffer, done: () => void) => void;
  /** Nothing is read any more. */
  readonly onFault: (fault: SmtpReply) => void;
};

export class ClientStream extends SMTPStream {
  readonly #options: ClientStreamOptions;
  /** The beginning of a line whose end has not come. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  #text = new Transparency();

  constructor(options: ClientStreamOptions) {
    super();
    this.#options = options;
  }

  override startDataMode(
    ...args: Parameters<SMTPStream['startDataMode']>
  ): ReturnType<SMTPStream['startDataMode']> {
    this.#text = new Transparency();
    return super.startDataMode(...args);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding | 'buffer', next: Next): void {
    if (this.isClosed || chunk.length === 0) return next();
    if (this._dataMode) return this._feedDataStream(chunk, next);
    this.#commands(chunk).then((text) => {
      if (text.length === 0) next();
      else this._write(text, 'buffer', next);
    }, next);
  }

  /** What stands behind the last command, if that was DATA. */
  async #commands(chunk: Buffer): Promise<Buffer> {
    let at = 0;
    for (let inTurn = 1; at < chunk.length && !this.isClosed && !this._dataMode; inTurn++) {
      const lf = chunk.indexOf(LF, at);
      const line = chunk.subarray(at, lf < 0 ? chunk.length : lf + 1);
      at += line.length;
      this.#begun.push(line);
      this.#begunBytes += line.length;
      if (this.#begunBytes > this.#options.commandBytesMax) {
        // RFC 5321 §4.5.3.1.9
        return this.#fault(new SmtpReply(500, '5.5.2', 'Line too long'));
      }
      if (lf < 0) break;
      const whole = this.#begun.length === 1 ? line : Buffer.concat(this.#begun);
      this.#begun = [];
      this.#begunBytes = 0;
      if (whole.at(-2) !== CR) {
        const text = 'A command ends in a bare LF; it must end in CRLF (RFC 5321 2.3.8)';
        return this.#fault(new SmtpReply(500, '5.5.2', text));
      }
      await new Promise<void>((done) => this.#options.onCommand(whole.subarray(0, -2), done));
      if (inTurn % COMMANDS_IN_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return this.isClosed ? NOTHING : chunk.subarray(at);
  }

  #fault(fault: SmtpReply): Buffer {
    this.#begun = [];
    this.isClosed = true;
    this.#options.onFault(fault);
    return NOTHING;
  }

  override _feedDataStream(chunk: Buffer, next: Next): void {
    const stream = this._dataStream!;
    const { content, rest } = this.#text.take(chunk);
    this._countDataBytes(content.length);
    if (rest !== undefined) return this._endDataMode(content, rest, next);
    if (content.length === 0 || !stream.writable || stream.write(content) || stream.destroyed) return next();
    // Who does not read it any more will not be ready for more, but closes it.
    const go = (): void => {
      stream.off('drain', go).off('close', go);
      next();
    };
    stream.on('drain', go).on('close', go);
  }
}

const NOTHING = Buffer.alloc(0);
