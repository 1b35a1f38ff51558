/** Logs are read again in the background: rot that nobody meets is found, and mended from the other copies. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startLocalStore, type LocalStore } from './local-store.ts';

let store: LocalStore;
let count = 0;

beforeAll(async () => {
  store = await startLocalStore({ scrubEveryMs: 5 });
  await store.settled();
}, 60_000);
afterAll(() => store?.stop());

const put = (row: string, column: string, value: Uint8Array) =>
  store.client.execute({
    id: `scrub-${++count}`,
    expiresAt: 0,
    stream: row,
    type: 'kv.Put',
    data: { column },
    parts: [value],
    actor: 'test',
    session: '',
    action: 'Put',
  });
const inSyncVersions = async () =>
  (await store.client.tabletStatus()).map(({ id, version }) => `${id} ${version}`);

it('a scrub finds nothing wrong in logs that are being written', { timeout: 60_000 }, async () => {
  const before = await inSyncVersions();
  for (let round = 0; round < 30; round++) {
    const rows = ['apple', 'house', 'night', 'tree'];
    await Promise.all(
      rows.flatMap((row) => [
        put(row, `small-${round}`, randomBytes(100)),
        put(row, `large-${round}`, randomBytes(200_000)),
      ]),
    );
  }
  expect(await inSyncVersions()).toEqual(before);
  expect(store.fatal).toEqual([]);
});

it('a flipped byte that nobody reads is found, and the copy fetched anew', { timeout: 90_000 }, async () => {
  const value = randomBytes(300_000);
  await put('apple', 'rots', value);
  const tablet = (await store.client.tabletStatus()).find(
    ({ from, to }) => 'apple' >= from && (to === null || 'apple' < to),
  )!;
  const victim = tablet.inSync.find((node) => node !== tablet.primary)!;
  await flip(join(store.folder, victim, 'log', 'tablets', tablet.id), value.subarray(150_000, 150_064));
  const now = async () => (await store.client.tabletStatus()).find(({ id }) => id === tablet.id)!;
  await expect.poll(async () => (await now()).version, { timeout: 30_000 }).toBeGreaterThan(tablet.version);
  await store.settled();
  await expect
    .poll(async () => {
      const digests = await Promise.all(store.nodes.map(({ id }) => store.client.nodeDigest(id, tablet.id)));
      return new Set(digests.map(({ applied, digest }) => `${applied} ${digest}`)).size;
    })
    .toBe(1);
  expect(store.fatal).toEqual([]);
});

/** Flips one bit in the middle of `needle`, in whichever file below `folder` holds it. */
async function flip(folder: string, needle: Uint8Array): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const bytes = await readFile(path);
    const at = bytes.indexOf(needle);
    if (at < 0) continue;
    bytes[at + 32]! ^= 1;
    return writeFile(path, bytes);
  }
  throw new Error(`the value is in no file of ${folder}`);
}
