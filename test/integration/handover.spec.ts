/**
 * Rule 16: planned moves. Nodes are drained, stopped and started one after the other while clients write
 * and read; nobody is turned away, and nobody waits for a grace. How long writes stood still is printed,
 * not asserted.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { putColumn, startWriters } from './kv-writers.ts';
import { startLocalStore, type LocalStore } from './local-store.ts';

const ROWS = ['apple', 'house', 'piano', 'zebra'];
const WRITERS = 8;

let store: LocalStore;
beforeAll(async () => {
  store = await startLocalStore();
  await store.settled();
}, 60_000);
afterAll(async () => {
  await store?.stop();
});

const load = () => startWriters(store.client, ROWS, WRITERS);

describe('draining a node under load', () => {
  it('hands over what it leads and takes it out of all in-sync sets', { timeout: 60_000 }, async () => {
    const before = await store.client.tablets();
    const [node] = store.nodes;
    const traffic = load();
    await store.drainNode(node!.id);
    const after = await store.client.tablets();
    await traffic.stop();
    for (const tablet of after) {
      const earlier = before.find(({ id }) => id === tablet.id)!;
      expect(tablet.primary).not.toBe(node!.id);
      expect(tablet.inSync).not.toContain(node!.id);
      // One hand-over each, and no change of primary where it led nothing.
      expect(tablet.epoch - earlier.epoch).toBe(earlier.primary === node!.id ? 1 : 0);
    }
    console.log(
      `[figure] longest time without an acknowledged write: ${Math.round(traffic.longestGap())} ms`,
    );
    await store.stopNode(node!.id);
    await store.startNode(node!.id);
    await store.settled();
  });
});

describe('restarting all nodes, one after the other, each drained first', () => {
  it('turns nobody away, loses nothing and does nothing twice', { timeout: 120_000 }, async () => {
    const traffic = load();
    const drains: { from: number; to: number }[] = [];
    for (const { id } of store.nodes) {
      const from = performance.now();
      await store.drainNode(id);
      drains.push({ from, to: performance.now() });
      await store.stopNode(id);
      await store.startNode(id);
      await store.settled();
    }
    await traffic.stop();
    const { acknowledged, longestGap } = traffic;
    const whileDraining = Math.max(...drains.map(({ from, to }) => longestGap(from, to)));
    console.log(
      `[figure] longest time without an acknowledged write: ${Math.round(whileDraining)} ms while draining, ` +
        `${Math.round(longestGap())} ms with stops and starts, all in one process`,
    );
    for (const row of ROWS) {
      const columns = acknowledged.filter((one) => one.row === row);
      // Every acknowledged command has an entry of its own, and the same is found again under its id.
      expect(new Set(columns.map(({ seq }) => seq)).size).toBe(columns.length);
      const { id, seq, column } = columns[columns.length >> 1]!;
      expect(await store.client.execute(putColumn(row, column, id))).toMatchObject({ seq });
    }
    expect(store.fatal).toEqual([]);
  });
});

describe('a node that nobody can take over from', () => {
  it('says so, names the tablets, and goes on serving', { timeout: 60_000 }, async () => {
    const [first, second, third] = store.nodes.map(({ id }) => id) as [string, string, string];
    await store.stopNode(second);
    await store.stopNode(third);
    await store.settled(1);
    await expect(store.drainNode(first, 500)).rejects.toThrow(/no other in-sync copy takes over t\d+, t\d+/);
    await store.client.execute(putColumn('apple', 'alone'));
    await store.startNode(second);
    await store.startNode(third);
    await store.settled();
  });
});

describe('draining a node while the config store hangs', () => {
  it('fails in time, and clients are served meanwhile and after', { timeout: 60_000 }, async () => {
    const led = (await store.client.tablets()).filter(({ primary }) => primary === store.nodes[0]!.id);
    expect(led.length).toBeGreaterThan(0);
    store.hangStore();
    const traffic = load();
    const from = performance.now();
    try {
      await expect(store.drainNode(store.nodes[0]!.id, 2500)).rejects.toThrow(
        /no other in-sync copy takes over/,
      );
      const failedAt = performance.now();
      // Every row's tablet acknowledges something that was sent after the drain had failed.
      const isServed = (row: string) =>
        traffic.acknowledged.filter((one) => one.row === row && one.at > failedAt).length > WRITERS;
      await expect.poll(() => ROWS.every(isServed), { timeout: 20_000 }).toBe(true);
      console.log(
        `[figure] longest time without an acknowledged write: ${Math.round(traffic.longestGap(from))} ms, the store hanging`,
      );
    } finally {
      store.letStoreAnswer();
      await traffic.stop();
    }
    // What was asked for takes effect now, and costs nobody anything.
    await store.settled();
    await store.client.execute(putColumn('apple', 'after-all'));
    expect(store.fatal).toEqual([]);
  });
});
