/**
 * Where the time of a kv put and a get goes: CPU microseconds per operation, for each process of a real
 * local cluster (3 storage nodes, master, NATS), the load generator included. CPU time and not elapsed
 * time, because it means the same on a busy machine.
 *
 *   npm run build && node build/ops/bench/profile.js [--work put,get] [--callers 64,256] [--count 30000]
 *                                                    [--cpu-prof FOLDER] [--rows 20000]
 *
 * `--cpu-prof` has each storage node write a V8 profile into a folder when it ends. Callers are closed
 * loops: each sends its next operation when the one before was answered. Rows are drawn at random. What
 * the processes use when nothing is asked of them (beacons, heartbeats) is measured first and taken off,
 * since on a busy machine it would weigh the more the longer a run takes.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createStoreClient } from '../../storage-nodes/client/store-client.ts';
import type { StoreClient } from '../../storage-nodes/client/client.ts';
import { commandOf } from '../cluster/commands.ts';
import { portObstacle } from '../cluster/free-ports.ts';
import { readOrCreateClusterFile } from '../processes/cluster-file.ts';
import { createLogger } from '../processes/logger.ts';
import { readSettings } from '../processes/settings.ts';
import { addressesOf, planCluster, type ProcessPlan } from '../processes/topology.ts';

const VALUE_BYTES = 100;
const EXPIRY_MS = 60_000;
const IDLE_MS = 2000;
const DEADLINE_MS = 60_000;
const STORE_KINDS: readonly string[] = ['nats', 'master', 'storage-node'];
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

type Work = 'put' | 'get';
type Usage = { readonly mainMicros: number; readonly threadMicros: number; readonly writes: number };

const { values: options } = parseArgs({
  options: {
    work: { type: 'string', default: 'put,get' },
    callers: { type: 'string', default: '64,256' },
    count: { type: 'string', default: '30000' },
    rows: { type: 'string', default: '20000' },
    'cpu-prof': { type: 'string' },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'penncloud-profile-'));
// The cluster's processes inherit this.
process.env['PENNCLOUD_DATA'] = folder;
process.env['PENNCLOUD_PORT_OFFSET'] = String(await freeOffset());
const settings = readSettings();
const plans = planCluster(settings).filter(({ kind }) => STORE_KINDS.includes(kind));
const children: { readonly plan: ProcessPlan; readonly child: ChildProcess }[] = [];
try {
  const cluster = readOrCreateClusterFile(folder);
  for (const plan of plans) children.push({ plan, child: start(plan) });
  const store = createStoreClient({
    nodes: addressesOf('storage-node', plans),
    secret: cluster.secret,
    clientId: 'profile',
    logger: createLogger({ kind: 'bench', id: 'profile' }, 'error'),
  });
  await untilServing(store);
  const rows = Array.from({ length: Number(options.rows) }, (_, i) => `${LETTERS[i % 26]}-row-${i}`);
  console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`);
  await run(store, 'put', 64, rows, rows.length);
  await sleep(2 * IDLE_MS);
  const idleFrom = usages();
  await sleep(IDLE_MS);
  const idle = minus(usages(), idleFrom, 1 / IDLE_MS);
  print(`idle: CPU µs and write calls per ms`, idle);
  for (const work of options.work.split(',') as Work[]) {
    for (const callers of options.callers.split(',').map(Number)) {
      const count = Number(options.count);
      const before = usages();
      const elapsedMs = await run(store, work, callers, rows, count);
      const rate = Math.round((count / elapsedMs) * 1000);
      // What is applied behind the answers belongs to the operations too.
      await sleep(500);
      const used = minus(minus(usages(), before, 1), idle, 1, elapsedMs + 500);
      print(
        `${work}, ${callers} callers, ${rate}/s: CPU µs and write calls per operation`,
        minus(used, new Map(), 1 / count),
      );
    }
  }
  await store.close();
} finally {
  for (const { child } of [...children].reverse()) {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
}

/** `count` operations, over the rows in order when there are as many; resolves with how many ms they took. */
async function run(
  store: StoreClient,
  work: Work,
  callers: number,
  rows: readonly string[],
  count: number,
): Promise<number> {
  const value = randomBytes(VALUE_BYTES);
  let begun = 0;
  const put = (row: string): Promise<unknown> =>
    store.execute({
      id: randomUUID(),
      expiresAt: Date.now() + EXPIRY_MS,
      stream: row,
      type: 'kv.Put',
      data: { column: 'value' },
      parts: [value],
      actor: 'bench',
      session: '',
      action: 'Put a cell',
    });
  const get = async (row: string): Promise<void> => {
    const { results } = await store.read(row, [{ get: { row, column: 'value' } }]);
    if (results[0]?.[0]?.bytes?.length !== VALUE_BYTES) throw new Error(`row ${row} was not read back`);
  };
  const startedAt = performance.now();
  const caller = async (): Promise<void> => {
    while (begun < count) {
      const row = rows[count === rows.length ? begun : Math.floor(Math.random() * rows.length)]!;
      begun++;
      await (work === 'put' ? put(row) : get(row));
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return performance.now() - startedAt;
}

/** (a - b * times) * share, per process. */
function minus(a: Map<string, Usage>, b: Map<string, Usage>, share: number, times = 1): Map<string, Usage> {
  const of = (x: number, y: number | undefined): number => (x - (y ?? 0) * times) * share;
  return new Map(
    [...a].map(([name, usage]) => {
      const other = b.get(name);
      return [
        name,
        {
          mainMicros: of(usage.mainMicros, other?.mainMicros),
          threadMicros: of(usage.threadMicros, other?.threadMicros),
          writes: of(usage.writes, other?.writes),
        },
      ];
    }),
  );
}

function print(title: string, usages: Map<string, Usage>): void {
  console.log(`\n${title}`);
  console.log('  process      main thread   other threads   writes');
  const sum = { main: 0, threads: 0 };
  for (const [name, { mainMicros, threadMicros, writes }] of usages) {
    sum.main += mainMicros;
    sum.threads += threadMicros;
    console.log(`  ${name.padEnd(10)}${column(mainMicros)}${column(threadMicros)}     ${writes.toFixed(2)}`);
  }
  const all = (sum.main + sum.threads).toFixed(1);
  console.log(`  ${'sum'.padEnd(10)}${column(sum.main)}${column(sum.threads)}     ${all} in all`);
}

function column(micros: number): string {
  return micros.toFixed(1).padStart(14);
}

function usages(): Map<string, Usage> {
  const found = new Map([['client', usageOf(process.pid)]]);
  for (const { plan, child } of children) found.set(plan.id, usageOf(child.pid!));
  return found;
}

/** proc(5): the first number of schedstat is the thread's time on a CPU, in nanoseconds. */
function usageOf(pid: number): Usage {
  let mainMicros = 0;
  let threadMicros = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const micros = Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1000;
    if (Number(thread) === pid) mainMicros += micros;
    else threadMicros += micros;
  }
  const writes = Number(/syscw: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? 0);
  return { mainMicros, threadMicros, writes };
}

function start(plan: ProcessPlan): ChildProcess {
  const { program, args, env, reports } = commandOf(plan, settings, readOrCreateClusterFile(folder));
  const profile = options['cpu-prof'];
  const extra =
    profile !== undefined && plan.kind === 'storage-node'
      ? ['--cpu-prof', `--cpu-prof-dir=${profile}`, `--cpu-prof-name=${plan.id}.cpuprofile`]
      : [];
  const child = spawn(program, [...extra, ...args], {
    env,
    stdio: reports ? ['ignore', 'ignore', 'inherit', 'ipc'] : 'ignore',
  });
  child.once('exit', (code) => {
    if (code && plan.kind !== 'nats') console.error(`${plan.id} ended with exit code ${code}`);
  });
  return child;
}

async function untilServing(store: StoreClient): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const tablets = await store.tabletStatus().catch(() => []);
    if (tablets.length > 0 && tablets.every((t) => t.serving && t.inSync.length === 3)) return;
    if (performance.now() > deadline)
      throw new Error(`The cluster did not serve within ${DEADLINE_MS / 1000} s.`);
    await sleep(50);
  }
}

/** Below the range that the system takes outgoing ports from. */
async function freeOffset(): Promise<number> {
  for (;;) {
    const portOffset = 9_000 + Math.floor(Math.random() * 15_000);
    if ((await portObstacle(planCluster({ portOffset, host: '127.0.0.1', gateways: 1 }))) === undefined)
      return portOffset;
  }
}
