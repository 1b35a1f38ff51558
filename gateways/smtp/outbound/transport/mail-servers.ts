/**
 * Where mail for a domain goes (RFC 5321 §5.1): its MX records by preference, those of one preference in a random order,
 * each with all of its addresses; the domain itself where it has no MX.
 *
 * Always holds: nothing is sent to ourselves (that would be a loop); no stranger's record leads to an address that is
 * not a public one, unless the operator allows it; a name server's failure is worth another try, its "no" is not.
 */
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { domainToASCII } from 'node:url';
import { isPublic } from '../../../pages/outgoing.ts';
import { impossible, unanswered, type Verdict } from './verdict.ts';

export type MailServer = { readonly name: string; readonly addresses: readonly string[] };
export type Route = { readonly servers: readonly MailServer[] } | { readonly nowhere: Verdict };

export type MailServersOptions = {
  /** `address` or `address:port`; empty: those of the system. */
  readonly resolvers: readonly string[];
  /** The port that mail servers elsewhere listen on. */
  readonly port: number;
  /** Names that mean this system: its host name and the domains it serves. */
  readonly ownNames: readonly string[];
  /** Where this system takes mail in on this machine. */
  readonly ownPort: number;
  /** Whether MX may lead to loopback and private addresses. */
  readonly isPrivateAllowed: boolean;
  /** How long a name server has for its first answer; default: 5 s. */
  readonly queryMs?: number;
};

const QUERY_MS = 5_000;
const QUERY_TRIES = 2;
const SERVERS_MAX = 10;
const ADDRESSES_MAX = 8;
const KEPT_MS = 60_000;
const KEPT_MAX = 10_000;

export class MailServers {
  readonly #options: MailServersOptions;
  readonly #resolver: Resolver;
  readonly #own: ReadonlySet<string>;
  readonly #kept = new Map<string, { readonly route: Promise<Route>; readonly until: number }>();

  constructor(options: MailServersOptions) {
    this.#options = options;
    this.#own = new Set(options.ownNames.map(normal));
    this.#resolver = new Resolver({ timeout: options.queryMs ?? QUERY_MS, tries: QUERY_TRIES });
    if (options.resolvers.length > 0) this.#resolver.setServers(options.resolvers);
  }

  get resolver(): Resolver {
    return this.#resolver;
  }

  /** Never rejects. An answer is kept for a minute, a failure is not. */
  routeTo(domain: string): Promise<Route> {
    const kept = this.#kept.get(domain);
    if (kept !== undefined && kept.until > performance.now()) return kept.route;
    const route = this.#find(domain).catch((error: unknown): Route => ({
      nowhere: unanswered('', `${domain} could not be looked up: ${reason(error)}.`, '4.4.3'),
    }));
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    this.#kept.set(domain, { route, until: performance.now() + KEPT_MS });
    void route.then((found) => {
      if ('nowhere' in found && found.nowhere.outcome === 'deferred') this.#kept.delete(domain);
    });
    return route;
  }

  async #find(domain: string): Promise<Route> {
    const literal = /^\[(?:IPv6:)?([0-9a-f:.]+)\]$/i.exec(domain)?.[1];
    if (literal !== undefined && isIP(literal) !== 0)
      return this.#reachable([{ name: domain, addresses: [literal] }], domain);
    const name = normal(domain);
    if (name === '') return nowhere(`${domain} is not the name of a domain.`, '5.1.2');
    if (this.#own.has(name))
      return nowhere(`${domain} is served here: there is no other server to bring it to.`, '5.4.6');

    const records = await this.#mx(name);
    if (records === 'no such domain') return nowhere(`There is no domain ${domain}.`, '5.1.2');
    // RFC 7505 §3
    if (records.length > 0 && records.every(({ exchange }) => exchange === ''))
      return nowhere(`${domain} takes no mail.`, '5.1.10');
    const usable = records.filter(({ exchange }) => exchange !== '');
    const hosts = usable.length > 0 ? this.#before(usable) : [name];
    if (hosts.length === 0)
      return nowhere(`Mail for ${domain} would come back here: it is in a loop.`, '5.4.6');
    const found = await Promise.all(hosts.slice(0, SERVERS_MAX).map((host) => this.#addresses(host)));
    const fault = found.find((one) => 'fault' in one);
    const servers = found.flatMap((one) => ('fault' in one || one.addresses.length === 0 ? [] : [one]));
    if (servers.length > 0) return this.#reachable(servers, domain);
    if (fault !== undefined && 'fault' in fault) throw fault.fault;
    return usable.length === 0
      ? nowhere(`${domain} has no mail server.`, '5.1.2')
      : nowhere(`The mail servers that ${domain} names have no address.`, '5.4.4');
  }

  async #mx(name: string): Promise<{ exchange: string; priority: number }[] | 'no such domain'> {
    try {
      const records = await this.#resolver.resolveMx(name);
      return records.map(({ exchange, priority }) => ({ exchange: normal(exchange), priority }));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENODATA') return [];
      if (code === 'ENOTFOUND') return 'no such domain';
      throw error;
    }
  }

  /** RFC 5321 §5.1: of a list in which we stand ourselves, only those before us. */
  #before(records: readonly { exchange: string; priority: number }[]): string[] {
    const ours = Math.min(...records.filter((one) => this.#own.has(one.exchange)).map((one) => one.priority));
    return shuffled(records)
      .filter(({ priority }) => priority < ours)
      .sort((a, b) => a.priority - b.priority)
      .map(({ exchange }) => exchange);
  }

  async #addresses(name: string): Promise<MailServer | { readonly fault: unknown }> {
    const asked = await Promise.allSettled([this.#resolver.resolve4(name), this.#resolver.resolve6(name)]);
    const addresses = asked.flatMap((one) => (one.status === 'fulfilled' ? shuffled(one.value) : []));
    const fault = asked.find((one) => one.status === 'rejected' && !isNo(one.reason));
    if (addresses.length === 0 && fault?.status === 'rejected') return { fault: fault.reason };
    return { name, addresses: addresses.slice(0, ADDRESSES_MAX) };
  }

  #reachable(servers: readonly MailServer[], domain: string): Route {
    const { isPrivateAllowed } = this.#options;
    const usable = servers
      .map(({ name, addresses }) => ({
        name,
        addresses: addresses.filter((one) => !this.#isSelf(one) && (isPrivateAllowed || isPublic(one))),
      }))
      .filter(({ addresses }) => addresses.length > 0);
    if (usable.length > 0) return { servers: usable };
    const isLoop = servers.some(({ addresses }) => addresses.some((one) => this.#isSelf(one)));
    return isLoop
      ? nowhere(`Mail for ${domain} would come back here: it is in a loop.`, '5.4.6')
      : nowhere(`The mail servers of ${domain} are not on the public internet.`, '5.4.4');
  }

  #isSelf(address: string): boolean {
    if (this.#options.port !== this.#options.ownPort) return false;
    const own = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((one) => one.address));
    return address === '0.0.0.0' || address === '::' || address.startsWith('127.') || own.includes(address);
  }
}

function nowhere(text: string, status: string): Route {
  return { nowhere: impossible(text, status) };
}

/** A-labels in lower case, without the root's dot; '' for the root and for what is no name. */
function normal(name: string): string {
  return domainToASCII(name.replace(/\.$/, '')).toLowerCase();
}

function isNo(error: unknown): boolean {
  return ['ENODATA', 'ENOTFOUND'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function reason(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ETIMEOUT'
    ? 'no name server answered in time'
    : `the name server failed (${code ?? String(error)})`;
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((one) => ({ one, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}
