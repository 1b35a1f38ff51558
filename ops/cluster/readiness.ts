/**
 * When a cluster is ready: `/healthz` answers 200 wherever it is served, every tablet's primary serves,
 * and the front door knows a gateway to send clients to.
 */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreClient } from '../../storage-nodes/client/client.ts';
import type { ProcessPlan } from '../processes/topology.ts';

const PROBE_INTERVAL_MS = 100;
const PROBE_DEADLINE_MS = 2000;

/** Resolves when the cluster is ready; `onWait` hears every 10 s what it waits for. */
export async function untilReady(options: {
  plans: readonly ProcessPlan[];
  store: StoreClient;
  signal: AbortSignal;
  onWait(awaited: string): void;
}): Promise<void> {
  let nextWord = performance.now() + 10_000;
  for (;;) {
    const awaited = await whatIsAwaited(options.plans, options.store).catch((error: Error) => error.message);
    options.signal.throwIfAborted();
    if (awaited === undefined) return;
    if (performance.now() > nextWord) {
      options.onWait(awaited);
      nextWord += 10_000;
    }
    await sleep(PROBE_INTERVAL_MS, undefined, { signal: options.signal });
  }
}

/** What is still awaited, as a phrase; undefined: the cluster is ready. */
async function whatIsAwaited(plans: readonly ProcessPlan[], store: StoreClient): Promise<string | undefined> {
  const silent = await Promise.all(plans.map(async (plan) => ((await isHealthy(plan)) ? [] : [plan.id])));
  if (silent.flat().length > 0) return silent.flat().join(', ');
  const tablets = await store.tabletStatus();
  if (tablets.length === 0) return 'the first tablets';
  const idle = tablets.filter(({ serving }) => !serving);
  if (idle.length > 0) return `${idle.length} of ${tablets.length} tablets`;
  const frontDoor = plans.find(({ kind }) => kind === 'front-door')!;
  const answer = await answerOf(frontDoor, '/');
  return answer !== undefined && answer < 400 ? undefined : 'the front door to find a gateway';
}

/** True for NATS, which is not asked. */
export async function isHealthy(plan: ProcessPlan): Promise<boolean> {
  return !plan.health || (await answerOf(plan, plan.kind === 'etcd' ? '/health' : '/healthz')) === 200;
}

/** The status code; undefined: no answer. */
function answerOf({ health, scheme }: ProcessPlan, path: string): Promise<number | undefined> {
  if (!health) return Promise.resolve(undefined);
  const request = scheme === 'https' ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    // On loopback, and nothing secret is said: the certificate names the public host, not this one.
    const asked = request({ ...health, path, agent: false, rejectUnauthorized: false }, (answer) => {
      answer.resume();
      answer.once('close', () => resolve(answer.statusCode));
    });
    asked.setTimeout(PROBE_DEADLINE_MS, () => asked.destroy());
    asked.once('error', () => resolve(undefined));
    asked.end();
  });
}
