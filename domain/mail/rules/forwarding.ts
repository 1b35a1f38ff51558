/**
 * What rules forward to addresses at other systems: a copy with an envelope of its own. What always holds:
 *
 *   no more than COPIES_A_DAY_MAX leave an account in 24 hours, counted by the hour; beyond that the message stays
 *   a message that this account has forwarded before, and that came back, is not forwarded again
 *   bounces come to the account that forwards, and nobody hears of what had no sender (RFC 5321 §4.5.5)
 */
import type { Json, StateKey, Time } from '../../decider.ts';
import { encodeEnvelope } from '../../outbound/envelope.ts';
import type { Ruling } from './rules.ts';

export const COPIES_A_DAY_MAX = 500;
const HOUR_MS = 60 * 60 * 1000;
const HOURS = 24;

/** How many copies left in which hour since 1970, oldest first; only the newest 24 hours. */
type ForwardsSlice = { readonly hours: readonly (readonly [hour: number, copies: number])[] };

export const FORWARDS_KEY: StateKey = 'forwards';

/** The copies that leave, or why none does; undefined: no rule forwards it elsewhere. */
export function forwardedOutside(
  { outside, as }: Pick<Ruling, 'outside' | 'as'>,
  arrived: { readonly isBackAgain: boolean; readonly nullSender: boolean },
  slice: Json | undefined,
  time: Time,
): { readonly count: number; readonly envelope: Uint8Array } | 'limit' | 'loop' | undefined {
  if (outside === undefined || as === undefined) return undefined;
  if (arrived.isBackAgain) return 'loop';
  const copies = recentHours(slice, time).reduce((sum, [, count]) => sum + count, 0);
  if (copies + outside.length > COPIES_A_DAY_MAX) return 'limit';
  const [only] = outside;
  const prepend = [
    `Delivered-To: ${as}`,
    `X-Forwarded-For: ${as}`,
    // Several do not learn of one another.
    ...(outside.length === 1 ? [`X-Forwarded-To: ${only}`] : []),
  ].map((line) => `${line}\r\n`);
  const envelope = { from: arrived.nullSender ? '' : as, to: outside, prepend: prepend.join('') };
  return { count: outside.length, envelope: encodeEnvelope(envelope) };
}

/** The slice after so many copies more. */
export function withCopies(slice: Json | undefined, copies: number, time: Time): ForwardsSlice {
  const now = hourOf(time);
  const hours = recentHours(slice, time);
  const before = hours.find(([hour]) => hour === now)?.[1] ?? 0;
  return { hours: [...hours.filter(([hour]) => hour !== now), [now, before + copies]] };
}

function recentHours(slice: Json | undefined, time: Time): ForwardsSlice['hours'] {
  const { hours } = (slice as ForwardsSlice | undefined) ?? { hours: [] };
  return hours.filter(([hour]) => hour > hourOf(time) - HOURS);
}

function hourOf(time: Time): number {
  return Math.floor(time / HOUR_MS);
}
