/** Rule 10: what copies make of a configuration that an operator forced. */
import { describe, expect, it } from 'vitest';
import type { MessageBody } from '../../../storage-nodes/replication/messages.ts';
import type { Seq } from '../../../storage-nodes/words.ts';
import { configuration, Copy, servingPrimary, TIMING } from './dialogue.ts';

const asks = (said: readonly string[]) => said.filter((line) => line.startsWith('ask for'));
const configure = (text: string): MessageBody => ({ type: 'configure', configuration: configuration(text) });

describe('a configuration of a higher lineage', () => {
  it('is adopted whatever its version, and ends what the old one had begun', () => {
    const a = servingPrimary('a b');
    expect(asks(a.waits(TIMING.suspectMs + 50))).toEqual(['ask for v4 e2 a [a]']);
    const said = a.learns('l1 v2 e9 b [b]');
    expect(said).toContain('stop serving e9');
    expect(a.replica.view.configuration).toMatchObject({ lineage: 1, version: 2 });
    expect(asks(a.waits(10 * TIMING.graceMs))).toEqual([]);
  });

  it('ends the epoch of a primary that it leaves in its place, even under the same number', () => {
    const a = servingPrimary();
    expect(a.learns('l1 v4 e2 a [a]')).toContain('stop serving e2');
    expect(a.replica.leaseUntil).toBe(-Infinity);
  });

  it('lets its primary lead in an epoch that it asks for itself, with all that it has', () => {
    const c = new Copy('c', { configuration: 'v3 e2 a [a b]', log: '1@2 2@2', committed: 1 });
    c.learns('l1 v4 e3 c [c]');
    expect(asks(c.waits(TIMING.graceMs + 50))).toEqual(['ask for l1 v5 e4 c [c]']);
    expect(c.wins('l1 v5 e4 c [c]')).toContain('open e4 at 3');
  });

  it('makes nothing committed by what the old one said was', () => {
    const c = new Copy('c', { configuration: 'v3 e2 a [a b]', log: '1@2', committed: 1 }).in(2, 3);
    c.hears('a', { type: 'beacon', sentAt: 7, commit: 9 as Seq });
    c.learns('l1 v4 e3 b [b]');
    c.in(4, 5).learns('l1 v5 e4 b [b]');
    c.hearsAppend('b', '1@2', '2@4', 1);
    expect(c.stored('2@4')).toEqual(['to b in e4 v5: ack 2']);
  });

  it('is told to whoever still speaks for the old one', () => {
    const b = new Copy('b', { configuration: 'l1 v4 e3 b [b]' });
    b.waits(50);
    expect(b.hears('a', configure('v9 e7 a [a c]'))).toEqual(['to a in e3 v4: configure l1 v4 e3 b [b]']);
    expect(b.replica.view.configuration).toMatchObject({ lineage: 1, version: 4 });
  });
});

describe('a copy that holds more than the new lineage', () => {
  const holder = () => new Copy('c', { configuration: 'v7 e5 c [c]', log: '1@2 2@5', committed: 1 });
  const wipe = expect.stringMatching(/^wipe: its entries of epoch 5 are of lineage 0/) as string;
  const learner = (committed: number) => {
    const a = new Copy('a', { configuration: 'v3 e2 a [a b]', log: '1@2 2@2 3@2', committed });
    a.learns('l1 v4 e3 b [b]');
    a.learns('l1 v5 e4 b [b]');
    a.waits(50);
    return a.in(4, 5);
  };

  it('drops what it never knew to be committed', () => {
    expect(learner(2).hearsAppend('b', '2@2', '3@4', 3)).toEqual(['truncate from 3', 'append 3@4']);
  });

  it('is quarantined if it knew that to be committed, says so, and is fetched anew', () => {
    const a = learner(3);
    a.hearsAppend('b', '2@2', '3@4', 3);
    const said = a.waits(50);
    expect(said.find((line) => line.startsWith('alarm'))).toMatch(/entry 3 is committed here in epoch 2/);
    expect(said.at(-1)).toMatch(/^wipe/);
    expect(a.step({ kind: 'wiped' })).toContain('be learner in v5');
  });

  it('is fetched anew if its newest epoch may have been given away again: epochs could not be compared', () => {
    expect(holder().learns('l1 v4 e5 b [b]')).toContainEqual(wipe);
    expect(holder().learns('l1 v8 e6 b [b]')).toContain('be learner in v8');
    expect(holder().learns('l2 v9 e9 b [b]')).toContainEqual(wipe);
    // The copy that the operator chose is the one that counts.
    expect(holder().learns('l2 v9 e9 c [c]')).toContain('be primary in v9');
  });

  it('is fetched anew if it comes when the new lineage is already past its newest epoch', () => {
    // Forced from v3 e2, which was all that was known: epochs 3 to 6 were given away again meanwhile.
    expect(holder().learns('l1 v9 e7 b [b]')).toContainEqual(wipe);
  });

  it('saves nothing of the new lineage then: a restart before the wipe must doubt again', () => {
    const c = holder();
    expect(c.learns('l1 v4 e5 b [b]').filter((line) => line.startsWith('save'))).toEqual([]);
    expect(c.replica.view.role).toBe('quarantined');
  });

  it('is not wiped while that lineage counts on it: its primary removes it first', () => {
    const a = new Copy('a', { configuration: 'v3 e2 a [a b]', log: '1@2 2@2 3@2', committed: 3 });
    a.learns('l1 v4 e3 b [b]');
    a.learns('l1 v5 e4 b [a b]');
    a.waits(50);
    a.in(4, 5).hearsAppend('b', '2@2', '3@4', 3);
    expect(a.waits(50).filter((line) => line.startsWith('wipe'))).toEqual([]);
    expect(a.learns('l1 v6 e4 b [b]').some((line) => line.startsWith('wipe'))).toBe(true);
  });
});

describe('a copy on whose disk an fsync failed', () => {
  const suspect = (self = 'a') =>
    new Copy(self, {
      configuration: 'v3 e2 a [a b]',
      log: '1@2 2@2',
      committed: 1,
      suspect: 'an fsync failed',
    });

  it('takes part in nothing', () => {
    const a = suspect();
    expect(a.waits(10 * TIMING.graceMs).filter((line) => line.startsWith('ask'))).toEqual([]);
    expect(a.replica.view).toMatchObject({ role: 'quarantined', isSuspect: true });
  });

  it('leads, with all that it has, when an operator has chosen it alone', () => {
    const a = suspect();
    a.waits(50);
    expect(a.learns('l1 v4 e3 a [a]')).toEqual(
      expect.arrayContaining(['save l1 v4 e3 a [a]', 'be primary in v4']),
    );
    expect(asks(a.waits(TIMING.graceMs + 50))).toEqual(['ask for l1 v5 e4 a [a]']);
    expect(a.wins('l1 v5 e4 a [a]')).toContain('open e4 at 3');
  });

  it('is wiped when another was chosen', () => {
    const b = suspect('b');
    expect(b.learns('l1 v4 e3 a [a]')).toContain('wipe: an fsync failed');
  });

  it('cannot be chosen any more once it is being wiped', () => {
    const c = suspect('c');
    expect(c.waits(50)).toContain('wipe: an fsync failed');
    expect(c.replica.view).toMatchObject({ role: 'quarantined', isSuspect: false });
    const said = [...c.learns('l1 v4 e3 c [c]'), ...c.waits(10 * TIMING.graceMs)];
    expect(said).not.toContain('be primary in v4');
    expect(asks(said)).toEqual([]);
  });

  it('leads no more when its bytes turn out to be damaged as well', () => {
    const a = suspect();
    a.step({ kind: 'damaged', reason: 'a wrong checksum' });
    expect(a.learns('l1 v4 e3 a [a]')).not.toContain('be primary in v4');
  });
});
