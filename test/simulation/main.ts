/**
 * Runs simulations: `npx tsx test/simulation/main.ts [--seed N] [--count M] [--trace]`. Prints each
 * seed that breaks a promise and the command that repeats it; exit code 1 if there was one.
 */
import { parseArgs } from 'node:util';
import { simulate } from './cluster.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    count: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
    stop: { type: 'boolean', default: false },
  },
});

const first = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed);
const count = Number(values.count);
if (!Number.isInteger(first) || !Number.isInteger(count) || count < 1) {
  console.error('--seed and --count must be whole numbers, --count at least 1');
  process.exit(2);
}

const started = performance.now();
const totals = { committed: 0, epochs: 0, versions: 0, reads: 0, faults: 0, handOvers: 0 };
const failed: number[] = [];
for (let seed = first; seed < first + count; seed++) {
  const outcome = simulate(seed, { tracing: values.trace });
  if (values.trace) console.log(outcome.trace.join('\n'));
  for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += outcome[key];
  if (outcome.violation === undefined) continue;
  failed.push(seed);
  console.log(`seed ${seed}: ${outcome.violation}`);
  console.log(`  again: npx tsx test/simulation/main.ts --seed ${seed} --trace`);
  if (values.stop) break;
}
const seconds = ((performance.now() - started) / 1000).toFixed(1);
const story = Object.entries(totals).map(([name, n]) => `${n} ${name}`);
console.log(`${count} runs from seed ${first}, ${failed.length} broken, ${seconds} s: ${story.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
