/**
 * What one client may ask for: connections at once, connections a minute, refusals in one session.
 * Clients on this machine are exempt from the first two: imports and tests come from there.
 *
 * Counts live in this process alone; they protect it, nothing depends on them.
 */
import { SmtpReply } from './smtp-reply.ts';

export type ClientLimitSettings = {
  readonly connectionsPerAddressMax: number;
  readonly connectionsPerMinuteMax: number;
  /** Who guesses addresses is cut off after this many refusals. */
  readonly refusalsPerSessionMax: number;
};

export const DEFAULT_CLIENT_LIMITS: ClientLimitSettings = {
  connectionsPerAddressMax: 20,
  connectionsPerMinuteMax: 120,
  refusalsPerSessionMax: 20,
};

const MINUTE_MS = 60_000;

/** Addresses remembered at once; the oldest window goes first, so that memory stays bounded. */
const ADDRESSES_MAX = 10_000;

type Window = { startedAt: number; connections: number };

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
    const open = this.#open.get(address) ?? 0;
    if (open >= this.#settings.connectionsPerAddressMax) {
      throw tooMany(`connections at once from ${address}`, this.#settings.connectionsPerAddressMax);
    }
    if (this.#countConnection(address) > this.#settings.connectionsPerMinuteMax) {
      throw tooMany(`connections a minute from ${address}`, this.#settings.connectionsPerMinuteMax);
    }
    this.#open.set(address, open + 1);
  }

  disconnected(address: string): void {
    const open = (this.#open.get(address) ?? 0) - 1;
    if (open > 0) this.#open.set(address, open);
    else this.#open.delete(address);
  }

  /** The refusal itself, or, for a session that has had too many, the end of it. */
  refused(refusal: SmtpReply, refusalsInSession: number): SmtpReply {
    const { refusalsPerSessionMax } = this.#settings;
    return refusalsInSession > refusalsPerSessionMax
      ? tooMany('refused commands in this session', refusalsPerSessionMax)
      : refusal;
  }

  #countConnection(address: string): number {
    const now = this.#now();
    const current = this.#windows.get(address);
    const window =
      current && now - current.startedAt < MINUTE_MS ? current : { startedAt: now, connections: 0 };
    window.connections++;
    if (window !== current) {
      this.#windows.delete(address);
      this.#windows.set(address, window);
      const [oldest] = this.#windows.keys();
      if (this.#windows.size > ADDRESSES_MAX && oldest !== undefined) this.#windows.delete(oldest);
    }
    return window.connections;
  }
}

/** Whether an address is this machine's own. */
export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

function tooMany(what: string, limit: number): SmtpReply {
  return new SmtpReply(421, '4.7.0', `Too many ${what}, the limit is ${limit}; try again later`);
}
