/**
 * Account names. The name is also the local part of the account's mail address, and a piece of row
 * names, so that it stays within characters that need no quoting in either.
 */
import { refuse } from '../fields.ts';

const ACCOUNT_NAME = /^[a-z0-9][a-z0-9._-]{1,31}$/;
const RULE =
  '2 to 32 characters: lower-case letters, digits, dot, dash, underscore; it must start with a letter or digit';

/** RFC 2142 §4 and §5, and the sender of bounces: mail to these must never reach a person who took the name. */
const RESERVED: ReadonlySet<string> = new Set(['postmaster', 'abuse', 'mailer-daemon']);

export function isAccountName(name: string): boolean {
  return ACCOUNT_NAME.test(name);
}

export function isReservedName(name: string): boolean {
  return RESERVED.has(name);
}

/** Requires `parsed` around it. */
export function checkAccountName(value: unknown, field: 'username' | 'recipients'): string {
  if (typeof value !== 'string' || !isAccountName(value)) {
    const subject = field === 'username' ? 'Username' : 'Each of the recipients';
    refuse('Malformed', `${subject} must be ${RULE}.`, { field, limit: RULE });
  }
  return value;
}
