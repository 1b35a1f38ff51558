/**
 * All that one replica of a tablet knows, and the few helpers by which its duties speak. The duties
 * (primary.ts, member.ts, promotion.ts, membership.ts) are functions over this state; replica.ts
 * dispatches. No I/O, clock, randomness or promises: `now` comes in, outputs go out.
 */
import type { Epoch, NodeId, Seq, Version } from '../words.ts';
import type { Configuration } from './configuration.ts';
import type { EpochEnd, MessageBody, Output, QueryReply, Role } from './messages.ts';
import type { PreparedLog } from './prepared-log.ts';

/** Milliseconds. grace > lease + clock drift (rule 7); both are counted on monotonic clocks. */
export type Timing = {
  readonly beaconMs: number;
  readonly leaseMs: number;
  readonly graceMs: number;
  /** A member of the in-sync set that said nothing for so long is removed; one that is suspected, after half. */
  readonly suspectMs: number;
  /** Unanswered appends and compare-and-sets are sent again after this. */
  readonly retryMs: number;
  /** Catch-up reads this many bytes of log at a time. */
  readonly catchUpBytes: number;
  /** Records sent but not acknowledged, per learner, before it must read from the log instead. */
  readonly streamCountMax: number;
  /** An acknowledgement later than this is late … */
  readonly slowLagMs: number;
  /** … and a member all of whose acknowledgements are late for so long is slow (rule 15). */
  readonly slowForMs: number;
  /** A learner whose cells are this many entries behind copies them instead of projecting. */
  readonly snapshotEntries: number;
  readonly snapshotChunkBytes: number;
  /** Of each snapshot, so that catching up leaves the disk to those who are in sync (rule 13). */
  readonly snapshotBytesPerSecond: number;
  /** A snapshot that nobody asks about for so long is closed. */
  readonly snapshotIdleMs: number;
  /** The copy that should lead gets the lead back after it has kept up for so long. */
  readonly preferredAfterMs: number;
};

/**
 * Why these. A killed primary is replaced after: grace, one tick (25 ms), a compare-and-set, a saved
 * configuration and a committed entry; 1.5 s are promised for all of it and the client's way, on machines
 * whose event loops stand still for 100 to 200 ms now and then.
 *
 *   grace 750    lease 450 x 1.25 drift of both clocks = 562, and a beacon (75), and a stall of 110
 *   lease 450    six beacons: five may be lost or late before reads wait
 *   beacon 75    three ticks; 12 tablets on 3 nodes send 110 a second and node
 *   suspect 750  a removal is safe at any time (rule 4); sooner than a grace it would cost copies for nothing
 *   slow         longer than any pause of a garbage collector or disk cache, shorter than a user's patience
 */
export const DEFAULT_TIMING: Timing = {
  beaconMs: 75,
  leaseMs: 450,
  graceMs: 750,
  suspectMs: 750,
  retryMs: 300,
  catchUpBytes: 2 * 1024 * 1024,
  streamCountMax: 4096,
  slowLagMs: 500,
  slowForMs: 5000,
  snapshotEntries: 50_000,
  snapshotChunkBytes: 1024 * 1024,
  snapshotBytesPerSecond: 64 * 1024 * 1024,
  snapshotIdleMs: 30_000,
  preferredAfterMs: 10_000,
};

/** What a primary knows of one other copy. */
export type Peer = {
  /** On that disk and equal to our log, acknowledged in `ackedVersion`. */
  match: Seq;
  ackedVersion: Version | undefined;
  /** The next seq to send. */
  next: Seq;
  /**
   * probe: where do our logs meet? asked, waiting for the answer
   * catchUp: reading from our log for it, one chunk at a time
   * stream: gets every new entry as it is proposed
   */
  mode: 'probe' | 'catchUp' | 'stream';
  reading: boolean;
  /** It said that its disk has no room, and has acknowledged nothing new since. */
  full: boolean;
  /** Our clock when the newest beacon that it acknowledged was sent. */
  beaconAcked: number | undefined;
  lastHeard: number;
  /** When the link to it broke, or the master said that it does not hear it: counts until it is heard again. */
  suspectedAt: number;
  /** It asked to be left out until then. */
  leavingUntil: number;
  /** It refused to lead, or did not answer. */
  declinedUntil: number;
  /** Since when it lags, or keeps up, without a break (rule 15). */
  lagsSince: number | undefined;
  keepsUpSince: number | undefined;
  /** When to ask again if what was sent is not acknowledged. Beacons alone put nothing off. */
  retryAt: number;
};

/** A compare-and-set whose outcome is not known yet. */
export type PendingChange = {
  readonly next: Configuration;
  readonly purpose: 'campaign' | 'reopen' | 'remove' | 'admit' | 'handOver';
  /** Who is left out for slowness. */
  readonly slow: readonly NodeId[];
  /** The first attempt; of a campaign, the first since the primary was last promised anything. */
  askedAt: number;
  /** The newest attempt. */
  sentAt: number;
  inFlight: boolean;
  /** An attempt got no answer: it may take effect at any time, whatever becomes of later attempts. */
  ambiguous: boolean;
};

export type ChunkBody = Extract<MessageBody, { type: 'snapshotChunk' }>;

/** What a primary keeps of one snapshot that a copy is reading. */
export type Sending = {
  readonly snapshot: string;
  /** The chunk that was asked for last, from 1. */
  chunk: number;
  /** That chunk, once it is read; kept until the next is asked for. */
  ready: ChunkBody | undefined;
  reading: boolean;
  answered: boolean;
  askedAt: number;
  /** Not to be answered before this: so many bytes a second. */
  notBefore: number;
};

/** What a learner knows of the snapshot that it is taking. */
export type Taking = {
  /** '' until the primary has named it. */
  snapshot: string;
  next: number;
  at: Seq;
  stage: 'asking' | 'writing' | 'complete' | 'adopting';
  askedAt: number;
};

export type ReplicaState = {
  readonly self: NodeId;
  readonly timing: Timing;
  /** Hex sha256 of a configuration's canonical form; pure, passed in because this folder imports no crypto. */
  readonly hash: (configuration: Configuration) => string;
  readonly cellForm: number;
  now: number;
  out: Output[];

  /** Durable here; undefined until the first arrives. */
  configuration: Configuration | undefined;
  /** Newer than `configuration`, being made durable. */
  saving: Configuration | undefined;
  role: Role;
  log: PreparedLog;

  /** Set when this copy's bytes cannot be trusted; it takes part in nothing until wiped. */
  quarantine: string | undefined;
  /** Its bytes read well all the same: an operator may choose it for want of a better one (rule 10). */
  isSuspect: boolean;
  wiping: boolean;
  /** This copy cut a torn tail at open: rule 5. */
  cutTail: boolean;
  queryReplies: Map<NodeId, QueryReply>;
  lastQuery: number;
  /**
   * Nobody counts on entries that this disk had and lost. False while a copy started without a saved
   * configuration, or was wiped: it saves none, takes nothing and acknowledges nothing until its primary
   * has forgotten what it acknowledged before (rule 11). So a saved configuration means a trusted disk.
   */
  trusted: boolean;
  /** When the disk was found empty: names one withdrawal. */
  withdrawAt: number;
  lastWithdraw: number;
  /**
   * Configured primary of an epoch that this run did not ask for, or cannot go on with: needs a new
   * one, not before `reopenAfter`. Sends no beacons meanwhile, so that others may replace it.
   */
  mustReopen: boolean;
  reopenAfter: number;

  pending: PendingChange | undefined;
  /** A refused change is not asked for again before this. */
  askAfter: number;
  storeAnswers: boolean;

  /** As primary: the lead is to be handed over (rule 16), and to whom it was offered. */
  wish: { readonly to: NodeId | undefined; readonly until: number } | undefined;
  offer: { readonly to: NodeId; readonly next: Configuration; readonly until: number } | undefined;
  /** Stopped serving for a hand-over; nobody is served in this epoch before it is certain to have failed. */
  handingOver: boolean;
  /** As member: the configuration, with us as primary, that we accepted in this run. */
  accepted: { readonly next: Configuration; readonly at: number } | undefined;
  /** This copy asked to be left out until then: it takes no lead. */
  leavingUntil: number;
  /** Our own disk has no room (rule 12). */
  full: boolean;
  /** Why this copy cannot serve although its log is sound. */
  unable: string | undefined;

  /** As primary: the epoch's opening entry; serving once it is committed. */
  openingSeq: Seq | undefined;
  serving: boolean;
  peers: Map<NodeId, Peer>;
  lastBeacon: number;
  /** The end of our log, now and some time ago (slowness.ts). */
  newMark: { readonly seq: Seq; readonly at: number };
  oldMark: { readonly seq: Seq; readonly at: number };
  /** How often a member was ejected for slowness in this epoch. */
  ejections: Map<NodeId, number>;

  /** As member: up to here our log is known to equal the primary's, in this epoch. */
  verified: Seq;
  /** The commit index that the primary told us. */
  heardCommit: Seq;
  /** Nobody may be replaced before this (rule 7). */
  graceUntil: number;
  /** Since when this copy waits for the others at the first start. */
  waitingSince: number;
  lastTick: number;
  /** For how long this process stood still lately: the longest, halved every second, half a lease at most. */
  stallMs: number;

  /** As primary: snapshots of the cells that others are reading, and how many there were. */
  sending: Map<NodeId, Sending>;
  snapshots: number;
  /** How far our cells have come. */
  applied: Seq;
  /** As learner: the snapshot being taken; another is not begun before `takeAfter`. */
  taking: Taking | undefined;
  takeAfter: number;
};

export function send(state: ReplicaState, to: NodeId, body: MessageBody): void {
  const { configuration } = state;
  if (!configuration) return;
  state.out.push({
    kind: 'send',
    to,
    message: {
      tablet: configuration.tablet,
      epoch: configuration.epoch,
      version: configuration.version,
      body,
    },
  });
}

/** Silence while this process itself stood still accuses nobody: what they said is still to be read. */
export function forgiveOwnPause(state: ReplicaState): void {
  const gap = state.now - state.lastTick;
  state.lastTick = state.now;
  // A tick is due several times a beacon.
  const { beaconMs, leaseMs } = state.timing;
  state.stallMs = Math.max(0, Math.min(gap - beaconMs, leaseMs / 2), state.stallMs * 0.5 ** (gap / 1000));
  if (gap < state.timing.suspectMs / 2) return;
  state.graceUntil = Math.max(
    state.graceUntil,
    Math.min(state.graceUntil + gap, state.now + state.timing.graceMs),
  );
  for (const peer of state.peers.values()) peer.lastHeard = Math.min(peer.lastHeard + gap, state.now);
}

/** Members whose acknowledgement a commit and a lease need: with a change pending, old and new (rule 4). */
export function neededMembers(state: ReplicaState): readonly NodeId[] {
  const now = state.configuration?.inSync ?? [];
  const next = state.pending?.next.inSync ?? [];
  const saving = state.saving?.inSync ?? [];
  return [...new Set([...now, ...next, ...saving])];
}

export function others(state: ReplicaState): readonly NodeId[] {
  return state.configuration?.replicas.filter((node) => node !== state.self) ?? [];
}

export function isInSync(state: ReplicaState, node: NodeId): boolean {
  return state.configuration?.inSync.includes(node) ?? false;
}

export function isPrimary(state: ReplicaState): boolean {
  return state.role === 'primary';
}

/**
 * Asking to replace the primary, and bound by no promise to it. Who has answered a beacon since it asked is
 * a member again, whatever may yet become of its request (rule 7).
 */
export function isCampaigning(state: ReplicaState): boolean {
  return state.pending?.purpose === 'campaign' && state.now >= state.graceUntil;
}

/** Whether this copy could lead as it is; one that cut its tail must hear the others first (rule 5). */
export function isSound(state: ReplicaState): boolean {
  const { trusted, cutTail, quarantine, full, unable, leavingUntil, now } = state;
  return trusted && !cutTail && !quarantine && !full && unable === undefined && now >= leavingUntil;
}

/** a < b in the order of (epoch, seq). */
export function isBehind(a: EpochEnd, b: EpochEnd): boolean {
  return a.epoch !== b.epoch ? a.epoch < b.epoch : a.end < b.end;
}

export function lastOf(log: PreparedLog): EpochEnd {
  return { epoch: log.lastEpoch as Epoch, end: log.last };
}
