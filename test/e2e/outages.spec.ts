import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LIVE_MS } from '../../gateways/liveness/liveness.ts';
import { startCluster, until, type Cluster } from './cluster.ts';

const BETWEEN_CLIENTS_MS = 20;

describe('a cluster that lacks a process', () => {
  let cluster: Cluster;
  const put = async (value: string) =>
    expect(await cluster.cli(['kv', 'put', 'outage', 'state', value])).toMatchObject({ code: 0 });
  const get = async () => (await cluster.cli(['kv', 'get', 'outage', 'state'])).stdout.toString();
  const alarms = async (): Promise<string[]> =>
    JSON.parse((await cluster.cli(['status', '--json'])).stdout.toString()).alarms;

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => void (await cluster?.stop()));

  const whileFrozen = (id: string, work: () => Promise<void>) => cluster.whileFrozen([id], work);

  test.each(['nats', 'master'])('reads and writes while %s is frozen', async (id) => {
    await whileFrozen(id, async () => {
      await put(`without ${id}`);
      expect(await get()).toBe(`without ${id}`);
    });
  });

  test.each(['node-1', 'node-2', 'node-3'])(
    'reads and writes on while %s is killed, and has it back soon',
    async (id) => {
      await put(`before ${id}`);
      const killed = await cluster.kill(id);
      expect(await get()).toBe(`before ${id}`);
      await put(`after ${id}`);
      expect(await get()).toBe(`after ${id}`);
      await cluster.restarted(id, killed);
      await until('every copy is in sync again', async () => (await alarms()).length === 0);
    },
  );

  const frontDoorSends = async () => {
    const { status, headers } = await fetch(`${cluster.frontDoor}/signup`, { redirect: 'manual' });
    return status === 307 ? new URL(headers.get('location')!).origin : status;
  };

  test('sends every client on while nats is frozen, however old the last heartbeats become', async () => {
    await whileFrozen('nats', async () => {
      const start = performance.now();
      const refused: unknown[] = [];
      while (performance.now() - start < 2 * LIVE_MS) {
        const place = await frontDoorSends();
        if (typeof place === 'number') refused.push(place);
        await sleep(BETWEEN_CLIENTS_MS);
      }
      expect(refused).toEqual([]);
    });
  });

  test('sends clients to the gateway that is left', async () => {
    await whileFrozen('gateway-1', async () => {
      await until('the front door has noticed', async () => {
        const places = new Set(await Promise.all(Array.from({ length: 6 }, frontDoorSends)));
        return places.size === 1 && places.has(cluster.gateways[1]!);
      });
    });
    await until('both get clients again', async () => {
      const places = new Set(await Promise.all(Array.from({ length: 6 }, frontDoorSends)));
      return cluster.gateways.every((gateway) => places.has(gateway));
    });
  });
});
