/** One run of one seed. Requires a macrotask (see engine/world.ts). */
import { Random } from '../engine/random.ts';
import { World } from '../engine/world.ts';
import { Cluster } from '../cluster/cluster.ts';
import { profileFor } from '../cluster/draw-profile.ts';
import { calmed, type Profile } from '../cluster/profile.ts';

export type Options = {
  readonly tracing?: boolean;
  readonly calm?: boolean;
  /** What differs from the profile that the seed draws. */
  readonly change?: Partial<Profile>;
};

export type Outcome = {
  readonly seed: number;
  readonly violation: string | undefined;
  readonly profile: Profile;
  /** The numbers of the faults that came. */
  readonly inflicted: readonly number[];
  readonly operations: number;
  readonly acknowledged: number;
  /** The longest that a client waited for an answer that came. */
  readonly longestMs: number;
  readonly events: number;
  readonly simulatedMs: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly digest: number;
  readonly trace: readonly string[];
};

export function simulate(seed: number, options: Options = {}): Outcome {
  const world = new World(seed, options.tracing);
  // From a generator of its own: a kept run, which brings its profile, does not depend on how profiles are drawn.
  const drawn = profileFor(new Random(Math.imul(seed + 1, 0x2545f491)));
  const profile = { ...(options.calm ? calmed(drawn) : drawn), ...options.change };
  const cluster = new Cluster(world, profile);
  const onRejection = (error: unknown): void =>
    world.fail(`a promise was rejected and nobody looked: ${(error as Error)?.stack ?? String(error)}`);
  // Faults are thrown by the thousand: where each came from matters only to who reads a trace.
  const { stackTraceLimit } = Error;
  if (!options.tracing) Error.stackTraceLimit = 0;
  process.on('unhandledRejection', onRejection);
  try {
    cluster.run();
  } finally {
    process.off('unhandledRejection', onRejection);
    Error.stackTraceLimit = stackTraceLimit;
  }
  return {
    seed,
    violation: world.violation,
    profile,
    inflicted: cluster.faults.inflicted,
    operations: cluster.history.asked,
    acknowledged: cluster.history.acknowledged,
    longestMs: cluster.history.longestMs,
    events: world.events,
    simulatedMs: world.now,
    counts: world.counts,
    digest: world.digest,
    trace: world.trace,
  };
}
