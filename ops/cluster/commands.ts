/** How each process of a cluster is started: our own as Node programs, nats-server and etcd as programs. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClusterFile } from '../processes/cluster-file.ts';
import type { Settings } from '../processes/settings.ts';
import { addressesOf, ETCD_PEER_PORT_STEP, planCluster, type ProcessPlan } from '../processes/topology.ts';
import type { Command } from './supervisor.ts';

const MAIN_OF = {
  master: 'master',
  'storage-node': 'storage-node',
  gateway: 'gateway',
  'front-door': 'front-door',
  'smtp-in': 'smtp-inbound',
  'smtp-out': 'smtp-outbound',
} as const;

/** Young objects die young here: smaller halves cost little time and keep tens of megabytes per process. */
const MEMORY_FLAGS = ['--max-semi-space-size=4'];
/**
 * A storage node's young objects live as long as a write is under way: with larger halves fewer of them
 * grow old. On few cores V8's helper threads only take turns with us, and each turn costs a switch
 * (measured on two cores with 64 callers: a sixth of the processor time of a put).
 */
const STORE_FLAGS = [
  // Else code that rests for a while is thrown away, and the next burst finds it cold.
  '--no-flush-bytecode',
  '--min-semi-space-size=16',
  '--max-semi-space-size=16',
  ...(availableParallelism() < 8 ? ['--single-threaded-gc'] : []),
];

/** Mail in transit lives as a write does: until three copies have it. */
const FLAGS: Readonly<Partial<Record<ProcessPlan['kind'], readonly string[]>>> = {
  'storage-node': STORE_FLAGS,
  'smtp-in': STORE_FLAGS,
  'smtp-out': STORE_FLAGS,
};

/** What is large goes back to the system when it is freed (M_MMAP_THRESHOLD; fixed, it does not grow). */
const SMALL_MALLOC = { MALLOC_MMAP_THRESHOLD_: '131072' };
/**
 * A storage node takes payloads of a megabyte all the time: fresh pages for each cost a fifth of such a put.
 * It keeps up to 64 MiB at the end of its heap.
 */
const STORE_MALLOC = { MALLOC_MMAP_THRESHOLD_: '4194304', MALLOC_TRIM_THRESHOLD_: '67108864' };

/** What a web process takes to stop beyond the wait for its requests. */
const STOP_MS = 8_000;

export function commandOf(plan: ProcessPlan, settings: Settings, cluster: ClusterFile): Command {
  if (plan.kind === 'nats') return natsCommand(plan, settings, cluster);
  if (plan.kind === 'etcd') return etcdCommand(plan, settings, cluster);
  return nodeCommand(plan, MAIN_OF[plan.kind], settings);
}

function nodeCommand(plan: ProcessPlan, main: string, settings: Settings): Command {
  return {
    program: process.execPath,
    args: [
      ...(FLAGS[plan.kind] ?? MEMORY_FLAGS),
      '--enable-source-maps',
      fileURLToPath(new URL(`../processes/${main}.js`, import.meta.url)),
    ],
    env: {
      ...process.env,
      PENNCLOUD_PROCESS: plan.id,
      PENNCLOUD_DATA: settings.dataFolder,
      // Each store operation and password hash takes one of these threads; the default is 4.
      UV_THREADPOOL_SIZE: '16',
      // With an arena for each of them, freed payloads stay resident (glibc mallopt(3), M_ARENA_MAX).
      MALLOC_ARENA_MAX: '2',
      ...(plan.kind === 'storage-node' ? STORE_MALLOC : SMALL_MALLOC),
    },
    reports: true,
    ...(plan.scheme && { stopMs: settings.drainSeconds * 1000 + STOP_MS }),
  };
}

function natsCommand(plan: ProcessPlan, settings: Settings, cluster: ClusterFile): Command {
  const folder = join(settings.dataFolder, plan.id);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, 'nats-server.conf');
  const quoted = (text: string): string => JSON.stringify(text);
  const lines = [
    `host: ${quoted(plan.host)}`,
    `port: ${plan.port}`,
    `server_name: penncloud`,
    `authorization { user: ${quoted(cluster.nats.user)}, password: ${quoted(cluster.nats.password)} }`,
  ];
  writeFileSync(file, lines.join('\n') + '\n', { mode: 0o600 });
  return programCommand('nats-server', ['--config', file]);
}

/** One of the local members. */
function etcdCommand(plan: ProcessPlan, settings: Settings, cluster: ClusterFile): Command {
  const folder = join(settings.dataFolder, plan.id);
  // etcd insists on a folder that is its owner's alone.
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const client = `http://${plan.host}:${plan.port}`;
  const peerOf = ({ host, port }: { host: string; port: number }): string =>
    `http://${host}:${port + ETCD_PEER_PORT_STEP}`;
  const members = addressesOf('etcd', planCluster(settings)).map(
    (member) => `${member.id}=${peerOf(member)}`,
  );
  const token = createHash('sha256').update(cluster.secret).digest('hex').slice(0, 16);
  return programCommand('etcd', [
    ...['--name', plan.id, '--data-dir', folder],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peerOf(plan), '--initial-advertise-peer-urls', peerOf(plan)],
    ...['--initial-cluster', members.join(','), '--initial-cluster-token', `penncloud-${token}`],
    // Few and small keys: history is kept for an hour.
    ...['--auto-compaction-mode', 'periodic', '--auto-compaction-retention', '1h'],
  ]);
}

/** The kernel ends it with its parent; it has no channel of ours to watch. */
function programCommand(name: string, args: readonly string[]): Command {
  const [program, ...before] =
    process.platform === 'linux' ? ['setpriv', '--pdeathsig', 'KILL', name] : [name];
  return {
    program: program!,
    args: [...before, ...args],
    // Debian puts nats-server into a folder that need not be on a user's PATH.
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin` },
    reports: false,
  };
}
