/** Cells after the process that wrote them was killed: a whole, earlier state, and the applied index says which. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RocksCells } from '../../storage-nodes/cells/rocks-cells.ts';
import { TABLETS, expected } from './cells-history.ts';

const WRITER = fileURLToPath(new URL('./cells-writer.ts', import.meta.url));
let folder: string;
let writer: ChildProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penncloud-cells-'));
});
afterEach(async () => {
  writer?.kill('SIGKILL');
  // It may write until it is dead.
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
});

/** Runs a writer until it has reported this many times, kills it, and answers its last report per tablet. */
async function writeUntilKilled(reports: number): Promise<Map<string, number>> {
  const child = spawn(process.execPath, ['--import', 'tsx', WRITER, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  writer = child;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const told = new Map<string, number>();
  let count = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [tablet, applied] = line.split(' ');
    told.set(tablet!, Number(applied));
    if (++count === reports) child.kill('SIGKILL');
  }
  await ended;
  return told;
}

test(
  'three kills in a row: no cell beyond the applied index, none missing below it, nothing told is lost',
  { timeout: 60_000 },
  async () => {
    for (const reports of [4, 25, 60]) {
      const told = await writeUntilKilled(reports);
      const cells = new RocksCells({ folder });
      try {
        expect(await cells.open()).toEqual({ condemned: undefined });
        for (const tablet of TABLETS) {
          const { applied, digest } = await cells.digest(tablet);
          expect(applied).toBe(cells.applied(tablet));
          expect(applied).toBeGreaterThanOrEqual(told.get(tablet) ?? 0);
          expect(digest).toBe((await expected(tablet, applied)).digest);
        }
      } finally {
        await cells.close();
      }
    }
  },
);
