/**
 * What was found out about where a message comes from (SPF, DKIM, DMARC, ARC): written by the intake into one
 * Authentication-Results field (RFC 8601) in front of its own Received field, and read again when somebody looks.
 *
 * Always holds: a field that stands below the first Received is a stranger's, whatever it says; the intake puts its
 * own above, and takes out those that come in with its name. Values are tokens of a narrow alphabet; what is not one
 * is left out, so that nothing in a message or in the DNS can write the rest of the field.
 */
import type { HeaderBlock } from './header-block.ts';

export type Outcome =
  'none' | 'pass' | 'fail' | 'softfail' | 'neutral' | 'policy' | 'temperror' | 'permerror';
const OUTCOMES: readonly string[] = [
  ...['none', 'pass', 'fail', 'softfail', 'neutral', 'policy', 'temperror', 'permerror'],
];

export type Signature = {
  readonly outcome: Outcome;
  /** Whose: the domain of the key. */
  readonly domain: string;
  /** Whether it covers what an unsubscribing click relies on (RFC 8058 §4). */
  readonly coversUnsubscribe: boolean;
};

export type Verdict = {
  readonly spf: { readonly outcome: Outcome; readonly domain: string };
  readonly signatures: readonly Signature[];
  /** `domain`: of the From field. */
  readonly dmarc: { readonly outcome: Outcome; readonly domain: string; readonly policy: string };
  readonly arc: Outcome;
};

const SIGNATURES_MAX = 10;
/** Of a field's value, for the name that it begins with. */
const NAMED_WITHIN = 4_000;
const COMMENTS_DEEP_MAX = 20;

/** Lines with CRLF. `name`: what this system calls itself in such fields (RFC 8601 §2.5). */
export function verdictField(name: string, { spf, signatures, dmarc, arc }: Verdict): string {
  const lines = [
    `spf=${spf.outcome}${property('smtp.mailfrom', spf.domain)}`,
    ...(signatures.length === 0 ? ['dkim=none'] : []),
    ...signatures
      .slice(0, SIGNATURES_MAX)
      .map(
        ({ outcome, domain, coversUnsubscribe }) =>
          `dkim=${outcome}${property('header.d', domain)}${property('policy.unsubscribe', coversUnsubscribe ? 'signed' : '')}`,
      ),
    `dmarc=${dmarc.outcome}${property('header.from', dmarc.domain)}${property('policy.dmarc', dmarc.policy)}`,
    `arc=${arc}`,
  ];
  return `Authentication-Results: ${[name, ...lines].join(';\r\n\t')}\r\n`;
}

/** Undefined: the message was not looked at. `name`: as it was written. */
export function readVerdict(header: Pick<HeaderBlock, 'list'>, name: string): Verdict | undefined {
  const fields = header.list();
  const received = fields.findIndex((field) => field.name.toLowerCase() === 'received');
  const own = fields
    .slice(0, Math.max(received, 0))
    .find((field) => field.name.toLowerCase() === 'authentication-results' && isNamed(field.value, name));
  if (own === undefined) return undefined;
  const methods = own.value.split(';').slice(1).map(methodOf);
  const one = (method: string) => methods.find((found) => found.method === method);
  const dmarc = one('dmarc');
  return {
    spf: {
      outcome: one('spf')?.outcome ?? 'none',
      domain: one('spf')?.properties.get('smtp.mailfrom') ?? '',
    },
    signatures: methods
      .filter(({ method, outcome }) => method === 'dkim' && outcome !== 'none')
      .map(({ outcome, properties }) => ({
        outcome,
        domain: properties.get('header.d') ?? '',
        coversUnsubscribe: properties.get('policy.unsubscribe') === 'signed',
      })),
    dmarc: {
      outcome: dmarc?.outcome ?? 'none',
      domain: dmarc?.properties.get('header.from') ?? '',
      policy: dmarc?.properties.get('policy.dmarc') ?? '',
    },
    arc: one('arc')?.outcome ?? 'none',
  };
}

/** Whether an Authentication-Results field's value says that it was written under this name (RFC 8601 §5). */
export function isNamed(value: string, name: string): boolean {
  // Comments, in one another too, and quotes may stand around it (§2.2); what remains is compared without case.
  let written = value.slice(0, NAMED_WITHIN).replace(/\\./gs, ' ');
  for (let depth = 0; depth < COMMENTS_DEEP_MAX && written.includes('('); depth++)
    written = written.replace(/\([^()]*\)/g, ' ');
  const [first = ''] = written.split(';');
  return first.replace(/"/g, '').trim().split(/\s+/)[0]?.toLowerCase() === name.toLowerCase();
}

/** In a sentence for the reader, and whether it is a warning. Undefined: there is nothing to say. */
export function verdictWords(
  { spf, signatures, dmarc }: Verdict,
  folder: string,
): { readonly words: string; readonly warns: boolean } | undefined {
  const signer = signatures.find(
    ({ outcome, domain }) => outcome === 'pass' && isWithin(dmarc.domain, domain),
  );
  const other = signatures.find(({ outcome }) => outcome === 'pass');
  const because = (why: string) => ({ words: `Could not be confirmed: ${why}.`, warns: true });
  if (dmarc.outcome === 'fail') {
    return because(
      folder === 'spam'
        ? `${dmarc.domain} asks to distrust mail that it did not sign, and this is such mail`
        : `${dmarc.domain} did not sign it, and it came from a server that is not theirs`,
    );
  }
  if (signer !== undefined) return { words: `Signed by ${signer.domain}`, warns: false };
  if (dmarc.outcome === 'pass') return { words: `Sent by a server of ${dmarc.domain}`, warns: false };
  const waited = [spf.outcome, dmarc.outcome, ...signatures.map(({ outcome }) => outcome)].includes(
    'temperror',
  );
  if (waited) return because('the sender’s domain did not answer when this message came in');
  if (other !== undefined) {
    const from = dmarc.domain === '' ? '' : `, not by ${dmarc.domain}`;
    return { words: `Signed by ${other.domain}${from}`, warns: false };
  }
  if (signatures.length > 0)
    return because('its signature does not match: it may have been changed on its way');
  if (spf.outcome === 'fail') return because(`it came from a server that is not one of ${spf.domain}`);
  if (spf.outcome === 'pass') return { words: `Sent by a server of ${spf.domain}`, warns: false };
  return because('its sender does not sign mail');
}

/** A click that unsubscribes must be what its sender wrote (RFC 8058 §4). */
export function isUnsubscribeSigned(verdict: Verdict | undefined): boolean {
  return (
    verdict?.signatures.some(({ outcome, coversUnsubscribe }) => outcome === 'pass' && coversUnsubscribe) ===
    true
  );
}

/** Relaxed alignment, as far as names alone tell: the same domain, or one below the other. */
function isWithin(from: string, signer: string): boolean {
  if (from === '' || signer === '') return false;
  return from === signer || from.endsWith(`.${signer}`) || signer.endsWith(`.${from}`);
}

type Method = {
  readonly method: string;
  readonly outcome: Outcome;
  readonly properties: ReadonlyMap<string, string>;
};

function methodOf(written: string): Method {
  const [first = '', ...rest] = written.trim().split(/\s+/);
  const [method = '', outcome = ''] = first.split('=');
  const properties = rest
    .map((pair) => pair.split('='))
    .map(([key = '', value = '']) => [key, value] as const);
  return { method, outcome: outcomeOf(outcome), properties: new Map(properties) };
}

/** What is no result of RFC 8601 counts as none. */
export function outcomeOf(result: string | undefined): Outcome {
  return OUTCOMES.includes(result ?? '') ? (result as Outcome) : 'none';
}

function property(key: string, value: string): string {
  return /^[a-z0-9._-]{1,253}$/i.test(value) ? ` ${key}=${value.toLowerCase()}` : '';
}
