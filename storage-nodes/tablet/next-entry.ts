/** The entry that a decision becomes: behind the tablet's last one, and behind the last one of its stream. */
import type { Content, DomainEvent, Json } from '../../domain/decider.ts';
import type { CommandRequest } from '../client/client.ts';
import {
  commitmentTo,
  encodeHead,
  SALT_BYTES,
  sha256Hex,
  ZERO_HASH,
  type EntryHead,
  type LogRecord,
  type PartCommitment,
} from '../log/entry.ts';
import type { Epoch, Seq } from '../words.ts';
import type { LastEntry, StreamHead } from './platform-cells.ts';

export type NextEntry = {
  readonly record: LogRecord;
  readonly last: LastEntry;
  readonly streamHead: StreamHead;
};

export function nextEntry(given: {
  readonly command: CommandRequest;
  readonly content: Content;
  readonly events: readonly DomainEvent[];
  readonly reply: Json;
  readonly epoch: Epoch;
  readonly time: number;
  readonly last: LastEntry;
  /** Undefined: the first of its stream. */
  readonly streamHead: StreamHead | undefined;
  /** Fills with random bytes: salts of parts. */
  readonly random: (into: Uint8Array) => Uint8Array;
}): NextEntry {
  const { command, content, events, reply, epoch, time, last, streamHead, random } = given;
  const seq = (last.seq + 1) as Seq;
  const head: EntryHead = {
    seq,
    epoch,
    time,
    stream: command.stream,
    streamSeq: (streamHead?.streamSeq ?? 0) + 1,
    streamPrevious: (streamHead?.seq ?? 0) as Seq,
    previousHash: last.hash ? Buffer.from(last.hash, 'hex') : ZERO_HASH,
    previousStreamHash: streamHead ? Buffer.from(streamHead.hash, 'hex') : ZERO_HASH,
    commandId: command.id,
    commandExpiresAt: command.expiresAt,
    action: command.action,
    actor: command.actor,
    session: command.session,
    causation: command.causation,
    events,
    reply,
    parts: command.parts.map((_part, i) => commit(content, i, random(new Uint8Array(SALT_BYTES)))),
  };
  const bytes = encodeHead(head);
  const hash = sha256Hex(bytes);
  return {
    record: { seq, epoch, head: bytes, parts: command.parts },
    last: { seq, hash, time },
    streamHead: { streamSeq: head.streamSeq, seq, hash },
  };
}

/** The digest may be known already: a decision that asked for it has read all the bytes. */
function commit(content: Content, part: number, salt: Uint8Array): PartCommitment {
  return { length: content.length(part), salt, commitment: commitmentTo(salt, content.digest(part)!) };
}
