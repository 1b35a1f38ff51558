/**
 * The state that account decisions read: 'account', which every area looks at to know that the account
 * exists, and one slice per open session.
 */
import type { EventHandler, Slices, StateKey } from '../decider.ts';
import { rejection, type Rejection } from '../errors.ts';
import { isAccountStream } from '../streams.ts';
import type { AccountEvent, PasswordChanged, SessionClosed, SessionOpened, SignedUp } from './events.ts';

export type AccountSlice = {
  readonly name: string;
  readonly admin: boolean;
  /** Grows with every change of the password, so that a log-in checked against an old one is refused. */
  readonly passwordVersion: number;
};
export type SessionSlice = { readonly expiresAt: number };

export const ACCOUNT_KEY: StateKey = 'account';
export const sessionKey = (sessionHash: string): StateKey => `session/${sessionHash}`;

/** Why a command to this stream cannot act on an account; undefined when it can. Requires ACCOUNT_KEY read. */
export function accountFault(slices: Slices, stream: string): Rejection | undefined {
  if (!isAccountStream(stream)) {
    return rejection('Malformed', 'This command must be sent to the stream of an account.', {
      field: 'stream',
    });
  }
  if (slices(ACCOUNT_KEY) === undefined) {
    return rejection('NoSuchAccount', 'There is no account with this name.', { field: 'username' });
  }
  return undefined;
}

export const accountEvents: { readonly [Type in AccountEvent['type']]: EventHandler } = {
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
  'account.PasswordChanged': {
    touches: () => [ACCOUNT_KEY],
    evolve(_key, slice, event: PasswordChanged) {
      const { name, admin } = slice as AccountSlice;
      return { name, admin, passwordVersion: event.data.passwordVersion };
    },
  },
};
