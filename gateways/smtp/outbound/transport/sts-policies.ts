/**
 * MTA-STS (RFC 8461): a domain's word that its mail servers speak TLS and which they are.
 *
 * Always holds: a policy that was fetched over HTTPS holds for its max_age, whatever DNS says meanwhile (whoever
 * strips TLS strips DNS too); DNS only tells that there is a newer one. A domain whose policy cannot be had and
 * is not known has none. Kept in a file, so that a restart forgets nothing.
 */
import type { Resolver } from 'node:dns/promises';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { parsePolicy, resolvePolicy } from 'mailauth/lib/mta-sts.js';
import { isPublic } from '../../../pages/outgoing.ts';

export type StsPolicy = {
  readonly id: string;
  readonly mode: 'enforce' | 'testing' | 'none';
  /** Names of mail servers, or `*.` and a name. */
  readonly mx: readonly string[];
  /** ms since 1970 */
  readonly until: number;
};

export type StsOptions = {
  readonly resolver: Resolver;
  /** Undefined: only in memory. */
  readonly file: string | undefined;
  /** An authority to trust besides the system's. */
  readonly ca: string | undefined;
  /** Of the policy hosts' HTTPS. */
  readonly port: number;
  readonly isPrivateAllowed: boolean;
  readonly now: () => number;
};

const CHECK_MS = 10 * 60_000;
const FETCH_MS = 15_000;
const POLICY_BYTES_MAX = 64 * 1024;
/** Of the names of a policy's servers together: all policies are in memory, and in one file. */
const SERVERS_CHARACTERS_MAX = 4_000;
const DOMAINS_MAX = 10_000;

export class StsPolicies {
  readonly #options: StsOptions;
  readonly #known: Map<string, StsPolicy>;
  readonly #checked = new Map<
    string,
    { readonly at: number; readonly policy: Promise<StsPolicy | undefined> }
  >();

  constructor(options: StsOptions) {
    this.#options = options;
    this.#known = new Map(Object.entries(options.file === undefined ? {} : readKept(options.file)));
  }

  /** Undefined: none. Never rejects. */
  policyOf(domain: string): Promise<StsPolicy | undefined> {
    const checked = this.#checked.get(domain);
    if (checked !== undefined && performance.now() - checked.at < CHECK_MS) return checked.policy;
    const policy = this.#look(domain);
    if (this.#checked.size >= DOMAINS_MAX) this.#checked.clear();
    this.#checked.set(domain, { at: performance.now(), policy });
    return policy;
  }

  async #look(domain: string): Promise<StsPolicy | undefined> {
    const { resolver, now } = this.#options;
    const known = this.#known.get(domain);
    const valid = known !== undefined && known.until > now() ? known : undefined;
    const id = await resolvePolicy(domain, {
      resolver: (name, type) => resolver.resolve(name, type) as never,
    }).catch(() => false as const);
    if (id === false || id === valid?.id) return valid;
    try {
      const { mode, mx = [], maxAge = 0 } = parsePolicy(await this.#fetch(domain));
      if (mx.join().length > SERVERS_CHARACTERS_MAX) throw new Error('the policy names too many servers');
      const policy = { id, mode, mx, until: now() + maxAge * 1000 } as StsPolicy;
      this.#keep(domain, policy);
      return policy;
    } catch {
      return valid;
    }
  }

  /** RFC 8461 §3.3: no redirects; the certificate is that of the policy host. */
  async #fetch(domain: string): Promise<Buffer> {
    const { resolver, ca, port, isPrivateAllowed } = this.#options;
    const servername = `mta-sts.${domain}`;
    const found = await resolver.resolve4(servername).catch(() => resolver.resolve6(servername));
    const host = found.find((one) => isPrivateAllowed || isPublic(one));
    if (host === undefined) throw new Error(`${servername} is not on the public internet`);
    return new Promise((resolve, reject) => {
      const asked = request({
        host,
        port,
        servername,
        path: '/.well-known/mta-sts.txt',
        headers: { host: servername },
        agent: false,
        ...(ca !== undefined && { ca }),
        signal: AbortSignal.timeout(FETCH_MS),
      });
      asked.on('error', reject);
      asked.on('response', (answer) => {
        if (answer.statusCode !== 200) return asked.destroy(new Error(`it answered ${answer.statusCode}`));
        const pieces: Buffer[] = [];
        let length = 0;
        answer.on('data', (piece: Buffer) => {
          length += piece.length;
          if (length > POLICY_BYTES_MAX) asked.destroy(new Error('the policy is too long'));
          pieces.push(piece);
        });
        answer.on('error', reject);
        answer.on('end', () => resolve(Buffer.concat(pieces)));
      });
      asked.end();
    });
  }

  #keep(domain: string, policy: StsPolicy): void {
    this.#known.delete(domain);
    this.#known.set(domain, policy);
    // The one that was fetched longest ago: who has many domains must not make us forget all others'.
    const [oldest] = this.#known.keys();
    if (this.#known.size > DOMAINS_MAX && oldest !== undefined) this.#known.delete(oldest);
    const { file } = this.#options;
    if (file === undefined) return;
    writeFileSync(`${file}.new`, JSON.stringify(Object.fromEntries(this.#known)));
    renameSync(`${file}.new`, file);
  }
}

/** RFC 8461 §4.1: a wildcard stands for one label. */
export function isNamedIn({ mx }: StsPolicy, server: string): boolean {
  return mx.some((one) => (one.startsWith('*.') ? server.replace(/^[^.]+\./, '*.') === one : server === one));
}

/** A file that cannot be read is as good as none: policies are fetched again. */
function readKept(file: string): Record<string, StsPolicy> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, StsPolicy>;
  } catch {
    return {};
  }
}
