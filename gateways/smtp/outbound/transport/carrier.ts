/**
 * Brings a letter to one domain: finds its servers, opens a session with the first that gives one, hands the letter over.
 *
 * Always holds: a letter is offered to a second server only if the first did not see its end; broken TLS is tried
 * again in the clear only where no policy (MTA-STS) forbids it; a domain that nobody answers for, its name servers among
 * them, is left alone for a moment, so that a thousand letters to it do not wait for it one after the other.
 */
import type { Resolver } from 'node:dns/promises';
import { domainToASCII } from 'node:url';
import { Lanes, type LaneLimits } from './lanes.ts';
import { MailServers, type MailServersOptions } from './mail-servers.ts';
import { Session, SessionBroke, STAGES, type Encryption, type Letter, type Stages } from './session.ts';
import { isNamedIn, StsPolicies, type StsPolicy } from './sts-policies.ts';
import { unanswered, type Verdict } from './verdict.ts';

export type CarrierOptions = {
  readonly servers: MailServersOptions;
  readonly limits: LaneLimits;
  /** How this system calls itself in EHLO. */
  readonly ownName: string;
  readonly sts: { readonly file?: string; readonly port: number };
  readonly ca?: string;
  readonly stages?: Stages;
};

const PLACES_MAX = 5;
const DOWN_MS = 30_000;
const DOWN_MAX = 10_000;

export class Carrier {
  readonly #options: CarrierOptions;
  readonly #servers: MailServers;
  readonly #policies: StsPolicies;
  readonly #lanes: Lanes;
  readonly #down = new Map<string, { readonly until: number; readonly verdict: Verdict }>();

  constructor(options: CarrierOptions) {
    const { servers, sts, ca } = options;
    this.#options = options;
    this.#servers = new MailServers(servers);
    this.#policies = new StsPolicies({
      resolver: this.#servers.resolver,
      file: sts.file,
      ca,
      port: sts.port,
      isPrivateAllowed: servers.isPrivateAllowed,
      now: Date.now,
    });
    this.#lanes = new Lanes(options.limits);
  }

  /** What it asks about others' names. */
  get resolver(): Resolver {
    return this.#servers.resolver;
  }

  /** Sessions at work. */
  get busy(): number {
    return this.#lanes.busy;
  }

  /**
   * `letter` is called when its turn has come, of `account` among others. A verdict for each recipient; throws NotOurs,
   * and what `letter` throws.
   */
  carry(
    { domain, account, recipients }: { domain: string; account: string; recipients: number },
    letter: () => Promise<Letter>,
  ): Promise<Verdict[]> {
    const all = (verdict: Verdict): Verdict[] => Array.from({ length: recipients }, () => verdict);
    return this.#lanes.run(domain, account, async ({ take, give }) => {
      const begun = performance.now();
      const down = this.#down.get(domain);
      if (down !== undefined && down.until > begun) return all(down.verdict);
      const route = await this.#servers.routeTo(domain);
      if ('nowhere' in route) {
        if (route.nowhere.outcome === 'deferred') this.#leaveAlone(domain, route.nowhere);
        return all(route.nowhere);
      }
      const sent = await letter();
      const used = take();
      if (used !== undefined) {
        const verdicts = await this.#hand(used, sent, give);
        // What was idle may have ended before it heard of the letter: that is no failure of the domain's.
        if (verdicts !== undefined) return verdicts;
      }
      const policy = await this.#policies.policyOf(domainToASCII(domain) || domain);
      let last: Verdict | undefined;
      let isUp = false;
      for await (const found of this.#sessions(route.servers, policy)) {
        if (!(found instanceof Session)) {
          last = found;
          continue;
        }
        isUp = true;
        const verdicts = await this.#hand(found, sent, give, (verdict) => (last = verdict));
        if (verdicts !== undefined) return verdicts;
      }
      const verdict =
        last ??
        unanswered('', `No mail server of ${domain} may be used by its own policy (MTA-STS).`, '4.7.5');
      // One that takes long and then breaks off is as good as none.
      if (verdict.outcome === 'deferred' && (!isUp || performance.now() - begun > DOWN_MS))
        this.#leaveAlone(domain, verdict);
      return all(verdict);
    });
  }

  #leaveAlone(domain: string, verdict: Verdict): void {
    if (this.#down.size >= DOWN_MAX) this.#down.clear();
    this.#down.set(domain, { until: performance.now() + DOWN_MS, verdict });
  }

  close(): void {
    this.#lanes.close();
  }

  /** Undefined: the session broke before the letter's end. */
  async #hand(
    session: Session,
    letter: Letter,
    give: (session: Session) => void,
    broke: (verdict: Verdict) => void = () => {},
  ): Promise<Verdict[] | undefined> {
    try {
      const verdicts = await session.send(letter);
      give(session);
      return verdicts;
    } catch (error) {
      session.close();
      if (!(error instanceof SessionBroke)) throw error;
      broke(error.verdict);
      return undefined;
    }
  }

  /** One after the other: sessions, and why there was none. */
  async *#sessions(
    servers: readonly { readonly name: string; readonly addresses: readonly string[] }[],
    policy: StsPolicy | undefined,
  ): AsyncGenerator<Session | Verdict> {
    const isEnforced = policy?.mode === 'enforce';
    const usable = servers.filter(({ name }) => !isEnforced || isNamedIn(policy, name));
    const places = usable.flatMap(({ name, addresses }) => addresses.map((address) => ({ name, address })));
    for (const place of places.slice(0, PLACES_MAX)) {
      const first = await this.#open(place, isEnforced ? 'proven' : 'offered');
      const isWorthClear = first instanceof SessionBroke && first.isTlsBroken && !isEnforced;
      const opened = isWorthClear ? await this.#open(place, 'none') : first;
      yield opened instanceof SessionBroke ? opened.verdict : opened;
    }
  }

  async #open(
    place: { name: string; address: string },
    encryption: Encryption,
  ): Promise<Session | SessionBroke> {
    const { servers, ownName, ca, stages = STAGES } = this.#options;
    try {
      return await Session.open({ ...place, port: servers.port, encryption, ownName, ca, stages });
    } catch (error) {
      if (error instanceof SessionBroke) return error;
      throw error;
    }
  }
}
