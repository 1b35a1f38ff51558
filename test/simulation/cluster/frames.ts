/** Messages as bytes, by the production codecs: what is sent in a simulation was encoded, and is decoded. */
import type { PeerMessage } from '../../../storage-nodes/replication/messages.ts';
import { encodeFrame, FrameReader, type Message } from '../../../storage-nodes/wire/frame.ts';
import {
  decodeClock,
  decodeMessage,
  encodeAppend,
  encodeClock,
  encodeMessage,
} from '../../../storage-nodes/wire/peer-codec.ts';

const NO_PARTS = new Map<number, Uint8Array>();

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
  const pieces = encodeFrame(fields, blobs);
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

export function messageOf(bytes: Uint8Array): Message {
  return new FrameReader().push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))[0]!;
}
