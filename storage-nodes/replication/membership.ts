/**
 * Changes of the in-sync set by the primary: who is silent leaves, who has caught up joins. Each is a
 * compare-and-set from exactly the current configuration; until its outcome is known, commit and lease
 * need the union of old and new (rule 4).
 */
import type { Version, NodeId } from '../words.ts';
import { isNewer, type Configuration } from './configuration.ts';
import { hasRecovered, slowMembers } from './slowness.ts';
import { isCampaigning, isPrimary, type PendingChange, type ReplicaState } from './state.ts';

export function successor(
  of: Configuration,
  change: Partial<Pick<Configuration, 'epoch' | 'primary' | 'inSync' | 'replicas' | 'lineage'>>,
  predecessor: string,
): Configuration {
  return { ...of, ...change, version: (of.version + 1) as Version, predecessor };
}

export function mayAsk(state: ReplicaState): boolean {
  return !state.pending && !state.saving && state.now >= state.askAfter;
}

/** Starts a change, which ejects `slow`. Requires mayAsk. */
export function ask(
  state: ReplicaState,
  purpose: PendingChange['purpose'],
  next: Configuration,
  slow: readonly NodeId[] = [],
): void {
  const { now } = state;
  state.pending = { next, purpose, slow, askedAt: now, sentAt: now, inFlight: true, ambiguous: false };
  state.out.push({ kind: 'compareAndSet', next });
}

/**
 * An unanswered or ambiguous change is asked again: the store answers 'stored' if it already is. But who is
 * a member again replaces no primary that it has just heard: should its request be stored, all are told.
 */
export function retryPending(state: ReplicaState): void {
  const { pending } = state;
  if (!pending || pending.inFlight || state.now - pending.sentAt < state.timing.retryMs) return;
  if (pending.purpose === 'campaign') {
    if (!isCampaigning(state)) return;
    if (pending.sentAt < state.graceUntil) pending.askedAt = state.now;
  }
  pending.sentAt = state.now;
  pending.inFlight = true;
  state.out.push({ kind: 'compareAndSet', next: pending.next });
}

/**
 * One attempt did not store our change. `overtaken`: the store holds something newer than its
 * predecessor, so that no earlier attempt can take effect either. Otherwise (not sent, or refused by a
 * store that is behind: rule 9) this says nothing of an earlier attempt that got no answer (rule 4).
 */
export function giveUp(state: ReplicaState, overtaken: boolean): void {
  const { pending } = state;
  if (!pending) return;
  if (!overtaken && pending.ambiguous) {
    pending.inFlight = false;
    return;
  }
  state.pending = undefined;
  state.askAfter = state.now + state.timing.retryMs;
}

/** Whether `current`, the store's, makes it certain that `next` never takes effect. */
export function isOvertaken(next: Configuration, current: Configuration | undefined): boolean {
  return current !== undefined && !isNewer(next, current);
}

/**
 * Removes in-sync members that are silent or have no room (rule 12); the last one serves alone (rule 10).
 * Those that are slow (rule 15) or wish to leave (rule 16) go only if two remain.
 */
export function considerRemoving(state: ReplicaState): void {
  const { configuration } = state;
  if (!isPrimary(state) || !configuration || state.openingSeq === undefined || !mayAsk(state)) return;
  const gone = configuration.inSync.filter((node) => isGone(state, node));
  let inSync = configuration.inSync.filter((node) => !gone.includes(node));
  const wishing = inSync.filter((node) => isLeaving(state, node)).slice(0, Math.max(0, inSync.length - 2));
  inSync = inSync.filter((node) => !wishing.includes(node));
  const slow = slowMembers(state, inSync);
  inSync = inSync.filter((node) => !slow.includes(node));
  if (inSync.length === configuration.inSync.length) return;
  const why = [
    ...gone.map((node) => `${node} ${state.peers.get(node)?.full ? 'has no room' : 'is silent'}`),
    ...wishing.map((node) => `${node} asks to leave`),
    ...slow.map((node) => `${node} is slow`),
  ];
  state.out.push({ kind: 'alarm', text: `${why.join(', ')}: removing from the in-sync set` });
  ask(state, 'remove', successor(configuration, { inSync }, state.hash(configuration)), slow);
}

/**
 * A suspicion, the master's or of a broken link, halves the time of silence and does nothing by itself.
 * Silence accuses nobody before a grace of this epoch has passed: who handed the lead over may be answering
 * reads until it hears of the epoch, and nothing is served here without its word that it has (rule 7).
 */
function isGone(state: ReplicaState, node: NodeId): boolean {
  const peer = state.peers.get(node);
  if (node === state.self || !peer) return false;
  if (peer.full || state.now < state.graceUntil) return peer.full;
  const { suspectMs } = state.timing;
  return state.now - peer.lastHeard > (peer.suspectedAt >= peer.lastHeard ? suspectMs / 2 : suspectMs);
}

function isLeaving(state: ReplicaState, node: NodeId): boolean {
  return node !== state.self && (state.peers.get(node)?.leavingUntil ?? -Infinity) > state.now;
}

/** A learner that holds every committed entry is admitted (rule 4: it is needed for commits from now on). */
export function considerAdmitting(state: ReplicaState): void {
  const { configuration } = state;
  if (!isPrimary(state) || !configuration || !state.serving || !mayAsk(state)) return;
  const ready = configuration.replicas.filter((node) => isReady(state, configuration, node));
  if (ready.length === 0) return;
  const inSync = configuration.replicas.filter(
    (node) => configuration.inSync.includes(node) || ready.includes(node),
  );
  ask(state, 'admit', successor(configuration, { inSync }, state.hash(configuration)));
}

function isReady(state: ReplicaState, configuration: Configuration, node: NodeId): boolean {
  if (configuration.inSync.includes(node)) return false;
  const peer = state.peers.get(node);
  return (
    peer !== undefined &&
    peer.mode === 'stream' &&
    !peer.full &&
    !isLeaving(state, node) &&
    hasRecovered(state, node) &&
    peer.ackedVersion === configuration.version &&
    peer.match >= state.log.committed &&
    state.now - peer.lastHeard < state.timing.suspectMs / 2
  );
}
