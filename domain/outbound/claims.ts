/**
 * Who works on a queue: one worker at a time, by a lease of the whole queue in log time.
 *
 *   a lease that lasts is nobody else's
 *   token grows with every change of hands, and stays when a worker renews its own lease: who reports with an
 *     older one has been replaced
 */
import type { CommandHandler, Decision, EventHandler, Json, Slices, StateKey } from '../decider.ts';
import { fieldsOf, matching, parsed, partsAre, whole } from '../fields.ts';
import { OUTBOUND_STREAMS } from '../streams.ts';
import type { Lease, QueueClaimed, QueueReleased } from './events.ts';
import { happened, nothing, refused } from './outcomes.ts';

export const LEASE_KEY: StateKey = 'lease';
export const LEASE_MS_MIN = 1000;
export const LEASE_MS_MAX = 10 * 60_000;

export type ClaimQueue = { readonly worker: string; readonly ms: number };
export type Holder = { readonly worker: string; readonly token: number };

/** The reply: the token, and until when the queue is the worker's (log time). */
export const claimQueue: CommandHandler<ClaimQueue> = {
  parse: (data, content) =>
    parsed((): ClaimQueue => {
      const { worker, ms } = fieldsOf(data, ['worker', 'ms']);
      partsAre(content);
      return { worker: workerField(worker), ms: whole(ms, 'ms', LEASE_MS_MIN, LEASE_MS_MAX) };
    }),
  reads: () => [LEASE_KEY],
  decide({ worker, ms }, slices, { stream, time }) {
    if (!OUTBOUND_STREAMS.includes(stream)) return notAQueue;
    const before = leaseOf(slices(LEASE_KEY));
    if (before !== null && before.worker !== null && before.worker !== worker && before.until > time) {
      return refused('ClaimedByAnother', 'Another worker has this queue: try again later.', 'worker', {
        until: before.until,
      });
    }
    const token = before?.worker === worker ? before.token : (before?.token ?? 0) + 1;
    const until = time + ms;
    return happened(
      { type: 'outbound.QueueClaimed', version: 1, data: { worker, token, until, before } },
      { token, until },
    );
  },
};

export const releaseQueue: CommandHandler<Holder> = {
  parse: (data, content) =>
    parsed((): Holder => {
      const { worker, token } = fieldsOf(data, ['worker', 'token']);
      partsAre(content);
      return { worker: workerField(worker), token: tokenField(token) };
    }),
  reads: () => [LEASE_KEY],
  decide(holder, slices, { stream }) {
    if (!OUTBOUND_STREAMS.includes(stream)) return notAQueue;
    const lease = leaseOf(slices(LEASE_KEY));
    // Whoever has it now, it is not this worker's any more.
    if (!isHeldBy(lease, holder)) return nothing;
    const { until } = lease!;
    return happened({ type: 'outbound.QueueReleased', version: 1, data: { ...holder, until } });
  },
};

export const queueClaimed: EventHandler = {
  touches: () => [LEASE_KEY],
  isBlind: () => true,
  evolve(_key, _slice, event) {
    const { worker, token, until } = (event as QueueClaimed).data;
    return { worker, token, until } satisfies Lease;
  },
};

export const queueReleased: EventHandler = {
  touches: () => [LEASE_KEY],
  isBlind: () => true,
  evolve(_key, _slice, event, _content, time) {
    return { worker: null, token: (event as QueueReleased).data.token, until: time } satisfies Lease;
  },
};

/** A lease that has run out, and that nobody else has taken, is its worker's still: nobody else has acted on it. */
export function claimFault(slices: Slices, holder: Holder): Decision | undefined {
  const lease = leaseOf(slices(LEASE_KEY));
  if (isHeldBy(lease, holder)) return undefined;
  return refused('ClaimLost', 'This queue has changed hands: claim it again before you go on.', 'token', {
    token: lease?.token ?? 0,
  });
}

/** Whether the queue was once given to somebody with this token, and to somebody else since. */
export function hadQueue(slices: Slices, token: number): boolean {
  return token < (leaseOf(slices(LEASE_KEY))?.token ?? 0);
}

export function leaseOf(slice: Json | undefined): Lease | null {
  return (slice as Lease | undefined) ?? null;
}

/** Requires `parsed` around it, as does the next one. Each start of a worker has a name of its own. */
export function workerField(value: unknown): string {
  return matching(value, 'worker', /^[A-Za-z0-9._-]{1,64}$/, '1 to 64 letters, digits, dots and dashes');
}

export function tokenField(value: unknown): number {
  return whole(value, 'token', 1, Number.MAX_SAFE_INTEGER);
}

function isHeldBy(lease: Lease | null, { worker, token }: Holder): boolean {
  return lease !== null && lease.worker === worker && lease.token === token;
}

export const notAQueue: Decision = refused(
  'Malformed',
  'Only a queue of outbound mail takes this.',
  'stream',
);
