/** What clients see when a node stands still, vanishes, or its answers are lost. */
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { CommandRequest } from '../../storage-nodes/client/client.ts';
import { createStoreClient, type TcpStoreClient } from '../../storage-nodes/client/store-client.ts';
import { SECRET, startLocalStore, type LocalStore } from './local-store.ts';
import { freePorts } from './ports.ts';
import { Wires } from './wires.ts';

let wires: Wires;
let store: LocalStore;
/** Reaches every node past the relays: a node that is frozen for others answers it. */
let direct: TcpStoreClient;
let count = 0;

beforeAll(async () => {
  wires = new Wires(await freePorts(40));
  store = await startLocalStore({ route: wires.route });
  direct = createStoreClient({
    nodes: store.nodes,
    secret: SECRET,
    clientId: 'direct',
    logger: pino({ level: 'silent' }),
  });
  await store.settled();
}, 60_000);
afterAll(async () => {
  await direct?.close();
  await store?.stop();
  await wires?.close();
});

const put = (row: string, column: string, value: string, id = `failover-${++count}`): CommandRequest => ({
  id,
  expiresAt: Date.now() + 600_000,
  stream: row,
  type: 'kv.Put',
  data: { column },
  parts: [Buffer.from(value)],
  actor: 'test',
  session: '',
  action: 'Put',
});
async function get(client: TcpStoreClient, row: string, column: string): Promise<string | undefined> {
  const { results } = await client.read(row, [{ get: { row, column } }]);
  return results[0]![0] && (await client.bytes(results[0]![0])).toString();
}
async function primaryOf(row: string): Promise<{ tablet: string; primary: string }> {
  const tablets = await store.client.tablets();
  const found = tablets.find((t) => t.from <= row && (t.to === null || row < t.to))!;
  return { tablet: found.id, primary: found.primary };
}
async function entriesWith(commandId: string, tablet: string): Promise<number> {
  let found = 0;
  for (let from = 1; ;) {
    const page = await store.client.readLog(tablet, from, 500);
    if (page.length === 0) return found;
    found += page.filter((entry) => entry.commandId === commandId).length;
    from = page.at(-1)!.seq + 1;
  }
}

describe('a primary that stands still', () => {
  it(
    'holds no caller longer than it takes to replace it, and answers no stale read',
    { timeout: 60_000 },
    async () => {
      await store.client.execute(put('apple', 'c', 'old'));
      const { tablet, primary } = await primaryOf('apple');
      expect(await get(direct, 'apple', 'c')).toBe('old');
      const reads: { value: string | undefined; began: number }[] = [];
      let reading = true;
      const stale = (async () => {
        while (reading) {
          const began = performance.now();
          const value = await direct
            .read('apple', [{ get: { row: 'apple', column: 'c' } }], { deadlineMs: 100 })
            .then(({ results }) => results[0]![0]?.bytes?.toString())
            .catch(() => undefined);
          reads.push({ value, began });
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      wires.freeze(primary);
      const began = performance.now();
      const accepted = await store.client.execute(put('apple', 'c', 'new', 'while-frozen'));
      const acknowledged = performance.now();
      // Not the deadline of 20 s: the new primary is found out and asked.
      expect(acknowledged - began).toBeLessThan(10_000);
      const enough = reads.length + 10;
      await vi.waitUntil(() => reads.length >= enough, { timeout: 10_000 });
      reading = false;
      await stale;
      for (const read of reads) if (read.began > acknowledged) expect(read.value).not.toBe('old');
      expect(await get(store.client, 'apple', 'c')).toBe('new');
      wires.thaw(primary);
      await store.settled();
      expect(await get(direct, 'apple', 'c')).toBe('new');
      const again = await store.client.execute(put('apple', 'c', 'other', 'while-frozen'));
      expect(again).toMatchObject({ tablet: accepted.tablet, seq: accepted.seq });
      expect(await entriesWith('while-frozen', tablet)).toBe(1);
      expect(store.fatal).toEqual([]);
    },
  );
});

describe('an answer that is lost', () => {
  it(
    'is given again to the same command: by the same primary, and by the next',
    { timeout: 90_000 },
    async () => {
      const ids = Array.from({ length: 60 }, (_, i) => `lost-${i}`);
      const send = (id: string) => store.client.execute(put('apple', id, `value of ${id}`, id));
      const sending = ids.map(async (id, i) => {
        await new Promise((resolve) => setTimeout(resolve, i * 20));
        return send(id);
      });
      const { tablet, primary } = await primaryOf('apple');
      for (let i = 0; i < 10; i++) {
        await new Promise((resolve) => setTimeout(resolve, 40));
        wires.cut('test', primary);
      }
      await store.stopNode(primary);
      const accepted = await Promise.all(sending);
      // Twice at once, at whoever is primary now.
      const again = await Promise.all([...ids, ...ids].map(send));
      for (const [i, { seq }] of again.entries()) expect(seq).toBe(accepted[i % ids.length]!.seq);
      for (const id of [ids[0]!, ids[30]!, ids[59]!]) expect(await entriesWith(id, tablet)).toBe(1);
      await store.startNode(primary);
      await store.settled();
      expect(store.fatal).toEqual([]);
    },
  );
});

describe('a client', () => {
  it(
    'says who it could not reach when all nodes are down, within its deadline',
    { timeout: 60_000 },
    async () => {
      const ports = await freePorts(2);
      const nodes = ports.map((port, i) => ({ id: `node-${i}`, host: '127.0.0.1', port }));
      const client = createStoreClient({
        nodes,
        secret: SECRET,
        clientId: 'alone',
        logger: pino({ level: 'silent' }),
      });
      const began = performance.now();
      await expect(client.execute(put('apple', 'c', 'x'), { deadlineMs: 700 })).rejects.toMatchObject({
        code: 'Unavailable',
        message: expect.stringMatching(/700 ms.*127\.0\.0\.1/) as string,
      });
      expect(performance.now() - began).toBeLessThan(5000);
      await client.close();
      await expect(client.execute(put('apple', 'c', 'x'))).rejects.toMatchObject({ code: 'Closed' });
    },
  );

  it('keeps to its deadline when all nodes stand still', { timeout: 60_000 }, async () => {
    await get(store.client, 'apple', 'c');
    for (const { id } of store.nodes) wires.freeze(id, (from) => from !== 'test');
    await expect(store.client.execute(put('apple', 'c', 'x'), { deadlineMs: 2500 })).rejects.toMatchObject({
      code: 'Unavailable',
    });
    for (const { id } of store.nodes) wires.thaw(id);
    await store.client.execute(put('apple', 'c', 'y'));
  });

  it('is told at once of a tablet that does not exist', async () => {
    await expect(store.client.readLog('t-99', 1, 1)).rejects.toMatchObject({ code: 'Malformed' });
  });

  it(
    'gets a Fault for every kind of garbage that it asks, and the node goes on',
    { timeout: 60_000 },
    async () => {
      const requester = await asking();
      const values = [
        null,
        undefined,
        0,
        -1,
        1.5,
        NaN,
        '',
        't-01',
        'x\u0000',
        [],
        [1],
        [[]],
        {},
        [['g']],
        [null],
      ];
      for (const kind of ['execute', 'read', 'part', 'log', 'digest']) {
        for (const a of values) {
          for (const b of values) {
            for (const c of [values[0], values[7], values[10], values[14]]) {
              const answer = await requester.ask(kind, ['t-01', a, b, c, a]).catch((error: unknown) => error);
              if (answer instanceof Error) expect(answer).toMatchObject({ name: 'Fault' });
              if (answer instanceof Error) expect(answer.message).not.toMatch(/failed to answer/);
            }
          }
        }
      }
      requester.close();
      expect(await get(store.client, 'apple', 'c')).toBe('y');
      expect(store.fatal).toEqual([]);
    },
  );
});

async function asking() {
  const { dial } = await import('../../storage-nodes/wire/connection.ts');
  const { Requester } = await import('../../storage-nodes/wire/requests.ts');
  return new Requester(await dial(store.nodes[0]!, { purpose: 'client', id: 'garbage', link: '' }, SECRET));
}
