/**
 * The id of a command that nobody repeats but the store's client, which keeps it: a message that a peer sends again is
 * known by the message's id (repeats.ts).
 */
import { randomBytes } from 'node:crypto';

/** 128 random bits, in hexadecimal. */
export function commandId(): string {
  return randomBytes(16).toString('hex');
}
