/**
 * What the policy of the domain in From (DMARC, RFC 7489) says of a message, from what was found of its signatures and
 * its sender's server. mailauth finds these; the judgement is made here, because it must not be a stranger's:
 *
 *   only what belongs to the From domain counts, exactly that domain where it asks for that (adkim, aspf)
 *   a signature that leaves a part of the body open (l=) is none: anybody can have added that part (RFC 6376 §8.2)
 *   what could not be looked up might have passed (§6.6.2), but only if it belongs to the From domain: else anybody would
 *     get around a policy by naming a domain whose name servers are broken
 *   who is shown and who is checked is one and the same address: where several addresses, a group or an odd spelling
 *     leave that open, the message is set aside (§6.6.1)
 */
import { domainToASCII, domainToUnicode } from 'node:url';
import type { AuthenticateResult } from 'mailauth';
import { readAddresses } from '../../message/addresses.ts';
import type { HeaderBlock } from '../../message/header-block.ts';
import { outcomeOf, type Outcome, type Verdict } from '../../message/verdict.ts';
import { isAligned } from './look-ups.ts';

export type Policy = 'none' | 'quarantine' | 'reject';
/** `policy` undefined: there is none. */
export type Dmarc = {
  readonly outcome: Outcome;
  readonly policy: Policy | undefined;
  readonly percent: number;
};

const ADDRESSES_READ = 10;
const OUTCOMES_KNOWN: readonly Outcome[] = ['none', 'temperror', 'permerror'];

/** The domain in From as readers see it, as A-labels; '' for none, `undefined` where it is open which one that is. */
export function authorDomain(header: HeaderBlock): string | undefined {
  const { list, total } = readAddresses(header.all('from'), ADDRESSES_READ);
  const authors = list.filter(({ address }) => address !== '');
  if (authors.length > 1 || total > ADDRESSES_READ) return undefined;
  const parts = (authors[0]?.address ?? '').split('@');
  return parts.length > 2 ? undefined : asciiOf(parts[1] ?? '');
}

/** Whether the checks looked at another From than readers see. `headerFrom`: the addresses that they found. */
export function isAmbiguous(domain: string | undefined, headerFrom: readonly string[]): boolean {
  if (domain === undefined || headerFrom.length > 1) return true;
  const [checked = ''] = headerFrom;
  return domain !== '' && asciiOf(checked.slice(checked.lastIndexOf('@') + 1)) !== domain;
}

/** Undefined: it has letters that stand for others or for none, so that what is looked up is not what is read. */
function asciiOf(domain: string): string | undefined {
  const lower = domain.toLowerCase();
  if (/^[!-~]*$/.test(lower)) return lower;
  const ascii = domainToASCII(lower);
  return domainToUnicode(ascii) === lower ? ascii : undefined;
}

export function dmarcOf(
  found: AuthenticateResult['dmarc'],
  domain: string,
  { spf, signatures }: Pick<Verdict, 'spf' | 'signatures'>,
): Dmarc {
  if (found === false) return { outcome: 'none', policy: undefined, percent: 100 };
  const said = outcomeOf(found.status.result);
  const policy = policyOf(found.policy);
  const percent = Number.isFinite(found.pct) ? Number(found.pct) : 100;
  if (OUTCOMES_KNOWN.includes(said)) return { outcome: said, policy, percent };
  const { alignment } = found;
  const belongs = (other: string, isStrict: boolean | undefined): boolean =>
    isStrict === true ? asciiOf(other) === domain : isAligned(domain, other);
  const own = [
    ...signatures.filter((one) => belongs(one.domain, alignment?.dkim.strict)),
    ...[spf].filter((one) => belongs(one.domain, alignment?.spf.strict)),
  ].map(({ outcome }) => outcome);
  const outcome = own.includes('pass') ? 'pass' : own.includes('temperror') ? 'temperror' : 'fail';
  return { outcome, policy, percent };
}

/** RFC 7489 §6.3: compared without case; what is no policy asks for nothing. */
function policyOf(written: string | undefined): Policy | undefined {
  if (written === undefined) return undefined;
  const policy = written.trim().toLowerCase();
  return policy === 'reject' || policy === 'quarantine' ? policy : 'none';
}
