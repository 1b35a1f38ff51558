/**
 * `npm run build|test|spec|e2e|sim|sim:mutants|tidy|format`, each straight after a clone: set up what the task needs,
 * then run it with this terminal. More arguments go to the task (`npm test -- test/spec/kv.spec.ts`).
 */
import { checkNodeVersion } from './node-version.mjs';
import { makeReady } from './make-ready.mjs';
import { SetupFailed, runVisibly } from './steps.mjs';

const VITEST = ['node_modules/vitest/vitest.mjs', 'run'];
const ALL_PROGRAMS = ['nats-server', 'etcd', 'chromium', 'curl', 'postfix', 'swaks', 'Net::SSLeay', 's-nail'];
/** Without it, chaos leaves out clocks that jump. */
const CLOCKS = ['libfaketime'];
/** A young generation that holds a whole run: half of the time that garbage takes is saved. */
const SIMULATION = [
  '--max-semi-space-size=64',
  ...['--import', 'tsx', '--import', './test/simulation/runs/without-names.mjs'],
];

/** What each needs beyond the packages, and the Node programs it runs one after the other. */
const TASKS = {
  build: { built: true, programs: [], run: [] },
  test: { built: true, programs: ALL_PROGRAMS, useful: CLOCKS, run: [VITEST] },
  spec: {
    built: false,
    programs: ['etcd'],
    run: [[...VITEST, '--project', 'spec', '--project', 'contract']],
  },
  e2e: {
    built: true,
    programs: ALL_PROGRAMS,
    useful: CLOCKS,
    run: [[...VITEST, '--project', 'e2e', '--project', 'pages']],
  },
  sim: { built: false, programs: [], run: [[...SIMULATION, 'test/simulation/runs/main.ts']] },
  'sim:mutants': { built: false, programs: [], run: [[...SIMULATION, 'test/simulation/runs/mutants.ts']] },
  tidy: { built: false, programs: [], run: [[...VITEST, '--project', 'tidy']] },
  format: {
    built: false,
    programs: [],
    run: [
      ['node_modules/eslint/bin/eslint.js', '--fix', '.'],
      ['node_modules/prettier/bin/prettier.cjs', '--write', '--log-level', 'warn', '.'],
    ],
  },
};

checkNodeVersion();
const [name, ...more] = process.argv.slice(2);
const task = TASKS[name];
if (!task) {
  console.error(`penncloud: no such task "${name ?? ''}"; there are ${Object.keys(TASKS).join(', ')}.`);
  process.exit(2);
}
try {
  await makeReady(task);
} catch (error) {
  if (!(error instanceof SetupFailed)) throw error;
  console.error(error.message);
  process.exit(1);
}
for (const program of task.run) {
  process.exitCode = (await runVisibly(process.execPath, [...program, ...more])) || process.exitCode;
}
