/**
 * The catalogue of what is broken: each fault breaks something, waits, mends it, and resolves when nothing
 * more will be done. What must then be whole again is the cluster's to show (`recovered`). Two copies are
 * never taken away for good at once: whatever a fault destroys, it destroys on one node.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosCluster } from './cluster.ts';
import { flipInSegment, flipInTable, isMended, type Flip } from './damage.ts';
import { pauseMs, victim, whileDown, type Fault } from './fault.ts';
import { PLANNED_MOVES } from './planned-moves.ts';
import { STORE_FAULTS } from './store-faults.ts';
import type { RelayState } from './network.ts';
import type { SeededRandom } from './seeded-random.ts';

/** A process reads its offset once a second. */
const CLOCK_READ_MS = 1_100;
/** A scrub's turn comes once a second, to one tablet. */
const MENDED_DEADLINE_MS = 240_000;

async function partition(
  cluster: ChaosCluster,
  random: SeededRandom,
  which: (node: string) => (from: string, to: string) => boolean,
): Promise<string> {
  const node = await victim(cluster, random);
  const state: RelayState = random.chance(0.5) ? 'holding' : 'broken';
  const ms = pauseMs(random);
  cluster.network.set(state, which(node));
  await sleep(ms);
  cluster.network.set('open', which(node));
  return `${node}, ${state}, ${ms} ms`;
}

async function untilMended(flip: Flip): Promise<void> {
  const deadline = performance.now() + MENDED_DEADLINE_MS;
  while (!isMended(flip)) {
    if (performance.now() > deadline) {
      throw new Error(`the bit flipped in ${flip.file} at ${flip.offset} was never found`);
    }
    await sleep(200);
  }
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'SIGKILL of a storage node',
    async run(cluster, random) {
      const node = await victim(cluster, random);
      await cluster.processes.restart(node, 'SIGKILL');
      return node;
    },
  },
  {
    name: 'SIGKILL of all storage nodes',
    async run(cluster) {
      await Promise.all(cluster.nodes.map((node) => cluster.processes.restart(node, 'SIGKILL')));
      return cluster.nodes.join(', ');
    },
  },
  {
    name: 'SIGSTOP beyond the lease',
    nature: 'isolates',
    async run(cluster, random) {
      const node = await victim(cluster, random);
      const ms = pauseMs(random);
      await cluster.processes.signal(node, 'SIGSTOP');
      await sleep(ms);
      await cluster.processes.signal(node, 'SIGCONT');
      return `${node}, ${ms} ms`;
    },
  },
  {
    name: 'partition, both ways',
    nature: 'isolates',
    run: (cluster, random) =>
      partition(cluster, random, (node) => (from, to) => from === node || to === node),
  },
  {
    name: 'partition, both ways, among nodes alone',
    nature: 'isolates',
    run: (cluster, random) =>
      partition(
        cluster,
        random,
        (node) => (from, to) =>
          [from, to].includes(node) && !cluster.masters.some((master) => [from, to].includes(master)),
      ),
  },
  {
    name: 'partition, one way out',
    nature: 'isolates',
    run: (cluster, random) =>
      partition(cluster, random, (node) => (from, to) => from === node && !cluster.masters.includes(to)),
  },
  {
    name: 'partition, one way in',
    nature: 'isolates',
    run: (cluster, random) =>
      partition(cluster, random, (node) => (from, to) => to === node && !cluster.masters.includes(from)),
  },
  {
    name: 'disk full',
    nature: 'isolates',
    obstacle: ({ smallDisk }) => (smallDisk ? undefined : 'a small tmpfs needs root'),
    async run({ smallDisk }, random) {
      const ms = pauseMs(random);
      smallDisk!.fill();
      await sleep(ms);
      smallDisk!.makeRoom();
      return `${smallDisk!.folder}, ${ms} ms`;
    },
  },
  {
    name: 'flipped bit in a log segment',
    nature: 'destroys',
    async run(cluster, random) {
      const node = await victim(cluster, random);
      const flip = flipInSegment(cluster.folderOf(node), random);
      if (!flip) return 'no segment to flip in';
      await untilMended(flip);
      return `${flip.file} at ${flip.offset}`;
    },
  },
  {
    name: 'flipped bit in an SST',
    nature: 'destroys',
    async run(cluster, random) {
      const node = await victim(cluster, random);
      // At a stop, what is in memory goes to a file.
      await cluster.processes.restart(node, 'SIGTERM');
      await cluster.recovered();
      const flip = flipInTable(cluster.folderOf(node), random);
      if (!flip) return 'no table to flip in';
      await cluster.processes.restart(node, 'SIGKILL');
      return `${flip.file} at ${flip.offset}`;
    },
  },
  {
    name: 'wiped data folder',
    nature: 'destroys',
    async run(cluster, random) {
      const node = await victim(cluster, random);
      await cluster.processes.takeDown(node);
      cluster.wipe(node);
      cluster.processes.start(node);
      return node;
    },
  },
  {
    name: 'NATS down',
    run: (cluster, random) => whileDown(cluster, 'nats', pauseMs(random)),
  },
  {
    name: 'master down',
    run: (cluster, random) => whileDown(cluster, random.pick(cluster.masters), pauseMs(random)),
  },
  {
    name: 'wall clock jump',
    obstacle: ({ canSetClocks }) => (canSetClocks ? undefined : 'libfaketime is not installed'),
    async run(cluster, random) {
      const node = await victim(cluster, random);
      const seconds = Math.round(random.between(2, 24 * 3600)) * (random.chance(0.5) ? 1 : -1);
      const ms = pauseMs(random);
      const killed = random.pick([undefined, node, await victim(cluster, random)]);
      cluster.setClock(node, seconds);
      await sleep(CLOCK_READ_MS);
      // It starts with a wrong clock, or takes over with one.
      if (killed !== undefined) await cluster.processes.restart(killed, 'SIGKILL');
      await sleep(ms);
      cluster.setClock(node, 0);
      await sleep(CLOCK_READ_MS);
      return `${node}, ${seconds} s, ${ms} ms, meanwhile killed: ${killed ?? 'none'}`;
    },
  },
  ...PLANNED_MOVES,
  ...STORE_FAULTS,
];
