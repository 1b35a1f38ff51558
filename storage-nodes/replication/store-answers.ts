/** What the config store answered to a change that this copy asked for; it may have asked more than once. */
import { isSame, type Configuration } from './configuration.ts';
import { resume } from './handover.ts';
import { giveUp, isOvertaken } from './membership.ts';
import { learn } from './promotion.ts';
import { others, send, type ReplicaState } from './state.ts';

export function onDone(state: ReplicaState, next: Configuration, outcome: 'stored' | 'ambiguous'): void {
  const { pending } = state;
  if (!pending || !isSame(pending.next, next)) return;
  if (outcome === 'ambiguous') {
    pending.inFlight = false;
    pending.ambiguous = true;
    return;
  }
  // Whoever leads now need not wait for the store to tell it (rule 16).
  if (pending.purpose === 'handOver')
    for (const node of others(state)) send(state, node, { type: 'configure', configuration: next });
  learn(state, next, true);
}

/** `current` undefined: certain that this request changed nothing. */
export function onRefused(
  state: ReplicaState,
  next: Configuration,
  current: Configuration | undefined,
): void {
  const overtaken = isOvertaken(next, current);
  if (isSame(state.pending?.next, next)) giveUp(state, overtaken);
  // A store that is behind what we hold changes nothing (rule 9).
  if (current) learn(state, current, true);
  if (!state.pending && !overtaken) resume(state);
}
