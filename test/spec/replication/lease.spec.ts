/** Rule 7: when a primary may answer linearizable reads. */
import { describe, expect, it } from 'vitest';
import { Copy, servingPrimary, TIMING } from './dialogue.ts';

const beaconAck = (copy: Copy, from: string, sentAt: number) =>
  copy.hears(from, { type: 'beaconAck', sentAt });

describe('the lease', () => {
  it('needs an acknowledged beacon from every other in-sync member', () => {
    const a = servingPrimary('a b c');
    expect(a.replica.leaseUntil).toBe(-Infinity);
    beaconAck(a, 'b', a.now);
    expect(a.replica.leaseUntil).toBe(-Infinity);
    beaconAck(a, 'c', a.now - 40);
    expect(a.replica.leaseUntil).toBe(a.now - 40 + TIMING.leaseMs);
  });

  it('counts from when the beacon was sent, however late and in whatever order it is acknowledged', () => {
    const a = servingPrimary('a b');
    const sentAt = a.now;
    a.now += 300;
    beaconAck(a, 'b', sentAt);
    beaconAck(a, 'b', sentAt - 100);
    expect(a.replica.leaseUntil).toBe(sentAt + TIMING.leaseMs);
  });

  it('does not need learners', () => {
    const a = servingPrimary('a b');
    beaconAck(a, 'b', a.now);
    expect(a.replica.leaseUntil).toBe(a.now + TIMING.leaseMs);
  });

  it('needs a learner whose admission is under way', () => {
    const a = servingPrimary('a b');
    beaconAck(a, 'b', a.now);
    expect(a.hearsAck('c', 1)).toContain('ask for v4 e2 a [a b c]');
    expect(a.replica.leaseUntil).toBe(-Infinity);
  });

  it('is not needed by a sole member', () => {
    expect(servingPrimary('a').replica.leaseUntil).toBe(Infinity);
  });

  it('is not held before the epoch’s opening entry is committed', () => {
    const a = new Copy('a', { configuration: 'v3 e2 a [a]' });
    a.waits(50);
    a.wins('v4 e3 a [a]');
    expect(a.replica.leaseUntil).toBe(-Infinity);
  });
});

describe('a node whose event loop stood still', () => {
  it('gives its lease up that much sooner, for a while', () => {
    const a = servingPrimary('a b');
    a.now += TIMING.beaconMs + 100;
    a.step({ kind: 'tick' });
    beaconAck(a, 'b', a.now);
    expect(a.replica.leaseUntil).toBe(a.now + TIMING.leaseMs - 100);
    for (let second = 0; second < 10; second++) a.waits(1000);
    beaconAck(a, 'b', a.now);
    expect(a.replica.leaseUntil).toBeCloseTo(a.now + TIMING.leaseMs, 0);
  });
});
