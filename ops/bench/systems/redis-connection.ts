/**
 * One pipelining connection to Redis: commands written as they come, all of one turn of the event loop in
 * one write, replies matched in order. RESP2 (Redis serialization protocol specification).
 */
import { connect, type Socket } from 'node:net';
import type { Address } from './system.ts';

export type Reply = Buffer | string | number | null | readonly Reply[];
type Waiting = { readonly resolve: (reply: Reply) => void; readonly reject: (error: Error) => void };

/** Values from this length on are written by themselves instead of being copied. */
const COPY_BYTES_MAX = 4096;

export class RedisConnection {
  readonly #socket: Socket;
  #waiting: Waiting[] = [];
  #answered = 0;
  #corked = false;
  #unread: Buffer[] = [];
  #unreadBytes = 0;
  /** How many bytes the reply that stands first will need at least. */
  #neededBytes = 1;

  constructor({ host, port }: Address) {
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on('data', (piece: Buffer) => this.#received(piece));
    this.#socket.on('error', (error) => this.#failed(error));
    this.#socket.on('close', () => this.#failed(new Error('Redis closed the connection')));
  }

  send(words: readonly (string | Buffer)[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (!this.#corked) {
        this.#corked = true;
        this.#socket.cork();
        setImmediate(() => {
          this.#corked = false;
          this.#socket.uncork();
        });
      }
      this.#write(words);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #write(words: readonly (string | Buffer)[]): void {
    let text = `*${words.length}\r\n`;
    for (const word of words) {
      if (typeof word === 'string') text += `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
      else if (word.length < COPY_BYTES_MAX) text += `$${word.length}\r\n${word.toString('latin1')}\r\n`;
      else {
        this.#socket.write(`${text}$${word.length}\r\n`, 'latin1');
        this.#socket.write(word);
        text = '\r\n';
      }
    }
    this.#socket.write(text, 'latin1');
  }

  #received(piece: Buffer): void {
    this.#unread.push(piece);
    this.#unreadBytes += piece.length;
    if (this.#unreadBytes < this.#neededBytes) return;
    const bytes = this.#unread.length === 1 ? piece : Buffer.concat(this.#unread);
    let at = 0;
    for (;;) {
      const read = readReply(bytes, at);
      if (read.next < 0) {
        this.#neededBytes = -read.next - at;
        break;
      }
      at = read.next;
      this.#answer(read.reply);
    }
    this.#unread = at < bytes.length ? [bytes.subarray(at)] : [];
    this.#unreadBytes = bytes.length - at;
  }

  #answer(reply: Reply | Error): void {
    const waiting = this.#waiting[this.#answered++]!;
    if (this.#answered > 1024) {
      this.#waiting = this.#waiting.slice(this.#answered);
      this.#answered = 0;
    }
    if (reply instanceof Error) waiting.reject(reply);
    else waiting.resolve(reply);
  }

  #failed(error: Error): void {
    const waiting = this.#waiting.slice(this.#answered);
    this.#waiting = [];
    this.#answered = 0;
    for (const { reject } of waiting) reject(error);
  }
}

type Read = { readonly reply: Reply | Error; readonly next: number };

/** `next` is where the reply after it starts; negative: not all is there, and `bytes` must reach to -next. */
function readReply(bytes: Buffer, at: number): Read {
  const lineEnd = bytes.indexOf('\r\n', at);
  if (lineEnd < 0) return { reply: null, next: -(bytes.length + 1) };
  const line = bytes.toString('latin1', at + 1, lineEnd);
  const start = lineEnd + 2;
  switch (bytes[at]!) {
    case 0x2b: // +
      return { reply: line, next: start };
    case 0x2d: // -
      return { reply: new Error(`Redis: ${line}`), next: start };
    case 0x3a: // :
      return { reply: Number(line), next: start };
    case 0x24: {
      // $
      const length = Number(line);
      if (length < 0) return { reply: null, next: start };
      const end = start + length + 2;
      return end <= bytes.length
        ? { reply: bytes.subarray(start, start + length), next: end }
        : { reply: null, next: -end };
    }
    case 0x2a: {
      // *
      const replies: Reply[] = [];
      let next = start;
      for (let i = 0; i < Number(line); i++) {
        const read = readReply(bytes, next);
        if (read.next < 0) return read;
        replies.push(read.reply instanceof Error ? read.reply.message : read.reply);
        next = read.next;
      }
      return { reply: replies, next };
    }
    default:
      throw new Error(`Redis: a reply cannot start with byte ${bytes[at]}`);
  }
}
