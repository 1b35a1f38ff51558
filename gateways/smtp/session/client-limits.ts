/**
 * What one client may ask for: connections at once, connections, messages and recipients a minute, refusals in one
 * session. Clients on this machine are exempt from all but the last: imports and tests come from there. An IPv6 network
 * of 64 bits is one client (pages/network.ts).
 *
 * Counts live in this process alone; they protect it, nothing depends on them.
 */
import { network } from '../../pages/network.ts';
import { SmtpReply } from './smtp-reply.ts';

export type ClientLimitSettings = {
  readonly connectionsPerAddressMax: number;
  readonly connectionsPerMinuteMax: number;
  /** 0: as many as they like; so too of recipients. */
  readonly messagesPerMinuteMax: number;
  readonly recipientsPerMinuteMax: number;
  /** Who guesses addresses is cut off after this many refusals. */
  readonly refusalsPerSessionMax: number;
};

export const DEFAULT_CLIENT_LIMITS: ClientLimitSettings = {
  connectionsPerAddressMax: 20,
  connectionsPerMinuteMax: 120,
  messagesPerMinuteMax: 600,
  recipientsPerMinuteMax: 1200,
  refusalsPerSessionMax: 20,
};

const MINUTE_MS = 60_000;

/** Addresses remembered at once; the oldest window goes first, so that memory stays bounded. */
const ADDRESSES_MAX = 10_000;

type Counted = 'connections' | 'messages' | 'recipients';
type Window = { readonly startedAt: number } & Record<Counted, number>;

export class ClientLimits {
  readonly #settings: ClientLimitSettings;
  readonly #now: () => number;
  readonly #open = new Map<string, number>();
  readonly #windows = new Map<string, Window>();

  /** `now` in ms, of a clock that never goes back. */
  constructor(settings: ClientLimitSettings, now: () => number) {
    this.#settings = settings;
    this.#now = now;
  }

  /** Throws SmtpReply if this client has to wait. Each success is followed by one `disconnected`. */
  connected(address: string): void {
    if (isLoopback(address)) return;
    const client = network(address);
    const open = this.#open.get(client) ?? 0;
    if (open >= this.#settings.connectionsPerAddressMax) {
      throw tooMany(`connections at once from ${client}`, this.#settings.connectionsPerAddressMax);
    }
    if (this.#count(client, 'connections') > this.#settings.connectionsPerMinuteMax) {
      throw tooMany(`connections a minute from ${client}`, this.#settings.connectionsPerMinuteMax);
    }
    this.#open.set(client, open + 1);
  }

  disconnected(address: string): void {
    const client = network(address);
    const open = (this.#open.get(client) ?? 0) - 1;
    if (open > 0) this.#open.set(client, open);
    else this.#open.delete(client);
  }

  /** At MAIL. Throws SmtpReply with a code that RFC 5321 §4.3.2 has there. */
  message(address: string): void {
    this.#counted(address, 'messages', this.#settings.messagesPerMinuteMax, 451);
  }

  /** At RCPT, the same. */
  recipient(address: string): void {
    this.#counted(address, 'recipients', this.#settings.recipientsPerMinuteMax, 450);
  }

  /** The refusal itself, or, for a session that has had too many, the end of it. */
  refused(refusal: SmtpReply, refusalsInSession: number): SmtpReply {
    const { refusalsPerSessionMax } = this.#settings;
    return refusalsInSession > refusalsPerSessionMax
      ? tooMany('refused commands in this session', refusalsPerSessionMax)
      : refusal;
  }

  #counted(address: string, what: Counted, max: number, code: 450 | 451): void {
    if (max === 0 || isLoopback(address)) return;
    const client = network(address);
    if (this.#count(client, what) <= max) return;
    const text = `Too many ${what} a minute from ${client}, the limit is ${max}; try again later`;
    throw new SmtpReply(code, '4.7.1', text);
  }

  #count(client: string, what: Counted): number {
    const now = this.#now();
    const current = this.#windows.get(client);
    const isFresh = current === undefined || now - current.startedAt >= MINUTE_MS;
    const window = isFresh ? { startedAt: now, connections: 0, messages: 0, recipients: 0 } : current;
    window[what]++;
    if (isFresh) {
      this.#windows.delete(client);
      this.#windows.set(client, window);
      const [oldest] = this.#windows.keys();
      if (this.#windows.size > ADDRESSES_MAX && oldest !== undefined) this.#windows.delete(oldest);
    }
    return window[what];
  }
}

/** Whether an address is this machine's own. */
export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

function tooMany(what: string, limit: number): SmtpReply {
  return new SmtpReply(421, '4.7.0', `Too many ${what}, the limit is ${limit}; try again later`);
}
