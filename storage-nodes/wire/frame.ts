/**
 * Frames: how messages lie on a TCP connection between processes of the cluster.
 *
 *   u32 BE  bytes that follow (at most FRAME_BYTES_MAX)
 *   u32 BE  length of the head
 *   head    msgpack: [blob lengths, ...fields of the message]
 *   blobs   raw bytes, one after the other (payloads are neither encoded nor copied into the head)
 *
 * A frame that breaks this is a Fault Malformed; the connection it came on is closed.
 */
import { decode, encode } from '@msgpack/msgpack';
import { Fault } from '../faults.ts';

export const FRAME_BYTES_MAX = 96 * 1024 * 1024;
const BLOBS_MAX = 65_536;
/** Frames up to this size are copied into one buffer; larger ones are written in pieces. */
const COPY_BYTES_MAX = 64 * 1024;

export type Message = { readonly fields: readonly unknown[]; readonly blobs: readonly Uint8Array[] };

/** The pieces to write, in order. */
export function encodeFrame(fields: readonly unknown[], blobs: readonly Uint8Array[] = []): Uint8Array[] {
  const lengths = blobs.map((blob) => blob.length);
  const head = encode([lengths, ...fields], { ignoreUndefined: true });
  const blobBytes = lengths.reduce((sum, n) => sum + n, 0);
  const total = 4 + head.length + blobBytes;
  if (total > FRAME_BYTES_MAX) {
    throw new Fault('Malformed', `a message of ${total} bytes is over the frame limit of ${FRAME_BYTES_MAX}`);
  }
  if (total <= COPY_BYTES_MAX) {
    const frame = Buffer.allocUnsafe(4 + total);
    frame.writeUInt32BE(total, 0);
    frame.writeUInt32BE(head.length, 4);
    frame.set(head, 8);
    let at = 8 + head.length;
    for (const blob of blobs) {
      frame.set(blob, at);
      at += blob.length;
    }
    return [frame];
  }
  const start = Buffer.allocUnsafe(8 + head.length);
  start.writeUInt32BE(total, 0);
  start.writeUInt32BE(head.length, 4);
  start.set(head, 8);
  return [start, ...blobs];
}

/** Cuts a byte stream into messages. Blobs are views on their frame's memory: copy what is kept longer than the rest of it. */
export class FrameReader {
  readonly #bytesMax: number;
  /** The length field, as far as it has come. */
  readonly #length = Buffer.alloc(4);
  #lengthBytes = 0;
  /** The frame being filled, its length field included. */
  #frame: Buffer | undefined;
  #filled = 0;

  constructor(bytesMax = FRAME_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** `chunk` may be reused by the caller: what is kept is copied. Throws Fault Malformed; the reader is useless after that. */
  push(chunk: Uint8Array): Message[] {
    const messages: Message[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (!this.#frame) at = this.#readLength(chunk, at);
      const frame = this.#frame;
      if (!frame) break;
      const taken = Math.min(frame.length - this.#filled, chunk.length - at);
      frame.set(chunk.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled < frame.length) break;
      this.#frame = undefined;
      messages.push(parseFrame(frame));
    }
    return messages;
  }

  /** Begins a frame once its length is known; returns how far the chunk was read. */
  #readLength(chunk: Uint8Array, from: number): number {
    const taken = Math.min(4 - this.#lengthBytes, chunk.length - from);
    this.#length.set(chunk.subarray(from, from + taken), this.#lengthBytes);
    this.#lengthBytes += taken;
    if (this.#lengthBytes < 4) return from + taken;
    const total = this.#length.readUInt32BE(0);
    if (total < 5 || total > this.#bytesMax) {
      throw new Fault('Malformed', `a frame says it has ${total} bytes; the limit is ${this.#bytesMax}`);
    }
    this.#frame = Buffer.allocUnsafe(4 + total);
    this.#frame.set(this.#length);
    this.#filled = 4;
    this.#lengthBytes = 0;
    return from + taken;
  }
}

function parseFrame(frame: Buffer): Message {
  const headLength = frame.readUInt32BE(4);
  if (headLength > frame.length - 8) throw new Fault('Malformed', 'a frame whose head is longer than itself');
  let head: unknown;
  try {
    head = decode(frame.subarray(8, 8 + headLength));
  } catch (cause) {
    throw new Fault('Malformed', 'a frame whose head is not msgpack', { cause });
  }
  if (!Array.isArray(head) || !Array.isArray(head[0]) || head[0].length > BLOBS_MAX) {
    throw new Fault('Malformed', 'a frame whose head is not [blob lengths, ...fields]');
  }
  const blobs: Uint8Array[] = [];
  let at = 8 + headLength;
  for (const length of head[0] as unknown[]) {
    if (!Number.isInteger(length) || (length as number) < 0 || at + (length as number) > frame.length) {
      throw new Fault('Malformed', 'a frame whose blobs are longer than itself');
    }
    blobs.push(frame.subarray(at, at + (length as number)));
    at += length as number;
  }
  if (at !== frame.length) throw new Fault('Malformed', 'a frame with bytes left over');
  return { fields: head.slice(1), blobs };
}
