/**
 * Command ids. Each form carries one of its own; what the command creates (a message, a file) gets ids
 * derived from it, so that a form sent twice names the same things and acts once.
 *
 *   id = time of issue (ms since 1970, base 36, 8 characters) ‖ 18 random bytes (base64url)
 *
 * The store hears an id bound to who sends it: what one account's form did is never the answer to another's.
 *
 *   sent id = time of issue ‖ SHA-256(sender NUL … NUL form's id), its first 24 characters (base64url)
 *
 * The time lies in the id, so that a form expires when it does, not anew with each sending: after that
 * the store no longer knows whether it was carried out, and must not be asked again.
 */
import { createHash, randomBytes } from 'node:crypto';

const TIME_CHARACTERS = 8;
/** As long as someone may leave a half-written letter open. */
const VALID_MS = 7 * 24 * 60 * 60 * 1000;
const CLOCKS_DIFFER_MS = 60 * 1000;

export function newCommandId(time = Date.now()): string {
  return time.toString(36).padStart(TIME_CHARACTERS, '0') + randomBytes(18).toString('base64url');
}

/** Ms since 1970. Requires an id that `isCommandId`, or one derived from it by adding to its end. */
export function commandExpiry(id: string): number {
  return Number.parseInt(id.slice(0, TIME_CHARACTERS), 36) + VALID_MS;
}

/** Not expired, and not from the future (beyond what clocks of gateways may differ). */
export function isCurrent(id: string, now: number): boolean {
  const expiry = commandExpiry(id);
  return now < expiry && expiry <= now + VALID_MS + CLOCKS_DIFFER_MS;
}

export function isCommandId(id: unknown): id is string {
  return typeof id === 'string' && /^[0-9a-z]{8}[A-Za-z0-9_-]{24}$/.test(id);
}

/**
 * The id under which the store knows a form's command: the same for the same sender and form, another one for
 * everyone else. `sender`: the account, its stream, and for who has no account the visitor's cookie.
 */
export function boundId(id: string, sender: readonly string[]): string {
  const digest = createHash('sha256')
    .update([...sender, id].join('\0'))
    .digest('base64url');
  return id.slice(0, TIME_CHARACTERS) + digest.slice(0, 24);
}

/** 26 base32 characters (130 bits), the same for the same account, form and purpose. */
export function idFrom(account: string, commandId: string, purpose: string): string {
  return base32(createHash('sha256').update(`${account}\0${commandId}\0${purpose}`).digest()).slice(0, 26);
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** RFC 4648 in lower case, without padding; bits that fill no character are left out. */
export function base32(bytes: Buffer): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(held >>> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return text;
}
