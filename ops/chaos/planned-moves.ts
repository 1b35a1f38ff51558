/**
 * What an operator does on purpose (rule 16), as `penncloud node …` and the console do it: wishes over NATS,
 * repeated until they come true. Nobody should notice; a node that cannot be drained just then goes on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { pauseMs, victim, type Fault } from './fault.ts';

export const PLANNED_MOVES: readonly Fault[] = [
  {
    name: 'planned restart',
    nature: 'isolates',
    async run(cluster, random) {
      const node = await victim(cluster, random);
      await cluster.processes.untilReplaced(node, () => cluster.wish(node, 'restart'));
      return node;
    },
  },
  {
    name: 'planned stop, and start',
    nature: 'isolates',
    async run(cluster, random) {
      const node = await victim(cluster, random);
      const ms = pauseMs(random);
      await cluster.processes.untilDisabled(node, () => cluster.wish(node, 'disable'));
      await sleep(ms);
      cluster.processes.enable(node);
      return `${node}, ${ms} ms`;
    },
  },
  {
    name: 'rolling restart',
    nature: 'isolates',
    async run(cluster) {
      for (const node of cluster.nodes) {
        await cluster.processes.untilReplaced(node, () => cluster.wish(node, 'restart'));
        await cluster.recovered();
      }
      return cluster.nodes.join(', ');
    },
  },
  {
    name: 'planned restart while the config store stands still',
    nature: 'isolates',
    async run(cluster, random) {
      const node = await victim(cluster, random);
      const ms = pauseMs(random);
      await cluster.signalStore('SIGSTOP');
      const replaced = cluster.processes.untilReplaced(node, () => cluster.wish(node, 'restart'));
      await sleep(ms);
      await cluster.signalStore('SIGCONT');
      await replaced;
      return `${node}, ${ms} ms`;
    },
  },
];
