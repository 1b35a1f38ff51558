/**
 * How long a storage node takes to serve again, by the length of its logs:
 *
 *   npx tsx ops/bench/restart.ts [entries …] [--value-bytes 100] [--memory-mib N]
 *
 * (100,000 and 1,000,000 entries if none are given). Each store is built through the real log and applier
 * (12 tablets), then opened by a process of its own, alone in its cluster: after a clean stop, and after a
 * SIGKILL behind 20,000 more puts. With `--memory-mib` these processes may hold no more than that
 * (opening-apart.ts), and read 2,000 entries of each tablet, spread over all of it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultRanges } from '../../storage-nodes/master/placement.ts';
import { buildStore } from './built-store.ts';
import { openApart } from './opening-apart.ts';
import type { Opening, OpeningOptions, Phase } from './opening.ts';

const READS = 2000;

const phase = ({ ms, cpuMs, bytesRead }: Phase): string =>
  `${ms.toFixed(0).padStart(5)} ms, CPU ${cpuMs.toFixed(0).padStart(5)} ms, ${(bytesRead / 1e6).toFixed(1).padStart(6)} MB read`;

function show(name: string, { log, cells, serving, processMs, peakBytes, readsFound }: Opening): void {
  console.log(`  ${name}`);
  console.log(`    log      ${phase(log)}`);
  console.log(`    cells    ${phase(cells)}`);
  console.log(`    serving  ${phase(serving)}   (both of the above, and all tablets serve)`);
  console.log(
    `    from the start of the process ${processMs.toFixed(0)} ms; at most ${(peakBytes / 1e6).toFixed(0)} MB of memory` +
      (readsFound > 0 ? `; ${readsFound} entries read` : ''),
  );
}

type Wanted = {
  readonly entries: number;
  readonly valueBytes: number;
  readonly memoryMib: number | undefined;
};

async function measure({ entries, valueBytes, memoryMib }: Wanted): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'penncloud-restart-'));
  const memoryBytes = memoryMib && memoryMib * 1024 * 1024;
  const reads = memoryMib
    ? { reads: READS, entriesPerTablet: Math.floor(entries / defaultRanges().length) }
    : {};
  const open = (options: OpeningOptions): Promise<Opening> => openApart(folder, options, memoryBytes);
  try {
    const begun = performance.now();
    await buildStore({ folder, entries, valueBytes });
    const seconds = ((performance.now() - begun) / 1000).toFixed(0);
    const kib = execFileSync('du', ['-sk', '--exclude=journal', folder], { encoding: 'utf8' }).split('\t')[0];
    const size = `${(Number(kib) / 1024).toFixed(0)} MiB without the journal`;
    console.log(`${entries} entries of ${valueBytes} bytes, ${size}, built in ${seconds} s`);
    // The first opening of a store that no node has had yet: its tablets have no configuration.
    await open({ end: 'stop' });
    show('after a clean stop', await open({ end: 'stop', ...reads }));
    await open({ end: 'kill', puts: 20_000 });
    show('after a SIGKILL', await open({ end: 'stop', ...reads }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'value-bytes': { type: 'string', default: '100' }, 'memory-mib': { type: 'string' } },
});
console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`);
for (const entries of positionals.length > 0 ? positionals : ['100000', '1000000']) {
  await measure({
    entries: Number(entries),
    valueBytes: Number(values['value-bytes']),
    memoryMib: values['memory-mib'] === undefined ? undefined : Number(values['memory-mib']),
  });
}
