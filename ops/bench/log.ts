/**
 * How fast the node's log takes entries: `npx tsx ops/bench/log.ts [seconds]`.
 *
 * Small: 64 callers over 8 tablets, each appending one entry with a part of 100 bytes, waiting for it to be
 * durable, and committing it. Large: 8 callers with parts of 1 MiB. Then both are read back.
 *
 * Last seen (2 cores of an AMD EPYC, Node 20.20, Debian 12, ext4, nothing else running; one reading):
 *
 *   64 callers, 100 bytes   100,000 entries/s, append p50 0.39 ms, p99 1.6 ms
 *    1 caller,  100 bytes     4,700 entries/s, append p50 0.17 ms, p99 0.3 ms
 *    8 callers, 1 MiB           558 MiB/s,     append p50 14 ms,   p99 26 ms
 *   read back               490,000 to 820,000 small entries/s, 1,800 MiB/s of large parts
 *   opened again            0.1 to 0.3 s
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiskLog } from '../../storage-nodes/log/disk-log.ts';
import type { LogRecord } from '../../storage-nodes/log/entry.ts';
import { LogFiles } from '../../storage-nodes/log/log-files.ts';
import { epoch, seq, tabletId } from '../../storage-nodes/words.ts';
import type { TabletId } from '../../storage-nodes/words.ts';

const seconds = Number(process.argv[2] ?? 5);
const TABLETS = Array.from({ length: 8 }, (_, i) => tabletId(`t-${i}`));
const HEAD = Buffer.alloc(250, 'h');

type Load = { readonly callers: number; readonly partBytes: number };
type Result = {
  readonly entries: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
};

async function run(log: DiskLog, { callers, partBytes }: Load): Promise<Result> {
  const part = Buffer.alloc(partBytes, 'p');
  const last = new Map<TabletId, number>(TABLETS.map((tablet) => [tablet, 0]));
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + seconds * 1000;
  const caller = async (tablet: TabletId): Promise<void> => {
    while (performance.now() < end) {
      const number = last.get(tablet)! + 1;
      last.set(tablet, number);
      const record: LogRecord = { seq: seq(number), epoch: epoch(1), head: HEAD, parts: [part] };
      const begun = performance.now();
      await log.append(tablet, [record]);
      latencies.push(performance.now() - begun);
      await log.commit(tablet, seq(number));
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, i) => caller(TABLETS[i % TABLETS.length]!)));
  const elapsed = (performance.now() - start) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)]!;
  return { entries: latencies.length, seconds: elapsed, p50: at(0.5), p99: at(0.99) };
}

async function measure(name: string, load: Load): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'penncloud-bench-'));
  try {
    const log = new DiskLog({ folder });
    await log.open();
    const { entries, seconds: took, p50, p99 } = await run(log, load);
    const mib = (entries * load.partBytes) / 1024 / 1024;
    console.log(
      `${name}: ${Math.round(entries / took)} entries/s, ${(mib / took).toFixed(1)} MiB/s of parts, ` +
        `append p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`,
    );
    await log.close();
    const opening = performance.now();
    const again = new DiskLog({ folder });
    await again.open();
    const opened = performance.now();
    await again.close();
    const reading = performance.now();
    let read = 0;
    for (const tablet of TABLETS) for await (const _ of new LogFiles(folder).entries(tablet)) read++;
    const readSeconds = (performance.now() - reading) / 1000;
    console.log(
      `  opened again in ${(opened - opening).toFixed(0)} ms; read back ${Math.round(read / readSeconds)} entries/s, ` +
        `${(mib / readSeconds).toFixed(0)} MiB/s`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

console.log(
  `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, ${seconds} s each`,
);
await measure('64 callers, parts of 100 bytes', { callers: 64, partBytes: 100 });
await measure(' 1 caller,  parts of 100 bytes', { callers: 1, partBytes: 100 });
await measure(' 8 callers, parts of 1 MiB    ', { callers: 8, partBytes: 1024 * 1024 });
