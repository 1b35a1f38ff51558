/**
 * PennCloud's store as `npm start` runs it, with the same commands and flags, without the web and (unless asked
 * for) mail in front of it: NATS, the master and three storage nodes. A put is over when all in-sync copies have
 * synced it. Keys spread over the four tablets that plain rows have by default.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { createStoreClient, type TcpStoreClient } from '../../../storage-nodes/client/store-client.ts';
import { commandOf } from '../../cluster/commands.ts';
import { Supervisor } from '../../cluster/supervisor.ts';
import { readOrCreateClusterFile } from '../../processes/cluster-file.ts';
import { readSettings } from '../../processes/settings.ts';
import { addressesOf, planCluster, type ProcessPlan } from '../../processes/topology.ts';
import { freePortOffset } from './penncloud-ports.ts';
import { BenchFailed, type RunningSystem } from './system.ts';

const KINDS: readonly ProcessPlan['kind'][] = ['nats', 'master', 'storage-node'];
const COPIES = 3;
const READY_DEADLINE_MS = 60_000;

export type PennCloudOptions = {
  readonly version: string;
  /** Storage nodes leave their processor profiles there when they stop; undefined: none are made. */
  readonly profileFolder: string | undefined;
  /** Mail from other servers is taken in as well. */
  readonly mail?: boolean;
};

export type RunningPennCloud = RunningSystem & { readonly plans: readonly ProcessPlan[] };

export async function startPennCloud(
  folder: string,
  { version, profileFolder, mail = false }: PennCloudOptions,
): Promise<RunningPennCloud> {
  const environment = {
    PENNCLOUD_DATA: join(folder, 'data'),
    PENNCLOUD_PORT_OFFSET: String(await freePortOffset()),
    PENNCLOUD_LOG_LEVEL: 'info',
    PENNCLOUD_SETTINGS: '',
  };
  const settings = readSettings(environment);
  const cluster = readOrCreateClusterFile(settings.dataFolder);
  const plans = planCluster(settings).filter(
    ({ kind }) => KINDS.includes(kind) || (mail && kind === 'smtp-in'),
  );
  const logFile = (id: string): string => join(settings.dataFolder, 'logs', `${id}.log`);
  const profiling = profileFolder === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileFolder];
  let broken: string | undefined;
  const events = {
    started: () => {},
    failed: (id: string, reason: string) => void (broken ??= `${id} could not start: ${reason}`),
    ended: (id: string, how: string) =>
      void (broken ??= `${id} ended (${how}); its log says why: ${logFile(id)}`),
  };
  const supervisors = plans.map((plan) => {
    const command = commandOf(plan, settings, cluster);
    return new Supervisor(
      plan.id,
      {
        ...command,
        args: [
          ...(plan.kind === 'storage-node' || plan.kind === 'smtp-in' ? profiling : []),
          ...command.args,
        ],
        env: { ...command.env, ...environment },
      },
      logFile(plan.id),
      events,
    );
  });
  const store = createStoreClient({
    nodes: addressesOf('storage-node', plans),
    secret: cluster.secret,
    clientId: 'bench-watch',
    logger: pino({ level: 'silent' }),
  });
  const stop = async (): Promise<void> => {
    await store.close();
    for (const supervisor of [...supervisors].reverse()) await supervisor.stop();
  };
  try {
    for (const supervisor of supervisors) supervisor.start();
    await untilServing(store, () => broken);
    return {
      access: { system: 'penncloud', servers: addressesOf('storage-node', plans), secret: cluster.secret },
      version,
      plans,
      pids: supervisors.map(({ pid }) => pid ?? 0),
      guarantees: () => guarantees(store, broken),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function untilServing(store: TcpStoreClient, broken: () => string | undefined): Promise<void> {
  const deadline = performance.now() + READY_DEADLINE_MS;
  for (;;) {
    const tablets = await store.tabletStatus();
    const reason = broken();
    if (reason !== undefined) throw new BenchFailed(reason);
    if (tablets.length > 0 && tablets.every(({ serving }) => serving)) return;
    if (performance.now() > deadline) throw new BenchFailed('PennCloud does not serve all its tablets.');
    await sleep(100);
  }
}

async function guarantees(store: TcpStoreClient, broken: string | undefined): Promise<string[]> {
  if (broken !== undefined) throw new BenchFailed(broken);
  const tablets = await store.tabletStatus();
  const thin = tablets.find(({ inSync }) => inSync.length !== COPIES);
  if (thin) throw new BenchFailed(`Tablet ${thin.id} has ${thin.inSync.length} copies in sync.`);
  return [
    `all ${tablets.length} tablets have ${COPIES} copies in sync; a put is answered once all have synced it`,
    'a get is answered by the primary under its lease (linearizable)',
  ];
}
