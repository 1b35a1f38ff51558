/** Rule 16: a planned move hands the lead over. */
import { describe, expect, it } from 'vitest';
import type { MessageBody } from '../../../storage-nodes/replication/messages.ts';
import type { NodeId, Seq } from '../../../storage-nodes/words.ts';
import { configuration, Copy, servingPrimary, TIMING } from './dialogue.ts';

const NEXT = 'v4 e3 b [a b c]';
const OFFER = `to b in e2 v3: offer ${NEXT}`;
const asks = (said: readonly string[]) => said.filter((line) => line.startsWith('ask for'));
const offer = (text = NEXT): MessageBody => ({ type: 'offer', configuration: configuration(text) });
const answer = (accepts: boolean): MessageBody => ({ type: 'offerAnswer', offer: '#4', accepts });
const handOver = (copy: Copy, to?: string) =>
  copy.step({ kind: 'handOver', ...(to !== undefined && { to: to as NodeId }) });

/** `a` has asked the store to make `b` the primary. */
function handingOver(): Copy {
  const a = servingPrimary();
  handOver(a, 'b');
  a.hears('b', answer(true));
  return a;
}

describe('a primary that hands over', () => {
  it('serves while its offer travels, and stops before it asks the store', () => {
    const a = servingPrimary();
    expect(handOver(a, 'b')).toEqual([OFFER]);
    expect(a.replica.view.serving).toBe(true);
    expect(a.hears('b', answer(true))).toEqual(['hand over e2 to b', `ask for ${NEXT}`]);
    expect(a.replica.leaseUntil).toBe(-Infinity);
  });

  it('commits what it proposed before, and serves nothing new', () => {
    const a = servingPrimary();
    a.proposes('2@2');
    a.stored('2@2');
    handOver(a, 'b');
    a.hears('b', answer(true));
    a.hearsAck('b', 2);
    expect(a.hearsAck('c', 2)).toEqual(['commit 2']);
    expect(a.replica.view.serving).toBe(false);
  });

  it('ends its serving when its log turns out to be damaged meanwhile: what it proposed is answered no more', () => {
    const a = handingOver();
    expect(a.step({ kind: 'damaged', reason: 'a checksum does not match' })).toContain('stop serving e2');
  });

  it('tells the target as soon as the store has it, and stays in sync as a replica', () => {
    const a = handingOver();
    const said = a.wins(NEXT);
    expect(said).toContain(`to b in e2 v3: configure ${NEXT}`);
    expect(said).toContain('be replica in v4');
  });

  it('chooses for itself whom to ask: the one that reaches furthest', () => {
    const a = servingPrimary();
    a.proposes('2@2');
    a.hearsAck('c', 2);
    expect(handOver(a)).toEqual(['to c in e2 v3: offer v4 e3 c [a b c]']);
  });

  it('offers the lead to nobody who is silent, or is about to go itself', () => {
    const a = servingPrimary();
    a.hears('c', { type: 'leave' });
    a.now += 5 * TIMING.beaconMs;
    expect(handOver(a)).toEqual([]);
  });

  it('asks another if the first one declines, or does not answer', () => {
    const a = servingPrimary();
    handOver(a);
    expect(a.hears('b', answer(false))).toEqual(['to c in e2 v3: offer v4 e3 c [a b c]']);
    const silent = servingPrimary();
    handOver(silent);
    const said: string[] = [];
    for (let waited = 0; waited < TIMING.retryMs; waited += 50) {
      silent.hears('c', { type: 'beaconAck', sentAt: silent.now });
      said.push(...silent.waits(50));
    }
    expect(said).toContain('to c in e2 v3: offer v4 e3 c [a b c]');
    expect(silent.replica.view.serving).toBe(true);
  });

  it('takes an answer only for the offer that is out', () => {
    const a = servingPrimary();
    handOver(a, 'b');
    expect(a.hears('c', answer(true))).toEqual([]);
    expect(a.hears('b', { type: 'offerAnswer', offer: '#9', accepts: true })).toEqual([]);
    a.hears('b', answer(true));
    expect(a.hears('b', answer(true))).toEqual([]);
  });
});

describe('a hand-over that the store does not confirm', () => {
  const next = configuration(NEXT);

  it('was never sent: the primary serves on in its epoch', () => {
    const a = handingOver();
    expect(a.step({ kind: 'compareAndSetRefused', next, current: undefined })).toEqual(['serve e2']);
  });

  it('is invalid: the primary serves on, also after an attempt without an answer', () => {
    const a = handingOver();
    a.step({ kind: 'compareAndSetDone', next, outcome: 'ambiguous' });
    expect(a.step({ kind: 'compareAndSetInvalid', next, reason: 'no' })).toContain('serve e2');
  });

  it('serves on only when all that was proposed is committed: decisions start from cells', () => {
    const a = servingPrimary();
    a.proposes('2@2');
    a.stored('2@2');
    handOver(a, 'b');
    a.hears('b', answer(true));
    expect(a.step({ kind: 'compareAndSetRefused', next, current: undefined })).toEqual([]);
    a.hearsAck('b', 2);
    expect(a.hearsAck('c', 2)).toEqual(['commit 2', 'serve e2']);
  });

  it('got no answer at once: it may yet take effect, and nobody is served for the moment', () => {
    const a = handingOver();
    a.step({ kind: 'compareAndSetDone', next, outcome: 'ambiguous' });
    expect(a.step({ kind: 'compareAndSetRefused', next, current: undefined })).toEqual([]);
    // Refused by a store that is behind says nothing of the first attempt either (rule 9).
    const current = configuration('v2 e1 a [a b c]');
    expect(a.step({ kind: 'compareAndSetRefused', next, current })).toEqual([]);
    expect(a.replica.view.serving).toBe(false);
    expect(asks(a.waits(TIMING.retryMs))).toEqual([`ask for ${NEXT}`]);
    // In time it serves again all the same: see "gets no answer in time".
  });

  it('gets no answer in time: the primary serves on in its epoch, and sends its beacons', () => {
    const a = handingOver();
    expect(a.waits(TIMING.retryMs - 50)).toEqual([]);
    expect(a.waits(50)).toEqual(['serve e2']);
    expect(a.replica.successor).toBe('a');
    a.now += TIMING.graceMs;
    expect(a.step({ kind: 'tick' }).filter((line) => line.includes('beacon'))).toHaveLength(2);
    a.proposes('2@2');
    a.stored('2@2');
    a.hearsAck('b', 2);
    expect(a.hearsAck('c', 2)).toEqual(['commit 2']);
  });

  it('is asked for again until it is certain, and stops the primary whenever it turns out to be stored', () => {
    const a = handingOver();
    a.waits(TIMING.retryMs);
    a.step({ kind: 'compareAndSetDone', next, outcome: 'ambiguous' });
    expect(asks(a.waits(50))).toEqual([`ask for ${NEXT}`]);
    expect(a.wins(NEXT)).toContain('be replica in v4');
    expect(a.replica.view.serving).toBe(false);
  });

  it('is not begun while the store is known not to answer: it would only be a gap', () => {
    const a = servingPrimary();
    a.step({ kind: 'store', answers: false });
    expect(handOver(a, 'b')).toEqual([]);
    expect(a.replica.view.serving).toBe(true);
  });

  it('was overtaken: the primary is replaced, and never serves again in its epoch', () => {
    const a = handingOver();
    const current = configuration('v4 e3 c [b c]');
    expect(a.step({ kind: 'compareAndSetRefused', next, current })).toEqual(['save v4 e3 c [b c]']);
    expect(a.waits(100)).not.toContain('serve e2');
    expect(a.step({ kind: 'configurationSaved', configuration: current })).toContain('be learner in v4');
  });
});

describe('a member that is offered the lead', () => {
  const member = (more: object = {}) => {
    const b = new Copy('b', { configuration: 'v3 e2 a [a b c]', log: '1@2 2@2', committed: 1, ...more });
    b.step({ kind: 'tick' });
    return b;
  };
  const declines = ['to a in e2 v3: decline'];

  it('opens the epoch at once when it learns exactly what it accepted, and keeps its prepared suffix', () => {
    const b = member();
    expect(b.hears('a', offer())).toEqual(['to a in e2 v3: accept']);
    expect(b.learns(NEXT)).toContain('open e3 at 3');
  });

  it('goes on promising the old primary its lease until then', () => {
    const b = member();
    b.hears('a', offer());
    const beacon = { type: 'beacon', sentAt: 7, commit: 1 as Seq } as const;
    expect(b.hears('a', beacon)).toContain('to a in e2 v3: beaconAck 7');
  });

  it('serves only once the old primary says that it has left, or a grace has passed: it may be serving again', () => {
    const b = member();
    b.hears('a', offer());
    b.learns(NEXT);
    b.in(3, 4);
    b.proposes('3@3');
    b.stored('3@3');
    b.hearsAck('c', 3);
    // The link to it breaks; its silence alone says nothing of its lease before the grace has passed.
    b.step({ kind: 'peerDisconnected', peer: 'a' as NodeId });
    const lives = (copy: Copy, ms: number): string[] => {
      const said: string[] = [];
      for (const until = copy.now + ms; copy.now < until;) {
        copy.hears('c', { type: 'beaconAck', sentAt: copy.now });
        said.push(...copy.waits(50));
      }
      return said;
    };
    expect(asks(lives(b, TIMING.graceMs - 50))).toEqual([]);
    expect(asks(lives(b, 100))).toEqual(['ask for v5 e3 b [b c]']);
  });

  it('waits a full grace if it accepted in an earlier run', () => {
    const b = member();
    expect(b.learns(NEXT)).not.toContain('open e3 at 3');
    expect(asks(b.waits(TIMING.graceMs - 50))).toEqual([]);
    expect(asks(b.waits(100))).toEqual(['ask for v5 e4 b [a b c]']);
  });

  it('does not open anything else that makes it primary', () => {
    const b = member();
    b.hears('a', offer());
    expect(b.learns('v4 e3 b [a b]')).not.toContain('open e3 at 3');
  });

  it('declines while it could not lead: a cut tail, no room, cells that cannot be applied, about to go', () => {
    expect(member({ cutTail: true }).hears('a', offer())).toEqual(declines);
    const full = member();
    full.hearsAppend('a', '2@2', '3@2', 1);
    full.step({ kind: 'refusedByDisk', from: 3 as Seq });
    expect(full.hears('a', offer())).toEqual(declines);
    full.step({ kind: 'roomOnDisk' });
    expect(full.hears('a', offer())).toEqual(['to a in e2 v3: accept']);
    const unable = member();
    unable.step({ kind: 'unable', reason: 'an unknown event' });
    expect(unable.hears('a', offer())).toEqual(declines);
    const leaving = member();
    expect(leaving.step({ kind: 'standDown' })).toEqual(['to a in e2 v3: leave']);
    expect(leaving.hears('a', offer())).toEqual(declines);
  });

  it('declines what does not follow from the configuration that it has on disk', () => {
    expect(member().hears('a', offer('v5 e3 b [a b c]'))).toEqual(declines);
    expect(member().hears('a', offer('v4 e4 b [a b c]'))).toEqual(declines);
    expect(member().hears('a', offer('v4 e3 b [b c]'))).toEqual(declines);
  });

  it('listens to nobody but the primary', () => {
    expect(member().hears('c', offer())).toEqual([]);
  });
});

describe('a member that is about to go', () => {
  it('is left out at once, and not admitted again while it says so', () => {
    const a = servingPrimary();
    expect(asks(a.hears('c', { type: 'leave' }))).toEqual(['ask for v4 e2 a [a b]']);
    a.wins('v4 e2 a [a b]');
    a.hearsAck('b', 1);
    expect(asks(a.hearsAck('c', 1))).toEqual([]);
    a.now += TIMING.suspectMs / 2;
    a.hearsAck('b', 1);
    expect(asks(a.hearsAck('c', 1))).toEqual([]);
    a.now += TIMING.suspectMs / 2;
    a.hears('b', { type: 'beaconAck', sentAt: a.now });
    expect(asks(a.hearsAck('c', 1))).toEqual(['ask for v5 e2 a [a b c]']);
  });

  it('stays if only one copy would remain', () => {
    const a = servingPrimary('a b');
    expect(a.hears('b', { type: 'leave' })).toEqual([]);
  });
});

describe('a primary that cannot serve', () => {
  it('offers the lead of its own accord when its disk is full', () => {
    const a = servingPrimary();
    a.proposes('2@2');
    const said = a.step({ kind: 'refusedByDisk', from: 2 as Seq });
    expect(said).toContain('stop serving e2');
    expect(said).toContain(OFFER);
    expect(a.hears('b', answer(true))).toEqual([`ask for ${NEXT}`]);
    // The epoch is over for it, whatever the store says: others may hold what its log lost (rule 6).
    expect(a.step({ kind: 'compareAndSetRefused', next: configuration(NEXT), current: undefined })).toEqual(
      [],
    );
  });

  it('does so when it cannot apply what is committed', () => {
    expect(servingPrimary().step({ kind: 'unable', reason: 'an unknown event' })).toEqual([OFFER]);
  });

  it('waits for room if nobody else can lead', () => {
    const a = servingPrimary('a');
    a.proposes('2@2');
    a.step({ kind: 'refusedByDisk', from: 2 as Seq });
    expect(asks(a.waits(20 * TIMING.graceMs))).toEqual([]);
    a.step({ kind: 'roomOnDisk' });
    expect(asks(a.waits(50))).toEqual(['ask for v4 e3 a [a]']);
  });
});

describe('a primary in another’s place', () => {
  /** `a` leads, though the copies are wanted on b, a and c in this order: b should lead. */
  function inPlaceOfB(): Copy {
    const a = new Copy('a', { configuration: 'v2 e1 a [a b c] of b a c' });
    a.waits(50);
    a.wins('v3 e2 a [a b c] of b a c');
    a.proposes('1@2');
    a.stored('1@2');
    for (const member of ['b', 'c']) a.hearsAck(member, 1);
    return a;
  }
  const waitsHearing = (a: Copy, ms: number): string[] => {
    const said: string[] = [];
    for (const until = a.now + ms; a.now < until;) {
      said.push(...a.waits(TIMING.beaconMs));
      for (const member of ['b', 'c']) a.hears(member, { type: 'beaconAck', sentAt: a.now });
    }
    return said.filter((line) => line.includes('offer'));
  };

  it('gives the lead back once that copy has kept up for a while', () => {
    const a = inPlaceOfB();
    expect(waitsHearing(a, TIMING.preferredAfterMs - 500)).toEqual([]);
    expect(waitsHearing(a, 1000)[0]).toBe('to b in e2 v3: offer v4 e3 b [a b c]');
  });

  it('asks again only after as long a while when the store was not there: each attempt is a gap', () => {
    const a = inPlaceOfB();
    expect(waitsHearing(a, TIMING.preferredAfterMs + 200)).toHaveLength(1);
    a.hears('b', answer(true));
    const next = configuration(`${NEXT} of b a c`);
    expect(a.step({ kind: 'compareAndSetRefused', next, current: undefined })).toEqual(['serve e2']);
    expect(waitsHearing(a, TIMING.preferredAfterMs / 2)).toEqual([]);
  });

  it('stays where it is while the store does not answer: it would serve nothing until it does', () => {
    const a = inPlaceOfB();
    a.step({ kind: 'store', answers: false });
    expect(waitsHearing(a, 2 * TIMING.preferredAfterMs)).toEqual([]);
    a.step({ kind: 'store', answers: true });
    expect(waitsHearing(a, 500)).toHaveLength(1);
  });

  it('asks again only after as long a while when that copy declines', () => {
    const a = inPlaceOfB();
    expect(waitsHearing(a, TIMING.preferredAfterMs + 200)).toHaveLength(1);
    a.hears('b', answer(false));
    expect(waitsHearing(a, TIMING.preferredAfterMs / 2)).toEqual([]);
  });
});
