/**
 * What can be asked of an account, and the checks that untrusted data passes first. Passwords never come
 * here: a gateway hashes them (and verifies them against the account's credentials), and the version of
 * the password it looked at comes along.
 */
import type { Content } from '../decider.ts';
import { fieldsOf, flag, parsed, partText, partsAre, refuse, sha256Hex, whole } from '../fields.ts';
import { checkAccountName } from './names.ts';
import { parseProof, type Proof } from './second-factor.ts';
import { checkName } from './wording.ts';

const USER_AGENT_BYTES_MAX = 1024;
const PASSWORD_HASH_BYTES_MAX = 512;

export type SignUp = { readonly name: string; readonly admin: boolean };
export type OpenSession = {
  readonly sessionHash: string;
  readonly expiresAt: number;
  readonly passwordVersion: number;
  /** Needed where two-step log-in is on. */
  readonly proof: Proof | undefined;
  /** Sessions that end with it: expired ones, and the oldest where there are too many. */
  readonly ends: readonly string[];
};
export type OneSession = { readonly sessionHash: string };
export type EndOtherSessions = { readonly keeps: string };
/** `keeps`: every session but this one ends ('' keeps none); undefined: they all go on. */
export type ChangePassword = { readonly passwordVersion: number; readonly keeps: string | undefined };
export type ResetPassword = { readonly codeHash: string };
export type Delete = { readonly passwordVersion: number; readonly proof: Proof | undefined };

const ENDS_MAX = 200;

/** Parts: the password's hash, the display name (may be empty: the account's name is shown). */
export function parseSignUp(data: unknown, content: Content) {
  return parsed((): SignUp => {
    const { name, admin } = fieldsOf(data, ['name', 'admin']);
    partsAre(content, 'password hash', 'display name');
    checkPasswordHash(content, 0);
    checkName(content, 1);
    return { name: checkAccountName(name, 'username'), admin: flag(admin, 'admin') };
  });
}

/** Part: the user agent (may be empty). */
export function parseOpenSession(data: unknown, content: Content) {
  return parsed((): OpenSession => {
    const fields = fieldsOf(data, [
      'sessionHash',
      'expiresAt',
      'passwordVersion',
      'factorVersion',
      'step',
      'codeHash',
      'ends',
    ]);
    partsAre(content, 'user agent');
    partText(content, 0, 'user agent', 0, USER_AGENT_BYTES_MAX);
    return {
      sessionHash: sha256Hex(fields.sessionHash, 'sessionHash'),
      expiresAt: whole(fields.expiresAt, 'expiresAt', 0, Number.MAX_SAFE_INTEGER),
      passwordVersion: passwordVersion(fields.passwordVersion),
      proof: parseProof(fields),
      ends: sessionHashes(fields.ends ?? []),
    };
  });
}

export function parseOneSession(data: unknown, content: Content) {
  return parsed((): OneSession => {
    const { sessionHash } = fieldsOf(data, ['sessionHash']);
    partsAre(content);
    return { sessionHash: sha256Hex(sessionHash, 'sessionHash') };
  });
}

/** Part: the new password's hash. `passwordVersion` is the one being replaced. */
export function parseChangePassword(data: unknown, content: Content) {
  return parsed((): ChangePassword => {
    const fields = fieldsOf(data, ['passwordVersion', 'keeps']);
    partsAre(content, 'password hash');
    checkPasswordHash(content, 0);
    return {
      passwordVersion: passwordVersion(fields.passwordVersion),
      keeps: fields.keeps === undefined ? undefined : kept(fields.keeps),
    };
  });
}

export function parseEndOtherSessions(data: unknown, content: Content) {
  return parsed((): EndOtherSessions => {
    const { keeps } = fieldsOf(data, ['keeps']);
    partsAre(content);
    return { keeps: kept(keeps) };
  });
}

/** Part: the new password's hash. The recovery code stands for the old password. */
export function parseResetPassword(data: unknown, content: Content) {
  return parsed((): ResetPassword => {
    const { codeHash } = fieldsOf(data, ['codeHash']);
    partsAre(content, 'password hash');
    checkPasswordHash(content, 0);
    return { codeHash: sha256Hex(codeHash, 'codeHash') };
  });
}

export function parseDelete(data: unknown, content: Content) {
  return parsed((): Delete => {
    const fields = fieldsOf(data, ['passwordVersion', 'factorVersion', 'step', 'codeHash']);
    partsAre(content);
    return { passwordVersion: passwordVersion(fields.passwordVersion), proof: parseProof(fields) };
  });
}

function kept(value: unknown): string {
  return value === '' ? '' : sha256Hex(value, 'keeps');
}

function sessionHashes(value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length > ENDS_MAX) {
    refuse('Malformed', `Ends must be a list of at most ${ENDS_MAX} hashes of sessions.`, {
      field: 'ends',
      limit: ENDS_MAX,
    });
  }
  return [...new Set(value.map((hash: unknown) => sha256Hex(hash, 'ends')))];
}

function passwordVersion(value: unknown): number {
  return whole(value, 'passwordVersion', 1, Number.MAX_SAFE_INTEGER);
}

/** The PHC string format: "$argon2id$v=19$m=…$salt$hash". What is not one, a password perhaps, is refused. */
function checkPasswordHash(content: Content, part: number): void {
  const hash = partText(content, part, 'password hash', 1, PASSWORD_HASH_BYTES_MAX);
  if (!/^\$[a-z0-9-]{1,32}\$[\x21-\x7e]+$/.test(hash)) {
    refuse('Malformed', 'Password hash must be in the PHC string format, "$argon2id$…".', {
      field: 'password hash',
      limit: PASSWORD_HASH_BYTES_MAX,
    });
  }
}
