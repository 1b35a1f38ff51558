/**
 * The production replication core under simulated faults. A seed is a run: what it draws breaks nodes,
 * disks, links, clocks and the config store, and the checkers watch every step.
 */
import { describe, expect, it } from 'vitest';
import { DEFAULT_TIMING } from '../../storage-nodes/replication/state.ts';
import { simulate, type Outcome } from './cluster.ts';
import seeds from './seeds.json' with { type: 'json' };

const FIXED = 400;
const FRESH = 400;

/** Runs them all; the text names each broken seed and the command that repeats it. */
function broken(first: number, count: number): { readonly text: string; readonly outcomes: Outcome[] } {
  const outcomes = Array.from({ length: count }, (_, i) => simulate(first + i));
  const text = outcomes
    .filter((outcome) => outcome.violation !== undefined)
    .map(
      ({ seed, violation }) =>
        `${violation}\n  again: npx tsx test/simulation/main.ts --seed ${seed} --trace`,
    )
    .join('\n');
  return { text, outcomes };
}

describe('a tablet under faults keeps its promises', () => {
  it.each(seeds)('in the run that once showed this: $story (seed $seed)', ({ seed }) => {
    expect(broken(seed, 1).text).toBe('');
  });

  it(`in ${FIXED} fixed runs, which do break things`, () => {
    const { text, outcomes } = broken(1, FIXED);
    expect(text).toBe('');
    const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, one) => total + of(one), 0);
    // A simulation in which nothing happens proves nothing.
    expect(sum((one) => one.committed)).toBeGreaterThan(100 * FIXED);
    expect(sum((one) => one.epochs)).toBeGreaterThan(2 * FIXED);
    expect(sum((one) => one.versions)).toBeGreaterThan(6 * FIXED);
    expect(sum((one) => one.reads)).toBeGreaterThan(50 * FIXED);
    expect(sum((one) => one.faults)).toBeGreaterThan(20 * FIXED);
    expect(sum((one) => one.handOvers)).toBeGreaterThan(FIXED / 2);
  }, 120_000);

  it(`in ${FRESH} fresh runs`, () => {
    const first = Date.now() % 1_000_000_000;
    console.log(`fresh runs: npx tsx test/simulation/main.ts --seed ${first} --count ${FRESH}`);
    expect(broken(first, FRESH).text).toBe('');
  }, 120_000);
});

describe('a simulation', () => {
  it('is the same run for the same seed', () => {
    expect(simulate(42)).toEqual(simulate(42));
    expect(simulate(42).digest).not.toBe(simulate(43).digest);
  });

  it('with planned moves alone never waits for a grace (rule 16)', () => {
    let handOvers = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const outcome = simulate(seed, { planned: true });
      const { violation, longestHandOverMs, profile } = outcome;
      expect({ seed, violation }).toEqual({ seed, violation: undefined });
      // Simulated time. A link of 20 ms takes 400 now and then; the others, the store and the disks less than 60.
      if (profile.network.latencyMs < 20) expect(longestHandOverMs).toBeLessThan(DEFAULT_TIMING.graceMs / 3);
      handOvers += outcome.handOvers;
    }
    expect(handOvers).toBeGreaterThan(40);
  });

  it('without faults never changes a primary or a member', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { violation, epochs, versions, faults } = simulate(seed, { calm: true });
      expect({ seed, violation, epochs, versions, faults }).toEqual({
        seed,
        violation: undefined,
        epochs: 1,
        versions: 2,
        faults: 0,
      });
    }
  });
});
