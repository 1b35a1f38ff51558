/**
 * What has happened to an account: that it exists, its password, its sessions; then what it says of itself,
 * its identities, its second factor, and how often log-ins failed. Stream: the account's.
 */
import type { Time } from '../decider.ts';

/** Parts: 0 the password's hash (PHC text), 1 the display name. Password version 1. */
export type SignedUp = {
  readonly type: 'account.SignedUp';
  readonly version: 1;
  readonly data: { readonly name: string; readonly admin: boolean };
};

/** Part 0: the browser's own description of itself (user agent). */
export type SessionOpened = {
  readonly type: 'account.SessionOpened';
  readonly version: 1;
  readonly data: { readonly sessionHash: string; readonly expiresAt: number };
};

export type SessionClosed = {
  readonly type: 'account.SessionClosed';
  readonly version: 1;
  readonly data: { readonly sessionHash: string };
};

/** Part 0: the new password's hash. `passwordVersion` is the new one. */
export type PasswordChanged = {
  readonly type: 'account.PasswordChanged';
  readonly version: 1;
  readonly data: { readonly passwordVersion: number };
};

/** The session was in use at the entry's time; written at most hourly. */
export type SessionSeen = {
  readonly type: 'account.SessionSeen';
  readonly version: 1;
  readonly data: { readonly sessionHash: string };
};

/** Every session that was opened before ended, but `keeps` ('' keeps none). */
export type OtherSessionsEnded = {
  readonly type: 'account.OtherSessionsEnded';
  readonly version: 1;
  readonly data: { readonly keeps: string };
};

/** The account is gone: its sessions end, mail to it is refused, its name stays taken. */
export type Deleted = {
  readonly type: 'account.Deleted';
  readonly version: 1;
  readonly data: Readonly<Record<string, never>>;
};

/** What `evolve.ts` follows. */
export type CoreEvent =
  SignedUp | SessionOpened | SessionClosed | SessionSeen | OtherSessionsEnded | PasswordChanged | Deleted;

/** What was tried: a password, the code of the second step, a recovery code for a lost password. */
export const ATTEMPT_KINDS = ['password', 'code', 'recovery'] as const;
export type AttemptKind = (typeof ATTEMPT_KINDS)[number];

/** '' for either: as the reader's browser has it. */
export type Dates = { readonly zone: string; readonly locale: string };

/** Parts: 0 display name, 1 signature, 2 and 3 the ones before. `version` is the new one, from 1. */
export type ProfileChanged = {
  readonly type: 'account.ProfileChanged';
  readonly version: 1;
  readonly data: { readonly version: number };
};

export type DatesChanged = {
  readonly type: 'account.DatesChanged';
  readonly version: 1;
  readonly data: Dates & { readonly before: Dates };
};

export type ProfileEvent = ProfileChanged | DatesChanged;

/** Parts: 0 address, 1 display name, 2 signature. Its version is 1. */
export type IdentityAdded = {
  readonly type: 'account.IdentityAdded';
  readonly version: 1;
  readonly data: { readonly identityId: string };
};

/** Parts: 0 address, 1 display name, 2 signature; 3, 4 and 5 the ones before. `version` is the new one. */
export type IdentityChanged = {
  readonly type: 'account.IdentityChanged';
  readonly version: 1;
  readonly data: { readonly identityId: string; readonly version: number };
};

/** Parts: 0, 1 and 2 as they were. `version` is the one removed. */
export type IdentityRemoved = {
  readonly type: 'account.IdentityRemoved';
  readonly version: 1;
  readonly data: { readonly identityId: string; readonly version: number };
};

export type IdentityEvent = IdentityAdded | IdentityChanged | IdentityRemoved;

/** Part 0: the secret, sealed by the gateway. `step`: of the code that was shown to turn it on. */
export type SecondFactorTurnedOn = {
  readonly type: 'account.SecondFactorTurnedOn';
  readonly version: 1;
  readonly data: { readonly factorVersion: number; readonly step: number };
};

export type SecondFactorTurnedOff = {
  readonly type: 'account.SecondFactorTurnedOff';
  readonly version: 1;
  readonly data: { readonly factorVersion: number };
};

export type OneTimeCodeUsed = {
  readonly type: 'account.OneTimeCodeUsed';
  readonly version: 1;
  readonly data: { readonly step: number };
};

export type RecoveryCodesMade = {
  readonly type: 'account.RecoveryCodesMade';
  readonly version: 1;
  readonly data: { readonly codeHashes: readonly string[] };
};

export type RecoveryCodeUsed = {
  readonly type: 'account.RecoveryCodeUsed';
  readonly version: 1;
  readonly data: { readonly codeHash: string };
};

export type SecondFactorEvent =
  SecondFactorTurnedOn | SecondFactorTurnedOff | OneTimeCodeUsed | RecoveryCodesMade | RecoveryCodeUsed;

/** Part 0: what it is called. `hash`: sha256 of the secret. */
export type AppPasswordAdded = {
  readonly type: 'account.AppPasswordAdded';
  readonly version: 1;
  readonly data: {
    readonly appPasswordId: string;
    readonly hash: string;
    /** Of the account's password then. */
    readonly passwordVersion: number;
  };
};

export type AppPasswordRemoved = {
  readonly type: 'account.AppPasswordRemoved';
  readonly version: 1;
  readonly data: { readonly appPasswordId: string };
};

export type AppPasswordEvent = AppPasswordAdded | AppPasswordRemoved;

/** `total`: since the last lock. `lockedUntil`: 0 while it is not locked. `locks`: how often it was. */
export type LogInsFailed = {
  readonly type: 'account.LogInsFailed';
  readonly version: 1;
  readonly data: {
    readonly kind: AttemptKind;
    readonly failures: number;
    readonly total: number;
    readonly locks: number;
    readonly lockedUntil: Time;
  };
};

export type FailuresForgiven = {
  readonly type: 'account.FailuresForgiven';
  readonly version: 1;
  readonly data: { readonly kinds: readonly AttemptKind[] };
};

export type FailureEvent = LogInsFailed | FailuresForgiven;

export type AccountEvent =
  CoreEvent | ProfileEvent | IdentityEvent | SecondFactorEvent | AppPasswordEvent | FailureEvent;
