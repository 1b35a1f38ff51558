/**
 * The state that account decisions read: 'account', which every area looks at to know that the account
 * exists, and one slice per open session.
 */
import type { EventHandler, Slices, StateKey } from '../decider.ts';
import { rejection, type Rejection } from '../errors.ts';
import { isAccountStream } from '../streams.ts';
import type {
  CoreEvent,
  PasswordChanged,
  SessionClosed,
  SessionOpened,
  SessionSeen,
  SignedUp,
} from './events.ts';

export type AccountSlice = {
  readonly name: string;
  readonly admin: boolean;
  /** Grows with every change of the password, so that a log-in checked against an old one is refused. */
  readonly passwordVersion: number;
  /** The account is gone; the slice stays, so that nobody gets its name. */
  readonly deleted?: true;
};
/** `seenAt`: absent until the session was in use an hour after it was opened. */
export type SessionSlice = { readonly expiresAt: number; readonly seenAt?: number };

export const ACCOUNT_KEY: StateKey = 'account';
export const sessionKey = (sessionHash: string): StateKey => `session/${sessionHash}`;

/** Why a command to this stream cannot act on an account; undefined when it can. Requires ACCOUNT_KEY read. */
export function accountFault(slices: Slices, stream: string): Rejection | undefined {
  if (!isAccountStream(stream)) {
    return rejection('Malformed', 'This command must be sent to the stream of an account.', {
      field: 'stream',
    });
  }
  const account = slices(ACCOUNT_KEY) as AccountSlice | undefined;
  if (account === undefined || account.deleted === true) {
    return rejection('NoSuchAccount', 'There is no account with this name.', { field: 'username' });
  }
  return undefined;
}

/** Requires that the account exists: whoever checked a password checked the one of this version. */
export function passwordFault(slices: Slices, passwordVersion: number): Rejection | undefined {
  const account = slices(ACCOUNT_KEY) as AccountSlice;
  if (account.passwordVersion === passwordVersion) return undefined;
  return rejection('WrongPassword', 'The password has been changed meanwhile: use the new one.', {
    field: 'password',
  });
}

export const accountEvents: { readonly [Type in CoreEvent['type']]: EventHandler } = {
  'account.SignedUp': {
    touches: () => [ACCOUNT_KEY],
    evolve: (_key, _slice, event: SignedUp): AccountSlice => ({
      name: event.data.name,
      admin: event.data.admin,
      passwordVersion: 1,
    }),
  },
  'account.SessionOpened': {
    touches: (event: SessionOpened) => [sessionKey(event.data.sessionHash)],
    evolve: (_key, _slice, event: SessionOpened): SessionSlice => ({ expiresAt: event.data.expiresAt }),
  },
  'account.SessionClosed': {
    touches: (event: SessionClosed) => [sessionKey(event.data.sessionHash)],
    evolve: () => undefined,
  },
  'account.SessionSeen': {
    touches: (event: SessionSeen) => [sessionKey(event.data.sessionHash)],
    evolve: (_key, slice, _event: SessionSeen, _content, time): SessionSlice | undefined =>
      slice === undefined ? undefined : { expiresAt: (slice as SessionSlice).expiresAt, seenAt: time },
  },
  // Gateways compare with the time at which a session was opened: no slice tells.
  'account.OtherSessionsEnded': { touches: () => [], evolve: (_key, slice) => slice },
  'account.PasswordChanged': {
    touches: () => [ACCOUNT_KEY],
    evolve(_key, slice, event: PasswordChanged) {
      const { name, admin } = slice as AccountSlice;
      return { name, admin, passwordVersion: event.data.passwordVersion };
    },
  },
  'account.Deleted': {
    touches: () => [ACCOUNT_KEY],
    evolve(_key, slice): AccountSlice {
      const { name, passwordVersion } = slice as AccountSlice;
      return { name, admin: false, passwordVersion, deleted: true };
    },
  },
};
