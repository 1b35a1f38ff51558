/**
 * What one run is made of. Each seed has only some kinds of fault (swarm testing: Groce et al. 2012), so
 * that rare combinations get runs of their own.
 */
import type { Random } from '../engine/random.ts';
import type { NetworkProfile } from '../machines/network.ts';

export const FAULT_KINDS = [
  'kill',
  'power cut',
  'blackout',
  'stop',
  'rolling restart',
  'hand-over',
  'suspicion',
  'pause',
  'block',
  'isolate',
  'reset',
  'store down',
  'store slow',
  'store link',
  'store rollback',
  'disk full',
  'failed fsync',
  'wipe',
  'flipped byte',
  'hole',
  'lost tail',
  'misdirected write',
  'damaged cell',
  'clock jump',
  'slow disk',
  'slow replica',
  'slow link',
  'late answers',
  'client reset',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export type Profile = {
  readonly nodes: number;
  readonly tablets: number;
  readonly clients: number;
  readonly operations: number;
  /** Between two operations of one client, about. */
  readonly thinkMs: number;
  /** Share of values longer than a cell holds, and than a record holds. */
  readonly longValues: number;
  readonly largeValues: number;
  /** How long faults go on at most. */
  readonly faultMs: number;
  readonly everyMs: number;
  /** Each clock runs faster or slower by up to this share; lease (1 + d) < grace (1 - d). */
  readonly drift: number;
  readonly skewMs: number;
  readonly network: NetworkProfile;
  /** Share of answers of the config store that are lost. */
  readonly ambiguity: number;
  readonly syncMs: number;
  readonly writeMs: number;
  /** A process dies by itself after about so many operations; Infinity: never. */
  readonly lifeOperations: number;
  readonly tears: boolean;
  readonly journalSegmentBytes: number;
  readonly tabletSegmentBytes: number;
  /** A learner so far behind copies cells instead of projecting. */
  readonly snapshotEntries: number;
  /** After how long a slow copy is left out (rule 15). */
  readonly slowForMs: number;
  /** How much of what the first client does is reading. */
  readonly readerShare: number;
  /** Peace begins with a start of all nodes. */
  readonly restartsAll: boolean;
  readonly kinds: readonly FaultKind[];
  /** Of the faults, which are numbered as they come, only these; undefined: all. */
  readonly faults?: readonly number[] | undefined;
};

export function profileFor(random: Random): Profile {
  const unordered = random.chance(0.25);
  const share = random.pick([0.06, 0.15, 0.3, 0.5]);
  const kinds = FAULT_KINDS.filter(() => random.chance(share));
  return {
    nodes: random.chance(0.75) ? 3 : 3 + random.below(3),
    tablets: random.chance(0.6) ? 1 : 2,
    clients: 3 + random.below(5),
    operations: 200 + random.below(100),
    thinkMs: random.pick([5, 20, 60]),
    longValues: random.pick([0, 0, 0.1]),
    largeValues: random.pick([0, 0, 0, 0.02]),
    faultMs: random.between(3000, 12_000),
    everyMs: random.pick([150, 400, 1200]),
    drift: random.pick([0, 0.05, 0.15]),
    skewMs: random.pick([0, 200, 60_000]),
    network: { latencyMs: random.pick([0.3, 2, 15]), unordered, loss: random.pick([0.005, 0.04]) },
    ambiguity: random.pick([0, 0.1, 0.4]),
    syncMs: random.pick([0.3, 2, 10]),
    writeMs: random.pick([0, 0, 0.5]),
    lifeOperations: random.chance(0.4) ? random.pick([300, 2000]) : Infinity,
    tears: random.chance(0.5),
    journalSegmentBytes: random.pick([16, 32, 64]) * 1024,
    tabletSegmentBytes: random.pick([4, 32]) * 1024,
    snapshotEntries: random.pick([5, 40, 50_000]),
    slowForMs: random.pick([700, 2000, 5000]),
    restartsAll: random.chance(0.3),
    readerShare: random.pick([0.8, 1]),
    // What a repeated or overtaken message says of a copy that lost its disk is believed: TCP has none.
    kinds: unordered ? kinds.filter((kind) => !DAMAGE.has(kind)) : kinds,
  };
}

const DAMAGE: ReadonlySet<FaultKind> = new Set([
  'flipped byte',
  'hole',
  'lost tail',
  'misdirected write',
  'failed fsync',
]);

/** Only delays and drifting clocks are left. */
export function calmed(profile: Profile): Profile {
  const network = { ...profile.network, unordered: false };
  return {
    ...profile,
    network,
    skewMs: 0,
    ambiguity: 0,
    lifeOperations: Infinity,
    tears: false,
    restartsAll: false,
    kinds: [],
  };
}
