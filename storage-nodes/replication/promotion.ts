/**
 * Becoming primary. Only a member of the in-sync set whose grace has run out may ask to replace the
 * primary (rules 5, 7); a primary that restarts asks for a new epoch, because entries of its old one
 * may have reached others without surviving here. Whoever wins keeps its prepared suffix, sends it to
 * the others, and serves after committing the entry that opens its epoch.
 */
import type { Epoch, NodeId, Seq } from '../words.ts';
import { isNewer, isSame, type Configuration } from './configuration.ts';
import { acknowledge, considerMended, introduce, tailRestored } from './member.ts';
import { ask, isOvertaken, mayAsk, successor } from './membership.ts';
import type { QueryReply, Role } from './messages.ts';
import { advanceCommit, newPeer, probe } from './primary.ts';
import { noteEjections } from './slowness.ts';
import { giveUp, stopSending } from './snapshot.ts';
import { isBehind, isCampaigning, isInSync, lastOf, others, send, type ReplicaState } from './state.ts';

/** A configuration that is newer than what we have: make it durable before acting on it (rule 2). */
export function learn(state: ReplicaState, configuration: Configuration, fromStore: boolean): void {
  const known = state.saving ?? state.configuration;
  if (known && !isNewer(configuration, known)) return;
  if (!state.trusted && configuration.version === 1) {
    // Nothing was written yet, so an empty disk lacks nothing; but a peer may be behind the store.
    if (!fromStore) return;
    state.trusted = true;
  }
  if (known && known.lineage !== configuration.lineage) {
    considerChosen(state, configuration);
    // Before it is saved: a restart that found the new lineage on the disk would doubt nothing any more.
    doubt(state, known, configuration);
    giveUp(state);
  }
  // A copy that takes part in nothing has nothing to keep.
  if (!state.trusted || state.quarantine) return enact(state, configuration);
  state.saving = configuration;
  state.out.push({ kind: 'saveConfiguration', configuration });
}

/** A forced recovery that leaves nobody else in sync was made for this copy: it is as trusted as it can be. */
function considerChosen(state: ReplicaState, { inSync }: Configuration): void {
  if (!state.isSuspect || inSync.some((node) => node !== state.self)) return;
  state.quarantine = undefined;
  state.isSuspect = false;
}

/** It is durable: act on it. */
export function enact(state: ReplicaState, configuration: Configuration): void {
  if (isSame(state.saving, configuration)) state.saving = undefined;
  const before = state.configuration;
  if (before && !isNewer(configuration, before)) return;
  // A forced recovery begins anew whatever its number (rule 10).
  const newEpoch =
    !before || before.epoch !== configuration.epoch || before.lineage !== configuration.lineage;
  const asked = isAskedFor(state, configuration);
  if (state.pending && isSame(state.pending.next, configuration)) noteEjections(state, state.pending.slow);
  state.configuration = configuration;
  state.accepted = undefined;
  state.offer = undefined;
  if (state.pending && isOvertaken(state.pending.next, configuration)) state.pending = undefined;
  distrust(state);
  // What the old lineage committed, the new one may not have (rule 10).
  if (before && before.lineage !== configuration.lineage) state.heardCommit = state.log.committed;
  const wasPrimary = state.role === 'primary';
  state.role = roleIn(state, configuration);
  if (state.quarantine) wipeIfReleased(state, configuration);
  if (wasPrimary && (newEpoch || state.role !== 'primary')) stopServing(state);
  if (newEpoch) {
    state.verified = 0 as Seq;
    state.graceUntil = state.now + state.timing.graceMs;
    state.mustReopen = false;
    state.handingOver = false;
    state.wish = undefined;
    state.queryReplies.clear();
    state.lastQuery = -Infinity;
  }
  state.out.push({ kind: 'role', role: state.role, configuration });

  if (state.role === 'primary') {
    if (newEpoch && asked && !mustHearAgain(state, before)) openEpoch(state, configuration);
    else if (newEpoch) mustReopen(state, configuration, asked);
    forgetRemoved(state, before, configuration);
    announce(state, configuration);
    // Who left may have been all that was waited for (rule 4).
    advanceCommit(state);
  } else if (newEpoch) {
    introduce(state);
  } else {
    acknowledge(state);
  }
}

/**
 * Whether this run may open the epoch at once. Accepted is as good as asked for: whoever offered it must say
 * that it has left its epoch, or be silent for a grace, before anything is served (rule 16). What was asked
 * for before the old primary was promised a lease again counts for nothing (rule 7).
 */
function isAskedFor(state: ReplicaState, configuration: Configuration): boolean {
  const { pending, accepted } = state;
  if (isSame(accepted?.next, configuration)) return true;
  return isSame(pending?.next, configuration) && (pending?.purpose !== 'campaign' || isCampaigning(state));
}

/** The others count on entries that this disk does not have (rule 11). */
export function distrust(state: ReplicaState): void {
  if (state.trusted || !isInSync(state, state.self)) return;
  state.quarantine ??= 'the configuration counts on this copy, but its disk is empty';
}

/**
 * A forced recovery goes on from one copy, which may not have seen the last epochs of the old lineage and
 * gives their numbers away again. What another copy has of such epochs cannot be told from the new (rule
 * 6 compares epochs), so that copy is fetched anew (rule 10). Where the new lineage began is known only
 * to who holds the very configuration that it was forced from: no epoch up to that one is given again.
 */
function doubt(state: ReplicaState, before: Configuration, configuration: Configuration): void {
  const { lastEpoch } = state.log;
  const isFirst = configuration.predecessor === state.hash(before);
  if (isFirst && lastEpoch < configuration.epoch) return;
  if (configuration.primary === state.self || state.log.last === 0) return;
  state.quarantine ??= `its entries of epoch ${lastEpoch} are of lineage ${before.lineage}, the tablet is in lineage ${configuration.lineage}`;
  state.out.push({ kind: 'alarm', text: `this copy is quarantined: ${state.quarantine}` });
}

/**
 * Made primary by a change that this run did not ask for: the first configuration, or a request of an
 * earlier run that took effect late. Since that run this copy may have cut its tail (rule 5) or answered
 * beacons (rule 7): it asks anew, under the conditions of today.
 */
function mustReopen(state: ReplicaState, configuration: Configuration, asked: boolean): void {
  state.mustReopen = true;
  state.waitingSince = state.now;
  state.reopenAfter = asked || configuration.version === 1 ? state.now : state.graceUntil;
}

/**
 * A copy with a cut tail asked to replace another primary. That one may have gone on until now, counting
 * what this copy acknowledged before its tail was lost, while the others took more than they had said. In
 * this copy's own epoch nobody takes anything: what they say in it holds (rule 5), and it asks once more.
 */
function mustHearAgain(state: ReplicaState, before: Configuration | undefined): boolean {
  return state.cutTail && before?.primary !== state.self;
}

/** A member that left may be wiped: what it acknowledged does not count when it comes back (rule 11). */
function forgetRemoved(state: ReplicaState, before: Configuration | undefined, now: Configuration): void {
  for (const node of before?.inSync ?? []) {
    const peer = state.peers.get(node);
    if (now.inSync.includes(node) || !peer) continue;
    state.peers.set(node, { ...newPeer(state.now), leavingUntil: peer.leavingUntil });
  }
}

export function roleIn(state: ReplicaState, configuration: Configuration): Role {
  if (state.quarantine) return 'quarantined';
  if (configuration.primary === state.self) return 'primary';
  if (configuration.inSync.includes(state.self)) return 'replica';
  return configuration.replicas.includes(state.self) ? 'learner' : 'none';
}

function openEpoch(state: ReplicaState, configuration: Configuration): void {
  tailRestored(state);
  state.peers = new Map(others(state).map((node) => [node, newPeer(state.now)]));
  state.openingSeq = (state.log.last + 1) as Seq;
  state.serving = false;
  state.ejections.clear();
  state.oldMark = state.newMark = { seq: 0 as Seq, at: state.now };
  state.out.push({ kind: 'openEpoch', seq: state.openingSeq, epoch: configuration.epoch });
}

/** Tells the other copies; what they acknowledged under the old version must be said again (rule 3). */
function announce(state: ReplicaState, configuration: Configuration): void {
  for (const node of others(state)) {
    send(state, node, { type: 'configure', configuration });
    const peer = state.peers.get(node);
    if (peer && state.openingSeq !== undefined && peer.mode !== 'catchUp') probe(state, node);
  }
}

function stopServing(state: ReplicaState): void {
  stopSending(state);
  state.serving = false;
  state.openingSeq = undefined;
  state.peers.clear();
  state.out.push({ kind: 'serving', serving: false, epoch: state.configuration!.epoch });
}

/** A copy that cannot be trusted is wiped once nobody counts on it any more (rule 11). */
export function wipeIfReleased(state: ReplicaState, configuration: Configuration): void {
  if (state.wiping || configuration.inSync.includes(state.self)) return;
  state.wiping = true;
  // From here on it cannot be chosen any more: it would lead, and be wiped while it does.
  state.isSuspect = false;
  state.out.push({ kind: 'wipe', reason: state.quarantine! });
}

/** Called every tick by a copy that may have to become primary. */
export function considerCampaign(state: ReplicaState): void {
  const { configuration } = state;
  if (!configuration || state.quarantine || !mayAsk(state)) return;
  if (!configuration.inSync.includes(state.self)) return;
  if (configuration.primary === state.self) return considerReopening(state, configuration);
  if (state.now < state.graceUntil || !mayCampaign(state)) return;
  if (state.cutTail && !heardAllOthers(state, configuration)) return;
  // The old primary leaves the set with the change that replaces it: it may not be asked any more. From a first
  // configuration, in which nothing is written, all others do: whether they have it on their disks nobody knows,
  // and one that has not could never be told from one that was wiped (rule 11).
  const isFirst = configuration.version === 1;
  const inSync = configuration.inSync.filter((node) =>
    isFirst ? node === state.self : node !== configuration.primary,
  );
  state.out.push({ kind: 'alarm', text: `no beacon from ${configuration.primary}: asking to replace it` });
  ask(state, 'campaign', nextEpoch(state, configuration, inSync));
}

/** Without room a copy could not lead (rule 12); one that is about to go, or cannot serve, lets others go first. */
function mayCampaign(state: ReplicaState): boolean {
  if (state.full) return false;
  const isLast = state.unable !== undefined || state.now < state.leavingUntil;
  return !isLast || state.now >= state.graceUntil + state.timing.graceMs;
}

/** A configured primary that does not hold an epoch opened in this run. */
function considerReopening(state: ReplicaState, configuration: Configuration): void {
  // Without room the epoch could not be opened (rule 12); an offer that is out is awaited.
  if (!state.mustReopen || state.full || state.offer || state.now < state.reopenAfter) return;
  let { inSync } = configuration;
  if (configuration.version === 1) {
    // First start: every member must have the first configuration on disk before entries count on it,
    // or an empty disk could not be told from a new one. The silent ones are left out.
    const heard = inSync.filter(
      (node) => node === state.self || state.peers.get(node)?.beaconAcked !== undefined,
    );
    if (heard.length < inSync.length && state.now - state.waitingSince < state.timing.graceMs * 10) return;
    inSync = heard;
  }
  if (state.cutTail && !heardAllOthers(state, configuration)) return;
  ask(state, 'reopen', nextEpoch(state, configuration, inSync));
}

function nextEpoch(
  state: ReplicaState,
  configuration: Configuration,
  inSync: readonly NodeId[],
): Configuration {
  const change = { epoch: (configuration.epoch + 1) as Epoch, primary: state.self, inSync };
  return successor(configuration, change, state.hash(configuration));
}

/** Rule 5: a copy that cut its tail hears all others first; if one reaches further, that one leads. */
function heardAllOthers(state: ReplicaState, configuration: Configuration): boolean {
  const rest = configuration.inSync.filter((node) => node !== state.self);
  const mine = lastOf(state.log);
  return rest.every((node) => {
    const theirs = state.queryReplies.get(node);
    return theirs !== undefined && !isBehind(mine, theirs.last);
  });
}

/** Called every tick: a copy that cut its tail asks how far the others reach. */
export function considerQuerying(state: ReplicaState): void {
  const { configuration, now, timing } = state;
  if (!state.cutTail || !configuration || state.quarantine || now - state.lastQuery < timing.retryMs) return;
  state.lastQuery = now;
  for (const node of configuration.inSync) {
    if (node !== state.self) send(state, node, { type: 'query' });
  }
}

export function onQueryReply(state: ReplicaState, from: NodeId, { last, isCut }: QueryReply): void {
  state.queryReplies.set(from, { last, isCut });
  considerMended(state);
}

/** Called every tick: a learner with an empty disk asks its primary to forget what it had. */
export function considerWithdrawing(state: ReplicaState): void {
  const { configuration, now, timing } = state;
  if (state.trusted || state.role !== 'learner' || now - state.lastWithdraw < timing.retryMs) return;
  state.lastWithdraw = now;
  send(state, configuration!.primary, { type: 'withdraw', at: state.withdrawAt });
}

/** Forgotten: from here on this copy is a learner like any other. */
export function onWithdrawn(state: ReplicaState, at: number): void {
  const { configuration } = state;
  if (state.trusted || at !== state.withdrawAt || !configuration) return;
  state.trusted = true;
  // It acts again once its configuration is on the disk (rule 2).
  state.configuration = undefined;
  state.saving = configuration;
  state.out.push({ kind: 'saveConfiguration', configuration });
}
