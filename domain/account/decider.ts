/**
 * Decisions on accounts. What always holds:
 *
 *   an account's name is the one that its stream is made of, and never changes
 *   a session is opened only by someone who knew the password that is current now
 *   the log holds hashes of session secrets, passwords and recovery codes, never the secrets
 *   an account that was deleted is gone for every command, and its name stays taken
 */
import type { CommandHandler, Decision, DomainArea } from '../decider.ts';
import { rejection, type Rejection } from '../errors.ts';
import { accountStream } from '../streams.ts';
import { appPasswordsArea } from './app-passwords.ts';
import * as commands from './commands.ts';
import type { AccountEvent } from './events.ts';
import {
  ACCOUNT_KEY,
  accountEvents,
  accountFault,
  passwordFault,
  sessionKey,
  type AccountSlice,
  type SessionSlice,
} from './evolve.ts';
import { FAILURE_KEYS, failuresArea, forgiven } from './failures.ts';
import { identitiesArea } from './identities.ts';
import { isReservedName } from './names.ts';
import { profileArea } from './profile.ts';
import { codeOf, PROOF_KEYS, proofOf, secondFactorArea } from './second-factor.ts';
import { expiryFault, hashInUse, SEEN_EVERY_MS, SESSION_DAYS_MAX, sessionEnded } from './sessions.ts';

export function createAccount(): DomainArea {
  return {
    commands: {
      'account.SignUp': signUp,
      'account.OpenSession': openSession,
      'account.CloseSession': closeSession,
      'account.SeeSession': seeSession,
      'account.EndOtherSessions': endOtherSessions,
      'account.ChangePassword': changePassword,
      'account.ResetPassword': resetPassword,
      'account.Delete': deleteAccount,
      ...profileArea.commands,
      ...identitiesArea.commands,
      ...secondFactorArea.commands,
      ...appPasswordsArea.commands,
      ...failuresArea.commands,
    },
    events: {
      ...accountEvents,
      ...profileArea.events,
      ...identitiesArea.events,
      ...secondFactorArea.events,
      ...appPasswordsArea.events,
      ...failuresArea.events,
    },
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
  reads: ({ sessionHash, ends }) => [
    ACCOUNT_KEY,
    sessionKey(sessionHash),
    ...PROOF_KEYS,
    ...FAILURE_KEYS,
    ...ends.map(sessionKey),
  ],
  decide({ sessionHash, expiresAt, passwordVersion, proof, ends }, slices, { stream, time }) {
    const fault =
      accountFault(slices, stream) ??
      passwordFault(slices, passwordVersion) ??
      expiryFault(expiresAt, time, SESSION_DAYS_MAX);
    if (fault) return { rejection: fault };
    if (slices(sessionKey(sessionHash)) !== undefined) return { rejection: hashInUse('sessionHash') };
    const shown = proofOf(proof, slices);
    if ('rejection' in shown) return shown;
    const ended = ends.filter((hash) => slices(sessionKey(hash)) !== undefined);
    return happened(...shown.events, ...forgiven(slices), ...ended.map((hash) => sessionClosed(hash)), {
      type: 'account.SessionOpened',
      version: 1,
      data: { sessionHash, expiresAt },
    });
  },
};

const closeSession: CommandHandler<commands.OneSession> = {
  parse: commands.parseOneSession,
  reads: ({ sessionHash }) => [ACCOUNT_KEY, sessionKey(sessionHash)],
  decide({ sessionHash }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    if (slices(sessionKey(sessionHash)) === undefined) return { rejection: sessionEnded };
    return happened(sessionClosed(sessionHash));
  },
};

const seeSession: CommandHandler<commands.OneSession> = {
  parse: commands.parseOneSession,
  reads: ({ sessionHash }) => [ACCOUNT_KEY, sessionKey(sessionHash)],
  decide({ sessionHash }, slices, { stream, time }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const session = slices(sessionKey(sessionHash)) as SessionSlice | undefined;
    if (session === undefined) return { rejection: sessionEnded };
    if (session.seenAt !== undefined && time - session.seenAt < SEEN_EVERY_MS) return { events: [] };
    return happened({ type: 'account.SessionSeen', version: 1, data: { sessionHash } });
  },
};

const endOtherSessions: CommandHandler<commands.EndOtherSessions> = {
  parse: commands.parseEndOtherSessions,
  reads: () => [ACCOUNT_KEY],
  decide({ keeps }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    return fault ? { rejection: fault } : happened(othersEnded(keeps));
  },
};

const changePassword: CommandHandler<commands.ChangePassword> = {
  parse: commands.parseChangePassword,
  reads: () => [ACCOUNT_KEY],
  decide({ passwordVersion, keeps }, slices, { stream }) {
    const fault = accountFault(slices, stream) ?? passwordFault(slices, passwordVersion);
    if (fault) return { rejection: fault };
    return happened(
      passwordChanged(passwordVersion + 1),
      ...(keeps === undefined ? [] : [othersEnded(keeps)]),
    );
  },
};

const resetPassword: CommandHandler<commands.ResetPassword> = {
  parse: commands.parseResetPassword,
  reads: () => [ACCOUNT_KEY, ...PROOF_KEYS, ...FAILURE_KEYS],
  decide({ codeHash }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const used = codeOf(codeHash, slices);
    if ('rejection' in used) return used;
    const { passwordVersion } = slices(ACCOUNT_KEY) as AccountSlice;
    return happened(
      ...used.events,
      ...forgiven(slices),
      passwordChanged(passwordVersion + 1),
      othersEnded(''),
    );
  },
};

const deleteAccount: CommandHandler<commands.Delete> = {
  parse: commands.parseDelete,
  reads: () => [ACCOUNT_KEY, ...PROOF_KEYS],
  decide({ passwordVersion, proof }, slices, { stream }) {
    const fault = accountFault(slices, stream) ?? passwordFault(slices, passwordVersion);
    if (fault) return { rejection: fault };
    const shown = proofOf(proof, slices);
    if ('rejection' in shown) return shown;
    return happened(...shown.events, { type: 'account.Deleted', version: 1, data: {} });
  },
};

function sessionClosed(sessionHash: string): AccountEvent {
  return { type: 'account.SessionClosed', version: 1, data: { sessionHash } };
}

function othersEnded(keeps: string): AccountEvent {
  return { type: 'account.OtherSessionsEnded', version: 1, data: { keeps } };
}

function passwordChanged(passwordVersion: number): AccountEvent {
  return { type: 'account.PasswordChanged', version: 1, data: { passwordVersion } };
}

function happened(...events: readonly AccountEvent[]): Decision {
  return { events };
}

function refused(code: Rejection['code'], message: string, field: string): Decision {
  return { rejection: rejection(code, message, { field }) };
}
