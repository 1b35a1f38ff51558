/**
 * The primary's duties: append and replicate, commit, beacons and lease, bringing other copies up to
 * date. A primary serves once the entry that opens its epoch is committed (rule 5).
 */
import type { LogRecord } from '../log/entry.ts';
import type { NodeId, Seq } from '../words.ts';
import { assert } from '../faults.ts';
import type { EpochEnd } from './messages.ts';
import { considerAdmitting } from './membership.ts';
import { isPrimary, neededMembers, others, send, type Peer, type ReplicaState } from './state.ts';

const ZERO = 0 as Seq;

export function newPeer(now: number): Peer {
  return {
    match: ZERO,
    ackedVersion: undefined,
    next: ZERO,
    mode: 'probe',
    reading: false,
    full: false,
    beaconAcked: undefined,
    lastHeard: now,
    suspectedAt: -Infinity,
    leavingUntil: -Infinity,
    declinedUntil: -Infinity,
    lagsSince: undefined,
    keepsUpSince: undefined,
    retryAt: -Infinity,
  };
}

/** Appends entries that continue the log in this epoch, and sends them to everyone who keeps up. */
export function propose(state: ReplicaState, records: readonly LogRecord[]): void {
  assert(isPrimary(state) && state.configuration, 'proposed to a replica that is not primary');
  const { log } = state;
  const prevSeq = log.last;
  const prevEpoch = log.lastEpoch;
  for (const record of records) {
    assert(record.epoch === state.configuration.epoch, 'proposed in another epoch');
    log.append(record);
  }
  for (const node of others(state)) {
    const peer = peerOf(state, node);
    if (peer.mode !== 'stream' || peer.next !== prevSeq + 1) continue;
    // A learner that does not keep up reads from the log instead of piling up here.
    if (peer.next - peer.match > state.timing.streamCountMax && !neededMembers(state).includes(node)) {
      peer.mode = 'catchUp';
      peer.next = (peer.match + 1) as Seq;
      continue;
    }
    peer.next = (log.last + 1) as Seq;
    if (peer.match === prevSeq) peer.retryAt = state.now + state.timing.retryMs;
    send(state, node, { type: 'append', prevSeq, prevEpoch, records, commit: log.committed });
  }
  // Last: the others write while this copy does (decision 0017).
  state.out.push({ kind: 'append', records });
}

/** Committed = on the disk of every needed member, acknowledged in this epoch and version (rule 3). */
export function advanceCommit(state: ReplicaState): void {
  if (!isPrimary(state) || !state.configuration || state.openingSeq === undefined) return;
  const { log } = state;
  let upTo: number = log.durable;
  for (const node of neededMembers(state)) {
    if (node === state.self) continue;
    const peer = state.peers.get(node);
    if (!peer || peer.ackedVersion !== state.configuration.version) return;
    upTo = Math.min(upTo, peer.match);
  }
  if (upTo <= log.committed) return;
  log.commit(upTo as Seq);
  state.out.push({ kind: 'commit', upTo: upTo as Seq });
  considerServing(state);
}

/** Rule 5: a primary serves once the entry that opens its epoch is committed. */
export function considerServing(state: ReplicaState): void {
  const { log, openingSeq, serving, handingOver } = state;
  if (serving || handingOver || openingSeq === undefined || log.committed < openingSeq) return;
  state.serving = true;
  state.out.push({ kind: 'serving', serving: true, epoch: state.configuration!.epoch });
}

export function onAck(state: ReplicaState, from: NodeId, match: Seq): void {
  const peer = peerOf(state, from);
  peer.lastHeard = state.now;
  peer.ackedVersion = state.configuration!.version;
  peer.retryAt = state.now + state.timing.retryMs;
  if (match > peer.match) {
    peer.match = match;
    peer.full = false;
  }
  if (peer.mode === 'probe') {
    // A probe was answered: our logs meet at `match` at least.
    peer.next = (peer.match + 1) as Seq;
    peer.mode = 'catchUp';
  }
  if (peer.mode === 'catchUp' && !peer.reading && peer.match >= peer.next - 1) sendNext(state, from, peer);
  advanceCommit(state);
  considerAdmitting(state);
}

/** The logs part before what we sent: find where they meet (rule 6), go on from there. */
export function onNack(state: ReplicaState, from: NodeId, ends: readonly EpochEnd[]): void {
  const peer = peerOf(state, from);
  peer.lastHeard = state.now;
  if (state.openingSeq === undefined) return; // the epoch is not ours yet
  const meet = state.log.matchWith(ends);
  // It no longer has what it acknowledged (a torn disk): that does not count until it has it again.
  if (meet.seq < peer.match) peer.match = meet.seq;
  // One answer to one probe; more of them would each send the whole suffix.
  if (peer.mode !== 'probe') return;
  peer.next = (meet.seq + 1) as Seq;
  peer.mode = 'catchUp';
  sendNext(state, from, peer);
}

/** Sends the next piece of the suffix that a copy misses: from memory if it is there, else from disk. */
function sendNext(state: ReplicaState, to: NodeId, peer: Peer): void {
  if (peer.reading) return;
  const { log } = state;
  const inMemory = log.recordsFrom(peer.next);
  if (inMemory) {
    peer.mode = 'stream';
    const prevSeq = (peer.next - 1) as Seq;
    peer.next = (log.last + 1) as Seq;
    peer.retryAt = state.now + state.timing.retryMs;
    if (inMemory.length > 0 || prevSeq > peer.match) {
      send(state, to, {
        type: 'append',
        prevSeq,
        prevEpoch: log.epochAt(prevSeq)!,
        records: inMemory,
        commit: log.committed,
      });
    }
    return;
  }
  peer.reading = true;
  state.out.push({ kind: 'readLog', peer: to, from: peer.next, maxBytes: state.timing.catchUpBytes });
}

export function onLogRead(state: ReplicaState, to: NodeId, from: Seq, records: readonly LogRecord[]): void {
  if (!isPrimary(state)) return;
  const peer = peerOf(state, to);
  peer.reading = false;
  if (peer.mode !== 'catchUp') return;
  if (peer.next !== from) return sendNext(state, to, peer);
  if (records.length === 0) return probe(state, to);
  const prevSeq = (from - 1) as Seq;
  peer.next = (records.at(-1)!.seq + 1) as Seq;
  peer.retryAt = state.now + state.timing.retryMs;
  send(state, to, {
    type: 'append',
    prevSeq,
    prevEpoch: state.log.epochAt(prevSeq)!,
    records,
    commit: state.log.committed,
  });
}

/** Asks a copy whether it has our last entry; its answer says where to go on. */
export function probe(state: ReplicaState, to: NodeId): void {
  const { log } = state;
  const peer = peerOf(state, to);
  peer.mode = 'probe';
  peer.retryAt = state.now + state.timing.retryMs;
  send(state, to, {
    type: 'append',
    prevSeq: log.last,
    prevEpoch: log.lastEpoch,
    records: [],
    commit: log.committed,
  });
}

/** Our own disk is full (rule 12). The caller offers the lead to a member that has room. */
export function onRefusedByDisk(state: ReplicaState): void {
  // Others may hold what our log has just lost, under this epoch: it must not number anything else (rule 6).
  // With a new epoch we wait for room, and long enough for a member that has some to lead.
  state.mustReopen = true;
  state.reopenAfter = state.now + 2 * state.timing.graceMs;
  if (state.openingSeq === undefined) return;
  state.openingSeq = undefined;
  state.serving = false;
  state.out.push({ kind: 'alarm', text: 'no room on the disk: this primary stops serving' });
  state.out.push({ kind: 'serving', serving: false, epoch: state.configuration!.epoch });
}

export function onFull(state: ReplicaState, from: NodeId): void {
  const peer = peerOf(state, from);
  peer.lastHeard = state.now;
  peer.full = true;
}

/** It is about to stop (rule 16); membership.ts judges whether we can do without it. */
export function onLeave(state: ReplicaState, from: NodeId): void {
  peerOf(state, from).leavingUntil = state.now + state.timing.suspectMs;
}

/** The link to it broke, or the master does not hear it: it is asked for less silence (membership.ts). */
export function onSuspected(state: ReplicaState, node: NodeId): void {
  const peer = state.peers.get(node);
  if (peer) peer.suspectedAt = state.now;
}

/** A learner starts from an empty disk: nothing it acknowledged before counts (rule 11). */
export function onWithdraw(state: ReplicaState, from: NodeId, at: number): void {
  if (state.openingSeq === undefined) return;
  // It is counted on, or may be: the configuration that follows will tell it.
  if (neededMembers(state).includes(from)) return;
  state.peers.set(from, newPeer(state.now));
  send(state, from, { type: 'withdrawn', at });
}

/** Sends beacons, and sends again what was not answered. */
export function primaryTick(state: ReplicaState): void {
  const { timing, now, log } = state;
  // A primary that waits for a new epoch keeps nobody from replacing it. At the first start there is
  // nothing to serve yet, and the answers tell who has the first configuration.
  const silent = state.configuration!.version > 1 && state.mustReopen;
  if (!silent && now - state.lastBeacon >= timing.beaconMs) {
    state.lastBeacon = now;
    for (const node of others(state))
      send(state, node, { type: 'beacon', sentAt: now, commit: log.committed });
  }
  if (state.openingSeq === undefined) return; // the epoch is not ours yet
  for (const node of others(state)) {
    const peer = peerOf(state, node);
    const settled =
      peer.mode === 'stream' && peer.match === log.last && peer.ackedVersion === state.configuration?.version;
    if (settled || peer.reading || now < peer.retryAt) continue;
    if (peer.ackedVersion !== state.configuration!.version) {
      send(state, node, { type: 'configure', configuration: state.configuration! });
    }
    probe(state, node);
  }
}

export function onBeaconAck(state: ReplicaState, from: NodeId, sentAt: number): void {
  const peer = peerOf(state, from);
  peer.lastHeard = state.now;
  // The moment of sending counts (rule 7); acknowledgements may overtake each other.
  if (peer.beaconAcked === undefined || sentAt > peer.beaconAcked) peer.beaconAcked = sentAt;
}

/**
 * Until when reads may be served, on our monotonic clock. Infinity: a sole member needs no lease. A node
 * whose event loop stands still now and then gives it up that much sooner (rule 7).
 */
export function leaseUntil(state: ReplicaState): number {
  if (!state.serving) return -Infinity;
  let until = Infinity;
  for (const node of neededMembers(state)) {
    if (node === state.self) continue;
    const acked = state.peers.get(node)?.beaconAcked;
    until = Math.min(until, acked === undefined ? -Infinity : acked + state.timing.leaseMs - state.stallMs);
  }
  return until;
}

export function peerOf(state: ReplicaState, node: NodeId): Peer {
  let peer = state.peers.get(node);
  if (!peer) {
    peer = newPeer(state.now);
    state.peers.set(node, peer);
  }
  return peer;
}
