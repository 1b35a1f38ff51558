/** Rule 11: a disk that lost what it acknowledged is not counted on until it has everything again. */
import { describe, expect, it } from 'vitest';
import { configuration, Copy, servingPrimary, TIMING } from './dialogue.ts';

describe('a copy whose disk was wiped', () => {
  it('takes part in nothing while the configuration counts on it', () => {
    const b = new Copy('b');
    const said = b.learns('v3 e2 a [a b]');
    expect(said).toContain('be quarantined in v3');
    expect(b.in(2, 3).hears('a', { type: 'beacon', sentAt: 7, commit: 0 as never })).toEqual([]);
    expect(b.hearsAppend('a', '0@0', '1@2', 0)).toEqual([]);
    expect(b.waits(3 * TIMING.graceMs).filter((line) => line.startsWith('ask'))).toEqual([]);
  });

  it('comes back as a learner once it was removed', () => {
    const b = new Copy('b');
    b.learns('v3 e2 a [a b]');
    expect(b.learns('v4 e2 a [a]').at(-1)).toBe('be quarantined in v4');
    expect(b.step({ kind: 'wiped' })).toEqual(['be learner in v4']);
    expect(b.waits(50)).toEqual(['to a in e2 v4: withdraw']);
  });

  it('takes entries only after the primary has forgotten what it acknowledged before', () => {
    const b = new Copy('b').in(2, 4);
    b.learns('v4 e2 a [a]');
    expect(b.hearsAppend('a', '0@0', '1@2', 0)).toEqual([]);
    expect(b.waits(50)).toEqual(['to a in e2 v4: withdraw']);
    expect(b.hears('a', { type: 'withdrawn', at: 1000 })).toEqual(['save v4 e2 a [a]']);
    expect(b.learns('v4 e2 a [a]')).toEqual(['be learner in v4', 'to a in e2 v4: nack, ends ']);
    expect(b.hearsAppend('a', '0@0', '1@2', 0)).toEqual(['append 1@2']);
  });

  it('says nothing of what it has before that, not even that it has nothing', () => {
    const b = new Copy('b').in(2, 4);
    b.learns('v4 e2 a [a]');
    expect(b.learns('v5 e2 a [a c]')).toEqual(['be learner in v5']);
  });

  it('trusts a first configuration from the store alone: a peer may be behind', () => {
    const first = 'v1 e1 a [a b]';
    const b = new Copy('b').in(1, 1);
    const { configuration } = new Copy('a', { configuration: first }).replica.view;
    expect(b.hears('a', { type: 'configure', configuration: configuration! })).toEqual([]);
    expect(b.learns(first)).toEqual(['save v1 e1 a [a b]', 'be replica in v1', 'to a in e1 v1: nack, ends ']);
  });
});

describe('a primary', () => {
  it('forgets what a learner acknowledged when it withdraws', () => {
    const a = servingPrimary('a');
    a.hearsAck('b', 1);
    expect(a.hears('c', { type: 'withdraw', at: 5 })).toEqual(['to c in e2 v3: withdrawn']);
  });

  it('tells nobody that it forgot before its epoch is open: opening it begins with nothing known of others', () => {
    const a = new Copy('a', { configuration: 'v3 e2 a [a]', log: '1@2', committed: 1 });
    a.waits(50);
    expect(a.hears('c', { type: 'withdraw', at: 5 })).toEqual([]);
    a.wins('v4 e3 a [a]');
    expect(a.hears('c', { type: 'withdraw', at: 5 })).toEqual(['to c in e3 v4: withdrawn']);
  });

  it('waits for what it forgot to be acknowledged again before it admits that learner', () => {
    const a = servingPrimary('a b');
    a.proposes('2@2');
    a.hears('c', { type: 'withdraw', at: 5 });
    a.stored('2@2');
    a.hearsAck('b', 2);
    expect(a.hearsAck('c', 0)).toEqual(['read for c from 1']);
  });

  it('lets nobody withdraw on whom it counts, or may count', () => {
    const a = servingPrimary('a b');
    expect(a.hears('b', { type: 'withdraw', at: 5 })).toEqual([]);
  });

  it('does not admit a removed member by what it acknowledged as a member', () => {
    const a = servingPrimary('a b');
    a.waits(TIMING.suspectMs + 100);
    a.wins('v4 e2 a [a]');
    a.waits(TIMING.retryMs);
    expect(a.hearsAck('b', 0)).toEqual(['read for b from 1']);
    expect(a.replica.view.configuration?.inSync).toEqual(['a']);
  });
});

describe('a damaged copy', () => {
  it('that was wiped withdraws like one that came with an empty disk', () => {
    const b = new Copy('b', { configuration: 'v3 e2 a [a]', log: '1@2', committed: 1 });
    expect(b.step({ kind: 'damaged', reason: 'a checksum does not match' })).toContain(
      'wipe: a checksum does not match',
    );
    b.step({ kind: 'wiped' });
    expect(b.hearsAppend('a', '0@0', '1@2', 1)).toEqual([]);
    expect(b.waits(50)).toEqual(['to a in e2 v3: withdraw']);
  });

  it('drops the change that it had asked for: others decide about members now', () => {
    const a = servingPrimary('a b');
    expect(a.waits(TIMING.suspectMs + 100)).toContain('ask for v4 e2 a [a]');
    a.step({ kind: 'damaged', reason: 'a checksum does not match' });
    const next = configuration('v4 e2 a [a]');
    a.step({ kind: 'compareAndSetDone', next, outcome: 'ambiguous' });
    expect(a.waits(10 * TIMING.retryMs)).toEqual([]);
  });

  it('is wiped at once if nobody counts on it, also when the damage was found at open', () => {
    const b = new Copy('b', { configuration: 'v3 e2 a [a]', damage: 'a checksum does not match' });
    expect(b.step({ kind: 'tick' })).toEqual(['be quarantined in v3', 'wipe: a checksum does not match']);
  });
});
