/** What is broken of the config store alone: the master that keeps it, or members of the etcd cluster that does. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosCluster } from './cluster.ts';
import { pauseMs, victim, whileDown, type Fault } from './fault.ts';

const needsEtcd = ({ etcdMembers }: ChaosCluster): string | undefined =>
  etcdMembers.length > 0 ? undefined : 'the config store is embedded: see --config-store';

export const STORE_FAULTS: readonly Fault[] = [
  {
    name: 'config store stands still while a primary dies',
    async run(cluster, random) {
      const node = await victim(cluster, random);
      const ms = pauseMs(random);
      await cluster.signalStore('SIGSTOP');
      const restarted = cluster.processes.restart(node, 'SIGKILL');
      await sleep(ms);
      await cluster.signalStore('SIGCONT');
      await restarted;
      return `${node}, ${ms} ms`;
    },
  },
  {
    name: 'SIGKILL of an etcd member',
    obstacle: needsEtcd,
    async run(cluster, random) {
      const member = random.pick(cluster.etcdMembers);
      await cluster.processes.restart(member, 'SIGKILL');
      return member;
    },
  },
  {
    name: 'etcd member down while a primary dies',
    obstacle: needsEtcd,
    async run(cluster, random) {
      const member = random.pick(cluster.etcdMembers);
      const node = await victim(cluster, random);
      const down = whileDown(cluster, member, pauseMs(random));
      await cluster.processes.restart(node, 'SIGKILL');
      return `${node}; ${await down}`;
    },
  },
  {
    name: 'etcd member stands still',
    obstacle: needsEtcd,
    async run(cluster, random) {
      const member = random.pick(cluster.etcdMembers);
      const ms = pauseMs(random);
      await cluster.processes.signal(member, 'SIGSTOP');
      await sleep(ms);
      await cluster.processes.signal(member, 'SIGCONT');
      return `${member}, ${ms} ms`;
    },
  },
  {
    name: 'SIGKILL of all etcd members',
    obstacle: needsEtcd,
    async run(cluster) {
      await Promise.all(cluster.etcdMembers.map((member) => cluster.processes.restart(member, 'SIGKILL')));
      return cluster.etcdMembers.join(', ');
    },
  },
];
