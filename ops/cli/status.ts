/**
 * `penncloud status`: what every process says of itself, what every tablet's primary says of it, and
 * what is wrong. Processes are known from their heartbeats; while NATS is away, from `/healthz`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TabletStatus } from '../../storage-nodes/client/client.ts';
import { alarmOf } from '../../storage-nodes/client/tablet-alarms.ts';
import { connectNotices } from '../../storage-nodes/wire/nats-notices.ts';
import type { Heartbeat } from '../../storage-nodes/wire/notices.ts';
import { isHealthy } from '../cluster/readiness.ts';
import { addressesOf, type ProcessPlan } from '../processes/topology.ts';
import { findCluster, openStore, quietLogger, type Surroundings } from './connection.ts';
import { Failed } from './outcome.ts';
import { printJson, printTable } from './print.ts';

/** One heartbeat of each process, and some patience. */
const LISTEN_MS = 1500;

type ProcessStatus = {
  readonly id: string;
  readonly kind: string;
  readonly status: Heartbeat['status'] | 'down';
  readonly address: string;
  readonly pid?: number;
};

export async function status(options: { json?: boolean }): Promise<void> {
  const surroundings = findCluster();
  const [{ beats, natsAnswers }, healthy, tablets] = await Promise.all([
    listen(surroundings),
    probe(surroundings.plans),
    askTablets(surroundings),
  ]);
  const nodes = surroundings.plans
    .filter(({ kind }) => kind !== 'nats')
    .map((plan) => statusOf(plan, beats.get(plan.id), healthy.has(plan.id)));
  const alarms = alarmsOf(nodes, tablets, [...beats.values()], natsAnswers);
  if (options.json) printJson({ nodes, tablets: tablets?.map(tabletAsJson) ?? [], alarms });
  else print(nodes, tablets ?? [], alarms);
  if (nodes.every((node) => node.status === 'down')) {
    throw new Failed('No process of this cluster answers: start it with `npm start`.');
  }
}

/** The last heartbeat of each process. */
async function listen({ plans, cluster }: Surroundings) {
  const { port } = addressesOf('nats', plans)[0]!;
  const notices = connectNotices({ port, ...cluster.nats, name: 'cli', logger: quietLogger });
  const beats = new Map<string, Heartbeat>();
  notices.onHeartbeat((heartbeat) => beats.set(heartbeat.id, heartbeat));
  await sleep(LISTEN_MS);
  const natsAnswers = notices.connected();
  await notices.close();
  return { beats, natsAnswers };
}

async function probe(plans: readonly ProcessPlan[]): Promise<Set<string>> {
  const healthy = await Promise.all(plans.map(async (plan) => ((await isHealthy(plan)) ? [plan.id] : [])));
  return new Set(healthy.flat());
}

/** Undefined: no storage node answers. */
async function askTablets(surroundings: Surroundings): Promise<TabletStatus[] | undefined> {
  const store = openStore(surroundings);
  try {
    return await store.tabletStatus();
  } catch {
    return undefined;
  } finally {
    await store.close();
  }
}

function statusOf(plan: ProcessPlan, beat: Heartbeat | undefined, healthy: boolean): ProcessStatus {
  const { id, kind, host, port } = plan;
  const known = { id, kind, address: `${host}:${port}` };
  if (beat) return { ...known, status: beat.status, pid: beat.pid };
  return { ...known, status: healthy ? 'serving' : 'down' };
}

function alarmsOf(
  nodes: readonly ProcessStatus[],
  tablets: readonly TabletStatus[] | undefined,
  beats: readonly Heartbeat[],
  natsAnswers: boolean,
): string[] {
  const own = natsAnswers
    ? []
    : ['NATS does not answer: heartbeats and live updates are off; reads and writes go on.'];
  const down = nodes.filter((node) => node.status === 'down').map(({ id }) => `${id} is down.`);
  const theirs = beats.flatMap(({ id, alarms }) => alarms.map((alarm) => `${id}: ${alarm}`));
  const ofTablets = (tablets ?? []).flatMap((tablet) => alarmOf(tablet, rolesIn(tablet.id, beats)) ?? []);
  const silent = !tablets?.length ? ['No storage node tells about the tablets.'] : [];
  return [...own, ...down, ...silent, ...ofTablets, ...theirs];
}

/** What each node says that its copy is. */
function rolesIn(tablet: string, beats: readonly Heartbeat[]): Map<string, string> {
  const own = beats.map(
    ({ id, tablets }) => [id, tablets?.find((copy) => copy.id === tablet)?.role] as const,
  );
  return new Map(own.flatMap(([id, role]) => (role ? [[id, role]] : [])));
}

function tabletAsJson({ id, version, epoch, primary, inSync, committed, serving }: TabletStatus): object {
  return { id, version, epoch, primary, inSync, committed, serving };
}

function print(
  nodes: readonly ProcessStatus[],
  tablets: readonly TabletStatus[],
  alarms: readonly string[],
): void {
  printTable(
    ['PROCESS', 'KIND', 'STATUS', 'ADDRESS', 'PID'],
    nodes.map(({ id, kind, status, address, pid }) => [id, kind, status, address, pid]),
  );
  console.log();
  printTable(
    ['TABLET', 'SERVING', 'PRIMARY', 'IN SYNC', 'VERSION', 'EPOCH', 'COMMITTED'],
    tablets.map((tablet) => [
      tablet.id,
      tablet.serving ? 'yes' : 'NO',
      tablet.primary,
      tablet.inSync.join(' '),
      tablet.version,
      tablet.epoch,
      tablet.committed,
    ]),
  );
  console.log();
  console.log(alarms.length === 0 ? 'No alarms.' : alarms.map((alarm) => `ALARM  ${alarm}`).join('\n'));
}
