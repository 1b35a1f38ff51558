/**
 * `penncloud node …`: the cluster's processes, one by one. What is wished goes over NATS, which may lose
 * it, so it is wished again each second until the process's heartbeat shows that it came true.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connectNotices } from '../../storage-nodes/wire/nats-notices.ts';
import type { ControlWish, Heartbeat, Notices } from '../../storage-nodes/wire/notices.ts';
import { isOurs } from '../cluster/disabled.ts';
import { addressesOf } from '../processes/topology.ts';
import { findCluster, quietLogger, type Surroundings } from './connection.ts';
import { BadInput, Failed } from './outcome.ts';
import { printJson, printTable } from './print.ts';

/** One heartbeat of each process, and some patience. */
const LISTEN_MS = 1500;
const WISH_AGAIN_MS = 1000;
const LOOK_MS = 50;
/** Draining waits for copies that catch up. */
const PATIENCE_MS = 60_000;

export async function list(options: { json?: boolean }): Promise<void> {
  const surroundings = findCluster();
  const beats = await withBeats(surroundings, async (beats) => {
    await sleep(LISTEN_MS);
    return beats;
  });
  const nodes = ownProcesses(surroundings).map(({ id, kind, host, port }) => {
    const beat = beats.get(id);
    const led = beat?.tablets?.filter(({ role }) => role === 'primary') ?? [];
    return {
      id,
      kind,
      status: beat?.status ?? ('down' as const),
      address: `${host}:${port}`,
      pid: beat?.pid || null,
      load: beat?.load ?? null,
      residentBytes: beat?.residentBytes || null,
      primaryOf: led.map((tablet) => tablet.id),
      copies: beat?.tablets?.length ?? 0,
      alarms: beat?.alarms ?? [],
    };
  });
  if (options.json) return printJson(nodes);
  printTable(
    ['PROCESS', 'KIND', 'STATUS', 'ADDRESS', 'PID', 'LOAD', 'MEMORY', 'PRIMARY OF', 'COPIES'],
    nodes.map((node) => [
      node.id,
      node.kind,
      node.status,
      node.address,
      node.pid,
      node.load,
      node.residentBytes === null ? undefined : `${Math.round(node.residentBytes / 2 ** 20)} MiB`,
      node.primaryOf.join(' '),
      node.copies || undefined,
    ]),
  );
}

/** Its tablets are handed over and it takes no others; it goes on as a copy. */
export async function drain(id: string): Promise<void> {
  await wish(
    id,
    'drain',
    (beat) => beat.status === 'draining' && !beat.tablets?.some(({ role }) => role === 'primary'),
  );
  console.log(`${id} is drained. \`penncloud node restart ${id}\` takes it back.`);
}

export async function disable(id: string): Promise<void> {
  await wish(id, 'disable', (beat) => beat.status === 'disabled');
  console.log(`${id} is disabled. \`penncloud node restart ${id}\` starts it again.`);
}

export async function restart(id: string): Promise<void> {
  let before: number | undefined;
  await wish(id, 'restart', (beat) => {
    before ??= beat.pid;
    return beat.pid !== before && beat.status === 'serving';
  });
  console.log(`${id} runs again.`);
}

async function wish(
  id: string,
  wanted: ControlWish['wish'],
  cameTrue: (beat: Heartbeat) => boolean,
): Promise<void> {
  const surroundings = findCluster();
  const known = ownProcesses(surroundings).map((plan) => plan.id);
  if (!known.includes(id))
    throw new BadInput(`There is no process ${JSON.stringify(id)}; there are ${known.join(', ')}.`);
  await withBeats(surroundings, async (beats, notices) => {
    const deadline = performance.now() + PATIENCE_MS;
    let wishAt = 0;
    let drains = false;
    while (performance.now() < deadline) {
      const beat = beats.get(id);
      if (beat && cameTrue(beat)) return;
      if (wishAt > 0 && beat?.status === 'draining') drains = true;
      const refusal = beat?.alarms.find((alarm) => alarm.startsWith('cannot be drained'));
      // It tried and gave up; an older refusal was taken back when draining began.
      if (refusal && drains && beat?.status !== 'draining') throw new Failed(`${id} ${refusal}`);
      // Not before it was heard: what it was before tells when it has changed.
      if (beat && performance.now() >= wishAt) {
        notices.control(id, { wish: wanted });
        // Wished again while it drains, it would begin anew as soon as it has given up.
        wishAt = performance.now() + (drains ? PATIENCE_MS : WISH_AGAIN_MS);
      }
      await sleep(LOOK_MS);
    }
    const state = beats.get(id)?.status;
    if (!notices.connected())
      throw new Failed('NATS does not answer, and wishes go over NATS: start it, then try again.');
    if (state === undefined)
      throw new Failed(`${id} is not heard: is it running, and its launcher? See \`penncloud status\`.`);
    throw new Failed(`${id} is still ${state} after ${PATIENCE_MS / 1000} s; its log says why.`);
  });
}

async function withBeats<T>(
  { plans, cluster }: Surroundings,
  work: (beats: Map<string, Heartbeat>, notices: Notices) => Promise<T>,
): Promise<T> {
  const { port } = addressesOf('nats', plans)[0]!;
  const notices = connectNotices({ port, ...cluster.nats, name: 'cli', logger: quietLogger });
  const beats = new Map<string, Heartbeat>();
  notices.onHeartbeat((heartbeat) => beats.set(heartbeat.id, heartbeat));
  try {
    return await work(beats, notices);
  } finally {
    await notices.close();
  }
}

function ownProcesses({ plans }: Surroundings) {
  return plans.filter(({ kind }) => isOurs(kind));
}
