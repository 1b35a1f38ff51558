/**
 * How often log-ins failed, counted for all gateways together and kept over their restarts. Gateways tell
 * of several failures at once, so that an attack costs few events; while an account is locked they check
 * nothing and tell nothing.
 *
 *   after FAILURES_MAX failures    locked for 5 minutes, then 10, 20, … up to an hour
 *   after a day without failures   as if there had been none; a log-in that succeeds forgives all
 */
import type { CommandHandler, DomainArea, EventHandler, Slices, StateKey, Time } from '../decider.ts';
import { fieldsOf, matching, parsed, partsAre, whole } from '../fields.ts';
import { ATTEMPT_KINDS } from './events.ts';
import type { AttemptKind, FailureEvent, FailuresForgiven, LogInsFailed } from './events.ts';
import { ACCOUNT_KEY, accountFault } from './evolve.ts';

export const FAILURES_MAX: Readonly<Record<AttemptKind, number>> = { password: 20, code: 10, recovery: 10 };
const LOCK_MS = 5 * 60_000;
const LOCK_MS_MAX = 60 * 60_000;
const FORGOTTEN_MS = 24 * 60 * 60_000;

type CountFailures = { readonly kind: AttemptKind; readonly failures: number };

type FailuresSlice = {
  readonly total: number;
  readonly locks: number;
  readonly lockedUntil: Time;
  readonly lastAt: Time;
};
const failuresKey = (kind: AttemptKind): StateKey => `failures/${kind}`;

/** What `forgiven` reads. */
export const FAILURE_KEYS: readonly StateKey[] = ATTEMPT_KINDS.map(failuresKey);

/** The event by which a success ends what was counted; none where nothing was. */
export function forgiven(slices: Slices): FailuresForgiven[] {
  const kinds = ATTEMPT_KINDS.filter((kind) => slices(failuresKey(kind)) !== undefined);
  return kinds.length === 0 ? [] : [{ type: 'account.FailuresForgiven', version: 1, data: { kinds } }];
}

const countFailures: CommandHandler<CountFailures> = {
  parse: (data, content) =>
    parsed(() => {
      const { kind, failures } = fieldsOf(data, ['kind', 'failures']);
      partsAre(content);
      return {
        kind: matching(kind, 'kind', /^(password|code|recovery)$/, ATTEMPT_KINDS.join(', ')) as AttemptKind,
        failures: whole(failures, 'failures', 1, 100),
      };
    }),
  reads: ({ kind }) => [ACCOUNT_KEY, failuresKey(kind)],
  decide({ kind, failures }, slices, { stream, time }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const before = slices(failuresKey(kind)) as FailuresSlice | undefined;
    if (before !== undefined && before.lockedUntil > time) return { events: [] };
    const { total, locks } =
      before === undefined || time - before.lastAt > FORGOTTEN_MS ? { total: 0, locks: 0 } : before;
    const locked = total + failures >= FAILURES_MAX[kind];
    const event: LogInsFailed = {
      type: 'account.LogInsFailed',
      version: 1,
      data: {
        kind,
        failures,
        total: locked ? 0 : total + failures,
        locks: locked ? locks + 1 : locks,
        lockedUntil: locked ? time + Math.min(LOCK_MS * 2 ** Math.min(locks, 10), LOCK_MS_MAX) : 0,
      },
    };
    return { events: [event] };
  },
};

const events: { readonly [Type in FailureEvent['type']]: EventHandler } = {
  'account.LogInsFailed': {
    touches: ({ data }: LogInsFailed) => [failuresKey(data.kind)],
    evolve: (_key, _slice, { data }: LogInsFailed, _content, time): FailuresSlice => ({
      total: data.total,
      locks: data.locks,
      lockedUntil: data.lockedUntil,
      lastAt: time,
    }),
  },
  'account.FailuresForgiven': {
    touches: ({ data }: FailuresForgiven) => data.kinds.map(failuresKey),
    evolve: () => undefined,
  },
};

export const failuresArea: DomainArea = { commands: { 'account.CountFailures': countFailures }, events };
