/**
 * Handing the lead over (rule 16), so that a planned move costs writers one round trip and not a grace:
 *
 *   primary  offer: the very next configuration, with the target as primary of the next epoch
 *   target   answers yes if it is sound in this run, and remembers exactly what it accepted
 *   primary  stops serving and asks the store; what it proposed before may still commit
 *   target   learns from the store exactly what it accepted, and opens the epoch as if it had asked; it
 *            serves once the old primary has entered that epoch, or was silent for a grace and is removed
 *
 * The offer travels while the primary serves. Any message may be lost, repeated or late: an offer that is
 * not answered is dropped; an answer counts only for the offer that it names. A target that started anew
 * has accepted nothing: it waits a grace like anybody else. The old primary serves again, in its epoch, when
 * it is certain that its request changed nothing, and also when the store keeps it waiting: the request may
 * take effect at any later time, and ends its serving then. Why this is safe: ops/decisions/0008.
 */
import type { Epoch, NodeId } from '../words.ts';
import { hasLag } from './slowness.ts';
import { ask, mayAsk, successor } from './membership.ts';
import type { Configuration } from './configuration.ts';
import { considerServing } from './primary.ts';
import { isCampaigning, isPrimary, isSound, send, type ReplicaState } from './state.ts';

/** A wish to hand over; without `to`, to whoever can lead. */
export function wishHandOver(state: ReplicaState, to: NodeId | undefined): void {
  if (!isPrimary(state)) return;
  state.wish = { to, until: state.now + state.timing.graceMs };
  considerHandOver(state);
}

/** This copy is about to go, or should rest: it leads no more, and nobody waits for its disk. */
export function standDown(state: ReplicaState): void {
  const { configuration, role } = state;
  state.leavingUntil = state.now + state.timing.suspectMs;
  if (isPrimary(state)) return wishHandOver(state, undefined);
  // A learner says so too: it is not to be admitted. (It may be saving the first configuration it acts on.)
  if (configuration && (role === 'replica' || role === 'learner'))
    send(state, configuration.primary, { type: 'leave' });
}

/** Called every tick, and whenever something about it changed. */
export function considerHandOver(state: ReplicaState): void {
  const { configuration, now, timing } = state;
  if (!configuration || !isPrimary(state)) return;
  // The gap has a bound, whatever the store does.
  if (state.pending && !state.saving && now - state.pending.askedAt >= timing.retryMs) resume(state);
  if (state.offer && now >= state.offer.until) decline(state, state.offer.to);
  // A primary that cannot serve keeps wishing; its members may be as unable as it is.
  if (state.unable !== undefined) state.wish ??= { to: undefined, until: now + timing.graceMs };
  if (state.wish && now >= state.wish.until) state.wish = undefined;
  considerPreferred(state);
  if (!state.wish || state.offer || !mayAsk(state) || (!state.serving && !state.full)) return;
  // Where nothing is served, nothing is lost by asking a store that is away (rule 8).
  if (state.serving && state.unable === undefined && !state.storeAnswers) return;
  const target = bestTarget(state, configuration, state.wish.to);
  if (target === undefined) return;
  // The set stays as it is: also a copy without room holds what was committed. The next primary sees to it.
  const change = { epoch: (configuration.epoch + 1) as Epoch, primary: target };
  const next = successor(configuration, change, state.hash(configuration));
  state.offer = { to: target, next, until: now + timing.retryMs };
  send(state, target, { type: 'offer', configuration: next });
}

/**
 * Placement names first who should lead, so that leads lie evenly on the nodes. After failovers and
 * restarts the lead goes back there, once that copy has kept up for a while; never at the price of an
 * outage: a request that the store does not answer would keep this copy from serving (rule 8).
 */
function considerPreferred(state: ReplicaState): void {
  const { configuration, serving, wish, offer, now, timing } = state;
  const preferred = configuration!.replicas[0]!;
  if (!serving || wish || offer || !state.storeAnswers || !configuration!.inSync.includes(preferred)) return;
  const peer = state.peers.get(preferred);
  if (preferred === state.self || peer?.keepsUpSince === undefined) return;
  if (now - Math.max(peer.keepsUpSince, peer.declinedUntil) >= timing.preferredAfterMs)
    state.wish = { to: preferred, until: now + timing.graceMs };
}

/** The in-sync member that reaches furthest of those that keep up; it has everything committed in any case. */
function bestTarget(
  state: ReplicaState,
  configuration: Configuration,
  wanted: NodeId | undefined,
): NodeId | undefined {
  const able = configuration.inSync.filter((node) => {
    const peer = state.peers.get(node);
    if (!peer || node === state.self || (wanted !== undefined && node !== wanted)) return false;
    if (peer.full || peer.ackedVersion !== configuration.version || peer.mode !== 'stream') return false;
    if (peer.leavingUntil > state.now || peer.declinedUntil > state.now || hasLag(state, peer)) return false;
    return state.now - peer.lastHeard < 4 * state.timing.beaconMs;
  });
  const reach = (node: NodeId): number => state.peers.get(node)!.match;
  return able.sort((a, b) => reach(b) - reach(a))[0];
}

/** The target: yes, if this copy could lead as it is, and the offer follows from what it has on disk. */
export function onOffer(state: ReplicaState, from: NodeId, next: Configuration): void {
  const { configuration } = state;
  if (!configuration || next.primary !== state.self) return;
  const follows =
    next.version === configuration.version + 1 &&
    next.epoch === configuration.epoch + 1 &&
    next.lineage === configuration.lineage &&
    next.predecessor === state.hash(configuration) &&
    next.inSync.join() === configuration.inSync.join();
  const accepts =
    follows && isSound(state) && state.role === 'replica' && !isCampaigning(state) && !state.saving;
  if (accepts) state.accepted = { next, at: state.now };
  send(state, from, { type: 'offerAnswer', offer: state.hash(next), accepts });
}

export function onOfferAnswer(state: ReplicaState, from: NodeId, offer: string, accepts: boolean): void {
  if (!state.offer || state.offer.to !== from || state.hash(state.offer.next) !== offer) return;
  if (!accepts) {
    decline(state, from);
    return considerHandOver(state);
  }
  const { next } = state.offer;
  state.offer = undefined;
  if (!mayAsk(state)) return;
  state.wish = undefined;
  state.handingOver = true;
  if (state.serving) {
    state.serving = false;
    state.out.push({ kind: 'serving', serving: false, epoch: state.configuration!.epoch, successor: from });
  }
  ask(state, 'handOver', next);
}

/** The store changed nothing, or nobody knows: serve again once all that was proposed is committed. */
export function resume(state: ReplicaState): void {
  if (!state.handingOver) return;
  state.handingOver = false;
  // Each attempt is a gap for writers: nobody is given the lead back before another while.
  for (const peer of state.peers.values()) peer.declinedUntil = state.now;
  if (state.mustReopen || state.openingSeq === undefined) return;
  // Decisions start anew from cells: entries that are not committed yet must not be missed by them.
  state.openingSeq = state.log.last;
  considerServing(state);
}

function decline(state: ReplicaState, node: NodeId): void {
  state.offer = undefined;
  const peer = state.peers.get(node);
  if (peer) peer.declinedUntil = state.now + state.timing.graceMs;
}

/** Who leads from here on, as far as this copy has a hand in it; undefined: the configuration says. */
export function successorOf(state: ReplicaState): NodeId | undefined {
  const { self, accepted, pending, handingOver, role, openingSeq, now, timing } = state;
  if (pending?.purpose === 'handOver' && handingOver) return pending.next.primary;
  const hasAccepted = accepted !== undefined && now - accepted.at < timing.graceMs;
  const isRising = hasAccepted || isCampaigning(state);
  return isRising || (role === 'primary' && openingSeq !== undefined) ? self : undefined;
}
