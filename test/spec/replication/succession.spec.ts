/** Rules 5, 7 and 12: who may lead next. */
import { describe, expect, it } from 'vitest';
import type { Epoch, NodeId, Seq } from '../../../storage-nodes/words.ts';
import { configuration, Copy, servingPrimary, TIMING } from './dialogue.ts';

const asks = (said: readonly string[]) => said.filter((line) => line.startsWith('ask for'));

describe('a restarted primary', () => {
  it('asks for a new epoch, keeps its prepared suffix, and serves once the opening entry is committed', () => {
    const a = new Copy('a', { configuration: 'v3 e2 a [a b]', log: '1@2 2@2', committed: 1 });
    expect(asks(a.waits(50))).toEqual(['ask for v4 e3 a [a b]']);
    expect(a.wins('v4 e3 a [a b]')).toContain('open e3 at 3');
    a.proposes('3@3');
    a.stored('3@3');
    expect(a.hearsAck('b', 2)).toContain('commit 2');
    expect(a.replica.view.serving).toBe(false);
    expect(a.hearsAck('b', 3)).toEqual(['commit 3', 'serve e3']);
  });

  it('sends no beacons before it has one, so that others may replace it', () => {
    const a = new Copy('a', { configuration: 'v3 e2 a [a b]' });
    a.now += 500;
    expect(a.step({ kind: 'tick' })).toEqual(['be primary in v3', 'ask for v4 e3 a [a b]']);
  });

  it('does not open an epoch that an earlier run asked for: it asks anew', () => {
    const a = new Copy('a', { configuration: 'v3 e2 b [a b]' });
    const said = a.learns('v4 e3 a [a]');
    expect(said).not.toContain('open e3 at 1');
    // It may have answered beacons of b since: whoever read under that lease is done by then (rule 7).
    expect(asks(a.waits(TIMING.graceMs - 50))).toEqual([]);
    expect(asks(a.waits(100))).toEqual(['ask for v5 e4 a [a]']);
  });
});

describe('a member', () => {
  it('asks to replace the primary only when its full grace has run out', () => {
    const b = new Copy('b', { configuration: 'v3 e2 a [a b c]' });
    expect(asks(b.waits(TIMING.graceMs - 100))).toEqual([]);
    b.hears('a', { type: 'beacon', sentAt: 7, commit: 0 as Seq });
    expect(asks(b.waits(TIMING.graceMs - 50))).toEqual([]);
    expect(asks(b.waits(100))).toEqual(['ask for v4 e3 b [b c]']);
  });

  it('leaves a first configuration alone: others may not have it on their disks, and nothing is written', () => {
    const b = new Copy('b', { configuration: 'v1 e1 a [a b c]' });
    expect(asks(b.waits(2 * TIMING.graceMs))).toContain('ask for v2 e2 b [b]');
  });

  it('does not answer beacons while it asks', () => {
    const b = new Copy('b', { configuration: 'v3 e2 a [a b c]' });
    b.waits(TIMING.graceMs);
    expect(b.hears('a', { type: 'beacon', sentAt: 7, commit: 0 as Seq })).toEqual([]);
  });

  it('is a member again when the store does not answer its request: it answers beacons and asks no more', () => {
    const b = new Copy('b', { configuration: 'v3 e2 a [a b c]' });
    b.waits(TIMING.graceMs);
    const hearsBeacon = () => b.hears('a', { type: 'beacon', sentAt: 7, commit: 0 as Seq });
    b.now += TIMING.retryMs;
    expect(hearsBeacon()).toEqual(['to a in e2 v3: beaconAck 7']);
    expect(b.replica.successor).toBeUndefined();
    const next = configuration('v4 e3 b [b c]');
    b.step({ kind: 'compareAndSetDone', next, outcome: 'ambiguous' });
    expect(asks(b.waits(TIMING.graceMs - 50))).toEqual([]);
    // The primary falls silent again: what is still uncertain is asked for, nothing else (rule 4).
    expect(asks(b.waits(100))).toEqual(['ask for v4 e3 b [b c]']);
    expect(hearsBeacon()).toEqual([]);
    expect(b.wins('v4 e3 b [b c]')).toContain('open e3 at 1');
  });

  it('does not open at once what it asked for before it answered beacons again (rule 7)', () => {
    const b = new Copy('b', { configuration: 'v3 e2 a [a b c]' });
    b.waits(TIMING.graceMs);
    b.now += TIMING.retryMs;
    b.hears('a', { type: 'beacon', sentAt: 7, commit: 0 as Seq });
    const said = b.wins('v4 e3 b [b c]');
    expect(said).toContain('be primary in v4');
    expect(said).not.toContain('open e3 at 1');
    expect(asks(b.waits(TIMING.graceMs - 50))).toEqual([]);
    expect(asks(b.waits(100))).toEqual(['ask for v5 e4 b [b c]']);
  });

  it('may be offered the lead while a request of its own is in doubt', () => {
    const b = new Copy('b', { configuration: 'v3 e2 a [a b c]' });
    b.waits(TIMING.graceMs);
    const offer = { type: 'offer', configuration: configuration('v4 e3 b [a b c]') } as const;
    expect(b.hears('a', offer)).toEqual(['to a in e2 v3: decline']);
    b.now += TIMING.retryMs;
    b.hears('a', { type: 'beacon', sentAt: 7, commit: 0 as Seq });
    expect(b.hears('a', offer)).toEqual(['to a in e2 v3: accept']);
    expect(b.learns('v4 e3 b [a b c]')).toContain('open e3 at 1');
  });

  it('never asks as a learner', () => {
    const c = new Copy('c', { configuration: 'v3 e2 a [a b]' });
    expect(asks(c.waits(10 * TIMING.graceMs))).toEqual([]);
  });
});

describe('a copy that cut its tail', () => {
  const cut = () => new Copy('b', { configuration: 'v3 e2 a [a b c]', log: '1@2 2@2', cutTail: true });
  const reply = (copy: Copy, from: string, end: number, isCut = false) =>
    copy.hears(from, { type: 'queryReply', last: { epoch: 2 as Epoch, end: end as Seq }, isCut });

  it('hears all other in-sync members before it asks to lead', () => {
    const b = cut();
    expect(b.waits(50)).toContain('to c in e2 v3: query');
    reply(b, 'c', 2);
    expect(asks(b.waits(2 * TIMING.graceMs))).toEqual([]);
    reply(b, 'a', 1);
    expect(asks(b.waits(50))).toEqual(['ask for v4 e3 b [b c]']);
  });

  it('hears them once more in its own epoch, in which nobody takes entries any more, before it opens one', () => {
    const b = cut();
    reply(b, 'a', 2);
    reply(b, 'c', 2);
    b.waits(TIMING.graceMs);
    // Meanwhile c took entry 3, and a committed it: it counted on what b had acknowledged before its tail was lost.
    const said = [...b.wins('v4 e3 b [b c]'), ...b.waits(50)];
    expect(said).toContain('to c in e3 v4: query');
    reply(b, 'c', 3);
    said.push(...b.waits(2 * TIMING.graceMs));
    expect(said.filter((line) => line.startsWith('open') || line.startsWith('ask for'))).toEqual([]);
  });

  it('opens an epoch when nobody reached further then', () => {
    const b = cut();
    reply(b, 'a', 2);
    reply(b, 'c', 2);
    b.waits(TIMING.graceMs);
    b.wins('v4 e3 b [b c]');
    reply(b, 'c', 2);
    expect(asks(b.waits(50))).toEqual(['ask for v5 e4 b [b c]']);
    expect(b.wins('v5 e4 b [b c]')).toContain('open e4 at 3');
  });

  it('leaves the lead to one that reaches further', () => {
    const b = cut();
    reply(b, 'a', 2);
    reply(b, 'c', 3);
    expect(asks(b.waits(5 * TIMING.graceMs))).toEqual([]);
  });

  it('asks again in a new epoch: an old answer says nothing of what was written since', () => {
    const b = cut();
    reply(b, 'a', 2);
    reply(b, 'c', 2);
    b.learns('v4 e3 c [b c]');
    expect(asks(b.waits(2 * TIMING.graceMs))).toEqual([]);
  });

  it('is whole again once it holds all that the primary had when asked', () => {
    const b = cut();
    reply(b, 'a', 3);
    b.hearsAppend('a', '2@2', '3@2', 2);
    expect(b.stored('3@2')).toEqual(['to a in e2 v3: ack 3', 'the tail is restored']);
  });

  it('is not whole by the word of a primary that cut its own: that one may have held more', () => {
    const b = cut();
    expect(reply(b, 'a', 0, true)).not.toContain('the tail is restored');
    reply(b, 'c', 3);
    expect(asks(b.waits(5 * TIMING.graceMs))).toEqual([]);
  });

  it('says so to whoever asks how far it reaches', () => {
    expect(cut().hears('c', { type: 'query' })).toContain('to c in e2 v3: queryReply 2@2, cut');
  });
});

describe('a full disk', () => {
  it('makes a primary give up its epoch: others may hold what its own log lost', () => {
    const a = servingPrimary();
    a.proposes('2@2');
    expect(a.step({ kind: 'refusedByDisk', from: 2 as Seq })).toContain('stop serving e2');
    a.step({ kind: 'roomOnDisk' });
    expect(asks(a.waits(TIMING.graceMs))).toEqual([]);
    expect(asks(a.waits(2 * TIMING.graceMs))).toEqual(['ask for v4 e3 a [a b c]']);
  });

  it('makes a member say so, and the primary goes on without it', () => {
    const b = new Copy('b', { configuration: 'v3 e2 a [a b c]' });
    b.hearsAppend('a', '0@0', '1@2', 0);
    expect(b.step({ kind: 'refusedByDisk', from: 1 as Seq })).toEqual(['to a in e2 v3: full']);
    const a = servingPrimary();
    a.hears('b', { type: 'full' });
    expect(asks(a.waits(50))).toEqual(['ask for v4 e2 a [a c]']);
  });
});

describe('a suspicion of the primary', () => {
  it('shortens no grace: others may be reading from it', () => {
    const b = new Copy('b', { configuration: 'v3 e2 a [a b c]' });
    b.step({ kind: 'suspected', node: 'a' as NodeId });
    b.step({ kind: 'peerDisconnected', peer: 'a' as NodeId });
    expect(asks(b.waits(TIMING.graceMs - 50))).toEqual([]);
  });
});
