/**
 * Runs simulations: `npm run sim -- [--seed N] [--count M] [--json] [--trace] [--stop] [--minimise]`. Each seed that
 * breaks a promise is printed with the command that repeats it. Exit code 1 if there was one, 2 for bad
 * arguments. `--json` ends with one object; `--trace` tells all that happened; `--stop` ends at the first;
 * `--minimise` makes the first as small as is cheap, and prints it as a case that can be kept; `--kept NAME`
 * runs one that was kept.
 */
import { parseArgs } from 'node:util';
import type { Profile } from '../cluster/profile.ts';
import { inMacrotask } from '../engine/world.ts';
import { checkerOf } from './checker-names.ts';
import { keptRuns } from './kept.ts';
import { minimise } from './minimise.ts';
import { simulate } from './simulate.ts';
import { Totals } from './totals.ts';

const WHOLE = /^\d{1,15}$/;

function argumentsOf() {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
        count: { type: 'string', default: '1' },
        json: { type: 'boolean', default: false },
        trace: { type: 'boolean', default: false },
        stop: { type: 'boolean', default: false },
        minimise: { type: 'boolean', default: false },
        kept: { type: 'string' },
      },
    });
    const { seed, count, json, trace, stop } = values;
    const kept = keptRuns().find(({ name }) => name === values.kept);
    if (values.kept !== undefined && !kept)
      throw new Error(`no run ${values.kept} is kept in test/simulation/seeds`);
    if (!WHOLE.test(seed) || !WHOLE.test(count) || Number(count) < 1)
      throw new Error('--seed and --count are whole numbers, --count at least 1');
    const change: Partial<Profile> = kept?.profile ?? {};
    const first = kept?.seed ?? Number(seed);
    return { first, count: kept ? 1 : Number(count), json, trace, stop, change, minimising: values.minimise };
  } catch (error) {
    console.error(`sim: ${(error as Error).message}`);
    process.exit(2);
  }
}

const { first, count, json, trace, stop, change, minimising } = argumentsOf();
const totals = new Totals();
const tell = (text: string): void => (json ? console.error(text) : console.log(text));
const before = process.cpuUsage();

for (let seed = first; seed < first + count; seed++) {
  const outcome = await inMacrotask(() => simulate(seed, { tracing: trace, change }));
  totals.add(outcome);
  if (trace) tell(outcome.trace.join('\n'));
  if (outcome.violation === undefined) continue;
  tell(`seed ${seed}: ${outcome.violation}`);
  tell(`  seen by: ${checkerOf(outcome.violation)}`);
  tell(`  again: npm run sim -- --seed ${seed} --trace`);
  if (minimising) {
    tell(JSON.stringify(await minimise(seed, change), null, 2));
    break;
  }
  if (stop) break;
}

const { user, system } = process.cpuUsage(before);
const cpuSeconds = Math.round((user + system) / 10_000) / 100;
const summary = {
  firstSeed: first,
  seeds: totals.seeds,
  operations: totals.operations,
  acknowledged: totals.acknowledged,
  simulatedSeconds: Math.round(totals.simulatedMs / 1000),
  cpuSeconds,
  seedsPerCpuMinute: Math.round((totals.seeds / cpuSeconds) * 60),
  faults: totals.faults(),
  epochs: totals.count('epoch'),
  failovers: totals.count('failover'),
  catchUps: totals.count('catch-up'),
  slowReplicasLeftOut: totals.count('slow replica left out'),
  clientRetries: totals.count('client retry'),
  outsideThePremise: totals.count('run outside the premise'),
  violations: totals.failed.length,
  failed: totals.failed,
};
if (json) console.log(JSON.stringify(summary));
else {
  const { faults, failed: _, ...rest } = summary;
  tell(
    Object.entries(faults)
      .map(([kind, n]) => `${n} x ${kind}`)
      .join(', '),
  );
  tell(
    Object.entries(rest)
      .map(([name, n]) => `${name} ${n}`)
      .join(', '),
  );
}
process.exitCode = totals.failed.length > 0 ? 1 : 0;
