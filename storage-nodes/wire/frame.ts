/**
 * Frames: how messages lie on a TCP connection between processes of the cluster.
 *
 *   u32 BE  bytes that follow (at most FRAME_BYTES_MAX)
 *   u32 BE  length of the head
 *   head    MessagePack (msgpack.ts): [blob lengths, ...fields of the message]
 *   blobs   raw bytes, one after the other (payloads are neither encoded nor, if large, copied)
 *
 * A frame that breaks this is a Fault Malformed; the connection it came on is closed. However long a frame
 * says it is, memory is taken for what has come of it only.
 */
import { Fault } from '../faults.ts';
import { MsgpackWriter, readMsgpack } from '../msgpack.ts';

export const FRAME_BYTES_MAX = 96 * 1024 * 1024;
const BLOBS_MAX = 65_536;
/** Blobs up to this size are copied behind their head; larger ones are pieces of their own. */
const COPY_BYTES_MAX = 16 * 1024;
/** A buffer that has grown beyond this is not kept for the next frames. */
const KEPT_BYTES_MAX = 128 * 1024;
/** What a frame gets at first; it grows as its bytes come. */
const FRAME_BYTES_FIRST = 2 * 1024 * 1024;
/** The length field and the head's. */
const START_BYTES = 8;

export type Message = { readonly fields: readonly unknown[]; readonly blobs: readonly Uint8Array[] };

/** Gathers frames into few pieces to write, the small ones into one. */
export class FrameWriter {
  readonly #writer = new MsgpackWriter();
  /** Pieces before the writer's bytes from `#from` on. */
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  #from = 0;

  /** Bytes gathered and not taken. */
  get bytes(): number {
    return this.#pieceBytes + this.#writer.at - this.#from;
  }

  /** Throws Fault Malformed, with nothing added, on a message that no frame can hold. */
  add(fields: readonly unknown[], blobs: readonly Uint8Array[] = []): void {
    const writer = this.#writer;
    const start = writer.at;
    let headLength: number;
    let blobBytes = 0;
    try {
      writer.reserve(START_BYTES);
      writer.at += START_BYTES;
      writer.listStart(1 + fields.length);
      writer.listStart(blobs.length);
      for (const { length } of blobs) {
        writer.write(length);
        blobBytes += length;
      }
      for (let i = 0; i < fields.length; i++) writer.write(fields[i]);
      headLength = writer.at - start - START_BYTES;
      const total = 4 + headLength + blobBytes;
      if (total > FRAME_BYTES_MAX || blobs.length > BLOBS_MAX)
        throw new Fault(
          'Malformed',
          `a message of ${total} bytes in ${blobs.length} blobs is over the frame limit of ${FRAME_BYTES_MAX} bytes in ${BLOBS_MAX}`,
        );
    } catch (error) {
      writer.at = start;
      throw error;
    }
    writer.bytes.writeUInt32BE(4 + headLength + blobBytes, start);
    writer.bytes.writeUInt32BE(headLength, start + 4);
    for (const blob of blobs) this.#addBlob(blob);
  }

  /** The pieces to write, in order. The bytes belong to the caller until it says `reuse`. */
  take(): Uint8Array[] {
    this.#cut();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#pieceBytes = 0;
    return pieces;
  }

  /** All that was taken has been written: its memory may hold the next frames. Requires that nothing was added since. */
  reuse(): void {
    this.#rewind();
  }

  /** What was taken is still needed: the next frames go elsewhere. */
  abandon(): void {
    this.#writer.bytes = Buffer.allocUnsafe(0);
    this.#rewind();
  }

  #rewind(): void {
    if (this.#writer.bytes.length > KEPT_BYTES_MAX) this.#writer.bytes = Buffer.allocUnsafe(0);
    this.#writer.at = this.#from = 0;
  }

  #addBlob(blob: Uint8Array): void {
    const writer = this.#writer;
    if (blob.length > COPY_BYTES_MAX) {
      this.#cut();
      this.#pieces.push(blob);
      this.#pieceBytes += blob.length;
      return;
    }
    writer.reserve(blob.length);
    writer.bytes.set(blob, writer.at);
    writer.at += blob.length;
  }

  #cut(): void {
    const { bytes, at } = this.#writer;
    if (at === this.#from) return;
    this.#pieces.push(bytes.subarray(this.#from, at));
    this.#pieceBytes += at - this.#from;
    this.#from = at;
  }
}

/** One frame as the pieces to write, in order. */
export function encodeFrame(fields: readonly unknown[], blobs: readonly Uint8Array[] = []): Uint8Array[] {
  const writer = new FrameWriter();
  writer.add(fields, blobs);
  return writer.take();
}

export type FrameReaderOptions = {
  readonly bytesMax?: number;
  /** Chunks are copied: whoever pushes them uses their memory again. */
  readonly chunksAreReused?: boolean;
};

/**
 * Cuts a byte stream into messages. Blobs are views on the chunk or frame they came in: copy what is kept
 * longer than the rest of it.
 */
export class FrameReader {
  readonly #bytesMax: number;
  readonly #copies: boolean;
  /** The length field of a frame, as far as it has come. */
  readonly #length = Buffer.alloc(4);
  #lengthBytes = 0;
  /** A frame that did not come in one chunk: its length, what there is of it, and how much that is. */
  #frameLength = 0;
  #frame: Buffer | undefined;
  #filled = 0;

  constructor({ bytesMax = FRAME_BYTES_MAX, chunksAreReused = true }: FrameReaderOptions = {}) {
    this.#bytesMax = bytesMax;
    this.#copies = chunksAreReused;
  }

  /** A frame has begun, and not all of it has come. */
  get isWithinFrame(): boolean {
    return this.#frame !== undefined || this.#lengthBytes > 0;
  }

  /** Throws Fault Malformed; the reader is useless after that. */
  push(chunk: Buffer): Message[] {
    const messages: Message[] = [];
    let bytes = chunk;
    let isOwn = !this.#copies;
    let at = 0;
    while (at < bytes.length) {
      if (this.#frame || this.#lengthBytes > 0 || bytes.length - at < 4) {
        at = this.#goOn(bytes, at, messages);
        continue;
      }
      const length = this.#checked(bytes.readUInt32BE(at));
      if (bytes.length - at < 4 + length) {
        this.#begin(length);
        at += 4;
        continue;
      }
      if (!isOwn) {
        bytes = Buffer.from(bytes.subarray(at));
        isOwn = true;
        at = 0;
      }
      messages.push(parseFrame(bytes, at + 4, at + 4 + length));
      at += 4 + length;
    }
    return messages;
  }

  /** A frame that comes in more than one chunk. Returns how far this one was read. */
  #goOn(chunk: Buffer, from: number, messages: Message[]): number {
    if (!this.#frame) {
      const taken = Math.min(4 - this.#lengthBytes, chunk.length - from);
      this.#length.set(chunk.subarray(from, from + taken), this.#lengthBytes);
      this.#lengthBytes += taken;
      if (this.#lengthBytes === 4) this.#begin(this.#checked(this.#length.readUInt32BE(0)));
      return from + taken;
    }
    const taken = Math.min(this.#frameLength - this.#filled, chunk.length - from);
    const frame = this.#withRoom(this.#filled + taken);
    frame.set(chunk.subarray(from, from + taken), this.#filled);
    this.#filled += taken;
    if (this.#filled === this.#frameLength) {
      this.#frame = undefined;
      messages.push(parseFrame(frame, 0, this.#filled));
    }
    return from + taken;
  }

  #begin(length: number): void {
    this.#lengthBytes = 0;
    this.#frameLength = length;
    this.#frame = Buffer.allocUnsafe(Math.min(length, FRAME_BYTES_FIRST));
    this.#filled = 0;
  }

  #withRoom(count: number): Buffer {
    const frame = this.#frame!;
    if (count <= frame.length) return frame;
    const grown = Buffer.allocUnsafe(Math.min(this.#frameLength, Math.max(count, 2 * frame.length)));
    frame.copy(grown, 0, 0, this.#filled);
    this.#frame = grown;
    return grown;
  }

  #checked(length: number): number {
    if (length < 5 || length > this.#bytesMax)
      throw new Fault('Malformed', `a frame says it has ${length} bytes; the limit is ${this.#bytesMax}`);
    return length;
  }
}

/** What follows the frame's length, from `from` to exactly `to`. */
function parseFrame(bytes: Buffer, from: number, to: number): Message {
  let at = from + 4 + bytes.readUInt32BE(from);
  if (at > to) throw new Fault('Malformed', 'a frame whose head is longer than itself');
  const head = readMsgpack(bytes, from + 4, at);
  if (!Array.isArray(head) || !Array.isArray(head[0]) || head[0].length > BLOBS_MAX) {
    throw new Fault('Malformed', 'a frame whose head is not [blob lengths, ...fields]');
  }
  const fields = head as unknown[];
  const blobs: Uint8Array[] = [];
  for (const length of fields.shift() as unknown[]) {
    if (!Number.isInteger(length) || (length as number) < 0 || (length as number) > to - at) {
      throw new Fault('Malformed', 'a frame whose blobs are longer than itself');
    }
    blobs.push(bytes.subarray(at, at + (length as number)));
    at += length as number;
  }
  if (at !== to) throw new Fault('Malformed', 'a frame with bytes left over');
  return { fields, blobs };
}
