/**
 * One authenticated TCP connection between two processes of a cluster. Both sides prove that they know
 * the cluster secret (HMAC over both nonces) before anything else is said; frames are small until then.
 *
 *   accepting side -> ['challenge', protocol, nonce]
 *   dialling side  -> ['hello', protocol, nonce, purpose, id, link, hmac(secret, 'dial' ‖ both nonces ‖ purpose ‖ id ‖ link)]
 *   accepting side -> ['welcome', hmac(secret, 'accept' ‖ both nonces)]
 *
 * Nobody speaks before it is its turn. After the handshake each message goes to `onMessage`. Whoever breaks
 * the protocol is cut off with one log line; nothing else happens.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { connect as dialSocket, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { Fault } from '../faults.ts';
import { encodeFrame, FrameReader, FrameWriter, type Message } from './frame.ts';

const PROTOCOL = 1;
const HANDSHAKE_BYTES_MAX = 1024;
const HANDSHAKE_MS = 5000;
const RECEIVE_BYTES = 64 * 1024;
/** A host that vanished without a word is noticed. */
const KEEP_ALIVE_MS = 10_000;

/** client: requests; control, entries, parts: the three connections of a link between nodes; master: config store. */
export type Purpose = 'client' | 'control' | 'entries' | 'parts';

export type Hello = { readonly purpose: Purpose; readonly id: string; readonly link: string };

/** Where the bytes of a socket go, once its handshake is over. */
type Received = { readonly areReused: boolean; readonly listen: (to: (chunk: Buffer) => void) => void };

export class Connection {
  readonly hello: Hello;
  /** What it throws cuts the other side off. */
  onMessage: (message: Message) => void = () => {};
  onClose: (reason: string) => void = () => {};
  /** The kernel has taken everything. */
  onDrained: () => void = () => {};
  /** What this turn sent is about to be written: what is sent now goes with it. */
  onWrite: () => void = () => {};
  readonly #socket: Socket;
  readonly #logger: Logger | undefined;
  readonly #peer: string;
  readonly #reader: FrameReader;
  readonly #writer = new FrameWriter();
  readonly #flush = (): void => this.#writeAll();
  #flushing = false;
  #closed: string | undefined;
  /** Came before `start`. */
  #early: Message[] = [];
  #started = false;

  constructor(socket: Socket, hello: Hello, received: Received, logger?: Logger) {
    this.#socket = socket;
    this.#logger = logger;
    this.#peer = addressOf(socket);
    this.hello = hello;
    this.#reader = new FrameReader({ chunksAreReused: received.areReused });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    received.listen((chunk) => this.#received(chunk));
    socket.on('error', (error) => this.close(error.message));
    socket.on('close', () => this.#endedByPeer());
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
    this.#writer.add(fields, blobs);
    this.writeSoon();
  }

  /** At the end of this turn, `onWrite` and then all that was sent. */
  writeSoon(): void {
    if (this.#flushing || this.#closed !== undefined) return;
    this.#flushing = true;
    setImmediate(this.#flush);
  }

  /** Bytes accepted by `send` that the kernel has not taken yet. */
  get backlogBytes(): number {
    return this.#writer.bytes + this.#socket.writableLength;
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

  /** Cuts off a peer that broke the protocol, and writes that down, once. `cause`: if it may be a defect of ours. */
  cutOff(reason: string, cause?: unknown): void {
    if (this.#closed !== undefined) return;
    const { purpose, id } = this.hello;
    const err = cause === undefined || cause instanceof Fault ? undefined : cause;
    this.#logger?.warn(
      { peer: this.#peer, purpose, id, reason, ...(err ? { err } : {}) },
      'connection cut off',
    );
    this.close(reason);
  }

  #writeAll(): void {
    if (this.#closed !== undefined) return;
    this.onWrite();
    this.#flushing = false;
    const pieces = this.#writer.take();
    if (pieces.length === 0) return;
    if (pieces.length === 1) this.#socket.write(pieces[0]!);
    else {
      this.#socket.cork();
      for (const piece of pieces) this.#socket.write(piece);
      this.#socket.uncork();
    }
    // Nothing is left in the socket: the kernel has copied it all.
    if (this.#socket.writableLength === 0) this.#writer.reuse();
    else this.#writer.abandon();
  }

  #received(chunk: Buffer): void {
    let messages: Message[];
    try {
      messages = this.#reader.push(chunk);
    } catch (error) {
      return this.#failed(error);
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
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.cutOff(error instanceof Error ? error.message : String(error), error);
  }

  #endedByPeer(): void {
    if (this.#reader.isWithinFrame) this.cutOff('it ended in the middle of a frame');
    this.#ended('closed by the other side');
  }

  #ended(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#writer.take();
    this.#writer.abandon();
    this.onClose(reason);
  }
}

/**
 * Dials and authenticates. Throws Fault Closed when nobody answers or the secret differs. Without a logger,
 * why a connection was cut off is told to its `onClose` alone.
 */
export function dial(
  to: { host: string; port: number },
  hello: Hello,
  secret: string,
  logger?: Logger,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    // Received into one buffer that is used again and again: streaming a large value leaves little behind.
    let receive = (chunk: Buffer): void => onData(chunk);
    const callback = (length: number, buffer: Uint8Array): boolean => {
      receive(Buffer.from(buffer.buffer, buffer.byteOffset, length));
      return true;
    };
    const onread = { buffer: Buffer.allocUnsafe(RECEIVE_BYTES), callback };
    const socket = dialSocket({ host: to.host, port: to.port, noDelay: true, onread });
    const reader = new FrameReader({ bytesMax: HANDSHAKE_BYTES_MAX });
    const mine = randomBytes(32);
    let theirs: Uint8Array | undefined;
    const fail = (reason: string): void => {
      clearTimeout(timer);
      socket.off('close', onClose).destroy();
      reject(new Fault('Closed', `connecting to ${to.host}:${to.port}: ${reason}`));
    };
    const timer = setTimeout(() => fail('no answer to the handshake'), HANDSHAKE_MS);
    const onData = (chunk: Buffer): void => {
      let fields: readonly unknown[] | undefined;
      try {
        fields = onlyMessage(reader, chunk);
      } catch (error) {
        return fail(error instanceof Error ? error.message : String(error));
      }
      if (!fields) return;
      if (!theirs) {
        if (fields[0] !== 'challenge' || fields[1] !== PROTOCOL || !isNonce(fields[2]))
          return fail('speaks another protocol');
        theirs = Buffer.from(fields[2]);
        const proof = dialProof(secret, theirs, mine, hello);
        write(socket, ['hello', PROTOCOL, mine, hello.purpose, hello.id, hello.link, proof]);
        return;
      }
      if (fields[0] !== 'welcome' || !equal(fields[1], acceptProof(secret, theirs, mine)))
        return fail('does not know our cluster secret');
      clearTimeout(timer);
      socket.off('close', onClose).off('error', onError);
      resolve(new Connection(socket, hello, { areReused: true, listen: (next) => (receive = next) }, logger));
    };
    const onError = (error: Error): void => fail(error.message);
    const onClose = (): void => fail('closed during the handshake (another cluster secret?)');
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
  const reader = new FrameReader({ bytesMax: HANDSHAKE_BYTES_MAX });
  const mine = randomBytes(32);
  const peer = addressOf(socket);
  const leave = (): void => {
    clearTimeout(timer);
    socket.off('data', onData).off('close', onClose);
  };
  const refuse = (reason: string): void => {
    leave();
    logger.warn({ peer, reason }, 'connection refused');
    socket.destroy();
  };
  const timer = setTimeout(() => refuse('no hello in time'), HANDSHAKE_MS);
  const onError = (): void => {};
  const onClose = (): void => {
    // Who only looks whether somebody listens is nothing to write down.
    if (reader.isWithinFrame) refuse('it ended in the middle of a frame');
    else leave();
  };
  const onData = (chunk: Buffer): void => {
    let fields: readonly unknown[] | undefined;
    try {
      fields = onlyMessage(reader, chunk);
    } catch (error) {
      return refuse(error instanceof Error ? error.message : String(error));
    }
    if (!fields) return;
    const [word, protocol, nonce, purpose, id, link, proof] = fields;
    if (word !== 'hello' || protocol !== PROTOCOL || !isNonce(nonce))
      return refuse('not a hello of this protocol');
    if (!isPurpose(purpose) || typeof id !== 'string' || typeof link !== 'string')
      return refuse('a malformed hello');
    const hello = { purpose, id, link };
    if (!equal(proof, dialProof(secret, mine, nonce, hello))) return refuse('a wrong cluster secret');
    leave();
    socket.off('error', onError);
    write(socket, ['welcome', acceptProof(secret, mine, nonce)]);
    onReady(
      new Connection(socket, hello, { areReused: false, listen: (next) => socket.on('data', next) }, logger),
    );
  };
  socket.on('data', onData).on('error', onError).on('close', onClose);
  write(socket, ['challenge', PROTOCOL, mine]);
}

/** The fields of a handshake's message; undefined: not all of it has come. */
function onlyMessage(reader: FrameReader, chunk: Buffer): readonly unknown[] | undefined {
  const [first, ...more] = reader.push(chunk);
  if (first && (more.length > 0 || reader.isWithinFrame))
    throw new Fault('Malformed', 'it spoke on during the handshake');
  return first?.fields;
}

function write(socket: Socket, fields: readonly unknown[]): void {
  for (const piece of encodeFrame(fields)) socket.write(piece);
}

function addressOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
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
