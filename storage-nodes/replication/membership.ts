/**
 * Changes of the in-sync set by the primary: who is silent leaves, who has caught up joins. Each is a
 * compare-and-set from exactly the current configuration; until its outcome is known, commit and lease
 * need the union of old and new (rule 4).
 */
import type { Version, NodeId } from '../words.ts';
import type { Configuration } from './configuration.ts';
import { isPrimary, type PendingChange, type ReplicaState } from './state.ts';

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

/** Starts a change. Requires mayAsk. */
export function ask(state: ReplicaState, purpose: PendingChange['purpose'], next: Configuration): void {
  state.pending = { next, purpose, sentAt: state.now, inFlight: true, ambiguous: false };
  state.out.push({ kind: 'compareAndSet', next });
}

/** An unanswered or ambiguous change is asked again: the store answers 'stored' if it already is. */
export function retryPending(state: ReplicaState): void {
  const { pending } = state;
  if (!pending || pending.inFlight || state.now - pending.sentAt < state.timing.retryMs) return;
  pending.sentAt = state.now;
  pending.inFlight = true;
  state.out.push({ kind: 'compareAndSet', next: pending.next });
}

/** The outcome of one attempt that did not store our change. */
export function onRefused(state: ReplicaState, known: boolean): void {
  const { pending } = state;
  if (!pending) return;
  // That this attempt was not sent says nothing of an earlier one that was (rule 4).
  if (!known && pending.ambiguous) {
    pending.inFlight = false;
    return;
  }
  state.pending = undefined;
  state.askAfter = state.now + state.timing.retryMs;
}

/** Removes in-sync members that are silent or have no room (rule 12); the last one serves alone (rule 10). */
export function considerRemoving(state: ReplicaState): void {
  const { configuration, now, timing } = state;
  if (!isPrimary(state) || !configuration || state.openingSeq === undefined || !mayAsk(state)) return;
  const leaving = configuration.inSync.filter((node) => {
    const peer = state.peers.get(node);
    return node !== state.self && peer && (peer.full || now - peer.lastHeard > timing.suspectMs);
  });
  if (leaving.length === 0) return;
  const inSync = configuration.inSync.filter((node) => !leaving.includes(node));
  const why = leaving.map((node) => `${node} ${state.peers.get(node)?.full ? 'has no room' : 'is silent'}`);
  state.out.push({ kind: 'alarm', text: `${why.join(', ')}: removing from the in-sync set` });
  ask(state, 'remove', successor(configuration, { inSync }, state.hash(configuration)));
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
    peer.ackedVersion === configuration.version &&
    peer.match >= state.log.committed &&
    state.now - peer.lastHeard < state.timing.suspectMs / 2
  );
}
