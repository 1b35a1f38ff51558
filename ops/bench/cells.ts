/**
 * Rates of the cells in RocksDB, on a throw-away folder: `npx tsx ops/bench/cells.ts`.
 *
 * Last seen (2 cores of an AMD EPYC, Node 20.20, Debian 12, libuv's 4 threads, nothing else running; one
 * reading):
 *
 *   write 4 cells        one caller 8,900/s; 64 callers 28,600/s (114,000 cells/s)
 *   get 1 cell           cached 1,030,000/s; not cached 17,400/s by one caller, 109,000/s by 64
 *   get 10 cells         198,000 cells/s
 *   scan 50 cells        198,000 cells/s
 *   digest               212,000 cells/s, event loop late by 3.1 ms at p99
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { SPACE } from '../../storage-nodes/cells/cells.ts';
import type { CellAddress, CellWrite } from '../../storage-nodes/cells/cells.ts';
import { RocksCells } from '../../storage-nodes/cells/rocks-cells.ts';
import { seq, tabletId } from '../../storage-nodes/words.ts';

const TABLET = tabletId('t01');
const ROWS = 100_000;
const VALUE = Buffer.alloc(300, 'v');

const row = (n: number): string => `~user/3f/alice/mail/folder/${String(n).padStart(8, '0')}`;
const address = (n: number): CellAddress => ({ space: SPACE.table, row: row(n), column: 'inbox' });
const write = (n: number, at: number): CellWrite => ({
  ...address(n),
  seq: seq(at),
  content: { bytes: VALUE },
});

async function rate(name: string, count: number, work: () => Promise<unknown>): Promise<void> {
  const started = process.hrtime.bigint();
  await work();
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  console.log(
    `${name.padEnd(58)} ${Math.round(count / seconds)
      .toLocaleString('en')
      .padStart(10)}/s`,
  );
}

/** `lanes` callers, each waiting for its own answer before it asks again. */
async function inLanes(
  lanes: number,
  count: number,
  step: (n: number) => Promise<unknown> | undefined,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await step(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

const folder = await mkdtemp(join(tmpdir(), 'penncloud-bench-'));
try {
  let cells = new RocksCells({ folder });
  await cells.open();
  let at = 0;
  await rate('write 4 cells, one caller, waiting for each', 5_000, () =>
    inLanes(1, 5_000, (n) =>
      cells.write(
        TABLET,
        seq(++at),
        [0, 1, 2, 3].map((i) => write(n * 4 + i, at)),
      ),
    ),
  );
  await rate('write 4 cells, 64 callers', 25_000, () =>
    inLanes(64, 25_000, (n) =>
      cells.write(
        TABLET,
        seq(++at),
        [0, 1, 2, 3].map((i) => write((n * 4 + i) % ROWS, at)),
      ),
    ),
  );
  await rate('get 1 cell, cached, 16 callers', 300_000, () =>
    inLanes(16, 300_000, (n) => cells.get(TABLET, [address(n % 1000)])),
  );
  await cells.close();

  const started = process.hrtime.bigint();
  cells = new RocksCells({ folder, cacheBytes: 1000 });
  await cells.open();
  console.log(`open again: ${Number((process.hrtime.bigint() - started) / 1_000_000n)} ms`);
  const spread = (n: number): number => (n * 7919) % ROWS;
  await rate('get 1 cell, not cached, 1 caller', 10_000, () =>
    inLanes(1, 10_000, (n) => cells.get(TABLET, [address(spread(n))])),
  );
  await rate('get 1 cell, not cached, 64 callers', 100_000, () =>
    inLanes(64, 100_000, (n) => cells.get(TABLET, [address(spread(n))])),
  );
  await rate('get 10 cells, not cached, 64 callers (cells)', 200_000, () =>
    inLanes(64, 20_000, (n) =>
      cells.get(
        TABLET,
        Array.from({ length: 10 }, (_, i) => address(spread(n * 10 + i))),
      ),
    ),
  );
  await rate('scan 50 cells, 8 callers (cells)', 200_000, () =>
    inLanes(8, 4_000, (n) =>
      cells.scan(TABLET, {
        space: SPACE.table,
        from: { row: row(spread(n) % (ROWS - 50)), column: '' },
        to: null,
        limit: 50,
      }),
    ),
  );
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await rate(`digest of ${ROWS} cells (cells)`, ROWS, () => cells.digest(TABLET));
  delay.disable();
  console.log(
    `  event loop late during the digest: p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms, worst ${(delay.max / 1e6).toFixed(1)} ms`,
  );
  await cells.close();
} finally {
  await rm(folder, { recursive: true, force: true });
}
