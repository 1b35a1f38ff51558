/**
 * When a message is tried again (RFC 5321 §4.5.4.1): after a wait that doubles with each try up to a limit, a fifth more
 * or less, so that what failed together does not come again together; after some days it is given up.
 */
import { impossible, type Verdict } from '../transport/verdict.ts';

/** In ms. */
export type RetryTimes = {
  readonly first: number;
  readonly most: number;
  readonly giveUp: number;
  /** After so long the sender hears that it waits. */
  readonly tellDelay: number;
};

export type Tried = {
  readonly verdict: Verdict;
  readonly retryAt: number | null;
  readonly isDelayTold: boolean;
};

/** What came of trying some of an item's recipients, by their places in its envelope. */
export type Report = {
  /** The item. */
  readonly id: string;
  readonly tried: readonly (Tried & { readonly to: number })[];
};

const SPREAD = 0.2;

/** `tries`: those before this one. `random`: from 0 to 1. */
export function afterTry(
  verdict: Verdict,
  before: { readonly tries: number; readonly isDelayTold: boolean },
  { queuedAt, now, times, random }: { queuedAt: number; now: number; times: RetryTimes; random: number },
): Tried {
  if (verdict.outcome !== 'deferred') return { verdict, retryAt: null, isDelayTold: false };
  const end = queuedAt + times.giveUp;
  if (now >= end) return { verdict: givenUp(verdict, now - queuedAt), retryAt: null, isDelayTold: false };
  const wait = Math.min(times.most, times.first * 2 ** Math.min(before.tries, 30));
  const retryAt = Math.min(end, Math.round(now + wait * (1 - SPREAD + 2 * SPREAD * random)));
  return { verdict, retryAt, isDelayTold: !before.isDelayTold && now - queuedAt >= times.tellDelay };
}

function givenUp({ code, host, text }: Verdict, waitedMs: number): Verdict {
  const hours = Math.round(waitedMs / 3_600_000);
  const waited = hours >= 48 ? `${Math.round(hours / 24)} days` : hours > 1 ? `${hours} hours` : 'its time';
  return { ...impossible(`Given up after ${waited}. The last answer: ${text}`, '4.4.7', host), code };
}
