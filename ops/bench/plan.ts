/**
 * What a run measures: cells (a kind of work, a number of callers, a length of values) in rounds. Pure.
 *
 * The default is everything; `quick` is one round of short windows, within four minutes on two cores.
 * Whatever else is asked for (systems, work, callers, lengths, seconds, rounds) narrows or changes it.
 */
import { SYSTEMS, type SystemName } from './systems/system.ts';
import { keyCount, WORKS, type Cell, type Work } from './load/workload.ts';

export type Wishes = {
  readonly quick?: boolean;
  readonly systems?: readonly SystemName[];
  readonly work?: readonly Work[];
  readonly callers?: readonly number[];
  readonly valueBytes?: readonly number[];
  readonly seconds?: number;
  readonly rounds?: number;
};

export type Plan = {
  readonly systems: readonly SystemName[];
  readonly cells: readonly Cell[];
  readonly rounds: number;
  readonly quick: boolean;
  /** True if nothing was narrowed: only then do the results stand for the suite. */
  readonly whole: boolean;
  readonly windowMsOf: (cell: Cell) => number;
  readonly warmUpMs: number;
  /** Windows become shorter when the run would take longer than this; undefined: it takes what it takes. */
  readonly limitMs: number | undefined;
  /** What the data of a run may take on the disk. */
  readonly roomBytes: number;
};

export const SMALL_BYTES = 100;
export const LARGE_BYTES = 1024 * 1024;
const CALLERS = [1, 16, 64, 256];
/** 256 MB in flight would measure each system's limit on memory: etcd refuses, Redis buffers. */
const LARGE_CALLERS = [1, 16, 64];
const QUICK_LARGE_CALLERS = [1, 16];
const LARGE_WINDOW_MS_MAX = 3000;
/** Below four minutes by what it may take to read values back and to stop. */
const QUICK_LIMIT_MS = 200_000;
const GIB = 1024 ** 3;

export function planOf(wishes: Wishes): Plan {
  const quick = wishes.quick ?? false;
  const windowMs = (wishes.seconds ?? (quick ? 1.2 : 4)) * 1000;
  const isLarge = ({ valueBytes }: Cell): boolean => valueBytes > 64 * 1024;
  const cells = (wishes.valueBytes ?? [SMALL_BYTES, LARGE_BYTES]).flatMap((valueBytes) =>
    (wishes.work ?? worksFor(valueBytes, quick)).flatMap((work) =>
      (wishes.callers ?? callersFor(valueBytes, quick))
        .filter((callers) => callers <= keyCount(valueBytes))
        .map((callers): Cell => ({ work, callers, valueBytes })),
    ),
  );
  const { systems, work, callers, valueBytes } = wishes;
  const narrowed = [systems, work, callers, valueBytes].some((wish) => wish !== undefined);
  return {
    systems: systems ?? SYSTEMS,
    cells,
    rounds: wishes.rounds ?? (quick ? 1 : 3),
    quick,
    whole: !quick && !narrowed,
    windowMsOf: (cell) => (isLarge(cell) ? Math.min(windowMs, LARGE_WINDOW_MS_MAX) : windowMs),
    warmUpMs: quick ? 300 : 1000,
    limitMs: quick ? QUICK_LIMIT_MS : undefined,
    roomBytes: (cells.some(isLarge) ? (quick ? 8 : 40) : 4) * GIB,
  };
}

function worksFor(valueBytes: number, quick: boolean): readonly Work[] {
  return valueBytes === LARGE_BYTES && quick ? ['put', 'get'] : WORKS;
}

function callersFor(valueBytes: number, quick: boolean): readonly number[] {
  if (valueBytes !== LARGE_BYTES) return CALLERS;
  return quick ? QUICK_LARGE_CALLERS : LARGE_CALLERS;
}

/** The systems' order in a round: each comes first in turn, so that none always follows the same other. */
export function orderOf<T>(systems: readonly T[], round: number): T[] {
  return systems.map((_, i) => systems[(i + round) % systems.length]!);
}
