/** `penncloud chaos`: breaks a cluster of its own under load, and judges what its callers saw. */
import { randomInt } from 'node:crypto';
import type { ChaosReport } from '../chaos/run.ts';
import { runChaos } from '../chaos/run.ts';
import { FAULTS } from '../chaos/faults.ts';
import { freeOffset, portObstacle } from '../cluster/free-ports.ts';
import { readSettings, type Settings } from '../processes/settings.ts';
import { planCluster } from '../processes/topology.ts';
import { BadInput, Failed } from './outcome.ts';
import { printJson, printTable } from './print.ts';
import { verifyCopies } from './replay.ts';

const SEED_MAX = 2 ** 31 - 1;

export type ChaosCommand = {
  readonly minutes: number;
  readonly seed?: number;
  readonly callers: number;
  readonly only?: string;
  readonly configStore: Settings['configStore'];
  readonly json?: boolean;
};

export async function chaos({
  minutes,
  callers,
  only,
  json,
  configStore,
  ...more
}: ChaosCommand): Promise<void> {
  if (only !== undefined && !FAULTS.some(({ name }) => name.includes(only))) {
    const names = FAULTS.map(({ name }) => name).join('; ');
    throw new BadInput(`--only: no fault has ${JSON.stringify(only)} in its name; there are: ${names}.`);
  }
  const seed = more.seed ?? randomInt(SEED_MAX);
  // The table goes to standard output alone, so that --json is JSON.
  const say = (line: string): void => console.error(line);
  const part =
    (configStore === 'embedded' ? '' : ` --config-store ${configStore}`) +
    (only === undefined ? '' : ` --only ${JSON.stringify(only)}`);
  say(`Chaos; repeat with: penncloud chaos --minutes ${minutes} --seed ${seed} --callers ${callers}${part}`);
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => abort.abort(new Failed('Stopped before the end.')));
  }
  const settings = await settingsWithPorts(configStore);
  const report = await runChaos({
    seed,
    minutes,
    callers,
    only,
    settings,
    verify: verifyCopies,
    say,
    signal: abort.signal,
  });
  abort.signal.throwIfAborted();
  if (json) printJson(report);
  else printReport(report);
  if (report.reasons.length > 0) {
    throw new Failed(
      `Chaos with seed ${seed} found:\n\n${report.reasons.join('\n\n')}\n\nKept: ${report.kept}`,
    );
  }
}

/** The ports that the environment names; without a word on them, any that are free. */
async function settingsWithPorts(configStore: Settings['configStore']): Promise<Settings> {
  // The members of an etcd that is somebody else's are not ours to kill.
  const settings = { ...readSettings(), configStore, etcdEndpoints: [] };
  if (!process.env['PENNCLOUD_PORT_OFFSET']) {
    return { ...settings, portOffset: await freeOffset(settings) };
  }
  const obstacle = await portObstacle(planCluster(settings));
  if (obstacle !== undefined) throw new Failed(obstacle);
  return settings;
}

function printReport(report: ChaosReport): void {
  printTable(
    ['FAULT', 'COUNT', 'LONGEST WRITE GAP', 'LONGEST READ GAP', 'WHOLE AGAIN AFTER'],
    report.faults.map(({ fault, count, writeGapMs, readGapMs, recoveryMs }) => [
      fault,
      count,
      `${writeGapMs} ms`,
      `${readGapMs} ms`,
      `${recoveryMs} ms`,
    ]),
  );
  for (const { fault, reason } of report.leftOut) console.log(`Left out: ${fault} (${reason}).`);
  const unanswered = Object.entries(report.unanswered).map(([code, count]) => `${count} ${code}`);
  console.log(
    `\n${report.operations} operations, ${report.acknowledgedWrites} acknowledged writes with a place in the log; not answered in time: ${unanswered.join(', ') || 'none'}.`,
  );
  if (report.reasons.length > 0) return;
  console.log('Linearizable; every acknowledged write is there, once; every copy agrees with its log.');
}
