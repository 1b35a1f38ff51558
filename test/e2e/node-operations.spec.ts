/**
 * Rule 16, by an operator's hands: processes are drained, disabled and restarted one by one while clients
 * write. Nobody sees an error, nothing acknowledged is missing; the longest pause is printed.
 */
import { describe, expect, it } from 'vitest';
import { expectAllThere, startWriters } from '../integration/kv-writers.ts';
import { allInSync, clusterForAll, isAlive } from './cluster.ts';

const ROWS = ['apple', 'house', 'pear', 'tree'];
const NODES = ['node-1', 'node-2', 'node-3'];

const its = clusterForAll();

type ListedNode = { id: string; kind: string; status: string; pid: number | null; primaryOf: string[] };

async function list(): Promise<ListedNode[]> {
  const { stdout } = await its.cluster.cli(['node', 'list', '--json']);
  return JSON.parse(stdout.toString()) as ListedNode[];
}

async function node(id: string): Promise<ListedNode> {
  return (await list()).find((one) => one.id === id)!;
}

/** Writes to tablets until told to stop; then everything acknowledged must be there. The longest pause, in ms. */
function writing(): { stop: () => Promise<number> } {
  const writers = startWriters(its.store, ROWS, ROWS.length);
  return {
    stop: async () => {
      await writers.stop();
      await expectAllThere(its.store, writers.acknowledged);
      return writers.longestGapOfARow();
    },
  };
}

describe('an operator', () => {
  it('lists every process with what it does', async () => {
    const nodes = await list();
    expect(nodes.map(({ id }) => id)).toEqual(expect.arrayContaining([...NODES, 'gateway-1', 'master']));
    expect(nodes.every(({ status }) => status === 'serving')).toBe(true);
    expect(nodes.flatMap(({ primaryOf }) => primaryOf).sort()).toEqual(
      (await its.store.tablets()).map(({ id }) => id).sort(),
    );
  });

  it(
    'drains a storage node under load: it leads nothing any more, and takes nothing',
    { timeout: 60_000 },
    async () => {
      const load = writing();
      expect(await its.cluster.cli(['node', 'drain', 'node-2'])).toMatchObject({ code: 0 });
      const longest = await load.stop();
      console.log(`[figure] longest pause of a row while a node was drained: ${Math.round(longest)} ms`);
      expect(await node('node-2')).toMatchObject({ status: 'draining', primaryOf: [] });
      expect(await its.cluster.cli(['node', 'restart', 'node-2'])).toMatchObject({ code: 0 });
      expect((await node('node-2')).status).toBe('serving');
      await allInSync(its.store);
    },
  );

  it('restarts all storage nodes, one after the other, under load', { timeout: 180_000 }, async () => {
    const before = await list();
    const load = writing();
    for (const id of NODES) {
      expect(await its.cluster.cli(['node', 'restart', id])).toMatchObject({ code: 0 });
      await allInSync(its.store);
    }
    const longest = await load.stop();
    console.log(`[figure] longest pause of a row during a rolling restart: ${Math.round(longest)} ms`);
    const after = await list();
    for (const id of NODES) {
      const pidOf = (nodes: ListedNode[]) => nodes.find((one) => one.id === id)!.pid;
      expect(pidOf(after)).not.toBe(pidOf(before));
    }
  });

  it('disables a process: it stays down until it is restarted', { timeout: 60_000 }, async () => {
    const pid = its.cluster.pid('node-3');
    expect(await its.cluster.cli(['node', 'disable', 'node-3'])).toMatchObject({ code: 0 });
    expect(isAlive(pid)).toBe(false);
    expect(await node('node-3')).toMatchObject({ status: 'disabled', primaryOf: [] });
    const { stdout } = await its.cluster.cli(['status', '--json']);
    const { nodes } = JSON.parse(stdout.toString()) as { nodes: { id: string; status: string }[] };
    expect(nodes.find(({ id }) => id === 'node-3')?.status).toBe('disabled');
    expect(await its.cluster.cli(['node', 'restart', 'node-3'])).toMatchObject({ code: 0 });
    await allInSync(its.store);
  });

  it('cannot take down the last in-sync copy by mistake', { timeout: 90_000 }, async () => {
    await its.cluster.cli(['node', 'disable', 'node-1']);
    await its.cluster.cli(['node', 'disable', 'node-2']);
    const refused = await its.cluster.cli(['node', 'disable', 'node-3']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/node-3 cannot be drained: no other in-sync copy takes over t/);
    expect((await node('node-3')).status).toBe('serving');
    const load = writing();
    await load.stop();
    await its.cluster.cli(['node', 'restart', 'node-1']);
    await its.cluster.cli(['node', 'restart', 'node-2']);
    await allInSync(its.store);
  });

  it('is told which processes there are when one does not exist', async () => {
    const { code, stderr } = await its.cluster.cli(['node', 'drain', 'node-9']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/no process "node-9"; there are .*node-1/);
  });
});
