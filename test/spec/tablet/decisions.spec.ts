/** Deciding: exactly once, on top of what is decided and not applied yet. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SETTLE_REACTION } from '../../../storage-nodes/tablet/settlement.ts';
import { command, memoryCells, Primary, put } from './log-of-entries.ts';

const sha = (text: string) => createHash('sha256').update(text).digest('hex');
const aPrimary = async () => new Primary(await memoryCells());

describe('deciding commands', () => {
  it('carries out an id once, however often it is asked at the same time, applied or not', async () => {
    const primary = await aPrimary();
    primary.holdBack = true;
    const same = { id: 'the-same' };
    const first = await Promise.all(
      Array.from({ length: 20 }, (_, i) => primary.decide(put('row', 'c', `${i}`, same))),
    );
    expect(first.map((outcome) => outcome.kind)).toEqual(['entry', ...Array<string>(19).fill('earlier')]);
    expect(await primary.decide(put('row', 'c', 'again', same))).toEqual({ kind: 'earlier', seq: 1 });
    primary.holdBack = false;
    await primary.apply();
    expect(await primary.decide(put('row', 'c', 'later', same))).toEqual({ kind: 'earlier', seq: 1 });
    expect(primary.log).toHaveLength(1);
  });

  it('sees what was decided before it, in the same round, in an earlier one, and applied', async () => {
    const primary = await aPrimary();
    primary.holdBack = true;
    const swap = (from: string, to: string) =>
      primary.decide(
        command('kv.CompareAndPut', 'row', { column: 'c', expected: sha(from) }, [Buffer.from(to)]),
      );
    const round = await Promise.all([
      primary.decide(put('row', 'c', '1')),
      swap('1', '2'),
      swap('2', '3'),
      swap('2', '4'),
    ]);
    expect(round.map((outcome) => outcome.kind)).toEqual(['entry', 'entry', 'entry', 'rejected']);
    expect((await swap('3', '4')).kind).toBe('entry');
    primary.holdBack = false;
    expect((await swap('4', '5')).kind).toBe('entry');
    expect((await swap('4', '6')).kind).toBe('rejected');
  });

  it('waits for what a rejection and an empty decision saw', async () => {
    const primary = await aPrimary();
    primary.holdBack = true;
    await primary.decide(put('row', 'c', '1'));
    const [refused, nothing] = await Promise.all([
      primary.decide(command('kv.CompareAndPut', 'row', { column: 'c', expected: null }, [Buffer.from('2')])),
      primary.decide(command('kv.Delete', 'row', { column: 'absent' })),
    ]);
    expect(refused).toMatchObject({ kind: 'rejected', seen: 1 });
    expect(nothing).toMatchObject({ kind: 'nothing', seen: 1 });
  });

  it('never decides an expired command: what became of it is not known any more', async () => {
    const primary = await aPrimary();
    const late = primary.decide(put('row', 'c', '1', { expiresAt: primary.time }));
    await expect(late).rejects.toMatchObject({ code: 'OutcomeUnknown' });
    expect(primary.log).toEqual([]);
  });

  it('answers "ask again" to all that wait when it is closed, and to all who come later', async () => {
    const primary = await aPrimary();
    const waiting = Array.from({ length: 600 }, (_, i) => primary.decide(put(`row ${i}`, 'c', '1')));
    primary.decisions.close();
    const ends = await Promise.allSettled([...waiting, primary.decide(put('row', 'c', '1'))]);
    for (const end of ends)
      expect(end).toMatchObject({ status: 'rejected', reason: { code: 'NotServing', retry: true } });
    expect(primary.log).toEqual([]);
  });

  it('refuses more bytes than it may hold, retriably, and takes a single large command', async () => {
    const primary = await aPrimary();
    const large = (i: number) => command('kv.Put', `row ${i}`, { column: 'c' }, [Buffer.alloc(1 << 20)]);
    const ends = await Promise.allSettled(Array.from({ length: 100 }, (_, i) => primary.decide(large(i))));
    const refused = ends.filter((end) => end.status === 'rejected');
    expect(refused.length).toBeGreaterThan(20);
    for (const end of refused) expect(end).toMatchObject({ reason: { code: 'Overloaded', retry: true } });
    expect(
      await primary.decide(command('kv.Put', 'row', { column: 'c' }, [Buffer.alloc(70 << 20)])),
    ).toMatchObject({
      kind: 'rejected',
      rejection: { code: 'TooLarge' },
    });
  });

  it.each([
    null,
    7,
    {},
    { seq: 1, n: 0, outcome: 'accepted' },
    { seq: 1, n: 0, outcome: 'x', touches: [] },
    { seq: 'a', n: 0, outcome: 'accepted', touches: [1] },
  ])('refuses a malformed settlement: %j', async (data) => {
    const primary = await aPrimary();
    const settled = primary.decide(command(SETTLE_REACTION, 'row', data as object));
    await expect(settled).rejects.toMatchObject({ code: 'Malformed' });
  });

  it.each(['', 'x'.repeat(201), 'a\u0000b'])('refuses the command id %j', async (id) => {
    const primary = await aPrimary();
    await expect(primary.decide(put('row', 'c', '1', { id }))).rejects.toMatchObject({ code: 'Malformed' });
  });
});
