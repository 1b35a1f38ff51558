/**
 * Rule 13 with real parts: a node whose disk was lost takes the cells by snapshot and the log in full; what
 * it then knows, command ids included, is what the others know.
 */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { CommandRequest } from '../../storage-nodes/client/client.ts';
import { DEFAULT_TIMING } from '../../storage-nodes/replication/state.ts';
import { startLocalStore, type LocalStore } from './local-store.ts';

const ROW = 'house';
const ENTRIES = 1500;

let store: LocalStore;
let lines: { node: string; msg: string; tablet?: string }[];

afterEach(async () => {
  await store.stop();
});

function put(column: string): CommandRequest {
  return {
    id: randomUUID(),
    expiresAt: Date.now() + 60_000,
    stream: ROW,
    type: 'kv.Put',
    data: { column },
    parts: [Buffer.from(`value of ${column}`)],
    actor: 'test',
    session: '',
    action: 'Put',
  };
}

async function startFilled(
  bytesPerSecond: number,
): Promise<{ tablet: string; wiped: string; first: CommandRequest }> {
  lines = [];
  store = await startLocalStore({
    timing: {
      ...DEFAULT_TIMING,
      snapshotEntries: 500,
      // The log comes in small pieces, so that it is not all applied before anybody asks how far it is.
      catchUpBytes: 4 * 1024,
      snapshotChunkBytes: 16 * 1024,
      snapshotBytesPerSecond: bytesPerSecond,
    },
    onLine: (node, line) => lines.push({ node, ...(JSON.parse(line) as { msg: string }) }),
  });
  await store.settled();
  const first = put('first');
  const { tablet } = await store.client.execute(first);
  for (let n = 0; n < ENTRIES; n += 100)
    await Promise.all(Array.from({ length: 100 }, (_, i) => store.client.execute(put(`column ${n + i}`))));
  const { primary } = (await store.client.tabletStatus()).find(({ id }) => id === tablet)!;
  const wiped = store.nodes.find(({ id }) => id !== primary)!.id;
  await store.stopNode(wiped);
  await rm(join(store.folder, wiped), { recursive: true });
  return { tablet, wiped, first };
}

async function sameCells(tablet: string): Promise<void> {
  for (;;) {
    const digests = await Promise.all(store.nodes.map(({ id }) => store.client.nodeDigest(id, tablet)));
    if (new Set(digests.map(({ applied, digest }) => `${applied} ${digest}`)).size === 1) return;
    if (store.fatal.length > 0) throw store.fatal[0]!;
    await sleep(20);
  }
}

const took = (node: string, tablet: string): boolean =>
  lines.some((line) => line.node === node && line.tablet === tablet && line.msg.startsWith('took the cells'));

describe('a node that lost its disk', () => {
  it(
    'takes the cells from the primary and answers retries as the others do',
    { timeout: 60_000 },
    async () => {
      const { tablet, wiped, first } = await startFilled(64 * 1024 * 1024);
      await store.startNode(wiped);
      await store.settled();
      await sameCells(tablet);
      expect(took(wiped, tablet)).toBe(true);

      const { seq } = await store.client.execute(first);
      for (const { id } of store.nodes) if (id !== wiped) await store.stopNode(id);
      const again = await store.client.execute(first);
      expect(again.seq).toBe(seq);
      const { results } = await store.client.read(ROW, [{ get: { row: ROW, column: 'column 7' } }]);
      expect(results[0]![0]!.bytes?.toString()).toBe('value of column 7');
    },
  );

  it('begins anew when the primary is lost half way', { timeout: 60_000 }, async () => {
    const { tablet, wiped } = await startFilled(100 * 1024);
    await store.startNode(wiped);
    while (
      !lines.some(
        (line) => line.node === wiped && line.tablet === tablet && line.msg.startsWith('far behind'),
      )
    )
      await sleep(5);
    const { primary } = (await store.client.tabletStatus()).find(({ id }) => id === tablet)!;
    await store.stopNode(primary);
    await store.settled(2);
    await store.startNode(primary);
    await store.settled();
    await sameCells(tablet);
  });
});
