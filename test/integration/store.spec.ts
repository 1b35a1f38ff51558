/** KV-1 to KV-5: three nodes and a master over real sockets, journals and RocksDB, in one process. */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rejected, type CommandRequest } from '../../storage-nodes/client/client.ts';
import { startLocalStore, type LocalStore } from './local-store.ts';

let store: LocalStore;
let commandCount = 0;
beforeAll(async () => {
  store = await startLocalStore();
  await store.settled();
}, 60_000);
afterAll(() => store?.stop());

function kv(
  type: string,
  row: string,
  data: object,
  parts: Uint8Array[] = [],
  id = `test-${++commandCount}`,
): CommandRequest {
  return {
    id,
    expiresAt: Date.now() + 60_000,
    stream: row,
    type,
    data,
    parts,
    actor: 'test',
    session: '',
    action: type,
  };
}
const put = (row: string, column: string, value: string | Uint8Array, id?: string) =>
  store.client.execute(kv('kv.Put', row, { column }, [Buffer.from(value)], id));
async function get(row: string, column: string): Promise<Buffer | undefined> {
  const { results } = await store.client.read(row, [{ get: { row, column } }]);
  const cell = results[0]![0];
  return cell && store.client.bytes(cell);
}
const digest = (value: string) => createHash('sha256').update(value).digest('hex');

describe('the replicated table (KV-1, KV-2, KV-3)', () => {
  it('reads what was put, in every tablet', async () => {
    const rows = ['apple', 'house', 'night', 'über', '0', 'zebra', '~~tail'.slice(2)];
    await Promise.all(rows.map((row) => put(row, 'c', `value of ${row}`)));
    for (const row of rows) expect((await get(row, 'c'))?.toString()).toBe(`value of ${row}`);
  });

  it('answers nothing for a cell that does not exist', async () => {
    expect(await get('no such row', 'c')).toBeUndefined();
  });

  it('swaps a value only from the expected one, and names the current digest otherwise', async () => {
    await put('swap', 'c', 'one');
    await store.client.execute(
      kv('kv.CompareAndPut', 'swap', { column: 'c', expected: digest('one') }, [Buffer.from('two')]),
    );
    const refused = store.client.execute(
      kv('kv.CompareAndPut', 'swap', { column: 'c', expected: digest('one') }, [Buffer.from('three')]),
    );
    await expect(refused).rejects.toMatchObject({
      rejection: { code: 'ValueMismatch', details: { currentDigest: digest('two') } },
    });
    expect((await get('swap', 'c'))?.toString()).toBe('two');
  });

  it('deletes', async () => {
    await put('gone', 'c', 'x');
    await store.client.execute(kv('kv.Delete', 'gone', { column: 'c' }));
    expect(await get('gone', 'c')).toBeUndefined();
  });

  it('keeps binary values of several megabytes to the byte', async () => {
    const value = randomBytes(5 * 1024 * 1024);
    await put('large', 'c', value);
    expect((await get('large', 'c'))?.equals(value)).toBe(true);
  });

  it('refuses rows of the platform, naming the field', async () => {
    await expect(put('~user/00/mallory', 'c', 'x')).rejects.toBeInstanceOf(Rejected);
  });

  it('carries out a command once, however often it is sent', async () => {
    const first = await put('once', 'c', 'first', 'the-same-id');
    const second = await put('once', 'c', 'second', 'the-same-id');
    expect(second.seq).toBe(first.seq);
    expect((await get('once', 'c'))?.toString()).toBe('first');
  });

  it('scans across tablets in row order, both ways', async () => {
    const all = await store.client.scanTable({ limit: 100 });
    const rows = all.map((cell) => cell.row);
    expect(rows).toEqual([...rows].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    const back = await store.client.scanTable({ limit: 100, reverse: true });
    expect(back.map((cell) => cell.row)).toEqual([...rows].reverse());
  });

  it('takes commands in parallel without losing one', async () => {
    const before = (await get('counter', 'c'))?.toString();
    expect(before).toBeUndefined();
    await Promise.all(Array.from({ length: 500 }, (_, i) => put(`many-${i % 50}`, `c${i}`, String(i))));
    for (let i = 0; i < 500; i += 37)
      expect((await get(`many-${i % 50}`, `c${i}`))?.toString()).toBe(String(i));
  });
});

describe('copies that stop and come back (KV-4, KV-5)', () => {
  it(
    'goes on without the primary of a tablet, and takes the node back by the suffix it missed',
    { timeout: 60_000 },
    async () => {
      const [tablet] = await store.client.tablets();
      await put('apple', 'before', '1');
      await store.stopNode(tablet!.primary);
      await put('apple', 'meanwhile', '2');
      expect((await get('apple', 'before'))?.toString()).toBe('1');
      await store.startNode(tablet!.primary);
      await store.settled();
      await put('apple', 'after', '3');
      expect((await get('apple', 'meanwhile'))?.toString()).toBe('2');
      expect(store.fatal).toEqual([]);
    },
  );

  it('reads and writes go on with the master stopped (KV-7)', { timeout: 60_000 }, async () => {
    await store.stopMaster();
    await put('apple', 'no master', 'yes');
    expect((await get('apple', 'no master'))?.toString()).toBe('yes');
    await store.startMaster();
    await store.settled();
  });

  it('has the same cells everywhere in the end', { timeout: 60_000 }, async () => {
    for (const { id } of await store.client.tablets()) {
      await expect
        .poll(
          async () => {
            const digests = await Promise.all(
              store.nodes.map((node) => store.client.nodeDigest(node.id, id)),
            );
            return new Set(digests.map((d) => `${d.applied} ${d.digest}`)).size;
          },
          { timeout: 20_000 },
        )
        .toBe(1);
    }
  });

  it('has everything after all nodes stopped and started', { timeout: 60_000 }, async () => {
    await Promise.all(store.nodes.map((node) => store.stopNode(node.id)));
    await Promise.all(store.nodes.map((node) => store.startNode(node.id)));
    await store.settled();
    expect((await get('apple', 'after'))?.toString()).toBe('3');
    expect((await get('once', 'c'))?.toString()).toBe('first');
    const again = await put('once', 'c', 'third', 'the-same-id');
    expect(again.seq).toBeGreaterThan(0);
    expect((await get('once', 'c'))?.toString()).toBe('first');
  });
});
