/**
 * How long a storage node takes to serve again, by the length of its logs:
 * `npx tsx ops/bench/restart.ts [entries …]` (100,000 and 1,000,000 if none are given).
 *
 * Each store is built through the real log and applier (values of 100 bytes, 12 tablets), then opened by a
 * process of its own, alone in its cluster: after a clean stop, and after a SIGKILL behind 20,000 more puts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildStore } from './built-store.ts';
import { openApart } from './opening-apart.ts';
import type { Opening, Phase } from './opening.ts';

const phase = ({ ms, cpuMs, bytesRead }: Phase): string =>
  `${ms.toFixed(0).padStart(5)} ms, CPU ${cpuMs.toFixed(0).padStart(5)} ms, ${(bytesRead / 1e6).toFixed(1).padStart(6)} MB read`;

function show(name: string, { log, cells, serving, processMs, peakBytes }: Opening): void {
  console.log(`  ${name}`);
  console.log(`    log      ${phase(log)}`);
  console.log(`    cells    ${phase(cells)}`);
  console.log(`    serving  ${phase(serving)}   (both of the above, and all tablets serve)`);
  console.log(
    `    from the start of the process ${processMs.toFixed(0)} ms; at most ${(peakBytes / 1e6).toFixed(0)} MB of memory`,
  );
}

async function measure(entries: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'penncloud-restart-'));
  try {
    const begun = performance.now();
    await buildStore({ folder, entries, valueBytes: 100 });
    console.log(`${entries} entries, built in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
    // The first opening of a store that no node has had yet: its tablets have no configuration.
    await openApart(folder, { end: 'stop' });
    show('after a clean stop', await openApart(folder, { end: 'stop' }));
    await openApart(folder, { end: 'kill', puts: 20_000 });
    show('after a SIGKILL', await openApart(folder, { end: 'stop' }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const asked = process.argv.slice(2).map(Number);
console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`);
for (const entries of asked.length > 0 ? asked : [100_000, 1_000_000]) await measure(entries);
