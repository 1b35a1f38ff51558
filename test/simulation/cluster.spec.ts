import { describe, expect, it } from 'vitest';
import { inMacrotask } from './engine/world.ts';
import { keptRuns } from './runs/kept.ts';
import { simulate } from './runs/simulate.ts';
import { Totals } from './runs/totals.ts';
import { DEFAULT_TIMING } from '../../storage-nodes/replication/state.ts';

const FIXED = 100;
const FRESH = 100;
const QUICK = { latencyMs: 0.3, unordered: false, loss: 0 };

async function runs(first: number, count: number): Promise<Totals> {
  const totals = new Totals();
  for (let seed = first; seed < first + count; seed++) totals.add(await inMacrotask(() => simulate(seed)));
  return totals;
}

describe('a cluster under faults keeps its promises', () => {
  it.each(keptRuns())('in the run that once showed this: $story (seed $seed)', async ({ seed, profile }) => {
    const { violation } = await inMacrotask(() => simulate(seed, { change: profile }));
    expect(violation).toBeUndefined();
  });

  it(`in ${FIXED} fixed runs, which do break things`, async () => {
    const totals = await runs(1, FIXED);
    expect(totals.failed).toEqual([]);
    // A simulation in which nothing happens proves nothing.
    expect(totals.acknowledged).toBeGreaterThan(50 * FIXED);
    expect(totals.count('epoch')).toBeGreaterThan(2 * FIXED);
    expect(totals.count('failover')).toBeGreaterThan(0.5 * FIXED);
    expect(totals.count('catch-up')).toBeGreaterThan(FIXED);
    expect(Object.keys(totals.faults()).length).toBeGreaterThan(20);
  }, 300_000);

  it(`in ${FRESH} fresh runs`, async () => {
    const first = Date.now() % 1_000_000_000;
    console.log(`fresh runs: npm run sim -- --seed ${first} --count ${FRESH}`);
    expect((await runs(first, FRESH)).failed).toEqual([]);
  }, 300_000);
});

describe('a simulated cluster', () => {
  it('is the same run for the same seed', async () => {
    for (const seed of [42, 43, 44]) {
      const [one, two] = [await inMacrotask(() => simulate(seed)), await inMacrotask(() => simulate(seed))];
      expect(two).toEqual(one);
    }
    const [one, other] = [await inMacrotask(() => simulate(42)), await inMacrotask(() => simulate(43))];
    expect(one.digest).not.toBe(other.digest);
  });

  it('with planned moves alone lets nobody wait for a grace (rule 16)', async () => {
    let handOvers = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const { violation, longestMs, counts } = await inMacrotask(() =>
        simulate(seed, {
          calm: true,
          change: { kinds: ['hand-over'], everyMs: 200, network: QUICK, syncMs: 2, operations: 300 },
        }),
      );
      expect({ seed, violation }).toEqual({ seed, violation: undefined });
      expect(longestMs).toBeLessThan(DEFAULT_TIMING.graceMs);
      handOvers += counts.get('failover') ?? 0;
    }
    expect(handOvers).toBeGreaterThan(20);
  });

  it('without faults never changes a primary, and answers everything', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { violation, counts, operations, acknowledged } = await inMacrotask(() =>
        simulate(seed, { calm: true }),
      );
      expect({ seed, violation, failovers: counts.get('failover') ?? 0 }).toEqual({
        seed,
        violation: undefined,
        failovers: 0,
      });
      expect(acknowledged).toBe(operations);
    }
  });
});
