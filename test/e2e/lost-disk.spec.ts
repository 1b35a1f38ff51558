/** KV-5: a node whose disk was lost comes back as a new replica and gets a full copy (rule 11). */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { allInSync, clusterForAll } from './cluster.ts';

const its = clusterForAll();

test('a node whose disk was lost gets everything again', { timeout: 180_000 }, async () => {
  const { cluster, store } = its;
  for (let n = 0; n < 6; n++) {
    expect(await cluster.cli(['kv', 'put', `row-${n}`, 'c', `value ${n}`])).toMatchObject({ code: 0 });
  }
  expect(await cluster.cli(['node', 'disable', 'node-3'])).toMatchObject({ code: 0 });
  rmSync(join(cluster.dataFolder, 'node-3'), { recursive: true });
  expect(await cluster.cli(['node', 'restart', 'node-3'])).toMatchObject({ code: 0 });

  await allInSync(store);
  for (let n = 0; n < 6; n++) {
    expect((await cluster.cli(['kv', 'get', `row-${n}`, 'c'])).stdout.toString()).toBe(`value ${n}`);
  }
  const verified = await cluster.cli(['replay', '--verify']);
  expect(verified, `${verified.stdout}\n${verified.stderr}`).toMatchObject({ code: 0 });
});
