/**
 * A real local cluster for tests: `penncloud up` as a user starts it, on free ports, with data in a
 * folder of its own. It ends with the test process, however that ends: the launcher sees the channel
 * close, and the cluster's processes end with their launcher.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { readRunningFile } from '../../ops/cluster/running-file.ts';
import { readClusterFile } from '../../ops/processes/cluster-file.ts';
import { createLogger } from '../../ops/processes/logger.ts';
import { readSettings } from '../../ops/processes/settings.ts';
import { addressesOf, httpUrl, planCluster, submissionPorts } from '../../ops/processes/topology.ts';
import { createStoreClient, type TcpStoreClient } from '../../storage-nodes/client/store-client.ts';
import { freePortOffset } from '../integration/ports.ts';

const LAUNCHER = fileURLToPath(new URL('../../ops/bin/penncloud', import.meta.url));
const READY = /^PennCloud is ready at /m;
const READY_DEADLINE_MS = 60_000;

export type CliResult = { readonly code: number | null; readonly stdout: Buffer; readonly stderr: string };
export type Cluster = Awaited<ReturnType<typeof startCluster>>;

/** Resolves when the cluster is ready. `environment`: settings beyond the defaults. */
export async function startCluster(
  options: { environment?: Record<string, string>; dataFolder?: string } = {},
) {
  const dataFolder = options.dataFolder ?? mkdtempSync(join(tmpdir(), 'penncloud-e2e-'));
  const environment: Record<string, string> = {
    PENNCLOUD_DATA: dataFolder,
    // Nobody answers there: mail to addresses elsewhere waits, and nothing leaves this machine.
    PENNCLOUD_DNS_RESOLVERS: '127.0.0.1:9',
    ...options.environment,
  };
  environment['PENNCLOUD_PORT_OFFSET'] ??= String(await freePortOffset(environment));
  const settings = readSettings(environment);
  const plans = planCluster(settings);

  const launcher = spawn(process.execPath, [LAUNCHER, 'up'], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  const ended = once(launcher, 'exit').then(([code]) => code as number | null);
  const ready = new Promise<void>((resolve) => {
    for (const stream of [launcher.stdout!, launcher.stderr!]) {
      stream.on('data', (piece: Buffer) => {
        output += piece.toString();
        if (READY.test(output)) resolve();
      });
    }
  });
  const stop = async (): Promise<number | null> => {
    if (launcher.exitCode === null && launcher.signalCode === null) launcher.kill('SIGINT');
    const code = await ended;
    // A launcher that was killed ends before its processes do.
    if (options.dataFolder === undefined)
      rmSync(dataFolder, { recursive: true, force: true, maxRetries: 10 });
    return code;
  };
  const late = new AbortController();
  const outcome = await Promise.race([
    ready,
    ended.then((code) => `ended with exit code ${code}`),
    sleep(READY_DEADLINE_MS, `was not ready within ${READY_DEADLINE_MS / 1000} s`, { signal: late.signal }),
  ]);
  if (outcome !== undefined) {
    await stop().catch(() => undefined);
    throw new Error(`The cluster ${outcome}. It said:\n${output}`);
  }
  late.abort();

  const pid = (id: string): number => {
    const found = readRunningFile(dataFolder)?.processes.find((process) => process.id === id)?.pid;
    if (found === undefined || found === null) throw new Error(`${id} does not run`);
    return found;
  };

  return {
    dataFolder,
    environment,
    launcherPid: launcher.pid!,
    /** Where mail clients hand mail in. */
    submission: submissionPorts(settings),
    frontDoor: httpUrl(plans.find(({ kind }) => kind === 'front-door')!),
    gateways: plans.filter(({ kind }) => kind === 'gateway').map(httpUrl),
    smtp: addressesOf('smtp-in', plans)[0]!,
    nodes: addressesOf('storage-node', plans),
    /** Opens the console once. */
    consoleLink: /(\S+\/admin\/enter\?token=\S+)/.exec(output)![1]!,
    output: () => output,
    pid,

    /** Sends a signal; resolves when the process has ended, with the pid it had. */
    async kill(id: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<number> {
      const killed = pid(id);
      process.kill(killed, signal);
      await until(`${id} has ended`, () => !isAlive(killed));
      return killed;
    },

    /** While the work lasts these processes stand still (killed ones would be started again at once). */
    async whileFrozen<T>(ids: readonly string[], work: () => Promise<T>): Promise<T> {
      const frozen = ids.map(pid);
      for (const one of frozen) process.kill(one, 'SIGSTOP');
      try {
        return await work();
      } finally {
        for (const one of frozen) if (isAlive(one)) process.kill(one, 'SIGCONT');
      }
    },

    /** Resolves with the pid of the process that took the place of `before`. */
    restarted: (id: string, before: number): Promise<number> =>
      until(`${id} runs again`, () => {
        const now = readRunningFile(dataFolder)?.processes.find((process) => process.id === id)?.pid;
        return now && now !== before ? now : undefined;
      }),

    /** `penncloud …` against this cluster. */
    cli: (args: readonly string[], input?: Buffer | string): Promise<CliResult> =>
      runCli(args, { environment, ...(input !== undefined && { input }) }),

    /** A store client of the test's own; close it. */
    openStore: () =>
      createStoreClient({
        nodes: addressesOf('storage-node', plans),
        secret: readClusterFile(dataFolder).secret,
        clientId: 'test',
        logger: createLogger({ kind: 'test', id: 'test' }, 'error'),
      }),

    /** As Ctrl-C does; resolves with the exit code, and removes the data. */
    stop,
  };
}

/** One cluster, and a client of it, for all tests of a file; both end with them. */
export function clusterForAll(): { readonly cluster: Cluster; readonly store: TcpStoreClient } {
  let cluster: Cluster | undefined;
  let store: TcpStoreClient | undefined;
  beforeAll(async () => {
    cluster = await startCluster();
    store = cluster.openStore();
  });
  afterAll(async () => {
    await store?.close();
    await cluster?.stop();
  });
  return {
    get cluster() {
      return cluster!;
    },
    get store() {
      return store!;
    },
  };
}

/** Resolves when every tablet serves with this many copies in sync. */
export async function allInSync(store: TcpStoreClient, copies = 3): Promise<void> {
  await until('every copy is in sync', async () => {
    const tablets = await store.tabletStatus();
    return tablets.every((tablet) => tablet.serving && tablet.inSync.length >= copies) || undefined;
  });
}

export async function runCli(
  args: readonly string[],
  options: { environment: Record<string, string>; input?: Buffer | string },
): Promise<CliResult> {
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    env: { ...process.env, ...options.environment },
  });
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (piece: Buffer) => stdout.push(piece));
  child.stderr.on('data', (piece: Buffer) => stderr.push(piece));
  // A command that refuses its arguments does not wait for its input.
  child.stdin.on('error', () => {});
  child.stdin.end(options.input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
}

const UNTIL_MS = 60_000;

/**
 * Polls what has no event to wait for (another process's end), half of the time at most, since asking may take a
 * process; fails with the question after a minute.
 */
export async function until<T>(
  question: string,
  answer: () => T | undefined | false | Promise<T | undefined | false>,
) {
  const deadline = performance.now() + UNTIL_MS;
  for (;;) {
    const asked = performance.now();
    const found = await answer();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline)
      throw new Error(`Waited ${UNTIL_MS / 1000} s in vain until ${question}`);
    await sleep(Math.max(20, performance.now() - asked));
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
