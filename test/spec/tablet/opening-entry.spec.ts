import { describe, expect, it } from 'vitest';
import { decodeHead, sha256, ZERO_HASH } from '../../../storage-nodes/log/entry.ts';
import { openingEntry } from '../../../storage-nodes/tablet/opening-entry.ts';
import { epoch, nodeId, seq } from '../../../storage-nodes/words.ts';

const self = nodeId('node-1');
const NOON = Date.UTC(2030, 0, 1, 12);
const HOUR = 60 * 60 * 1000;

describe('the entry that opens an epoch', () => {
  const first = openingEntry({ seq: seq(1), epoch: epoch(1), before: undefined, self, now: NOON });

  it("has the primary's time where it is the tablet's first, and follows nothing", () => {
    const head = decodeHead(first.head);
    expect(head.time).toBe(NOON);
    expect(Buffer.from(head.previousHash)).toEqual(Buffer.from(ZERO_HASH));
  });

  it.each([
    ['ahead', NOON + 14 * HOUR],
    ['behind', NOON - 14 * HOUR],
  ])('leaves log time as it is when the new primary has a clock that is %s', (_, now) => {
    const next = openingEntry({ seq: seq(2), epoch: epoch(2), before: first.head, self, now });
    const head = decodeHead(next.head);
    expect(head.time).toBe(NOON);
    expect(Buffer.from(head.previousHash)).toEqual(Buffer.from(sha256(first.head)));
  });
});
