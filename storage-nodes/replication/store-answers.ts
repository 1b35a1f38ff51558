/** What the config store answered to a change that this copy asked for; it may have asked more than once. */
import { isSame, type Configuration } from './configuration.ts';
import { resume } from './handover.ts';
import { giveUp, isOvertaken } from './membership.ts';
import type { Input } from './messages.ts';
import { learn } from './promotion.ts';
import { others, send, type ReplicaState } from './state.ts';

type Answer = Extract<Input, { kind: `compareAndSet${string}` }>;

export function onAnswer(state: ReplicaState, answer: Answer): void {
  switch (answer.kind) {
    case 'compareAndSetDone':
      return onDone(state, answer.next, answer.outcome);
    case 'compareAndSetRefused':
      return onRefused(state, answer.next, answer.current);
    case 'compareAndSetInvalid':
      return onInvalid(state, answer.next, answer.reason);
  }
}

function onDone(state: ReplicaState, next: Configuration, outcome: 'stored' | 'ambiguous'): void {
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
function onRefused(state: ReplicaState, next: Configuration, current: Configuration | undefined): void {
  const overtaken = isOvertaken(next, current);
  if (isSame(state.pending?.next, next)) giveUp(state, overtaken);
  // A store that is behind what we hold changes nothing (rule 9).
  if (current) learn(state, current, true);
  if (!state.pending && !overtaken) resume(state);
}

/** Earlier attempts were the same request: none of them is in doubt any more. */
function onInvalid(state: ReplicaState, next: Configuration, reason: string): void {
  if (!isSame(state.pending?.next, next)) return;
  state.out.push({ kind: 'alarm', text: `the config store refuses what this copy asks for: ${reason}` });
  giveUp(state, true);
  resume(state);
}
