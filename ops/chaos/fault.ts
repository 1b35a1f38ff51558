/** What a fault is, and what many of them need. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CELLS } from './cells.ts';
import type { ChaosCluster } from './cluster.ts';
import type { SeededRandom } from './seeded-random.ts';

export interface Fault {
  readonly name: string;
  /** Why this cluster cannot have it; undefined if it can. */
  readonly obstacle?: (cluster: ChaosCluster) => string | undefined;
  /**
   * `destroys`: bytes of one copy are lost for good. `isolates`: copies may leave the in-sync set though
   * their bytes are sound. Not both at once: the last copy in sync could be the one destroyed.
   */
  readonly nature?: 'destroys' | 'isolates';
  /** Resolves with what was done, in words. */
  readonly run: (cluster: ChaosCluster, random: SeededRandom) => Promise<string>;
}

/** Longer than a lease and its grace. */
export const pauseMs = (random: SeededRandom): number => Math.round(random.between(1_500, 5_000));

/** Mostly who leads a cell that callers use: drawn as a cell, so that the seed says whom. */
export async function victim(cluster: ChaosCluster, random: SeededRandom): Promise<string> {
  const node = random.pick(cluster.nodes);
  const { row } = random.pick(CELLS);
  return random.chance(0.7) ? cluster.primaryOf(row) : node;
}

export async function whileDown(cluster: ChaosCluster, id: string, ms: number): Promise<string> {
  await cluster.processes.takeDown(id);
  await sleep(ms);
  cluster.processes.start(id);
  return `${id}, ${ms} ms`;
}

/** Whether two faults may overlap. */
export function canMeet(one: Fault, other: Fault): boolean {
  if (one === other) return false;
  return (
    (one.nature !== 'destroys' || other.nature === undefined) &&
    (other.nature !== 'destroys' || one.nature === undefined)
  );
}
