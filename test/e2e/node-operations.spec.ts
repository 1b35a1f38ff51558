/**
 * Rule 16, by an operator's hands: processes are drained, disabled and restarted one by one while clients
 * write. Nobody sees an error, nothing acknowledged is missing; the longest pause is printed.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TcpStoreClient } from '../../storage-nodes/client/store-client.ts';
import { isAlive, startCluster, until, type Cluster } from './cluster.ts';

const ROWS = ['apple', 'house', 'pear', 'tree'];
const NODES = ['node-1', 'node-2', 'node-3'];

let cluster: Cluster;
let store: TcpStoreClient;

beforeAll(async () => {
  cluster = await startCluster();
  store = cluster.openStore();
});
afterAll(async () => {
  await store?.close();
  await cluster?.stop();
});

type ListedNode = { id: string; kind: string; status: string; pid: number | null; primaryOf: string[] };

async function list(): Promise<ListedNode[]> {
  const { stdout } = await cluster.cli(['node', 'list', '--json']);
  return JSON.parse(stdout.toString()) as ListedNode[];
}

async function node(id: string): Promise<ListedNode> {
  return (await list()).find((one) => one.id === id)!;
}

async function allInSync(copies = 3): Promise<void> {
  await until('every copy is in sync', async () => {
    const tablets = await store.tabletStatus();
    return tablets.every((tablet) => tablet.serving && tablet.inSync.length >= copies) || undefined;
  });
}

/** Writes to every tablet of kv rows until told to stop; then everything acknowledged must be there. */
function writing(): { stop: () => Promise<number> } {
  let on = true;
  const acknowledged: { row: string; column: string }[] = [];
  const writers = ROWS.map(async (row) => {
    let [longest, last] = [0, performance.now()];
    while (on) {
      const column = randomUUID();
      await store.execute({
        id: randomUUID(),
        expiresAt: Date.now() + 60_000,
        stream: row,
        type: 'kv.Put',
        data: { column },
        parts: [Buffer.from(column)],
        actor: 'test',
        session: '',
        action: 'Put',
      });
      acknowledged.push({ row, column });
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }
    return longest;
  });
  return {
    stop: async () => {
      on = false;
      const longest = Math.max(...(await Promise.all(writers)));
      for (const { row, column } of acknowledged) {
        const { results } = await store.read(row, [{ get: { row, column } }]);
        expect(results[0]![0]?.bytes?.toString()).toBe(column);
      }
      return longest;
    },
  };
}

describe('an operator', () => {
  it('lists every process with what it does', async () => {
    const nodes = await list();
    expect(nodes.map(({ id }) => id)).toEqual(expect.arrayContaining([...NODES, 'gateway-1', 'master']));
    expect(nodes.every(({ status }) => status === 'serving')).toBe(true);
    expect(nodes.flatMap(({ primaryOf }) => primaryOf).sort()).toEqual(
      (await store.tablets()).map(({ id }) => id).sort(),
    );
  });

  it(
    'drains a storage node under load: it leads nothing any more, and takes nothing',
    { timeout: 60_000 },
    async () => {
      const load = writing();
      expect(await cluster.cli(['node', 'drain', 'node-2'])).toMatchObject({ code: 0 });
      const longest = await load.stop();
      console.log(`[figure] longest pause of a writer while a node was drained: ${Math.round(longest)} ms`);
      expect(await node('node-2')).toMatchObject({ status: 'draining', primaryOf: [] });
      expect(await cluster.cli(['node', 'restart', 'node-2'])).toMatchObject({ code: 0 });
      expect((await node('node-2')).status).toBe('serving');
      await allInSync();
    },
  );

  it('restarts all storage nodes, one after the other, under load', { timeout: 180_000 }, async () => {
    const before = await list();
    const load = writing();
    for (const id of NODES) {
      expect(await cluster.cli(['node', 'restart', id])).toMatchObject({ code: 0 });
      await allInSync();
    }
    const longest = await load.stop();
    console.log(`[figure] longest pause of a writer during a rolling restart: ${Math.round(longest)} ms`);
    const after = await list();
    for (const id of NODES) {
      const pidOf = (nodes: ListedNode[]) => nodes.find((one) => one.id === id)!.pid;
      expect(pidOf(after)).not.toBe(pidOf(before));
    }
  });

  it('disables a process: it stays down until it is restarted', { timeout: 60_000 }, async () => {
    const pid = cluster.pid('node-3');
    expect(await cluster.cli(['node', 'disable', 'node-3'])).toMatchObject({ code: 0 });
    expect(isAlive(pid)).toBe(false);
    expect(await node('node-3')).toMatchObject({ status: 'disabled', primaryOf: [] });
    const { stdout } = await cluster.cli(['status', '--json']);
    const { nodes } = JSON.parse(stdout.toString()) as { nodes: { id: string; status: string }[] };
    expect(nodes.find(({ id }) => id === 'node-3')?.status).toBe('disabled');
    expect(await cluster.cli(['node', 'restart', 'node-3'])).toMatchObject({ code: 0 });
    await allInSync();
  });

  it('cannot take down the last in-sync copy by mistake', { timeout: 90_000 }, async () => {
    await cluster.cli(['node', 'disable', 'node-1']);
    await cluster.cli(['node', 'disable', 'node-2']);
    const refused = await cluster.cli(['node', 'disable', 'node-3']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/node-3 cannot be drained: no other in-sync copy takes over t/);
    expect((await node('node-3')).status).toBe('serving');
    const load = writing();
    await load.stop();
    await cluster.cli(['node', 'restart', 'node-1']);
    await cluster.cli(['node', 'restart', 'node-2']);
    await allInSync();
  });

  it('is told which processes there are when one does not exist', async () => {
    const { code, stderr } = await cluster.cli(['node', 'drain', 'node-9']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/no process "node-9"; there are .*node-1/);
  });
});
