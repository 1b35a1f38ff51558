/** Rule 2: epochs fence. */
import { describe, expect, it } from 'vitest';
import type { MessageBody } from '../../../storage-nodes/replication/messages.ts';
import type { Epoch, Seq } from '../../../storage-nodes/words.ts';
import { configuration, Copy, servingPrimary } from './dialogue.ts';

const TOLD = 'to a in e3 v5: configure v5 e3 c [b c]';

describe('a copy that knows a higher epoch', () => {
  const bodies: MessageBody[] = [
    { type: 'append', prevSeq: 0 as Seq, prevEpoch: 0 as Epoch, records: [], commit: 0 as Seq },
    { type: 'beacon', sentAt: 1, commit: 0 as Seq },
    { type: 'query' },
    { type: 'queryReply', last: { epoch: 2 as Epoch, end: 9 as Seq }, isCut: false },
    { type: 'ack', match: 9 as Seq },
    { type: 'nack', ends: [] },
    { type: 'beaconAck', sentAt: 1 },
    { type: 'full' },
    { type: 'leave' },
    { type: 'offer', configuration: configuration('v4 e3 b [a b]') },
    { type: 'offerAnswer', offer: '#4', accepts: true },
    { type: 'withdraw', at: 1 },
    { type: 'withdrawn', at: 1 },
  ];
  it.each(bodies)('refuses a lower one on $type, and tells why', (body) => {
    const b = new Copy('b', { configuration: 'v5 e3 c [b c]', log: '1@2', committed: 1 });
    b.waits(50);
    expect(b.in(2, 3).hears('a', body)).toEqual([TOLD]);
  });
});

describe('a new configuration', () => {
  it('is on the disk before anything is done in it', () => {
    const b = new Copy('b', { configuration: 'v3 e2 a [a b c]' });
    const next = configuration('v4 e3 c [b c]');
    expect(b.step({ kind: 'configuration', configuration: next })).toContain('save v4 e3 c [b c]');
    expect(b.in(3, 4).hearsAppend('c', '0@0', '1@3', 0)).toEqual(['to c in e2 v3: askConfiguration']);
    expect(b.step({ kind: 'configurationSaved', configuration: next })).toEqual([
      'be replica in v4',
      // It need not be asked where its log ends: a question that came too early was lost.
      'to c in e3 v4: nack, ends ',
    ]);
    expect(b.hearsAppend('c', '0@0', '1@3', 0)).toEqual(['append 1@3']);
  });

  it('of a higher epoch stops the old primary', () => {
    const a = servingPrimary();
    expect(a.learns('v4 e3 b [b c]')).toEqual([
      'save v4 e3 b [b c]',
      'stop serving e3',
      'be learner in v4',
      'to b in e3 v4: nack, ends 1@2',
    ]);
    expect(a.replica.leaseUntil).toBe(-Infinity);
  });

  it('older than the known one changes nothing', () => {
    const a = servingPrimary();
    expect(a.step({ kind: 'configuration', configuration: configuration('v2 e1 a [a b c]') })).toEqual([]);
  });
});
