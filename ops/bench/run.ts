/**
 * One run: every system's servers are started side by side, filled, and measured cell by cell, one system
 * at a time, in rounds, so that whatever else the machine does hits all of them. Between two windows the
 * servers come to rest and what they left unsynced goes to the disk, so that none pays for the one before.
 *
 * However it ends, everything that it started has stopped and its data is gone.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Generator } from './load/generator-process.ts';
import type { Window } from './load/callers.ts';
import type { Cell } from './load/workload.ts';
import { measureDisk } from './machine/disk.ts';
import { measureLoopback } from './machine/loopback.ts';
import { isInMemory, machineOf, makeFolder } from './machine/machine.ts';
import { isAlive, processorSeconds } from './machine/processor-time.ts';
import { orderOf, type Plan } from './plan.ts';
import { BUSY_LOAD } from './report.ts';
import { runOf, type Results, type Run, type Sample } from './results.ts';
import type { PennCloudOptions } from './systems/penncloud.ts';
import { startSystem } from './systems/systems.ts';
import { BenchFailed, type RunningSystem, type SystemName } from './systems/system.ts';

const REST_MS = 100;
/** At rest: all servers together use less than this share of one core. */
const REST_SHARE = 0.15;
const REST_MS_MAX = 2000;
const QUICK_REST_MS_MAX = 500;
/** What a window takes besides itself: coming to rest, and the last answers. */
const BETWEEN_MS = 500;
/** The least share of its length that a window is shortened to. */
const SHORTEST = 0.15;

export type RunOptions = {
  readonly plan: Plan;
  /** Where the throw-away data goes; undefined: the system's folder for such things. */
  readonly folder: string | undefined;
  readonly pennCloud: PennCloudOptions;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
};

type Measurable = { readonly running: RunningSystem; readonly generator: Generator };

/** Throws BenchFailed, or the signal's reason. */
export async function run(options: RunOptions): Promise<Results> {
  const folder = makeFolder(options.folder);
  const stops: (() => Promise<void>)[] = [];
  const stopAll = async (): Promise<void> => void (await Promise.all(stops.splice(0).map((stop) => stop())));
  const measuring = measure(options, folder, stops);
  const aborted = new Promise<never>((_, reject) => {
    options.signal.addEventListener('abort', () => reject(options.signal.reason as Error));
  });
  try {
    return await Promise.race([measuring, aborted]);
  } finally {
    await stopAll();
    // A start that was under way when the signal came ends now, and has left its own way to stop it.
    await measuring.catch(() => {});
    await stopAll();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(
  { plan, pennCloud, signal, say }: RunOptions,
  folder: string,
  stops: (() => Promise<void>)[],
): Promise<Results> {
  const startedAt = new Date();
  const start = performance.now();
  const machine = machineOf(folder);
  checkRoom(folder, plan, say);
  if (machine.load > BUSY_LOAD) {
    say(
      `warning: the machine is busy (load ${machine.load.toFixed(1)}); only ratios within this run mean anything`,
    );
  }
  const seconds = plan.quick ? 1 : 3;
  const disk = [4096, 1024 * 1024].map((bytes) => measureDisk(folder, bytes, seconds));
  const loopback = await measureLoopback(plan.quick ? 0.5 : 1);

  const systems = new Map<SystemName, Measurable>();
  for (const system of plan.systems) {
    signal.throwIfAborted();
    say(`starting ${system} …`);
    const own = join(folder, system);
    mkdirSync(own);
    const running = await startSystem(system, own, pennCloud);
    stops.push(() => running.stop());
    signal.throwIfAborted();
    const generator = await Generator.start(running.access);
    stops.unshift(() => generator.stop());
    systems.set(system, { running, generator });
  }
  const guarantees = new Map<SystemName, string[]>();
  for (const [system, { running }] of systems) guarantees.set(system, await running.guarantees());
  const lengths = [...new Set(plan.cells.map(({ valueBytes }) => valueBytes))];
  say('filling …');
  const fill = async ({ generator }: Measurable): Promise<void> => {
    for (const length of lengths) await generator.preload(length);
  };
  await Promise.all([...systems.values()].map(fill));

  const runs = await measureCells({ plan, systems, folder, start, signal, say });

  const checked = new Map<SystemName, number>();
  for (const [system, { running, generator }] of systems) {
    let count = 0;
    for (const length of lengths) count += await generator.check(length);
    checked.set(system, count);
    // Once more: what held at the start must have held all the time (nothing died, nobody fell behind).
    await running.guarantees();
  }
  return {
    startedAt,
    tookSeconds: (performance.now() - start) / 1000,
    quick: plan.quick,
    rounds: plan.rounds,
    windowSeconds: Math.max(...plan.cells.map(plan.windowMsOf)) / 1000,
    machine,
    disk,
    loopback,
    systems: [...systems].map(([system, { running }]) => ({
      system,
      version: running.version,
      guarantees: guarantees.get(system)!,
      checked: checked.get(system)!,
    })),
    runs,
  };
}

async function measureCells(options: {
  plan: Plan;
  systems: ReadonlyMap<SystemName, Measurable>;
  folder: string;
  /** When the run began, as performance.now() has it. */
  start: number;
  signal: AbortSignal;
  say: (line: string) => void;
}): Promise<Run[]> {
  const { plan, systems, folder, start, signal, say } = options;
  let left = plan.rounds * plan.cells.length * plan.systems.length;
  const samples = new Map<Cell, Map<SystemName, Sample[]>>();
  for (let round = 0; round < plan.rounds; round++) {
    for (const cell of plan.cells) {
      say(
        `round ${round + 1} of ${plan.rounds}: ${cell.work}, ${cell.callers} callers, ${cell.valueBytes} bytes`,
      );
      for (const system of orderOf(plan.systems, round)) {
        signal.throwIfAborted();
        await rest(systems, folder, plan.quick ? QUICK_REST_MS_MAX : REST_MS_MAX);
        const sample = await sampleOf(systems.get(system)!, cell, windowFor(cell, plan, start, left--));
        const ofCell = samples.get(cell) ?? new Map<SystemName, Sample[]>();
        samples.set(cell, ofCell.set(system, [...(ofCell.get(system) ?? []), sample]));
      }
    }
  }
  return plan.cells.flatMap((cell) =>
    plan.systems.map((system) => runOf(system, cell, samples.get(cell)?.get(system) ?? [])),
  );
}

/** `left`: how many windows are to come, this one included. */
function windowFor(cell: Cell, plan: Plan, start: number, left: number): Window {
  const { warmUpMs, limitMs } = plan;
  const windowMs = plan.windowMsOf(cell);
  if (limitMs === undefined) return { warmUpMs, windowMs };
  const each = (start + limitMs - performance.now()) / left - BETWEEN_MS;
  const share = Math.max(SHORTEST, Math.min(1, each / (warmUpMs + windowMs)));
  return { warmUpMs: warmUpMs * share, windowMs: windowMs * share };
}

async function sampleOf({ running, generator }: Measurable, cell: Cell, window: Window): Promise<Sample> {
  if (running.pids.some((pid) => !isAlive(pid))) {
    throw new BenchFailed(`A server of ${running.access.system} ended during the run.`);
  }
  const before = [processorSeconds(running.pids), processorSeconds([generator.pid])] as const;
  const measured = await generator.run(cell, window);
  return {
    measured,
    serverSeconds: processorSeconds(running.pids) - before[0],
    generatorSeconds: processorSeconds([generator.pid]) - before[1],
  };
}

/** Resolves when all servers are quiet, or after `limitMs`. */
async function rest(
  systems: ReadonlyMap<SystemName, Measurable>,
  folder: string,
  limitMs: number,
): Promise<void> {
  const limit = performance.now() + limitMs;
  await promisify(execFile)('sync', ['--file-system', folder]);
  const pids = [...systems.values()].flatMap(({ running }) => running.pids);
  while (performance.now() < limit) {
    const before = processorSeconds(pids);
    await sleep(REST_MS);
    if (processorSeconds(pids) - before <= (REST_SHARE * REST_MS) / 1000) return;
  }
}

function checkRoom(folder: string, plan: Plan, say: (line: string) => void): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < plan.roomBytes) {
    const gib = (bytes: number): string => `${Math.round(bytes / 1024 ** 3)} GiB`;
    throw new BenchFailed(
      `This run writes up to ${gib(plan.roomBytes)}, and ${folder} has room for ${gib(bavail * bsize)}: name another folder with --folder.`,
    );
  }
  if (isInMemory(folder))
    say(
      'warning: this folder lies in memory; syncing costs nothing there. Name one on a disk with --folder.',
    );
}
