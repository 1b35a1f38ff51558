/**
 * Ports for what tests start. Files run side by side, each in a worker of vitest's, and what is stopped is started
 * again on its port: so each worker draws from a share of its own, below the range from which the system gives a
 * port to whoever asks for any (32768 and above on Linux). Nobody else gets a port between the look and the opening.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { portObstacle } from '../../ops/cluster/free-ports.ts';
import { readSettings } from '../../ops/processes/settings.ts';
import { planCluster, type ProcessPlan } from '../../ops/processes/topology.ts';

/** vitest.config.ts allows no more. */
const WORKERS_MAX = 3;
const WORKER = (Number(process.env['VITEST_POOL_ID'] ?? 1) - 1) % WORKERS_MAX;

const FIRST_PORT = 8_100;
const PORTS_EACH = 1_100;
/** At random, since there may be other runs on this machine; then one after the other. */
let next = randomInt(PORTS_EACH);

export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  for (let looks = 0; found.length < count; looks++) {
    if (looks > PORTS_EACH)
      throw new Error(`${count} free ports were wanted; only these are: ${found.join()}`);
    const port = FIRST_PORT + WORKER * PORTS_EACH + next;
    next = (next + 1) % PORTS_EACH;
    if (await canBeOpened(port)) found.push(port);
  }
  return found;
}

function canBeOpened(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

const FIRST_OFFSET = 9_000;
const OFFSETS_EACH = 41;
/** No two ports of a cluster lie a multiple of this apart: clusters at different offsets never share one. */
const STRIDE = 120;

/** A port offset at which a cluster with these settings finds all its ports free. */
export async function freePortOffset(environment: Record<string, string> = {}): Promise<number> {
  for (;;) {
    const offset = FIRST_OFFSET + (randomInt(OFFSETS_EACH) * WORKERS_MAX + WORKER) * STRIDE;
    const plans = planCluster(readSettings({ ...environment, PENNCLOUD_PORT_OFFSET: String(offset) }));
    expectApart(plans);
    if ((await portObstacle(plans)) === undefined) return offset;
  }
}

function expectApart(plans: readonly ProcessPlan[]): void {
  const ports = new Set(plans.flatMap(({ port, health }) => [port, health?.port ?? port]));
  if (new Set([...ports].map((port) => port % STRIDE)).size < ports.size) {
    throw new Error(`Two ports of a cluster lie a multiple of ${STRIDE} apart: choose another STRIDE.`);
  }
}
