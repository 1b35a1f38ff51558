/**
 * How long writes stand still when a primary is killed: a real local cluster (3 storage nodes, master,
 * NATS) under load, the primary of the tablet that is written to killed with SIGKILL again and again, and
 * started anew once the others serve. A gap is the longest time between two acknowledged writes around a
 * kill, over all callers; callers see it as latency, and any error ends the run.
 *
 *   npm run build && node build/ops/bench/failover.js [--kills 50] [--callers 16]
 *
 * Last line: p50, p99 (nearest rank) and the longest of all gaps. The promise is 1,500 ms at p99.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createStoreClient, type TcpStoreClient } from '../../storage-nodes/client/store-client.ts';
import { commandOf } from '../cluster/commands.ts';
import { portObstacle } from '../cluster/free-ports.ts';
import { readOrCreateClusterFile } from '../processes/cluster-file.ts';
import { createLogger } from '../processes/logger.ts';
import { readSettings } from '../processes/settings.ts';
import { addressesOf, planCluster, type ProcessPlan } from '../processes/topology.ts';

const ROW = 'house';
const STORE_KINDS: readonly string[] = ['nats', 'master', 'storage-node'];
const EXPIRY_MS = 120_000;
const DEADLINE_MS = 120_000;
const POLL_MS = 20;
/** Writes flow for so long before a kill and after the gap. */
const FLOW_MS = 1000;

const { values: options } = parseArgs({
  options: { kills: { type: 'string', default: '50' }, callers: { type: 'string', default: '16' } },
});

const folder = mkdtempSync(join(tmpdir(), 'penncloud-failover-'));
// The cluster's processes inherit this.
process.env['PENNCLOUD_DATA'] = folder;
process.env['PENNCLOUD_PORT_OFFSET'] = String(await freeOffset());
const settings = readSettings();
const plans = planCluster(settings).filter(({ kind }) => STORE_KINDS.includes(kind));
const children = new Map<string, ChildProcess>();
try {
  const { secret } = readOrCreateClusterFile(folder);
  for (const plan of plans) children.set(plan.id, start(plan));
  const store = createStoreClient({
    nodes: addressesOf('storage-node', plans),
    secret,
    clientId: 'failover',
    logger: createLogger({ kind: 'bench', id: 'failover' }, 'error'),
  });
  await untilWhole(store);
  const gaps = await measure(store, Number(options.kills), Number(options.callers));
  const sorted = [...gaps].sort((a, b) => a - b);
  const rank = (share: number): number => Math.round(sorted[Math.ceil(share * sorted.length) - 1]!);
  console.log(
    `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, load ${loadavg()[0]!.toFixed(1)}`,
  );
  console.log(
    `${gaps.length} kills, ${options.callers} callers: p50 ${rank(0.5)} ms, p99 ${rank(0.99)} ms, longest ${rank(1)} ms`,
  );
  await store.close();
} finally {
  for (const child of [...children.values()].reverse()) {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
}

async function measure(store: TcpStoreClient, kills: number, callers: number): Promise<number[]> {
  let acknowledged = 0;
  let newest = performance.now();
  let longest = 0;
  let writing = true;
  const caller = async (name: number): Promise<void> => {
    for (let n = 0; writing; n++) {
      await put(store, `${name}.${n % 1000}`);
      const now = performance.now();
      longest = Math.max(longest, now - newest);
      newest = now;
      acknowledged++;
    }
  };
  const load = Promise.all(Array.from({ length: callers }, (_, name) => caller(name)));
  const gaps: number[] = [];
  const cycle = async (): Promise<void> => {
    for (let kill = 1; kill <= kills; kill++) {
      await sleep(FLOW_MS);
      const primary = await primaryOf(store);
      const child = children.get(primary)!;
      longest = 0;
      const before = acknowledged;
      child.kill('SIGKILL');
      await once(child, 'exit');
      await until('writes flow again', () => acknowledged > before + callers * 10);
      await sleep(FLOW_MS);
      gaps.push(longest);
      console.log(`kill ${kill}, ${primary}: ${Math.round(longest)} ms`);
      children.set(primary, start(plans.find(({ id }) => id === primary)!));
      await untilWhole(store);
    }
    writing = false;
  };
  await Promise.race([cycle(), load]);
  await load;
  return gaps;
}

async function put(store: TcpStoreClient, column: string): Promise<void> {
  await store.execute({
    id: randomUUID(),
    expiresAt: Date.now() + EXPIRY_MS,
    stream: ROW,
    type: 'kv.Put',
    data: { column },
    parts: [Buffer.alloc(100, column)],
    actor: 'bench',
    session: '',
    action: 'Put a cell',
  });
}

async function primaryOf(store: TcpStoreClient): Promise<string> {
  const tablets = await store.tablets();
  return tablets.find(({ from, to }) => ROW >= from && (to === null || ROW < to))!.primary;
}

async function untilWhole(store: TcpStoreClient): Promise<void> {
  await until('every copy is in sync', async () => {
    const tablets = await store.tabletStatus().catch(() => []);
    return tablets.length > 0 && tablets.every(({ serving, inSync }) => serving && inSync.length === 3);
  });
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline)
      throw new Error(`Waited ${DEADLINE_MS / 1000} s in vain until ${what}.`);
    await sleep(POLL_MS);
  }
}

function start(plan: ProcessPlan): ChildProcess {
  const { program, args, env, reports } = commandOf(plan, settings, readOrCreateClusterFile(folder));
  return spawn(program, args, {
    env,
    stdio: reports ? ['ignore', 'ignore', 'inherit', 'ipc'] : 'ignore',
  });
}

/** Below the range that the system takes outgoing ports from. */
async function freeOffset(): Promise<number> {
  for (;;) {
    const portOffset = 9_000 + Math.floor(Math.random() * 15_000);
    if ((await portObstacle(planCluster({ portOffset, host: '127.0.0.1', gateways: 1 }))) === undefined)
      return portOffset;
  }
}
