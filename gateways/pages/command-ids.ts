/**
 * Command ids. Each form carries one of its own; what the command creates (a message, a file) gets ids
 * derived from it, so that a form sent twice names the same things and acts once.
 */
import { createHash, randomBytes } from 'node:crypto';

/** 144 random bits. */
export function newCommandId(): string {
  return randomBytes(18).toString('base64url');
}

export function isCommandId(id: unknown): id is string {
  return typeof id === 'string' && /^[A-Za-z0-9_-]{22,64}$/.test(id);
}

/** 26 base32 characters (130 bits), the same for the same account, form and purpose. */
export function idFrom(account: string, commandId: string, purpose: string): string {
  return base32(createHash('sha256').update(`${account}\0${commandId}\0${purpose}`).digest()).slice(0, 26);
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

function base32(bytes: Buffer): string {
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
