/** Rule 6: where two logs part, and what must never be cut. */
import { describe, expect, it } from 'vitest';
import type { Epoch, Seq } from '../../../storage-nodes/words.ts';
import { PreparedLog } from '../../../storage-nodes/replication/prepared-log.ts';
import { Copy, records, servingPrimary } from './dialogue.ts';

describe('a copy whose log parts from the primary’s', () => {
  it('says where its epochs end; nothing is cut for that', () => {
    const b = new Copy('b', { configuration: 'v4 e3 a [a b]', log: '1@1 2@1 3@2 4@2', committed: 2 });
    expect(b.hearsAppend('a', '5@3', '', 2)).toContain('to a in e3 v4: nack, ends 2@1 4@2');
    expect(b.replica.view.last).toBe(4);
  });

  it('cuts at the first entry of another epoch, not at its commit index', () => {
    const b = new Copy('b', { configuration: 'v4 e3 a [a b]', log: '1@1 2@1 3@2 4@2', committed: 1 });
    b.waits(50);
    const said = b.hearsAppend('a', '2@1', '3@3', 2);
    expect(said).toEqual(['truncate from 3', 'append 3@3', 'commit 2']);
  });

  it('keeps entries that the primary has too', () => {
    const b = new Copy('b', { configuration: 'v4 e3 a [a b]', log: '1@1 2@2 3@2', committed: 1 });
    b.waits(50);
    expect(b.hearsAppend('a', '1@1', '2@2 3@2', 1)).toEqual(['to a in e3 v4: ack 3']);
  });

  it('is quarantined, and cuts nothing, if that would be below its commit index', () => {
    const b = new Copy('b', { configuration: 'v4 e3 a [a b]', log: '1@1 2@2', committed: 2 });
    b.waits(50);
    expect(b.hearsAppend('a', '1@1', '2@3', 1)).toEqual([]);
    expect(b.waits(50)[0]).toMatch(/^alarm: this copy is quarantined: entry 2 is committed here in epoch 2/);
    expect(b.replica.view).toMatchObject({ role: 'quarantined', last: 2, committed: 2 });
  });
});

describe('the primary', () => {
  it('goes on from where the logs meet', () => {
    const a = servingPrimary('a b');
    a.proposes('2@2 3@2');
    expect(a.in(2, 3).step({ kind: 'peerConnected', peer: 'b' as never })).toContain(
      'to b in e2 v3: probe after 3@2, commit 1',
    );
    const ends = [{ epoch: 2 as Epoch, end: 1 as Seq }];
    expect(a.hears('b', { type: 'nack', ends })).toEqual([
      'to b in e2 v3: append 2@2 3@2 after 1@2, commit 1',
    ]);
  });

  it('no longer counts on what a copy says it does not have', () => {
    const a = servingPrimary('a b');
    a.proposes('2@2');
    a.hearsAck('b', 2);
    a.hears('b', { type: 'nack', ends: [{ epoch: 2 as Epoch, end: 1 as Seq }] });
    expect(a.stored('2@2')).toEqual([]);
    expect(a.hearsAck('b', 2)).toContain('commit 2');
  });
});

describe('two logs', () => {
  it('meet at the shorter end of the newest epoch that both have', () => {
    const log = new PreparedLog(0 as Seq, [], records('1@1 2@1 3@3 4@3'));
    const ends = (text: string) => records(text).map(({ seq, epoch }) => ({ epoch, end: seq }));
    expect(log.matchWith(ends('2@1 3@3'))).toEqual({ seq: 3, epoch: 3 });
    expect(log.matchWith(ends('5@1 9@2'))).toEqual({ seq: 2, epoch: 1 });
    expect(log.matchWith(ends('1@1 8@4'))).toEqual({ seq: 1, epoch: 1 });
    expect(log.matchWith(ends('7@2'))).toEqual({ seq: 0, epoch: 0 });
  });
});
