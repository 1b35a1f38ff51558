/**
 * The entry that opens an epoch (rule 5): it carries the chain of hashes on, and the epoch's primary. It
 * takes its time from the entry before it: log time never goes back, so that one primary with a clock
 * that is hours ahead, only by taking over, would have every later command count as expired.
 */
import { decodeHead, encodeHead, sha256, ZERO_HASH, type LogRecord } from '../log/entry.ts';
import type { Epoch, NodeId, Seq } from '../words.ts';
import { EPOCH_OPENED } from './application.ts';

/** `before`: the head of the entry before it, if there is one; `now`: ms since 1970, for the tablet's first entry. */
export function openingEntry(options: {
  seq: Seq;
  epoch: Epoch;
  before: Uint8Array | undefined;
  self: NodeId;
  now: number;
}): LogRecord {
  const { seq, epoch, before, self, now } = options;
  const head = encodeHead({
    seq,
    epoch,
    time: before ? decodeHead(before).time : now,
    stream: '',
    streamSeq: 0,
    streamPrevious: 0 as Seq,
    previousHash: before ? sha256(before) : ZERO_HASH,
    previousStreamHash: ZERO_HASH,
    commandId: '',
    commandExpiresAt: 0,
    action: 'Open an epoch',
    actor: self,
    session: '',
    causation: undefined,
    events: [{ type: EPOCH_OPENED, version: 1, data: { primary: self } }],
    reply: null,
    parts: [],
  });
  return { seq, epoch, head, parts: [] };
}
