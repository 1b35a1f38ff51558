/**
 * Where a message comes from, as far as the DNS can tell: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489) and ARC
 * (RFC 8617), by mailauth; and what the sender's domain asks to be done with what it did not send.
 *
 * Always holds:
 *
 *   a look-up that fails or takes too long refuses nothing: the outcome is `temperror`, the message is taken
 *   one message costs LOOKUPS_MAX look-ups and TIME_MS at most, and SIGNATURES_MAX signatures
 *   `pct` of a policy is honoured: what it leaves out is treated one step milder (RFC 7489 §6.6.4)
 *
 * What comes from this machine itself has no SPF, and a DMARC policy says nothing of it: local programs and relays
 * send for everybody. It is looked at only if it is signed, so that it costs nothing else. A chain of ARC is
 * checked and told, but pardons nothing: that would need a list of those to trust.
 */
import { Resolver } from 'node:dns/promises';
import { authenticate, type AuthenticateResult } from 'mailauth';
import type { HeaderBlock } from '../../message/header-block.ts';
import { outcomeOf, type Verdict } from '../../message/verdict.ts';
import { withoutFields } from '../../message/without-fields.ts';
import { isLoopback } from '../session/client-limits.ts';

export type Disposition = 'take' | 'quarantine' | 'reject';
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

const LOOKUPS_MAX = 60;
const SIGNATURES_MAX = 10;
const FIELDS_MAX = 2_000;
const SIGNING: ReadonlySet<string> = new Set([
  ...['dkim-signature', 'arc-seal', 'arc-message-signature', 'arc-authentication-results'],
]);
const TIME_MS = 15_000;
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
    const signatures = header.all('dkim-signature').length;
    if (local && signatures === 0) return undefined;
    // RFC 6376 §6.1 leaves it to us how many are looked at. Where there are more, or a header so long that they
    // cannot be counted, it is as if there were none: the policy still holds.
    const isCountable = header.bodyAt < raw.length && header.list().length < FIELDS_MAX;
    const looked =
      isCountable && signatures <= SIGNATURES_MAX ? raw : withoutFields(raw, (name) => SIGNING.has(name));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, timeMs, undefined);
    });
    const asked = authenticate(looked, {
      // Of a local peer nothing is asked: this address has no records to be found.
      ip: peer.address,
      helo: peer.name,
      sender: peer.sender,
      mta: hostname,
      resolver: this.#limited(local),
      disableBimi: true,
    }).catch(() => undefined);
    try {
      const found = await Promise.race([asked, late]);
      return found === undefined ? unknown(peer) : this.#judged(found, local);
    } finally {
      clearTimeout(timer);
    }
  }

  #judged(found: AuthenticateResult, local: boolean): Judged {
    const signatures = (found.dkim?.results ?? [])
      .filter(({ status }) => status.result !== 'none')
      .map((signature) => ({
        outcome: outcomeOf(signature.status.result === 'temperr' ? 'temperror' : signature.status.result),
        domain: signature.signingDomain ?? '',
        coversUnsubscribe: coversUnsubscribe(signature),
      }));
    const spf = local
      ? NOTHING.spf
      : {
          outcome: outcomeOf(found.spf === false ? undefined : found.spf?.status.result),
          domain: found.spf === false ? '' : (found.spf?.domain ?? ''),
        };
    const arc = outcomeOf(found.arc === false ? undefined : found.arc?.status?.result);
    const dmarc = found.dmarc === false || local ? undefined : found.dmarc;
    const said = outcomeOf(dmarc?.status.result);
    // A signature or an address that could not be looked up might have been the one that passes (RFC 7489 §6.6.2).
    const waits = [spf, ...signatures].some(({ outcome }) => outcome === 'temperror');
    const outcome = said === 'fail' && waits ? 'temperror' : said;
    const policy = dmarc?.policy || 'none';
    // Readers are shown one From; several would be a way around the policy of each (RFC 7489 §6.6.1).
    const isAmbiguous = !local && [found.dkim?.headerFrom ?? []].flat().length > 1;
    return {
      verdict: {
        spf,
        signatures,
        dmarc: { outcome, domain: fromDomain(found), policy: dmarc?.policy ? policy : '' },
        arc,
      },
      disposition: isAmbiguous
        ? 'quarantine'
        : outcome === 'fail'
          ? this.#disposition(policy, Number(dmarc?.pct ?? 100))
          : 'take',
    };
  }

  #disposition(policy: string, percent: number): Disposition {
    const isMeant = (this.#options.draw ?? Math.random)() * 100 < (Number.isFinite(percent) ? percent : 100);
    if (policy === 'reject') return isMeant ? 'reject' : 'quarantine';
    return policy === 'quarantine' && isMeant ? 'quarantine' : 'take';
  }

  /** For one message. What is asked beyond the limit has no answer, as from a server that is away. */
  #limited(local: boolean) {
    let left = LOOKUPS_MAX;
    return async (name: string, type: string): Promise<string[]> => {
      const isKey = name.includes('._domainkey.');
      if (local && !isKey) throw Object.assign(new Error('not asked'), { code: 'ENOTFOUND' });
      if (left-- <= 0) throw Object.assign(new Error('too many look-ups'), { code: 'ETIMEOUT' });
      return (await this.#dns.resolve(name, type)) as string[];
    };
  }
}

function unknown({ sender }: Peer): Judged {
  const domain = sender.slice(sender.lastIndexOf('@') + 1);
  return {
    verdict: {
      ...NOTHING,
      spf: { outcome: 'temperror', domain },
      dmarc: { outcome: 'temperror', domain: '', policy: '' },
    },
    disposition: 'take',
  };
}

function fromDomain(found: AuthenticateResult): string {
  const [from = ''] = [found.dkim?.headerFrom ?? []].flat();
  return from.slice(from.lastIndexOf('@') + 1).toLowerCase();
}

/** mailauth names the fields that a signature covers, but not in its types. */
function coversUnsubscribe(signature: object): boolean {
  const { signingHeaders } = signature as { signingHeaders?: { keys?: string } };
  const covered = (signingHeaders?.keys ?? '').split(/[:\s]+/).map((name) => name.toLowerCase());
  return covered.includes('list-unsubscribe') && covered.includes('list-unsubscribe-post');
}
