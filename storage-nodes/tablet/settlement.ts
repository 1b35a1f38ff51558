/** The store's own command: the outcome of a reaction becomes an event of the stream that asked for it. */
import { Fault } from '../faults.ts';

export const SETTLE_REACTION = 'platform.SettleReaction';

export type Settlement = {
  /** Which reaction: the entry that asked for it, and its number there. */
  readonly seq: number;
  readonly n: number;
  /** When it was due, if it had to wait. */
  readonly notBefore?: number;
  readonly outcome: 'accepted' | 'refused';
  /** Why it was refused. */
  readonly code?: string;
  /** The slices that the event changes. */
  readonly touches: readonly string[];
};

/** Throws Malformed. */
export function parseSettlement(data: unknown): Settlement {
  const { seq, n, notBefore, outcome, code, touches } = (data ?? {}) as Partial<Settlement>;
  const isSound =
    Number.isSafeInteger(seq) &&
    Number.isSafeInteger(n) &&
    (notBefore === undefined || Number.isSafeInteger(notBefore)) &&
    (outcome === 'accepted' || outcome === 'refused') &&
    (code === undefined || typeof code === 'string') &&
    Array.isArray(touches) &&
    touches.every((key) => typeof key === 'string');
  if (!isSound) throw new Fault('Malformed', `${SETTLE_REACTION} needs seq, n, outcome and touches`);
  return {
    seq: seq!,
    n: n!,
    ...(notBefore === undefined ? {} : { notBefore }),
    outcome: outcome!,
    touches: touches!,
    ...(code === undefined ? {} : { code }),
  };
}
