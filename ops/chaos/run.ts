/**
 * A run: a cluster of its own, callers on it, one fault after the other as the seed says, recovery awaited
 * after each, and a verdict in the end. What the run made is removed, unless something was wrong: then it
 * stays, with the history beside it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TcpStoreClient } from '../../storage-nodes/client/store-client.ts';
import type { Settings } from '../processes/settings.ts';
import { findClockLibrary } from './clock.ts';
import { ChaosCluster } from './cluster.ts';
import { canMeet, type Fault } from './fault.ts';
import { FAULTS } from './faults.ts';
import { longestGap } from './gaps.ts';
import { Load } from './load.ts';
import { SeededRandom } from './seeded-random.ts';
import { copyReasons, linearizabilityReasons, logReasons, type Disagreement } from './verdict.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly callers: number;
  /** Faults whose name contains this; undefined: all. */
  readonly only: string | undefined;
  /** Name the config store, too. */
  readonly settings: Settings;
  /** Replays every copy of every tablet and compares. */
  readonly verify: (
    store: TcpStoreClient,
    settings: Settings,
  ) => Promise<readonly (Disagreement & { readonly agrees: boolean })[]>;
  readonly say: (line: string) => void;
  /** Aborted: the run ends early, without a verdict. */
  readonly signal: AbortSignal;
}

export interface FaultFigures {
  readonly fault: string;
  readonly count: number;
  readonly writeGapMs: number;
  readonly readGapMs: number;
  /** From the beginning of the fault to a cluster that is whole again, the longest. */
  readonly recoveryMs: number;
}

export interface ChaosReport {
  readonly seed: number;
  readonly minutes: number;
  readonly faults: readonly FaultFigures[];
  readonly leftOut: readonly { readonly fault: string; readonly reason: string }[];
  readonly operations: number;
  readonly acknowledgedWrites: number;
  /** Calls that were not answered in time, by what the client said. */
  readonly unanswered: Readonly<Record<string, number>>;
  readonly reasons: readonly string[];
  /** Where everything is kept; undefined if all was well. */
  readonly kept: string | undefined;
}

/** How long callers are alone with the cluster before each fault. */
const CALM_MS_MAX = 1_500;
const TWO_AT_ONCE = 'two of these at once';
const TWO_AT_ONCE_SHARE = 0.3;

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const folder = mkdtempSync(join(tmpdir(), 'penncloud-chaos-'));
  const random = new SeededRandom(options.seed);
  const smallDiskNode = `node-${1 + random.below(3)}`;
  let cluster: ChaosCluster | undefined;
  let failed = true;
  try {
    cluster = await ChaosCluster.start({
      settings: { ...options.settings, dataFolder: folder, scrubSeconds: 1 },
      clockLibrary: findClockLibrary(),
      smallDiskNode,
    });
    const report = await new ChaosRun(options, cluster, random).toTheEnd(folder);
    failed = report.reasons.length > 0;
    return report;
  } finally {
    await cluster?.stop();
    if (failed && !options.signal.aborted) options.say(keptWords(folder, cluster));
    else {
      cluster?.smallDisk?.unmount();
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

function keptWords(folder: string, cluster: ChaosCluster | undefined): string {
  const disk = cluster?.smallDisk?.folder;
  return disk === undefined
    ? `Kept for a look: ${folder}`
    : `Kept for a look: ${folder} (before you remove it: umount ${disk})`;
}

interface Struck {
  readonly fault: string;
  readonly from: number;
  readonly to: number;
}

class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #cluster: ChaosCluster;
  readonly #random: SeededRandom;
  readonly #struck: Struck[] = [];

  constructor(options: ChaosOptions, cluster: ChaosCluster, random: SeededRandom) {
    this.#options = options;
    this.#cluster = cluster;
    this.#random = random;
  }

  async toTheEnd(folder: string): Promise<ChaosReport> {
    const { seed, minutes, callers, say } = this.#options;
    await this.#cluster.recovered();
    say(`The cluster runs in ${folder}; ${callers} callers begin.`);
    const { store, readers } = this.#cluster;
    const load = new Load({ store, readers, callers, seed });
    const reasons: string[] = [];
    const broken = await this.#breakThings().catch((error: Error) => error);
    if (broken) reasons.push(broken.message);
    reasons.push(...(await load.stop()));
    reasons.push(...(await this.#verdict(load)));
    if (reasons.length > 0)
      writeFileSync(join(folder, 'history.json'), JSON.stringify(load.history.operations));
    return {
      seed,
      minutes,
      faults: this.#figures(load),
      leftOut: this.#leftOut(),
      operations: load.history.operations.length,
      acknowledgedWrites: load.acknowledged.length,
      unanswered: Object.fromEntries(load.unanswered),
      reasons,
      kept: reasons.length > 0 ? folder : undefined,
    };
  }

  /** Faults in a shuffled order, each once before any comes again; some meet a second one. */
  async #breakThings(): Promise<void> {
    const { say, signal, minutes } = this.#options;
    const end = performance.now() + minutes * 60_000;
    const possible = this.#wanted().filter((fault) => fault.obstacle?.(this.#cluster) === undefined);
    let deck: Fault[] = [];
    while (performance.now() < end) {
      if (deck.length === 0) deck = this.#random.shuffled(possible);
      const faults = this.#together(deck.pop()!, possible);
      // Generators of their own: what one fault draws changes nothing in those that follow.
      const seeds = faults.map(() => this.#random.below(2 ** 31));
      await sleep(this.#random.between(0, CALM_MS_MAX), undefined, { signal });
      say(`${faults.map(({ name }) => name).join(' and ')} …`);
      const from = performance.now();
      const fault = faults.length > 1 ? TWO_AT_ONCE : faults[0]!.name;
      try {
        const done = await Promise.all(
          faults.map((one, at) => one.run(this.#cluster, new SeededRandom(seeds[at]!))),
        );
        await this.#cluster.recovered();
        say(`  … ${done.join('; ')}; whole again after ${Math.round(performance.now() - from)} ms`);
      } finally {
        this.#struck.push({ fault, from, to: performance.now() });
      }
      signal.throwIfAborted();
    }
  }

  #together(fault: Fault, possible: readonly Fault[]): readonly Fault[] {
    const partners = possible.filter((other) => canMeet(fault, other));
    if (!this.#random.chance(TWO_AT_ONCE_SHARE) || partners.length === 0) return [fault];
    return [fault, this.#random.pick(partners)];
  }

  async #verdict(load: Load): Promise<readonly string[]> {
    const { store, settings } = this.#cluster;
    const { verify } = this.#options;
    const checks: readonly [string, () => Promise<readonly string[]>][] = [
      ['a last read of every cell', () => load.readAll().then(() => [])],
      ['linearizability', () => Promise.resolve(linearizabilityReasons(load.history.operations))],
      ['the logs', () => logReasons(store, load.acknowledged)],
      ['the copies', async () => copyReasons(await verify(store, settings))],
    ];
    const reasons: string[] = [];
    for (const [name, check] of checks) {
      // One check that cannot be made must not keep the others from speaking.
      const found = await check().catch((error: Error) => [`${name}: ${error.message}`]);
      reasons.push(...found);
    }
    return reasons;
  }

  #figures(load: Load): readonly FaultFigures[] {
    const names = [...this.#wanted().map(({ name }) => name), TWO_AT_ONCE];
    return names.flatMap((name) => {
      const struck = this.#struck.filter(({ fault }) => fault === name);
      if (struck.length === 0) return [];
      const longest = (of: (one: Struck) => number): number => Math.round(Math.max(...struck.map(of)));
      return {
        fault: name,
        count: struck.length,
        writeGapMs: longest(({ from, to }) => longestGap(load.writeAnswers, from, to)),
        readGapMs: longest(({ from, to }) => longestGap(load.readAnswers, from, to)),
        recoveryMs: longest(({ from, to }) => to - from),
      };
    });
  }

  #leftOut(): ChaosReport['leftOut'] {
    return this.#wanted().flatMap((fault) => {
      const reason = fault.obstacle?.(this.#cluster);
      return reason === undefined ? [] : { fault: fault.name, reason };
    });
  }

  #wanted(): readonly Fault[] {
    const { only } = this.#options;
    return FAULTS.filter(({ name }) => only === undefined || name.includes(only));
  }
}
