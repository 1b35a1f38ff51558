/** What a run found, as plain data; and what follows from it by arithmetic alone: sums, rates, ratios. */
import { Histogram } from './load/histogram.ts';
import type { Measured } from './load/callers.ts';
import type { Cell } from './load/workload.ts';
import type { DiskRate } from './machine/disk.ts';
import type { RoundTrip } from './machine/loopback.ts';
import type { Machine } from './machine/machine.ts';
import type { SystemName } from './systems/system.ts';

export type Run = Cell & {
  readonly system: SystemName;
  readonly opsPerSecond: number;
  /** 10^6 bytes of values a second. */
  readonly megabytesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  readonly firstError: string | undefined;
  /** Processor time for one operation, in microseconds: of the three servers, and of the generator. */
  readonly serverMicroseconds: number;
  readonly generatorMicroseconds: number;
};

export type Results = {
  readonly startedAt: Date;
  readonly tookSeconds: number;
  readonly quick: boolean;
  readonly rounds: number;
  /** Of the longest window. */
  readonly windowSeconds: number;
  readonly machine: Machine;
  readonly disk: readonly DiskRate[];
  readonly loopback: RoundTrip;
  readonly systems: readonly {
    readonly system: SystemName;
    readonly version: string;
    readonly guarantees: readonly string[];
    readonly checked: number;
  }[];
  readonly runs: readonly Run[];
};

/** One window of one round, with the processor time it took. */
export type Sample = {
  readonly measured: Measured;
  readonly serverSeconds: number;
  readonly generatorSeconds: number;
};

/** All rounds of one cell are one measurement: their counts are added. */
export function runOf(system: SystemName, cell: Cell, samples: readonly Sample[]): Run {
  const histogram = new Histogram();
  for (const { measured } of samples) histogram.add(new Histogram(measured.counts));
  const sum = (of: (sample: Sample) => number): number =>
    samples.reduce((total, sample) => total + of(sample), 0);
  const seconds = sum(({ measured }) => measured.windowMs) / 1000;
  const operations = Math.max(
    1,
    sum(({ measured }) => measured.operations),
  );
  const opsPerSecond = histogram.count / seconds;
  return {
    ...cell,
    system,
    opsPerSecond,
    megabytesPerSecond: (opsPerSecond * cell.valueBytes) / 1e6,
    p50Ms: histogram.percentile(0.5),
    p99Ms: histogram.percentile(0.99),
    errors: sum(({ measured }) => measured.errors),
    firstError: samples.find(({ measured }) => measured.firstError !== undefined)?.measured.firstError,
    serverMicroseconds: (sum(({ serverSeconds }) => serverSeconds) * 1e6) / operations,
    generatorMicroseconds: (sum(({ generatorSeconds }) => generatorSeconds) * 1e6) / operations,
  };
}

export function sameCell(a: Cell, b: Cell): boolean {
  return a.work === b.work && a.callers === b.callers && a.valueBytes === b.valueBytes;
}

/** How many times as fast PennCloud is in the same cell; undefined if that says nothing: one of them has no answer in it. */
export function ratioTo(run: Run, runs: readonly Run[]): number | undefined {
  const own = runs.find((other) => other.system === 'penncloud' && sameCell(other, run));
  return own && run.opsPerSecond > 0 ? own.opsPerSecond / run.opsPerSecond : undefined;
}

export type Goal = {
  readonly name: string;
  readonly wanted: string;
  readonly got: string;
  readonly met: boolean;
};

/** The goals whose cells were measured. Sizes as in plan.ts. */
export function goalsOf({ runs, disk, loopback }: Pick<Results, 'runs' | 'disk' | 'loopback'>): Goal[] {
  const goals: Goal[] = [];
  const find = (system: SystemName, work: string, callers: number, valueBytes: number): Run | undefined =>
    runs.find(
      (run) =>
        run.system === system &&
        run.work === work &&
        run.callers === callers &&
        run.valueBytes === valueBytes,
    );
  const add = (name: string, got: number, least: number, unit = '×'): void =>
    void goals.push({
      name,
      wanted: `>= ${least}${unit}`,
      got: `${got.toFixed(2)}${unit}`,
      met: got >= least,
    });
  const faster = (work: string, peer: SystemName, least: number): void => {
    const [own, other] = [find('penncloud', work, 64, 100), find(peer, work, 64, 100)];
    if (own && other) {
      add(`${work}, 64 callers, 100 bytes, against ${peer}`, own.opsPerSecond / other.opsPerSecond, least);
    }
  };
  faster('put', 'etcd', 5);
  faster('put', 'jetstream', 1.5);
  faster('put', 'redis', 1);
  for (const peer of ['etcd', 'jetstream'] as const) {
    const [own, other] = [find('penncloud', 'put', 64, 100), find(peer, 'put', 64, 100)];
    if (!own || !other) continue;
    goals.push({
      name: `put, 64 callers, 100 bytes: p99 against ${peer}`,
      wanted: `<= ${other.p99Ms.toFixed(1)} ms`,
      got: `${own.p99Ms.toFixed(1)} ms`,
      met: own.p99Ms <= other.p99Ms,
    });
  }
  faster('get', 'jetstream', 4);
  faster('get', 'redis', 0.8);
  const large = runs.filter(
    ({ system, work, valueBytes }) => system === 'penncloud' && work === 'put' && valueBytes === 1024 * 1024,
  );
  const diskRate = disk.find(({ writeBytes }) => writeBytes === 1024 * 1024);
  if (large.length > 0 && diskRate) {
    const best = Math.max(...large.map(({ megabytesPerSecond }) => megabytesPerSecond));
    const third = diskRate.megabytesPerSecond / 3;
    add(
      `1 MB put, the best MB/s, of a third of the disk's ${diskRate.megabytesPerSecond.toFixed(0)} MB/s`,
      (best / third) * 100,
      90,
      ' %',
    );
  }
  const alone = find('penncloud', 'put', 1, 100);
  const sync = disk.find(({ writeBytes }) => writeBytes === 4096);
  if (alone && sync) {
    const most = 2 * (sync.p50Ms + 2 * loopback.p50Ms);
    goals.push({
      name: 'put, one caller: p50 against twice one fdatasync and two loopback round trips',
      wanted: `<= ${most.toFixed(2)} ms`,
      got: `${alone.p50Ms.toFixed(2)} ms`,
      met: alone.p50Ms <= most,
    });
  }
  return goals;
}
