/** KV-5: a node whose disk was lost comes back as a new replica and gets a full copy (rule 11). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startCluster, until } from './cluster.ts';

test('a node whose disk was lost gets everything again', { timeout: 180_000 }, async () => {
  const dataFolder = mkdtempSync(join(tmpdir(), 'penncloud-e2e-'));
  try {
    const first = await startCluster({ dataFolder });
    for (let n = 0; n < 6; n++) {
      expect(await first.cli(['kv', 'put', `row-${n}`, 'c', `value ${n}`])).toMatchObject({ code: 0 });
    }
    await first.stop();
    rmSync(join(dataFolder, 'node-3'), { recursive: true });

    const second = await startCluster({ dataFolder });
    const store = second.openStore();
    try {
      await until('every copy is in sync', async () => {
        const tablets = await store.tabletStatus();
        return tablets.every((tablet) => tablet.serving && tablet.inSync.length === 3) || undefined;
      });
      for (let n = 0; n < 6; n++) {
        expect((await second.cli(['kv', 'get', `row-${n}`, 'c'])).stdout.toString()).toBe(`value ${n}`);
      }
      const verified = await second.cli(['replay', '--verify']);
      expect(verified, `${verified.stdout}\n${verified.stderr}`).toMatchObject({ code: 0 });
    } finally {
      await store.close();
      await second.stop();
    }
  } finally {
    rmSync(dataFolder, { recursive: true, force: true });
  }
});
