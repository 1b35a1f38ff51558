/**
 * Shows that the simulator can fail: `npm run sim:mutants [-- --mutant NAME] [--seed N] [--seeds N]`. Each
 * mutant is production code with one safety rule disabled (mutants-list.ts); simulations run on it until a
 * checker sees a promise broken. Prints a table: mutant, rule, the seed that caught it, how many it took,
 * which checker saw it. Exit code 1 if some mutant is never caught.
 *
 *   --kept         runs those that are kept in seeds/ on the mutants that they belong to: each must fail
 *   --minimise     makes the run that catches the mutant as small as is cheap
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checkerOf } from './checker-names.ts';
import { keptRuns } from './kept.ts';
import type { Mutant } from './mutant.ts';
import { MUTANTS } from './mutants-list.ts';

const LOADER = fileURLToPath(new URL('./mutant-loader.mjs', import.meta.url));
const NAMES = fileURLToPath(new URL('./without-names.mjs', import.meta.url));
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

type Summary = { readonly seeds: number; readonly failed: readonly { violation: string }[] };

const { values } = parseArgs({
  options: {
    mutant: { type: 'string' },
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '2000' },
    kept: { type: 'boolean', default: false },
    minimise: { type: 'boolean', default: false },
  },
});
const chosen = MUTANTS.filter(({ name }) => values.mutant === undefined || name === values.mutant);
if (chosen.length === 0) {
  console.error(`sim:mutants: there is no mutant ${values.mutant}; there are:`);
  for (const { name, rule } of MUTANTS) console.error(`  ${name.padEnd(38)} ${rule}`);
  process.exit(2);
}

function run({ edits }: Mutant, args: readonly string[]): Promise<Summary> {
  const program = [
    '--max-semi-space-size=64',
    '--import',
    'tsx',
    '--import',
    NAMES,
    '--import',
    LOADER,
    MAIN,
  ];
  const child = spawn(process.execPath, [...program, ...args, '--stop', '--json'], {
    cwd: ROOT,
    env: { ...process.env, PENNCLOUD_MUTANT: JSON.stringify(edits) },
    stdio: ['ignore', 'pipe', values.minimise ? 'inherit' : 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout!.on('data', (piece: Buffer) => (output += piece.toString()));
  child.stderr?.on('data', (piece: Buffer) => (errors += piece.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => {
      try {
        resolve(JSON.parse(output) as Summary);
      } catch {
        reject(new Error(errors || output));
      }
    });
  });
}

function row(cells: readonly string[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}

async function untilCaught(mutant: Mutant): Promise<boolean> {
  const range = ['--seed', values.seed, '--count', values.seeds];
  const { seeds, failed } = await run(mutant, values.minimise ? [...range, '--minimise'] : range);
  const [first] = failed;
  const caught = first
    ? [String(Number(values.seed) + seeds - 1), String(seeds), checkerOf(first.violation)]
    : ['NOT CAUGHT', String(seeds), ''];
  row([mutant.name, mutant.rule, ...caught]);
  return first !== undefined;
}

async function onKeptRuns(mutant: Mutant): Promise<boolean> {
  let all = true;
  for (const kept of keptRuns()) {
    if (kept.mutant !== mutant.name) continue;
    const { failed } = await run(mutant, ['--kept', kept.name]);
    const [first] = failed;
    if (!first) all = false;
    const caught = first ? [String(kept.seed), '1', checkerOf(first.violation)] : ['NOT CAUGHT', '1', ''];
    row([mutant.name, kept.name, ...caught]);
  }
  return all;
}

row(['mutant', values.kept ? 'kept run' : 'rule', 'caught by seed', 'seeds it took', 'checker']);
row(['---', '---', '---', '---', '---']);
let missed = 0;
for (const mutant of chosen) {
  const caught = values.kept ? await onKeptRuns(mutant) : await untilCaught(mutant);
  if (!caught) missed++;
}
console.log(
  values.kept
    ? `${missed} mutants passed a run that was kept for them`
    : `${chosen.length - missed} of ${chosen.length} mutants were caught`,
);
process.exitCode = missed > 0 ? 1 : 0;
