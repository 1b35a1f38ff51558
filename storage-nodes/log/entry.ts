/**
 * An entry: one position of a tablet's log. What is replicated, hashed and kept for good is its
 * *head* (encoded once, by the primary) and its *parts* (user content, which can be erased). The head
 * holds a salted commitment to each part, so that erasing a part's bytes breaks no chain.
 *
 *   head       = msgpack array, fields in the order of `encodeHead`
 *   commitment = sha256(salt ‖ sha256(bytes)); salt = 16 random bytes; salt, commitment and length are in the head
 *   hash       = sha256(head); the next entry of the tablet, and of the stream, hold it
 *
 * The log knows nothing of what events mean.
 */
import { createHash, hash } from 'node:crypto';
import { MsgpackWriter, readMsgpack } from '../msgpack.ts';
import type { Epoch, Seq } from '../words.ts';

export type PartCommitment = {
  readonly length: number;
  readonly salt: Uint8Array;
  /** sha256(salt ‖ sha256(bytes)), 32 bytes. */
  readonly commitment: Uint8Array;
};

export type Causation = { readonly tablet: string; readonly seq: number; readonly reaction: number };

/** An event as the log keeps it. */
export type LoggedEvent = {
  readonly type: string;
  readonly version: number;
  readonly data: { readonly [key: string]: unknown };
};

export type EntryHead = {
  readonly seq: Seq;
  readonly epoch: Epoch;
  /** Milliseconds since 1970; max(previous entry's, the primary's clock). */
  readonly time: number;
  /** '' for an entry of the tablet itself (one that opens an epoch). */
  readonly stream: string;
  /** Position in the stream, from 1. */
  readonly streamSeq: number;
  /** The stream's previous entry (0 for the first): from its newest entry on, all of a stream's can be found. */
  readonly streamPrevious: Seq;
  /** Hash of the tablet's previous entry (32 bytes; zeros for the first). */
  readonly previousHash: Uint8Array;
  /** Hash of the stream's previous entry (32 bytes; zeros for the first). */
  readonly previousStreamHash: Uint8Array;
  readonly commandId: string;
  /** Until when, in log time, a retry of the command gets this entry's answer. 0: for good (reactions). */
  readonly commandExpiresAt: number;
  /** What the user did, in words ("Send message"). */
  readonly action: string;
  readonly actor: string;
  readonly session: string;
  readonly causation: Causation | undefined;
  readonly events: readonly LoggedEvent[];
  /** The answer that the command got, for retries. */
  readonly reply: unknown;
  readonly parts: readonly PartCommitment[];
};

/** What the log stores and replication carries. `parts[i]` is undefined once erased. */
export type LogRecord = {
  readonly seq: Seq;
  readonly epoch: Epoch;
  readonly head: Uint8Array;
  readonly parts: readonly (Uint8Array | undefined)[];
};

export const SALT_BYTES = 16;
const HASH_BYTES = 32;
export const ZERO_HASH: Uint8Array = new Uint8Array(HASH_BYTES);

export function sha256(...pieces: Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}

/** Lower-case hex. In one call, which costs a quarter of a Hash object's. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}

export function commitmentOf(salt: Uint8Array, bytes: Uint8Array): Buffer {
  return commitmentTo(salt, sha256Hex(bytes));
}

const SALTED = Buffer.alloc(SALT_BYTES + HASH_BYTES);

/** `digest`: hex, of the bytes. */
export function commitmentTo(salt: Uint8Array, digest: string): Buffer {
  SALTED.set(salt);
  SALTED.write(digest, SALT_BYTES, 'hex');
  return Buffer.from(sha256Hex(SALTED), 'hex');
}

const writer = new MsgpackWriter();

/** Throws Fault Malformed on events or a reply that hold more than MessagePack can say. */
export function encodeHead(head: EntryHead): Uint8Array {
  const { causation } = head;
  writer.at = 0;
  writer.list([
    head.seq,
    head.epoch,
    head.time,
    head.stream,
    head.streamSeq,
    head.previousHash,
    head.previousStreamHash,
    head.commandId,
    head.commandExpiresAt,
    head.action,
    head.actor,
    head.session,
    causation ? [causation.tablet, causation.seq, causation.reaction] : null,
    head.events.map((event) => [event.type, event.version, event.data]),
    head.reply ?? null,
    head.parts.map((part) => [part.length, part.salt, part.commitment]),
    head.streamPrevious,
  ]);
  return Buffer.from(writer.bytes.subarray(0, writer.at));
}

/** Throws on bytes that `encodeHead` cannot have written. The result may alias `bytes`. */
export function decodeHead(bytes: Uint8Array): EntryHead {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const fields = readMsgpack(buffer, 0, buffer.length) as unknown[];
  if (!Array.isArray(fields) || fields.length !== 17)
    throw new Error('not an entry head: expected 17 fields');
  const causation = fields[12] as [string, number, number] | null;
  return {
    seq: fields[0] as Seq,
    epoch: fields[1] as Epoch,
    time: fields[2] as number,
    stream: fields[3] as string,
    streamSeq: fields[4] as number,
    streamPrevious: fields[16] as Seq,
    previousHash: fields[5] as Uint8Array,
    previousStreamHash: fields[6] as Uint8Array,
    commandId: fields[7] as string,
    commandExpiresAt: fields[8] as number,
    action: fields[9] as string,
    actor: fields[10] as string,
    session: fields[11] as string,
    causation: causation ? { tablet: causation[0], seq: causation[1], reaction: causation[2] } : undefined,
    events: (fields[13] as [string, number, LoggedEvent['data']][]).map(([type, version, data]) => ({
      type,
      version,
      data,
    })),
    reply: fields[14],
    parts: (fields[15] as [number, Uint8Array, Uint8Array][]).map(([length, salt, commitment]) => ({
      length,
      salt,
      commitment,
    })),
  };
}
