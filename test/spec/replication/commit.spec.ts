/** Rules 3 and 4 of the design: what is committed, and who is counted. */
import { describe, expect, it } from 'vitest';
import type { Epoch, NodeId, Seq } from '../../../storage-nodes/words.ts';
import { configuration, records, servingPrimary, TIMING } from './dialogue.ts';

describe('an entry is committed', () => {
  it('once it is on the disk of every in-sync member, and not before', () => {
    const a = servingPrimary();
    expect(a.proposes('2@2')).toEqual([
      'to b in e2 v3: append 2@2 after 1@2, commit 1',
      'to c in e2 v3: append 2@2 after 1@2, commit 1',
      'append 2@2',
    ]);
    expect(a.hearsAck('b', 2)).toEqual([]);
    expect(a.stored('2@2')).toEqual([]);
    expect(a.hearsAck('c', 2)).toEqual(['commit 2']);
  });

  it('only by what is on the primary’s own disk too', () => {
    const a = servingPrimary();
    a.proposes('2@2');
    a.hearsAck('b', 2);
    expect(a.hearsAck('c', 2)).toEqual([]);
    expect(a.stored('2@2')).toEqual(['commit 2']);
  });

  it('by the last member alone, as soon as the others are removed, with nobody left to say anything', () => {
    const a = servingPrimary('a b');
    a.proposes('2@2');
    expect(a.stored('2@2')).toEqual([]);
    a.waits(TIMING.suspectMs + 100);
    expect(a.wins('v4 e2 a [a]')).toContain('commit 2');
  });

  it('not by acknowledgements given in an older version', () => {
    const a = servingPrimary('a b');
    a.learns('v4 e2 a [a b c]');
    a.proposes('2@2');
    a.stored('2@2');
    a.in(2, 3).hearsAck('b', 2);
    expect(a.hearsAck('c', 2)).toEqual([]);
    a.in(2, 4).hearsAck('b', 2);
    expect(a.hearsAck('c', 2)).toEqual(['commit 2']);
  });
});

describe('an append that was lost', () => {
  it('is sent again, however well beacons are answered meanwhile', () => {
    const a = servingPrimary('a b');
    a.proposes('2@2');
    const said: string[] = [];
    for (let waited = 0; waited <= 2 * TIMING.retryMs; waited += TIMING.beaconMs) {
      said.push(...a.waits(TIMING.beaconMs));
      a.hears('b', { type: 'beaconAck', sentAt: a.now });
    }
    expect(said).toContain('to b in e2 v3: probe after 2@2, commit 1');
    expect(a.hears('b', { type: 'nack', ends: [{ epoch: 2 as Epoch, end: 1 as Seq }] })).toEqual([
      'to b in e2 v3: append 2@2 after 1@2, commit 1',
    ]);
  });
});

describe('admission of a learner', () => {
  /** c is a learner that has just caught up: the primary asks for it. */
  function admitting() {
    const a = servingPrimary('a b');
    return { a, said: a.hearsAck('c', 1) };
  }

  it('is asked for once the learner holds every committed entry, and not before', () => {
    const a = servingPrimary('a b');
    a.proposes('2@2');
    a.stored('2@2');
    expect(a.hearsAck('b', 2)).toContain('commit 2');
    // It streams from here on, but lacks entry 2 until it says otherwise.
    expect(a.hearsAck('c', 1)).toEqual(['read for c from 2']);
    expect(a.hearsAck('c', 1)).toEqual([]);
    a.step({ kind: 'logRead', peer: 'c' as NodeId, from: 2 as Seq, records: records('2@2') });
    expect(a.hearsAck('c', 2)).toEqual(['ask for v4 e2 a [a b c]']);
  });

  it('needs the union of old and new while its outcome is unknown (rule 4)', () => {
    const { a, said } = admitting();
    expect(said).toContain('ask for v4 e2 a [a b c]');
    a.proposes('2@2');
    a.stored('2@2');
    expect(a.hearsAck('b', 2)).toEqual([]);
    expect(a.hearsAck('c', 2)).toEqual(['commit 2']);
  });

  it('goes on needing it after an ambiguous answer, even if a later attempt was certainly not sent', () => {
    const { a } = admitting();
    const next = configuration('v4 e2 a [a b c]');
    a.step({ kind: 'compareAndSetDone', next, outcome: 'ambiguous' });
    expect(a.waits(350)).toContain('ask for v4 e2 a [a b c]');
    a.step({ kind: 'compareAndSetRefused', next, current: undefined });
    a.proposes('2@2');
    a.stored('2@2');
    expect(a.hearsAck('b', 2)).toEqual([]);
    expect(a.hearsAck('c', 2)).toEqual(['commit 2']);
  });

  it('is off whatever became of earlier attempts once the store calls it invalid: none can take effect', () => {
    const { a } = admitting();
    const next = configuration('v4 e2 a [a b c]');
    a.step({ kind: 'compareAndSetDone', next, outcome: 'ambiguous' });
    expect(a.step({ kind: 'compareAndSetInvalid', next, reason: 'epoch: must be 2' })).toEqual([
      'alarm: the config store refuses what this copy asks for: epoch: must be 2',
    ]);
    a.proposes('2@2');
    a.stored('2@2');
    expect(a.hearsAck('b', 2)).toEqual(['commit 2']);
  });

  it('is off, and the old set decides, once the store certainly has not got it', () => {
    const { a } = admitting();
    a.step({ kind: 'compareAndSetRefused', next: configuration('v4 e2 a [a b c]'), current: undefined });
    a.proposes('2@2');
    a.stored('2@2');
    expect(a.hearsAck('b', 2)).toEqual(['commit 2']);
  });
});
