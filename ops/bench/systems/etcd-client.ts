/**
 * An etcd client for two calls, Put and Range, over etcd's own gRPC: HTTP/2 by Node's built-in module,
 * and the few protobuf fields that the calls use written by hand. etcd's JSON gateway would cost etcd a
 * second hop and base64; a general gRPC package would cost the generator more time for each call.
 *
 *   frame    0, u32 length (big-endian), message          gRPC over HTTP/2, "Length-Prefixed-Message"
 *   Put      PutRequest { key = 1, value = 2 }
 *   Range    RangeRequest { key = 1 } -> RangeResponse { kvs = 2 { value = 5 } }
 *
 * Range is linearizable unless it is asked not to be. Source: etcd's rpc.proto and kv.proto.
 */
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { Address, Client } from './system.ts';

const WINDOW_BYTES = 16 * 1024 * 1024;
const SESSION_MEGABYTES_MAX = 1024;
const FRAME_BYTES = 5;

export class EtcdClient implements Client {
  readonly #session: ClientHttp2Session;
  readonly #headers: (path: string) => Record<string, string>;

  constructor({ host, port }: Address) {
    const authority = `http://${host}:${port}`;
    this.#session = connect(authority, {
      settings: { initialWindowSize: WINDOW_BYTES },
      // Node's own bound on a session (10 MB) would refuse calls while many long values are in flight.
      maxSessionMemory: SESSION_MEGABYTES_MAX,
    });
    // Each call in flight fails by itself.
    this.#session.on('error', () => {});
    this.#session.once('connect', () => this.#session.setLocalWindowSize(WINDOW_BYTES));
    this.#headers = (path) => ({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
  }

  async put(key: string, value: Buffer): Promise<void> {
    await this.#call('/etcdserverpb.KV/Put', [...bytesField(1, Buffer.from(key)), ...bytesField(2, value)]);
  }

  async get(key: string): Promise<Buffer | undefined> {
    const response = await this.#call('/etcdserverpb.KV/Range', bytesField(1, Buffer.from(key)));
    const found = fieldOf(response, 2);
    return found && (fieldOf(found, 5) ?? Buffer.alloc(0));
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#session.close(resolve));
  }

  /** Resolves with the answer's message. */
  #call(path: string, message: readonly Buffer[]): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const stream: ClientHttp2Stream = this.#session.request(this.#headers(path));
      const pieces: Buffer[] = [];
      let failure: string | undefined = 'the call ended without a status';
      const onTrailers = (headers: IncomingHttpHeaders): void => {
        const status = headers['grpc-status'];
        if (status !== undefined)
          failure = status === '0' ? undefined : `gRPC status ${status}: ${headers['grpc-message']}`;
      };
      stream.on('response', onTrailers);
      stream.on('trailers', onTrailers);
      stream.on('data', (piece: Buffer) => pieces.push(piece));
      stream.on('error', reject);
      stream.on('end', () => {
        if (failure !== undefined) return reject(new Error(`etcd: ${failure}`));
        const answer = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
        resolve(answer.subarray(FRAME_BYTES));
      });
      stream.end(framed(message));
    });
  }
}

function framed(message: readonly Buffer[]): Buffer {
  const prefix = Buffer.alloc(FRAME_BYTES);
  prefix.writeUInt32BE(
    message.reduce((sum, { length }) => sum + length, 0),
    1,
  );
  return Buffer.concat([prefix, ...message]);
}

/** A field of wire type 2: tag, length, bytes. Field numbers below 16 only. */
function bytesField(field: number, bytes: Buffer): Buffer[] {
  const prefix = [(field << 3) | 2];
  let rest = bytes.length;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) prefix.push((rest % 128) | 0x80);
  prefix.push(rest);
  return [Buffer.from(prefix), bytes];
}

/** The first field of that number and wire type 2; the others (varints among them) are passed over. */
function fieldOf(message: Buffer, wanted: number): Buffer | undefined {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const number = varint();
    if ((tag & 7) === 0) continue;
    if (tag >> 3 === wanted) return message.subarray(at, at + number);
    at += number;
  }
  return undefined;
}
