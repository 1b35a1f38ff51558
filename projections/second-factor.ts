/**
 * What a log-in is checked against besides the password: the second factor with its sealed secret, how many
 * recovery codes are left, and until when each kind of try is locked. None of it is ever shown.
 */
import type { AttemptKind, CoreEvent, FailureEvent, SecondFactorEvent } from '../domain/account/events.ts';
import { ATTEMPT_KINDS } from '../domain/account/events.ts';
import type { Content } from '../domain/decider.ts';
import { decodeText } from '../domain/fields.ts';
import { cellFormat, flag, natural, record, text } from './cell-format.ts';
import { lockCell, recoveryCodesCell, secondFactorCell } from './keys.ts';
import type { EntryFacts, Mutation, PriorCells, Projection } from './projection.ts';

export type SecondFactor = {
  readonly on: boolean;
  /** The next one to be turned on has the version after. */
  readonly version: number;
  readonly since: number;
  /** As the gateway sealed it; empty when off, or once it was erased: no code is then right. */
  readonly sealed: string;
};
export type RecoveryCodes = { readonly left: number; readonly madeAt: number };
/** `until`: ms since 1970; 0 while there are failures, and not too many. */
export type Lock = { readonly until: number };

const factor = cellFormat<SecondFactor>(
  'a second factor',
  record({ on: flag, version: natural, since: natural, sealed: text }),
);
const codes = cellFormat<RecoveryCodes>('recovery codes', record({ left: natural, madeAt: natural }));
const lock = cellFormat<Lock>('a lock', record({ until: natural }));

/** Throws on bytes that this projection cannot have written; so do the other two. */
export const readSecondFactor = (bytes: Uint8Array): SecondFactor => factor.read(bytes);
export const readRecoveryCodes = (bytes: Uint8Array): RecoveryCodes => codes.read(bytes);
export const readLock = (bytes: Uint8Array): Lock => lock.read(bytes);

type Heard =
  | Exclude<SecondFactorEvent, { readonly type: 'account.OneTimeCodeUsed' }>
  | FailureEvent
  | Extract<CoreEvent, { readonly type: 'account.Deleted' }>;
const types: readonly Heard['type'][] = [
  'account.SecondFactorTurnedOn',
  'account.SecondFactorTurnedOff',
  'account.RecoveryCodesMade',
  'account.RecoveryCodeUsed',
  'account.LogInsFailed',
  'account.FailuresForgiven',
  'account.Deleted',
];

export const secondFactorProjection: Projection = {
  name: 'second factor',
  listensTo: new Set(types),
  priors: (event: Heard, { stream }) =>
    event.type === 'account.RecoveryCodeUsed' ? [recoveryCodesCell(stream)] : [],

  project(event: Heard, entry, content, prior): Mutation[] {
    const owner = entry.stream;
    switch (event.type) {
      case 'account.SecondFactorTurnedOn':
        return [putFactor(entry, event.data.factorVersion, content)];
      case 'account.SecondFactorTurnedOff':
        return [putFactor(entry, event.data.factorVersion, undefined)];
      case 'account.RecoveryCodesMade':
        return [putCodes(owner, { left: event.data.codeHashes.length, madeAt: entry.time })];
      case 'account.RecoveryCodeUsed':
        return codeUsed(entry, prior);
      case 'account.LogInsFailed': {
        const { kind, lockedUntil } = event.data;
        return [{ put: lockCell(owner, kind), value: { bytes: lock.write({ until: lockedUntil }) } }];
      }
      case 'account.FailuresForgiven':
        return event.data.kinds.map((kind: AttemptKind) => ({ delete: lockCell(owner, kind) }));
      case 'account.Deleted':
        return [
          secondFactorCell(owner),
          recoveryCodesCell(owner),
          ...ATTEMPT_KINDS.map((kind) => lockCell(owner, kind)),
        ].map((cell) => ({ delete: cell }));
    }
  },
};

/** `content` undefined: it is off. */
function putFactor(entry: EntryFacts, version: number, content: Content | undefined): Mutation {
  const sealed = decodeText(content?.bytes(0)) ?? '';
  const model = { on: content !== undefined, version, since: entry.time, sealed };
  return { put: secondFactorCell(entry.stream), value: { bytes: factor.write(model) } };
}

function putCodes(owner: string, model: RecoveryCodes): Mutation {
  return { put: recoveryCodesCell(owner), value: { bytes: codes.write(model) } };
}

function codeUsed({ stream }: EntryFacts, prior: PriorCells): Mutation[] {
  const bytes = prior(recoveryCodesCell(stream));
  if (bytes === undefined) return [];
  const before = codes.read(bytes);
  return [putCodes(stream, { ...before, left: Math.max(0, before.left - 1) })];
}
