/** Messages as bytes, by the production codecs: what is sent in a simulation was encoded, and is decoded. */
import type { PeerMessage } from '../../../storage-nodes/replication/messages.ts';
import { FrameReader, FrameWriter, type Message } from '../../../storage-nodes/wire/frame.ts';
import {
  decodeClock,
  decodeMessage,
  encodeAppend,
  encodeClock,
  encodeMessage,
} from '../../../storage-nodes/wire/peer-codec.ts';

const NO_PARTS = new Map<number, Uint8Array>();
const writer = new FrameWriter();
const reader = new FrameReader({ chunksAreReused: false });

export function peerFrame(message: PeerMessage): Uint8Array {
  const { body } = message;
  if (body.type === 'snapshotChunk') return frame(encodeMessage(message), [body.bytes]);
  if (body.type !== 'append') return frame(encodeMessage(message));
  const { fields, blobs } = encodeAppend(message, body, () => 0);
  return frame(fields, blobs);
}

export function peerMessage(bytes: Uint8Array): PeerMessage {
  return decodeMessage(messageOf(bytes), NO_PARTS);
}

export function clockFrame(wall: number): Uint8Array {
  return frame(encodeClock(wall));
}

export function clockOf(bytes: Uint8Array): number {
  return decodeClock(messageOf(bytes))!;
}

export function frame(fields: readonly unknown[], blobs: readonly Uint8Array[] = []): Uint8Array {
  writer.add(fields, blobs);
  const bytes = Buffer.concat(writer.take());
  writer.reuse();
  return bytes;
}

export function messageOf(bytes: Uint8Array): Message {
  return reader.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))[0]!;
}
