/**
 * Where a message comes from, as far as the DNS can tell: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489) and ARC
 * (RFC 8617), by mailauth; and what the sender's domain asks to be done with what it did not send.
 *
 * Always holds:
 *
 *   a look-up that fails or takes too long refuses nothing: the outcome is `temperror`, the message is taken. That is
 *     said of look-ups in the domain in From; of a stranger's names nothing hangs on them (alignment.ts)
 *   what cannot be judged in time, because this process is busy, is taken only if no policy would refuse it unsigned
 *   one message costs a bounded number of look-ups (look-ups.ts), and bounded work (examined.ts), within TIME_MS
 *   `pct` of a policy is honoured: what it leaves out is treated one step milder (RFC 7489 §6.6.4)
 *
 * What comes from this machine itself has no SPF, and a DMARC policy says nothing of it: local programs and relays
 * send for everybody. It is looked at only if it is signed, so that it costs nothing else. A chain of ARC is
 * checked and told, but pardons nothing: that would need a list of those to trust.
 */
import { Resolver } from 'node:dns/promises';
import { Readable } from 'node:stream';
import { authenticate, type AuthenticateResult } from 'mailauth';
import type { HeaderBlock } from '../../message/header-block.ts';
import { outcomeOf, type Outcome, type Verdict } from '../../message/verdict.ts';
import { isLoopback } from '../session/client-limits.ts';
import { authorDomain, dmarcOf, isAmbiguous, type Policy } from './alignment.ts';
import { fromFieldsOf, inPieces, isWorthChecking } from './examined.ts';
import { boundedLookUps } from './look-ups.ts';

/** `later`: it could not be judged in time, and may not be taken unjudged. */
export type Disposition = 'take' | 'quarantine' | 'reject' | 'later';
export type Judged = { readonly verdict: Verdict; readonly disposition: Disposition };

export type Peer = {
  readonly address: string;
  /** As it called itself. */
  readonly name: string;
  /** The envelope's sender; '' for none. */
  readonly sender: string;
};

export type AuthenticationOptions = {
  /** `ip` or `ip:port`; none: the system's own. */
  readonly resolvers: readonly string[];
  /** What this system calls itself. */
  readonly hostname: string;
  readonly isLocal?: (address: string) => boolean;
  /** From 0 up to 1: which of a policy's percentage this message is. */
  readonly draw?: () => number;
  readonly timeMs?: number;
};

const TIME_MS = 15_000;
/** For what is asked when that is over. */
const REST_MS = 5_000;
const LOOKUP_MS = 4_000;

const NOTHING: Verdict = {
  spf: { outcome: 'none', domain: '' },
  signatures: [],
  dmarc: { outcome: 'none', domain: '', policy: '' },
  arc: 'none',
};

export class Authentication {
  readonly #options: AuthenticationOptions;
  readonly #dns: Resolver;

  constructor(options: AuthenticationOptions) {
    this.#options = options;
    this.#dns = new Resolver({ timeout: LOOKUP_MS, tries: 2 });
    if (options.resolvers.length > 0) this.#dns.setServers(options.resolvers);
  }

  /** `raw`: as it came, with its `header`. Undefined: there is nothing to look at. Never rejects. */
  async judge(raw: Buffer, header: HeaderBlock, peer: Peer): Promise<Judged | undefined> {
    const { isLocal = isLoopback, hostname, timeMs = TIME_MS } = this.#options;
    const local = isLocal(peer.address);
    if (local && header.first('dkim-signature') === undefined) return undefined;
    const domain = authorDomain(header);
    const look = (looked: ReturnType<typeof inPieces>, withinMs: number) =>
      authenticate(looked, {
        // Of a local peer nothing is asked: this address has no records to be found.
        ip: peer.address,
        helo: peer.name,
        sender: peer.sender,
        mta: hostname,
        resolver: boundedLookUps(async (name, type) => (await this.#dns.resolve(name, type)) as string[], {
          ...{ from: domain ?? '', timeMs: withinMs, isLocal: local },
        }),
        disableBimi: true,
      });
    const unsigned = fromFieldsOf(header);
    const looked = isWorthChecking(raw, header) ? inPieces(raw) : unsigned;
    // What the checks stumble over is not checked: the policy still holds.
    const asked = look(looked, timeMs).catch(() => look(unsigned, REST_MS));
    const found = await within(timeMs, asked);
    if (found !== undefined) return this.#judged(found, domain, local);
    if (looked instanceof Readable) looked.destroy();
    // Whoever can keep this process busy must not get around a policy by that.
    const rest = local ? undefined : await within(REST_MS, look(unsigned, REST_MS));
    const isTaken = rest === undefined || this.#judged(rest, domain, local).disposition === 'take';
    return { verdict: unknown(peer), disposition: isTaken ? 'take' : 'later' };
  }

  #judged(found: AuthenticateResult, domain: string | undefined, local: boolean): Judged {
    const signatures = (found.dkim?.results ?? [])
      .filter(({ status }) => status.result !== 'none')
      .map((signature) => ({
        outcome: outcomeOfSignature(signature.status, coveredBy(signature)),
        domain: signature.signingDomain ?? '',
        coversUnsubscribe: coversUnsubscribe(coveredBy(signature)),
      }));
    const spf = local
      ? NOTHING.spf
      : {
          outcome: outcomeOf(found.spf === false ? undefined : found.spf?.status.result),
          domain: found.spf === false ? '' : (found.spf?.domain ?? ''),
        };
    const arc = outcomeOf(found.arc === false ? undefined : found.arc?.status?.result);
    const dmarc = dmarcOf(local ? false : found.dmarc, domain ?? '', { spf, signatures });
    const isOpen = !local && isAmbiguous(domain, [found.dkim?.headerFrom ?? []].flat());
    return {
      verdict: {
        ...{ spf, signatures, arc },
        dmarc: { outcome: dmarc.outcome, domain: domain ?? '', policy: dmarc.policy ?? '' },
      },
      disposition: isOpen
        ? 'quarantine'
        : dmarc.outcome === 'fail'
          ? this.#disposition(dmarc.policy ?? 'none', dmarc.percent)
          : 'take',
    };
  }

  #disposition(policy: Policy, percent: number): Disposition {
    const isMeant = (this.#options.draw ?? Math.random)() * 100 < percent;
    if (policy === 'reject') return isMeant ? 'reject' : 'quarantine';
    return policy === 'quarantine' && isMeant ? 'quarantine' : 'take';
  }
}

/**
 * RFC 8601 §2.7.1: `policy` is what we do not accept, here a signature that leaves a part of the body open. One that does
 * not cover From is none (RFC 6376 §6.1.1).
 */
function outcomeOfSignature(
  status: { readonly result: string; readonly underSized?: unknown },
  covered: readonly string[],
): Outcome {
  if (status.result === 'pass' && !covered.includes('from')) return 'permerror';
  if (status.result === 'pass' && Number(status.underSized ?? 0) > 0) return 'policy';
  return outcomeOf(status.result === 'temperr' ? 'temperror' : status.result);
}

function unknown({ sender }: Peer): Verdict {
  const domain = sender.slice(sender.lastIndexOf('@') + 1);
  return {
    ...NOTHING,
    spf: { outcome: 'temperror', domain },
    dmarc: { outcome: 'temperror', domain: '', policy: '' },
  };
}

/** Undefined: it took longer, or failed. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([work.catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}

function coversUnsubscribe(covered: readonly string[]): boolean {
  return covered.includes('list-unsubscribe') && covered.includes('list-unsubscribe-post');
}

/** mailauth names the fields that a signature covers, but not in its types. In lower case. */
function coveredBy(signature: object): string[] {
  const { signingHeaders } = signature as { signingHeaders?: { keys?: string } };
  return (signingHeaders?.keys ?? '').split(/[:\s]+/).map((name) => name.toLowerCase());
}
