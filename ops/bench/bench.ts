/**
 * `penncloud bench`, which `npm run bench` runs: plans, runs, prints the table (or one JSON object), and
 * writes RESULTS.md when the whole suite was measured.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { planOf, type Wishes } from './plan.ts';
import { asJson, asMarkdown, asText } from './report.ts';
import { run } from './run.ts';
import { BenchFailed } from './systems/system.ts';

export { SYSTEMS } from './systems/system.ts';
export { WORKS } from './load/workload.ts';
export { BenchFailed };

export type BenchOptions = Wishes & {
  readonly json?: boolean;
  readonly folder?: string;
  readonly profile?: string;
};

/** Throws BenchFailed; everything is stopped by then. */
export async function bench({ json = false, folder, profile, ...wishes }: BenchOptions): Promise<void> {
  const plan = planOf(wishes);
  const top = topFolder();
  const results = await run({
    plan,
    folder,
    pennCloud: { version: versionIn(top), profileFolder: profile && resolve(profile) },
    signal: abortOnSignals(),
    // Standard output is for the results alone.
    say: (line) => console.error(`penncloud bench: ${line}`),
  });
  console.log(json ? asJson(results) : asText(results));
  if (plan.whole) {
    const file = join(top, 'ops', 'bench', 'RESULTS.md');
    writeFileSync(file, asMarkdown(results));
    console.error(`penncloud bench: written to ${file}`);
  }
}

function abortOnSignals(): AbortSignal {
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () =>
      abort.abort(new BenchFailed('Stopped before the end; nothing is left running.')),
    );
  }
  return abort.signal;
}

/** The checkout, from wherever in it this runs: sources and build lie at different depths. */
function topFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

function versionIn(top: string): string {
  return (JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { version: string }).version;
}
