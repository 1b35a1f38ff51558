/**
 * Decisions on accounts. What always holds:
 *
 *   an account's name is the one that its stream is made of, and never changes
 *   a session is opened only by someone who knew the password that is current now
 *   the log holds hashes of session secrets and of passwords, never the secrets
 */
import type { CommandHandler, Decision, DomainArea, Slices } from '../decider.ts';
import { rejection, type Rejection } from '../errors.ts';
import { accountStream } from '../streams.ts';
import * as commands from './commands.ts';
import type { AccountEvent } from './events.ts';
import { ACCOUNT_KEY, accountEvents, accountFault, sessionKey, type AccountSlice } from './evolve.ts';
import { isReservedName } from './names.ts';
import { expiryFault, hashInUse, SESSION_DAYS_MAX, sessionEnded } from './sessions.ts';

export function createAccount(): DomainArea {
  return {
    commands: {
      'account.SignUp': signUp,
      'account.OpenSession': openSession,
      'account.CloseSession': closeSession,
      'account.ChangePassword': changePassword,
    },
    events: accountEvents,
  };
}

const signUp: CommandHandler<commands.SignUp> = {
  parse: commands.parseSignUp,
  reads: () => [ACCOUNT_KEY],
  decide({ name, admin }, slices, { stream }) {
    if (stream !== accountStream(name)) {
      return refused(
        'Malformed',
        `The account ${name} belongs to the stream ${accountStream(name)}.`,
        'stream',
      );
    }
    if (isReservedName(name)) {
      return refused(
        'NameTaken',
        `The name ${name} is kept for the mail system: choose another name.`,
        'username',
      );
    }
    if (slices(ACCOUNT_KEY) !== undefined) {
      return refused('NameTaken', `The name ${name} is taken: choose another name.`, 'username');
    }
    return happened({ type: 'account.SignedUp', version: 1, data: { name, admin } });
  },
};

const openSession: CommandHandler<commands.OpenSession> = {
  parse: commands.parseOpenSession,
  reads: ({ sessionHash }) => [ACCOUNT_KEY, sessionKey(sessionHash)],
  decide({ sessionHash, expiresAt, passwordVersion }, slices, { stream, time }) {
    const fault =
      accountFault(slices, stream) ??
      passwordFault(slices, passwordVersion) ??
      expiryFault(expiresAt, time, SESSION_DAYS_MAX);
    if (fault) return { rejection: fault };
    if (slices(sessionKey(sessionHash)) !== undefined) return { rejection: hashInUse('sessionHash') };
    return happened({ type: 'account.SessionOpened', version: 1, data: { sessionHash, expiresAt } });
  },
};

const closeSession: CommandHandler<commands.CloseSession> = {
  parse: commands.parseCloseSession,
  reads: ({ sessionHash }) => [ACCOUNT_KEY, sessionKey(sessionHash)],
  decide({ sessionHash }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    if (slices(sessionKey(sessionHash)) === undefined) return { rejection: sessionEnded };
    return happened({ type: 'account.SessionClosed', version: 1, data: { sessionHash } });
  },
};

const changePassword: CommandHandler<commands.ChangePassword> = {
  parse: commands.parseChangePassword,
  reads: () => [ACCOUNT_KEY],
  decide({ passwordVersion }, slices, { stream }) {
    const fault = accountFault(slices, stream) ?? passwordFault(slices, passwordVersion);
    if (fault) return { rejection: fault };
    return happened({
      type: 'account.PasswordChanged',
      version: 1,
      data: { passwordVersion: passwordVersion + 1 },
    });
  },
};

/** Requires that the account exists. */
function passwordFault(slices: Slices, passwordVersion: number): Rejection | undefined {
  const account = slices(ACCOUNT_KEY) as AccountSlice;
  if (account.passwordVersion === passwordVersion) return undefined;
  return rejection('WrongPassword', 'The password has been changed meanwhile: use the new one.', {
    field: 'password',
  });
}

function happened(event: AccountEvent): Decision {
  return { events: [event] };
}

function refused(code: Rejection['code'], message: string, field: string): Decision {
  return { rejection: rejection(code, message, { field }) };
}
