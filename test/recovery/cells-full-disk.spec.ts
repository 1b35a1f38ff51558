/**
 * Cells on a disk that is really full (a small tmpfs, so only where this may be mounted): what is there is
 * answered, writes are refused, and go on without a restart once there is room.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { SPACE } from '../../storage-nodes/cells/cells.ts';
import { RocksCells } from '../../storage-nodes/cells/rocks-cells.ts';
import { seq, tabletId } from '../../storage-nodes/words.ts';

const disk = mkdtempSync(join(tmpdir(), 'penncloud-full-'));
const isMounted = ((): boolean => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m', 'tmpfs', disk], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
afterAll(() => {
  if (isMounted) execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true, force: true });
});

const [filling, resting] = [tabletId('filling'), tabletId('resting')];
const ballast = join(disk, 'ballast');

test.runIf(isMounted)(
  'a full disk stops writes, not reads; with room again writes go on where they stopped, and nothing is lost',
  { timeout: 120_000 },
  async () => {
    const cells = new RocksCells({ folder: join(disk, 'cells'), cacheBytes: 1 });
    const write = async (tablet: typeof filling): Promise<void> => {
      const next = seq(cells.applied(tablet) + 1);
      const cell = { space: SPACE.table, row: `r${next % 500}`, column: 'c', seq: next };
      await cells.write(tablet, next, [{ ...cell, content: { bytes: randomBytes(4000) } }]);
    };
    const newest = async (): Promise<number | undefined> => {
      const row = `r${cells.applied(filling) % 500}`;
      return (await cells.get(filling, [{ space: SPACE.table, row, column: 'c' }]))[0]?.seq;
    };
    try {
      await cells.open();
      await write(resting);
      for (let round = 1; round <= 2; round++) {
        for (let i = 0; i < 1000; i++) await write(filling);
        const { bavail, bsize } = statfsSync(disk);
        writeFileSync(ballast, Buffer.alloc(bavail * bsize - 2_000_000));
        const untilFull = async (): Promise<void> => {
          for (;;) await write(filling);
        };
        await expect(untilFull()).rejects.toMatchObject({ code: 'DiskFull', retry: true });
        const stoppedAt = cells.applied(filling);
        await expect(write(filling)).rejects.toMatchObject({ code: 'DiskFull' });
        await expect(write(resting)).rejects.toMatchObject({ code: 'DiskFull' });
        await expect(cells.drop(resting)).rejects.toMatchObject({ code: 'DiskFull' });
        expect(await newest()).toBe(stoppedAt);
        expect((await cells.digest(resting)).cells).toBe(round);

        rmSync(ballast);
        // The first that comes has it opened again; others write and read meanwhile.
        const written = async (tablet: typeof filling): Promise<void> => {
          for (let full = true; full;) {
            full = await write(tablet).then(
              () => false,
              (error: { code?: string }) => error.code === 'DiskFull',
            );
            await sleep(5);
          }
        };
        const [, , seen] = await Promise.all([written(filling), written(resting), newest()]);
        expect(seen).toBeGreaterThanOrEqual(stoppedAt);
        expect(cells.applied(filling)).toBeGreaterThan(stoppedAt);
        expect(await newest()).toBe(cells.applied(filling));
      }
      const before = await cells.digest(filling);
      await cells.close();
      const again = new RocksCells({ folder: join(disk, 'cells') });
      expect(await again.open()).toEqual({ condemned: undefined });
      expect(await again.digest(filling)).toEqual(before);
      await again.close();
    } finally {
      await cells.close();
    }
  },
);
