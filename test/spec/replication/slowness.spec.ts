/** Rules 7 and 15: who leaves the in-sync set for being slow or silent, and when it comes back. */
import { describe, expect, it } from 'vitest';
import type { NodeId } from '../../../storage-nodes/words.ts';
import { configuration, type Copy, servingPrimary, TIMING } from './dialogue.ts';

const asks = (said: readonly string[]) => said.filter((line) => line.startsWith('ask for'));

/** Writes an entry every 100 ms; each of `prompt` acknowledges at once, the others only beacons. */
function writes(
  a: Copy,
  ms: number,
  prompt: readonly string[],
  alive: readonly string[] = ['b', 'c'],
): string[] {
  const said: string[] = [];
  for (const until = a.now + ms; a.now < until && asks(said).length === 0;) {
    const { last, configuration } = a.replica.view;
    const entry = `${last + 1}@${configuration!.epoch}`;
    said.push(...a.proposes(entry), ...a.stored(entry));
    for (const node of alive) said.push(...a.hears(node, { type: 'beaconAck', sentAt: a.now }));
    for (const node of prompt) said.push(...a.hearsAck(node, last + 1));
    said.push(...a.waits(100));
  }
  return said;
}

/** It lags until it is removed from version `v`. */
function ejects(a: Copy, v: number): void {
  expect(asks(writes(a, 3 * TIMING.slowForMs, ['b']))).toEqual([`ask for v${v + 1} e2 a [a b]`]);
  a.wins(`v${v + 1} e2 a [a b]`);
  a.hearsAck('b', a.replica.view.last);
}

/** How long it keeps up, in ms, before it is admitted to version `v`. */
function admittedAfter(a: Copy, v: number): number {
  const from = a.now;
  expect(asks(writes(a, 100 * TIMING.slowForMs, ['b', 'c']))).toEqual([`ask for v${v + 1} e2 a [a b c]`]);
  const took = a.now - from;
  a.wins(`v${v + 1} e2 a [a b c]`);
  for (const node of ['b', 'c']) a.hearsAck(node, a.replica.view.last);
  return took;
}

describe('a slow member', () => {
  it('is removed when its acknowledgements have lagged for long, though it answers beacons', () => {
    const a = servingPrimary();
    expect(asks(writes(a, TIMING.slowForMs, ['b']))).toEqual([]);
    expect(asks(writes(a, 2 * TIMING.slowForMs, ['b']))).toEqual(['ask for v4 e2 a [a b]']);
  });

  it('stays if fewer than two would remain', () => {
    expect(asks(writes(servingPrimary('a b'), 4 * TIMING.slowForMs, [], ['b']))).toEqual([]);
    expect(asks(writes(servingPrimary(), 4 * TIMING.slowForMs, []))).toEqual([]);
  });

  it('stays if it lags by many entries for a short time', () => {
    const a = servingPrimary();
    expect(asks(writes(a, TIMING.slowForMs, ['b']))).toEqual([]);
    a.hearsAck('c', a.replica.view.last);
    expect(asks(writes(a, TIMING.slowForMs, ['b']))).toEqual([]);
  });

  it('stays if the primary’s own disk lags as well', () => {
    const a = servingPrimary();
    const said: string[] = [];
    for (let i = 0; i < 200; i++) {
      said.push(...a.proposes(`${a.replica.view.last + 1}@2`));
      for (const node of ['b', 'c']) said.push(...a.hears(node, { type: 'beaconAck', sentAt: a.now }));
      said.push(...a.waits(100));
    }
    expect(asks(said)).toEqual([]);
  });

  it('is ejected once, however often the store has to be asked', () => {
    const a = servingPrimary();
    const next = configuration('v4 e2 a [a b]');
    for (let tries = 0; tries < 5; tries++) {
      expect(asks(writes(a, 3 * TIMING.slowForMs, ['b']))).toEqual(['ask for v4 e2 a [a b]']);
      a.step({ kind: 'compareAndSetRefused', next, current: undefined });
    }
    ejects(a, 3);
    expect(Math.round(admittedAfter(a, 4) / TIMING.slowForMs)).toBe(1);
  });

  it('comes back once it has kept up for a while, which doubles with each ejection, up to a bound', () => {
    const a = servingPrimary();
    const times: number[] = [];
    for (let v = 3; v < 3 + 2 * 8; v += 2) {
      ejects(a, v);
      times.push(Math.round(admittedAfter(a, v + 1) / TIMING.slowForMs));
    }
    expect(times).toEqual([1, 2, 4, 8, 16, 32, 32, 32]);
  });
});

describe('a suspicion', () => {
  const suspect = (copy: Copy, node: string) => copy.step({ kind: 'suspected', node: node as NodeId });
  /** It serves for longer than a grace, and b was heard just now. */
  const settledPrimary = (): Copy => {
    const a = servingPrimary('a b');
    for (let waited = 0; waited <= TIMING.graceMs; waited += 50) {
      a.waits(50);
      a.hears('b', { type: 'beaconAck', sentAt: a.now });
    }
    return a;
  };

  it('removes a silent member sooner, and does nothing to one that is heard', () => {
    const a = settledPrimary();
    suspect(a, 'b');
    a.hears('b', { type: 'beaconAck', sentAt: a.now });
    a.now += 1;
    suspect(a, 'b');
    a.now += 1;
    a.hears('b', { type: 'beaconAck', sentAt: a.now });
    expect(asks(a.waits(TIMING.suspectMs / 2 + 50))).toEqual([]);
    suspect(a, 'b');
    expect(asks(a.waits(50))).toEqual(['ask for v4 e2 a [a]']);
  });

  it('is what a broken link amounts to', () => {
    const a = settledPrimary();
    a.step({ kind: 'peerDisconnected', peer: 'b' as NodeId });
    expect(asks(a.waits(TIMING.suspectMs / 2 + 50))).toEqual(['ask for v4 e2 a [a]']);
  });

  it('accuses nobody in the first grace of an epoch: who led before may be answering reads', () => {
    const a = servingPrimary('a b');
    a.step({ kind: 'peerDisconnected', peer: 'b' as NodeId });
    expect(asks(a.waits(TIMING.graceMs - 100))).toEqual([]);
    expect(asks(a.waits(150))).toEqual(['ask for v4 e2 a [a]']);
  });
});
