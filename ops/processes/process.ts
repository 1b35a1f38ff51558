/**
 * The life of one process of a cluster: read the settings, start what it serves, say that it is ready,
 * beat every second, and stop cleanly on SIGTERM, on SIGINT, or when its launcher is gone.
 *
 * One log line per start, stop and error. A start that fails for a reason the operator can mend ends
 * with exit code 1 and one line without a stack; a defect ends the process with its stack in the log.
 */
import { join } from 'node:path';
import type { Heartbeat, Notices, ProcessKind } from '../../storage-nodes/wire/notices.ts';
import { connectNotices } from '../../storage-nodes/wire/nats-notices.ts';
import { ClusterFileError, readClusterFile, type ClusterFile } from './cluster-file.ts';
import { startHealthServer } from './health.ts';
import { startHeartbeat } from './heartbeat.ts';
import { createLogger, type Logger } from './logger.ts';
import { readSettings, SettingsError, type Settings } from './settings.ts';
import { Wishes } from './wishes.ts';
import { addressesOf, planCluster, type NodeAddress, type ProcessPlan } from './topology.ts';

/** What a process finds when it starts. */
export type Place = {
  readonly plan: ProcessPlan;
  readonly settings: Settings;
  readonly cluster: ClusterFile;
  readonly nodes: readonly NodeAddress[];
  readonly masters: readonly NodeAddress[];
  /** This process's own folder in the data folder; not created. */
  readonly folder: string;
  readonly logger: Logger;
  readonly notices: Notices;
};

/** What it gives back once it serves. */
export type Serving = {
  readonly load?: () => number;
  readonly status?: () => Heartbeat['status'];
  readonly tablets?: () => NonNullable<Heartbeat['tablets']>;
  readonly alarms?: () => readonly string[];
  /** Hands over what others can do. Rejects, with a sentence for the operator, if nobody else can. */
  readonly drain?: () => Promise<void>;
  /** Lets what is in flight finish, while its heartbeat says that it drains; then `stop` follows. */
  readonly leave?: () => Promise<void>;
  stop(): Promise<void>;
};

/** What a process tells its launcher over the IPC channel: why it cannot start, or that it ends because that was wished. */
export type ProcessReport = { readonly failed: string } | { readonly ending: 'disable' | 'restart' };

export function runProcess(kind: ProcessKind, start: (place: Place) => Promise<Serving>): void {
  live(kind, start).catch((error: unknown) => {
    tellLauncher({ failed: error instanceof Error ? error.message : String(error) });
    console.error(
      error instanceof SettingsError || error instanceof ClusterFileError ? error.message : error,
    );
    process.exit(1);
  });
}

async function live(kind: ProcessKind, start: (place: Place) => Promise<Serving>): Promise<void> {
  const settings = readSettings();
  const plan = ownPlan(kind, settings);
  const logger = createLogger({ kind, id: plan.id }, settings.logLevel);
  const startedAt = Date.now();
  const notices = connectNotices({ ...natsAddress(settings), name: plan.id, logger });
  crashOnDefects(logger);

  let serving: Serving | undefined;
  let leaving = false;
  const stops: Stop[] = [() => notices.close()];
  const stop = stopOnRequest(logger, stops);
  const wishes = new Wishes({
    id: plan.id,
    notices,
    logger,
    drain: async () => serving?.drain?.(),
    end: (ending) => {
      tellLauncher({ ending });
      void stop(`${ending} was wished`);
    },
  });
  const heartbeat = (): Heartbeat => ({
    kind,
    id: plan.id,
    address: `${plan.host}:${plan.port}`,
    status: serving ? statusOf(serving, wishes, leaving) : 'starting',
    pid: process.pid,
    startedAt,
    load: serving?.load?.() ?? 0,
    residentBytes: process.memoryUsage.rss(),
    ...(serving?.tablets && { tablets: serving.tablets() }),
    alarms: [
      ...(notices.connected() ? [] : ['NATS is not reachable']),
      ...wishes.alarms,
      ...(serving?.alarms?.() ?? []),
    ],
  });

  try {
    if (plan.health && plan.scheme === undefined) {
      const server = await startHealthServer({ ...plan.health, health: () => healthOf(heartbeat()) });
      stops.unshift(() => server.stop());
    }
    const cluster = readClusterFile(settings.dataFolder);
    const plans = planCluster(settings);
    const routed = (address: NodeAddress): NodeAddress =>
      settings.routes.find(({ id }) => id === address.id) ?? address;
    const nodes = addressesOf('storage-node', plans).map(routed);
    const masters = addressesOf('master', plans).map(routed);
    const folder = join(settings.dataFolder, plan.id);
    serving = await start({ plan, settings, cluster, nodes, masters, folder, logger, notices });
    stops.unshift(() => serving?.stop());
  } catch (error) {
    const message = startFailure(plan.id, error);
    logger.fatal(message === undefined ? { err: error } : {}, message ?? 'could not start');
    tellLauncher({ failed: message ?? `${plan.id} could not start: ${(error as Error).message}` });
    process.exit(1);
  }
  const beating = startHeartbeat(notices, heartbeat);
  stops.unshift(
    async ({ atOnce }) => {
      if (!serving?.leave || atOnce) return;
      leaving = true;
      notices.beat(heartbeat());
      await serving.leave();
    },
    () => beating.stop(),
  );
  logger.info({ address: `${plan.host}:${plan.port}`, pid: process.pid }, 'started');
}

function statusOf(serving: Serving, wishes: Wishes, leaving: boolean): Heartbeat['status'] {
  return leaving ? 'draining' : (wishes.status ?? serving.status?.() ?? 'serving');
}

/** The launcher names the process; run by hand, a process is the first of its kind. */
function ownPlan(kind: ProcessKind, settings: Settings): ProcessPlan {
  const id = process.env['PENNCLOUD_PROCESS'];
  const plan = planCluster(settings).find(
    (plan) => plan.kind === kind && (id === undefined || plan.id === id),
  );
  if (!plan)
    throw new SettingsError(`PENNCLOUD_PROCESS is ${JSON.stringify(id)}, but there is no such ${kind}.`);
  return plan;
}

function natsAddress(settings: Settings): { port: number; user: string; password: string } {
  const { user, password } = readClusterFile(settings.dataFolder).nats;
  const nats = planCluster(settings).find(({ kind }) => kind === 'nats')!;
  return { port: nats.port, user, password };
}

function healthOf(beat: Heartbeat) {
  const { kind, id, status, pid, alarms, startedAt } = beat;
  return { kind, id, status, pid, alarms, uptimeSeconds: Math.round((Date.now() - startedAt) / 1000) };
}

/** A sentence for the operator if the reason is one that an operator can mend. */
function startFailure(id: string, error: unknown): string | undefined {
  if (error instanceof ClusterFileError || error instanceof SettingsError) return error.message;
  const { code, port, cause } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE') {
    return `Port ${port} is in use, so ${id} cannot start: stop the program that holds it, or set PENNCLOUD_PORT_OFFSET to run beside it.`;
  }
  if (code === 'EACCES' && port !== undefined) {
    return `Port ${port} may not be opened by this user, so ${id} cannot start: set PENNCLOUD_PORT_OFFSET, or run it as root.`;
  }
  return cause === undefined ? undefined : startFailure(id, cause);
}

type Stop = (how: { readonly atOnce: boolean }) => Promise<void> | void;

function stopOnRequest(logger: Logger, stops: Stop[]): (reason: string) => Promise<void> {
  let stopping = false;
  const stop = async (reason: string, atOnce = false): Promise<void> => {
    if (stopping) return;
    stopping = true;
    try {
      for (const step of stops) await step({ atOnce });
      logger.info({ reason }, 'stopped');
      process.exit(0);
    } catch (error) {
      logger.error({ err: error, reason }, 'did not stop cleanly');
      process.exit(1);
    }
  };
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  // The kernel closes the channel however the launcher ends. The next launcher wants these ports.
  process.on('disconnect', () => void stop('the launcher is gone', true));
  return stop;
}

function crashOnDefects(logger: Logger): void {
  const crash = (error: unknown): void => {
    logger.fatal({ err: error }, 'crashed');
    process.exit(1);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
}

function tellLauncher(report: ProcessReport): void {
  if (process.connected) process.send?.(report);
}
