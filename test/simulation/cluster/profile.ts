/**
 * What one run is made of. Each seed has only some kinds of fault (swarm testing: Groce et al. 2012), so
 * that rare combinations get runs of their own.
 */
import type { NetworkProfile } from '../machines/network.ts';

export const FAULT_KINDS = [
  'kill',
  'deaths in a row',
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
  'full beginning',
  'failed fsync',
  'wipe',
  'flipped byte',
  'hole',
  'lost tail',
  'lost truncation',
  'misdirected write',
  'damaged cell',
  'clock jump',
  'slow disk',
  'slow replica',
  'slow link',
  'late answers',
  'late words',
  'client reset',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** So many operations no run has. (JSON knows no infinity.) */
export const NEVER = 1_000_000_000;

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
  /** A process dies by itself after about so many operations, or NEVER. */
  readonly lifeOperations: number;
  readonly tears: boolean;
  readonly journalSegmentBytes: number;
  readonly tabletSegmentBytes: number;
  /** A learner so far behind copies cells instead of projecting. */
  readonly snapshotEntries: number;
  /** After how long a slow copy is left out (rule 15). */
  readonly slowForMs: number;
  /** So many clients do hardly anything but look, and how much of what they do that is. */
  readonly readers: number;
  readonly readerShare: number;
  /** How many rows, and columns in each, clients use. */
  readonly rows: number;
  readonly columns: number;
  /** Share of processes that start again within 200 ms of their death. */
  readonly quickStarts: number;
  /** Peace begins with a start of all nodes. */
  readonly restartsAll: boolean;
  readonly kinds: readonly FaultKind[];
  /** Of the faults, which are numbered as they come, only these; undefined: all. */
  readonly faults?: readonly number[] | undefined;
};

/** Only delays and drifting clocks are left. */
export function calmed(profile: Profile): Profile {
  const network = { ...profile.network, unordered: false };
  return {
    ...profile,
    network,
    skewMs: 0,
    ambiguity: 0,
    lifeOperations: NEVER,
    tears: false,
    restartsAll: false,
    kinds: [],
  };
}
