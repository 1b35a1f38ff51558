/**
 * What the checks of one message may ask of the DNS. Whoever sends a message chooses most of the names that are looked
 * up, and may let them be slow, many, or broken; what its From domain asks for must come through all the same.
 *
 * Always holds: each kind of names has a number and a time of its own, so that a stranger's signatures leave
 * enough for SPF, and both leave enough for the policy and for the signatures of the From domain itself. What comes
 * beyond has no answer, as from a server that is away.
 */
import { getAlignment } from 'mailauth/lib/tools.js';

export type Ask = (name: string, type: string) => Promise<string[]>;

/** `share`: of the whole time, by which the last answer must have come. */
type Allowance = { left: number; readonly share: number };

const KEY = '._domainkey.';

/** `from`: the domain in From, '' for none. `isLocal`: of this machine's own programs only keys are asked for. */
export function boundedLookUps(ask: Ask, of: { from: string; timeMs: number; isLocal: boolean }): Ask {
  const begun = performance.now();
  const own: Allowance = { left: 10, share: 0.75 };
  const strangers: Allowance = { left: 15, share: 0.4 };
  const senders: Allowance = { left: 30, share: 0.75 };
  const policies: Allowance = { left: 4, share: 0.95 };
  const allowanceOf = (name: string): Allowance => {
    const key = name.indexOf(KEY);
    if (key >= 0) return isAligned(of.from, name.slice(key + KEY.length)) ? own : strangers;
    return name.startsWith('_dmarc.') ? policies : senders;
  };
  return async (name, type) => {
    if (of.isLocal && !name.includes(KEY)) throw failure('ENOTFOUND', 'not asked');
    const allowance = allowanceOf(name);
    const leftMs = begun + of.timeMs * allowance.share - performance.now();
    if (allowance.left-- <= 0 || leftMs <= 0) throw failure('ETIMEOUT', 'too many or too slow look-ups');
    return within(leftMs, ask(name, type));
  };
}

/** Of one organisation (RFC 7489 §3.1.1). */
export function isAligned(from: string, other: string): boolean {
  return from !== '' && other !== '' && getAlignment(from, [other]) !== false;
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(failure('ETIMEOUT', 'too slow')), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function failure(code: 'ENOTFOUND' | 'ETIMEOUT', text: string): Error {
  return Object.assign(new Error(text), { code });
}
