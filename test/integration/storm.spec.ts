/**
 * Writers and readers go on while nodes stand still, connections break and nodes restart, one after the
 * other in random order. Nothing acknowledged is lost, nothing is done twice, no read goes back in time.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rejected, type CommandRequest } from '../../storage-nodes/client/client.ts';
import { startLocalStore, type LocalStore } from './local-store.ts';
import { freePorts } from './ports.ts';
import { Wires } from './wires.ts';

const seed = Number(process.env['PENNCLOUD_SEED'] ?? Date.now() % 2 ** 31);
const ROWS = ['apple', 'house', 'zebra'];
const ROUNDS = 8;
let wires: Wires;
let store: LocalStore;

beforeAll(async () => {
  wires = new Wires(await freePorts(60));
  store = await startLocalStore({ route: wires.route });
  await store.settled();
}, 60_000);
afterAll(async () => {
  await store?.stop();
  await wires?.close();
});

function command(type: string, row: string, data: object, value: string, id: string): CommandRequest {
  const parts = [Buffer.from(value)];
  return { id, expiresAt: 0, stream: row, type, data, parts, actor: 'test', session: '', action: type };
}
async function read(row: string): Promise<string | undefined> {
  const { results } = await store.client.read(row, [{ get: { row, column: 'counter' } }]);
  return results[0]![0]?.bytes?.toString();
}
const sha = (text: string) => createHash('sha256').update(text).digest('hex');

it(`a storm costs nothing but time (seed ${seed})`, { timeout: 120_000 }, async () => {
  const counted = new Map(ROWS.map((row) => [row, 0]));
  let going = true;

  /** Counts upwards by compare-and-put: an increment that was lost or done twice breaks the chain. */
  const count = async (row: string): Promise<void> => {
    await store.client.execute(command('kv.Put', row, { column: 'counter' }, '0', `${row}-start`));
    for (let n = 1; going; n++) {
      const data = { column: 'counter', expected: sha(String(n - 1)) };
      await store.client.execute(command('kv.CompareAndPut', row, data, String(n), `${row}-${n}`));
      counted.set(row, n);
      const repeated = command('kv.CompareAndPut', row, data, 'twice', `${row}-${n}`);
      if (n % 5 === 0) await store.client.execute(repeated);
    }
  };
  const watch = async (row: string): Promise<void> => {
    let newest = 0;
    while (going) {
      const atLeast = counted.get(row)!;
      const value = Number((await read(row)) ?? 0);
      expect(value).toBeGreaterThanOrEqual(Math.max(newest, atLeast));
      newest = value;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const storm = async (): Promise<void> => {
    const kinds = fc.constantFrom('freeze', 'cut', 'cut', 'restart', 'isolate');
    const blows = fc.sample(fc.tuple(kinds, fc.nat(2), fc.nat(2)), { seed, numRuns: ROUNDS });
    for (const [kind, a, b] of blows) {
      const id = store.nodes[a]!.id;
      if (kind === 'cut') {
        for (let i = 0; i < 5; i++) {
          wires.cut(id, store.nodes[b]!.id);
          wires.cut('test', id);
          await new Promise((resolve) => setTimeout(resolve, 60));
        }
      } else if (kind === 'restart') {
        await store.stopNode(id);
        await store.startNode(id);
      } else {
        // Isolated: its clients still reach it, and must not be told anything old.
        wires.freeze(id, (from) => kind === 'isolate' && from === 'test');
        await new Promise((resolve) => setTimeout(resolve, 1800));
        wires.thaw(id);
      }
      await store.settled();
    }
    going = false;
  };
  await Promise.all([storm(), ...ROWS.map(count), ...ROWS.map(watch)]).finally(() => (going = false));

  for (const row of ROWS) {
    expect(Number(await read(row))).toBe(counted.get(row));
    expect(counted.get(row)).toBeGreaterThan(20);
    const stale = command(
      'kv.CompareAndPut',
      row,
      { column: 'counter', expected: sha('0') },
      'x',
      `${row}-stale`,
    );
    await expect(store.client.execute(stale)).rejects.toBeInstanceOf(Rejected);
  }
  for (const { id } of await store.client.tablets()) {
    const digests = () => Promise.all(store.nodes.map((node) => store.client.nodeDigest(node.id, id)));
    await expect
      .poll(async () => new Set((await digests()).map((d) => `${d.applied} ${d.digest}`)).size, {
        timeout: 20_000,
      })
      .toBe(1);
  }
  expect(store.fatal).toEqual([]);
});
