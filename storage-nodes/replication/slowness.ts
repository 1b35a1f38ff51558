/**
 * Slow copies (rule 15). Every write waits for the slowest in-sync member. One whose acknowledgements
 * have lagged for long, by time and not by entries, leaves the in-sync set, if two that keep up remain.
 * It comes back after it has kept up for a while, which doubles with each ejection (hysteresis).
 *
 * Lag is measured with marks: the end of the log at one moment. A copy lags if it has not acknowledged
 * the older of the last two marks, which is `slowLagMs` old at least. What a primary remembers of
 * ejections ends with its epoch: a new primary sees for itself.
 */
import type { NodeId } from '../words.ts';
import type { Peer, ReplicaState } from './state.ts';

const DOUBLINGS_MAX = 5;

/** Called every tick of a primary, after it serves. */
export function observeLag(state: ReplicaState): void {
  const { now, log, timing } = state;
  if (now - state.newMark.at >= timing.slowLagMs) {
    state.oldMark = state.newMark;
    state.newMark = { seq: log.last, at: now };
  }
  for (const peer of state.peers.values()) {
    if (hasLag(state, peer)) {
      peer.lagsSince ??= now;
      peer.keepsUpSince = undefined;
    } else {
      peer.lagsSince = undefined;
      peer.keepsUpSince ??= now;
    }
  }
}

export function hasLag(state: ReplicaState, peer: Peer): boolean {
  return peer.match < state.oldMark.seq;
}

/** In-sync members to leave for slowness alone: none if fewer than two would keep up without them. */
export function slowMembers(state: ReplicaState, inSync: readonly NodeId[]): readonly NodeId[] {
  // Our own disk lags as well: nobody is slower than the machine they share.
  if (state.log.durable < state.oldMark.seq) return [];
  const slow = inSync.filter((node) => {
    const since = state.peers.get(node)?.lagsSince;
    return node !== state.self && since !== undefined && state.now - since >= state.timing.slowForMs;
  });
  return inSync.length - slow.length >= 2 ? slow : [];
}

export function noteEjections(state: ReplicaState, nodes: readonly NodeId[]): void {
  for (const node of nodes) state.ejections.set(node, (state.ejections.get(node) ?? 0) + 1);
}

/** Whether a copy that was ejected has kept up for as long as its record asks. */
export function hasRecovered(state: ReplicaState, node: NodeId): boolean {
  const times = state.ejections.get(node) ?? 0;
  if (times === 0) return true;
  const since = state.peers.get(node)?.keepsUpSince;
  const needed = state.timing.slowForMs * 2 ** Math.min(times - 1, DOUBLINGS_MAX);
  return since !== undefined && state.now - since >= needed;
}
