/**
 * What can be asked of an account, and the checks that untrusted data passes first. Passwords never come
 * here: a gateway hashes them (and verifies them against the account's credentials), and the version of
 * the password it looked at comes along.
 */
import type { Content } from '../decider.ts';
import {
  fieldsOf,
  flag,
  hasControlCharacter,
  parsed,
  partText,
  partsAre,
  refuse,
  sha256Hex,
  whole,
} from '../fields.ts';
import { checkAccountName } from './names.ts';

const DISPLAY_NAME_BYTES_MAX = 255;
const USER_AGENT_BYTES_MAX = 1024;
const PASSWORD_HASH_BYTES_MAX = 512;

export type SignUp = { readonly name: string; readonly admin: boolean };
export type OpenSession = {
  readonly sessionHash: string;
  readonly expiresAt: number;
  readonly passwordVersion: number;
};
export type CloseSession = { readonly sessionHash: string };
export type ChangePassword = { readonly passwordVersion: number };

/** Parts: the password's hash, the display name (may be empty: the account's name is shown). */
export function parseSignUp(data: unknown, content: Content) {
  return parsed((): SignUp => {
    const { name, admin } = fieldsOf(data, ['name', 'admin']);
    partsAre(content, 'password hash', 'display name');
    checkPasswordHash(content, 0);
    checkDisplayName(content, 1);
    return { name: checkAccountName(name, 'username'), admin: flag(admin, 'admin') };
  });
}

/** Part: the user agent (may be empty). */
export function parseOpenSession(data: unknown, content: Content) {
  return parsed((): OpenSession => {
    const fields = fieldsOf(data, ['sessionHash', 'expiresAt', 'passwordVersion']);
    partsAre(content, 'user agent');
    partText(content, 0, 'user agent', 0, USER_AGENT_BYTES_MAX);
    return {
      sessionHash: sha256Hex(fields.sessionHash, 'sessionHash'),
      expiresAt: whole(fields.expiresAt, 'expiresAt', 0, Number.MAX_SAFE_INTEGER),
      passwordVersion: passwordVersion(fields.passwordVersion),
    };
  });
}

export function parseCloseSession(data: unknown, content: Content) {
  return parsed((): CloseSession => {
    const { sessionHash } = fieldsOf(data, ['sessionHash']);
    partsAre(content);
    return { sessionHash: sha256Hex(sessionHash, 'sessionHash') };
  });
}

/** Part: the new password's hash. `passwordVersion` is the one being replaced. */
export function parseChangePassword(data: unknown, content: Content) {
  return parsed((): ChangePassword => {
    const fields = fieldsOf(data, ['passwordVersion']);
    partsAre(content, 'password hash');
    checkPasswordHash(content, 0);
    return { passwordVersion: passwordVersion(fields.passwordVersion) };
  });
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

function checkDisplayName(content: Content, part: number): void {
  if (hasControlCharacter(partText(content, part, 'display name', 0, DISPLAY_NAME_BYTES_MAX))) {
    refuse(
      'Malformed',
      'Display name must not contain control characters (line breaks, tabs and the like).',
      {
        field: 'display name',
        limit: DISPLAY_NAME_BYTES_MAX,
      },
    );
  }
}
