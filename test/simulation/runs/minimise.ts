/**
 * Makes a failing run smaller, as far as is cheap: faults, clients, operations and what else varies are left
 * out one after another, as long as the same checker still sees a promise broken. A run with less in it is
 * another run, so what is left is small, and not the smallest.
 */
import { inMacrotask } from '../engine/world.ts';
import { NEVER, type Profile } from '../cluster/profile.ts';
import { checkerOf } from './checker-names.ts';
import { simulate, type Outcome } from './simulate.ts';

/** A run that can be kept. */
export type Case = { readonly seed: number; readonly profile: Profile; readonly violation: string };

const RUNS_MAX = 400;

/** What a run can do without, tried in this order. */
const PLAINER: readonly Partial<Profile>[] = [
  { restartsAll: false },
  { lifeOperations: NEVER },
  { ambiguity: 0 },
  { longValues: 0 },
  { largeValues: 0 },
  { skewMs: 0 },
  { drift: 0 },
  { tears: false },
  { writeMs: 0 },
  { tablets: 1 },
  { nodes: 3 },
];

/** @returns undefined if the run breaks nothing. */
export async function minimise(seed: number, given: Partial<Profile> = {}): Promise<Case | undefined> {
  const first = await inMacrotask(() => simulate(seed, { change: given }));
  if (first.violation === undefined) return undefined;
  const checker = checkerOf(first.violation);
  let change = given;
  let best: Outcome = first;
  let runs = 0;

  const attempt = async (more: Partial<Profile>): Promise<boolean> => {
    if (runs++ >= RUNS_MAX) return false;
    const outcome = await inMacrotask(() => simulate(seed, { change: { ...change, ...more } }));
    if (outcome.violation === undefined || checkerOf(outcome.violation) !== checker) return false;
    change = { ...change, ...more };
    best = outcome;
    return true;
  };

  const leaveOutFaults = async (): Promise<void> => {
    let faults = best.inflicted;
    for (let size = Math.max(1, faults.length >> 1); size >= 1; size >>= 1) {
      for (let at = 0; at < faults.length;) {
        const fewer = [...faults.slice(0, at), ...faults.slice(at + size)];
        if (await attempt({ faults: fewer })) faults = fewer;
        else at += size;
      }
    }
  };

  await attempt({ faultMs: Math.ceil(best.simulatedMs) + 1 });
  await leaveOutFaults();
  for (const plainer of PLAINER) await attempt(plainer);
  for (let { clients } = best.profile; clients > 1; clients--)
    if (!(await attempt({ clients: clients - 1 }))) break;
  for (let share = 0.5; share < 0.9; share = (1 + share) / 2)
    while (await attempt({ operations: Math.floor(best.profile.operations * share) }));
  await leaveOutFaults();
  return { seed, profile: best.profile, violation: best.violation! };
}
