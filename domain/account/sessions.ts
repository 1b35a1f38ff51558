/**
 * How long a session may last. The expiry is absolute and part of the event; who checks a session
 * compares it with the clock, and nothing has to happen at that moment.
 */
import type { Time } from '../decider.ts';
import { rejection, type Rejection } from '../errors.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
export const SESSION_DAYS_MAX = 90;
/** A session in use says so at most this often. */
export const SEEN_EVERY_MS = 60 * 60 * 1000;

/** Undefined when now < expiresAt <= now + daysMax. */
export function expiryFault(expiresAt: Time, now: Time, daysMax: number): Rejection | undefined {
  if (expiresAt > now && expiresAt <= now + daysMax * DAY_MS) return undefined;
  const message = `ExpiresAt must be later than now and at most ${daysMax} days ahead.`;
  return rejection('Malformed', message, { field: 'expiresAt', limit: `${daysMax} days` });
}

/** A session's hash names it for good: opening it twice would prolong it unnoticed. */
export function hashInUse(field: 'sessionHash' | 'linkHash'): Rejection {
  return rejection('Malformed', `The ${field} is in use: choose a new random secret.`, { field });
}

export const sessionEnded = rejection('SessionEnded', 'This session has ended: log in again.', {
  field: 'sessionHash',
});
