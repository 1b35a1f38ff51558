/**
 * Shows that the simulator can fail: `npm run sim:mutants [-- --mutant NAME] [--seeds N]`. Each mutant
 * is production code with one safety rule disabled (mutants-list.ts); simulations run on it until a checker
 * sees a promise broken. Exit code 1 if some mutant is never caught.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MUTANTS, type Mutant } from './mutants-list.ts';

const LOADER = fileURLToPath(new URL('./mutant-loader.mjs', import.meta.url));
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FIRST_SEED = 1;

type Summary = { readonly seeds: number; readonly failed: readonly { violation: string }[] };

const { values } = parseArgs({
  options: { mutant: { type: 'string' }, seeds: { type: 'string', default: '2000' } },
});
const chosen = MUTANTS.filter(({ name }) => values.mutant === undefined || name === values.mutant);
if (chosen.length === 0) {
  console.error(`sim:mutants: there is no mutant ${values.mutant}; there are:`);
  for (const { name, rule } of MUTANTS) console.error(`  ${name.padEnd(38)} ${rule}`);
  process.exit(2);
}

function run({ edits }: Mutant): Promise<Summary> {
  const args = ['--import', 'tsx', '--import', LOADER, MAIN];
  const seeds = ['--seed', String(FIRST_SEED), '--count', values.seeds, '--stop', '--json'];
  const child = spawn(process.execPath, ['--max-semi-space-size=64', ...args, ...seeds], {
    cwd: ROOT,
    env: { ...process.env, PENNCLOUD_MUTANT: JSON.stringify(edits) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (piece: Buffer) => (output += piece.toString()));
  child.stderr.on('data', (piece: Buffer) => (errors += piece.toString()));
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

let missed = 0;
for (const mutant of chosen) {
  const { seeds, failed } = await run(mutant);
  const [first] = failed;
  if (!first) missed++;
  const verdict = first ? `caught by seed ${FIRST_SEED + seeds - 1}` : `NOT CAUGHT in ${seeds} seeds`;
  console.log(`${mutant.name.padEnd(38)} ${verdict}`);
  console.log(`  ${mutant.rule}`);
  if (first) console.log(`  ${first.violation.split('\n')[0]!.slice(0, 160)}`);
}
console.log(`${chosen.length - missed} of ${chosen.length} mutants were caught`);
process.exitCode = missed > 0 ? 1 : 0;
