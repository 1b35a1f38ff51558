/**
 * One authenticated TCP connection between two processes of a cluster. Both sides prove that they know
 * the cluster secret (HMAC over both nonces) before anything else is said; frames are small until then.
 *
 *   accepting side -> ['challenge', protocol, nonce]
 *   dialling side  -> ['hello', protocol, nonce, purpose, id, link, hmac(secret, 'dial' ‖ both nonces ‖ purpose ‖ id ‖ link)]
 *   accepting side -> ['welcome', hmac(secret, 'accept' ‖ both nonces)]
 *
 * After the handshake each message goes to `onMessage`. A peer that breaks the protocol is cut off with
 * one log line; nothing else happens.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { connect as dialSocket, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { Fault } from '../faults.ts';
import { encodeFrame, FRAME_BYTES_MAX, FrameReader, type Message } from './frame.ts';

const PROTOCOL = 1;
const HANDSHAKE_BYTES_MAX = 1024;
const HANDSHAKE_MS = 5000;
const RECEIVE_BYTES = 64 * 1024;
/** A host that vanished without a word is noticed. */
const KEEP_ALIVE_MS = 10_000;

/** client: requests; control, entries, parts: the three connections of a link between nodes; master: config store. */
export type Purpose = 'client' | 'control' | 'entries' | 'parts';

export type Hello = { readonly purpose: Purpose; readonly id: string; readonly link: string };

export class Connection {
  readonly hello: Hello;
  /** What it throws closes the connection. */
  onMessage: (message: Message) => void = () => {};
  onClose: (reason: string) => void = () => {};
  /** The kernel has taken everything. */
  onDrained: () => void = () => {};
  readonly #socket: Socket;
  #reader = new FrameReader(FRAME_BYTES_MAX);
  #queue: Uint8Array[] = [];
  #queueBytes = 0;
  #flushing = false;
  #closed: string | undefined;
  #early: Message[] = [];
  #started = false;

  /** `listen` says where received bytes go from now on. */
  constructor(socket: Socket, hello: Hello, early: Message[], listen: (to: (chunk: Buffer) => void) => void) {
    this.#socket = socket;
    this.hello = hello;
    this.#early = early;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    listen((chunk) => this.#received(chunk));
    socket.on('error', (error) => this.close(error.message));
    socket.on('close', () => this.#ended('closed by the other side'));
    socket.on('drain', () => this.onDrained());
  }

  /** Delivers messages from now on; set the handlers first. */
  start(): void {
    this.#started = true;
    const early = this.#early;
    this.#early = [];
    for (const message of early) this.#deliver(message);
  }

  /** Messages of one turn of the event loop leave in one write. */
  send(fields: readonly unknown[], blobs: readonly Uint8Array[] = []): void {
    if (this.#closed !== undefined) return;
    for (const piece of encodeFrame(fields, blobs)) {
      this.#queue.push(piece);
      this.#queueBytes += piece.length;
    }
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => setImmediate(() => this.#flush()));
  }

  /** Bytes accepted by `send` that the kernel has not taken yet. */
  get backlogBytes(): number {
    return this.#queueBytes + this.#socket.writableLength;
  }

  /** Reads no more until `resume`: what the other side sends then waits there. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  get open(): boolean {
    return this.#closed === undefined;
  }

  close(reason: string): void {
    this.#ended(reason);
    this.#socket.destroy();
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#closed !== undefined || this.#queue.length === 0) return;
    const queue = this.#queue;
    this.#queue = [];
    this.#queueBytes = 0;
    if (queue.length === 1) {
      this.#socket.write(queue[0]!);
      return;
    }
    this.#socket.cork();
    for (const piece of queue) this.#socket.write(piece);
    this.#socket.uncork();
  }

  #received(chunk: Buffer): void {
    let messages: Message[];
    try {
      messages = this.#reader.push(chunk);
    } catch (error) {
      this.close(error instanceof Error ? error.message : String(error));
      return;
    }
    for (const message of messages) {
      if (this.#started) this.#deliver(message);
      else this.#early.push(message);
    }
  }

  #deliver(message: Message): void {
    if (this.#closed !== undefined) return;
    try {
      this.onMessage(message);
    } catch (error) {
      this.close(error instanceof Error ? error.message : String(error));
    }
  }

  #ended(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#queue = [];
    this.#queueBytes = 0;
    this.onClose(reason);
  }
}

/** Dials and authenticates. Throws Fault Closed when nobody answers or the secret differs. */
export function dial(to: { host: string; port: number }, hello: Hello, secret: string): Promise<Connection> {
  return new Promise((resolve, reject) => {
    // Received into one buffer that is used again and again: streaming a large value leaves little behind.
    let receive = (chunk: Buffer): void => onData(chunk);
    const callback = (length: number, buffer: Uint8Array): boolean => {
      receive(Buffer.from(buffer.buffer, buffer.byteOffset, length));
      return true;
    };
    const onread = { buffer: Buffer.allocUnsafe(RECEIVE_BYTES), callback };
    const socket = dialSocket({ host: to.host, port: to.port, noDelay: true, onread });
    const reader = new FrameReader(HANDSHAKE_BYTES_MAX);
    const mine = randomBytes(32);
    let theirs: Uint8Array | undefined;
    const fail = (reason: string) => {
      socket.destroy();
      reject(new Fault('Closed', `connecting to ${to.host}:${to.port}: ${reason}`));
    };
    const timer = setTimeout(() => fail('no answer to the handshake'), HANDSHAKE_MS);
    const onData = (chunk: Buffer) => {
      try {
        const messages = reader.push(chunk);
        for (const [i, { fields }] of messages.entries()) {
          if (!theirs) {
            if (fields[0] !== 'challenge' || fields[1] !== PROTOCOL || !isNonce(fields[2])) {
              return finish('speaks another protocol');
            }
            theirs = fields[2];
            const proof = dialProof(secret, theirs, mine, hello);
            for (const piece of encodeFrame([
              'hello',
              PROTOCOL,
              mine,
              hello.purpose,
              hello.id,
              hello.link,
              proof,
            ])) {
              socket.write(piece);
            }
          } else {
            if (fields[0] !== 'welcome' || !equal(fields[1], acceptProof(secret, theirs, mine))) {
              return finish('does not know our cluster secret');
            }
            return finish(undefined, messages.slice(i + 1));
          }
        }
      } catch (error) {
        finish(error instanceof Error ? error.message : String(error));
      }
    };
    const onError = (error: Error) => finish(error.message);
    const onClose = () => finish('closed during the handshake (another cluster secret?)');
    const finish = (reason: string | undefined, early: Message[] = []) => {
      clearTimeout(timer);
      socket.off('error', onError).off('close', onClose);
      if (reason !== undefined) {
        socket.on('error', () => {});
        fail(reason);
      } else {
        resolve(new Connection(socket, hello, early, (to) => (receive = to)));
      }
    };
    socket.on('error', onError).on('close', onClose);
  });
}

/** Authenticates an accepted socket, then hands it over; a stranger is cut off with one log line. */
export function accept(
  socket: Socket,
  secret: string,
  logger: Logger,
  onReady: (connection: Connection) => void,
): void {
  const reader = new FrameReader(HANDSHAKE_BYTES_MAX);
  const mine = randomBytes(32);
  const refuse = (reason: string) => {
    clearTimeout(timer);
    socket.off('data', onData);
    logger.warn({ peer: `${socket.remoteAddress}:${socket.remotePort}`, reason }, 'connection refused');
    socket.destroy();
  };
  const timer = setTimeout(() => refuse('no hello in time'), HANDSHAKE_MS);
  const onError = () => {};
  const onClose = () => clearTimeout(timer);
  const onData = (chunk: Buffer) => {
    try {
      const messages = reader.push(chunk);
      const first = messages[0];
      if (!first) return;
      const [word, protocol, nonce, purpose, id, link, proof] = first.fields;
      if (word !== 'hello' || protocol !== PROTOCOL || !isNonce(nonce))
        return refuse('not a hello of this protocol');
      if (!isPurpose(purpose) || typeof id !== 'string' || typeof link !== 'string')
        return refuse('a malformed hello');
      const hello = { purpose, id, link };
      if (!equal(proof, dialProof(secret, mine, nonce, hello))) return refuse('a wrong cluster secret');
      clearTimeout(timer);
      socket.off('data', onData).off('error', onError).off('close', onClose);
      for (const piece of encodeFrame(['welcome', acceptProof(secret, mine, nonce)])) socket.write(piece);
      onReady(new Connection(socket, hello, messages.slice(1), (to) => socket.on('data', to)));
    } catch (error) {
      refuse(error instanceof Error ? error.message : String(error));
    }
  };
  socket.on('data', onData).on('error', onError).on('close', onClose);
  for (const piece of encodeFrame(['challenge', PROTOCOL, mine])) socket.write(piece);
}

function dialProof(secret: string, accepting: Uint8Array, dialling: Uint8Array, hello: Hello): Buffer {
  return createHmac('sha256', secret)
    .update('dial')
    .update(accepting)
    .update(dialling)
    .update(JSON.stringify([hello.purpose, hello.id, hello.link]))
    .digest();
}

function acceptProof(secret: string, accepting: Uint8Array, dialling: Uint8Array): Buffer {
  return createHmac('sha256', secret).update('accept').update(accepting).update(dialling).digest();
}

function equal(a: unknown, b: Buffer): boolean {
  return a instanceof Uint8Array && a.length === b.length && timingSafeEqual(a, b);
}

function isNonce(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 32;
}

function isPurpose(value: unknown): value is Purpose {
  return value === 'client' || value === 'control' || value === 'entries' || value === 'parts';
}
