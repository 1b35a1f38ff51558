/**
 * How often a log-in may fail: per account, per address, and, for accounts that exist, across all gateways
 * and their restarts. The first two are counted in this gateway's memory, whether there is such an
 * account or not; the third by events, one for several failures, which the store turns into a lock.
 */
import type { AttemptKind } from '../../../domain/account/events.ts';
import { accountStream } from '../../../domain/streams.ts';
import type { Lock } from '../../../projections/second-factor.ts';
import { Attempts } from '../../pages/attempts.ts';
import { newCommandId } from '../../pages/command-ids.ts';
import type { Pages } from '../../pages/pages.ts';

const WINDOW_MS = 5 * 60_000;
const PER_ACCOUNT: Readonly<Record<AttemptKind, number>> = { password: 20, code: 10, recovery: 10 };
/** An office, a school or a train shares one address. */
const PER_ADDRESS = 100;
/** Failures that one event tells of. */
const TOLD_AT_ONCE: Readonly<Record<AttemptKind, number>> = { password: 5, code: 2, recovery: 2 };

export type Try = { readonly kind: AttemptKind; readonly name: string; readonly address: string };

export class LogInLimits {
  private readonly pages: Pages;
  private readonly perAccount = {
    password: new Attempts({ failuresMax: PER_ACCOUNT.password, windowMs: WINDOW_MS }),
    code: new Attempts({ failuresMax: PER_ACCOUNT.code, windowMs: WINDOW_MS }),
    recovery: new Attempts({ failuresMax: PER_ACCOUNT.recovery, windowMs: WINDOW_MS }),
  };
  private readonly perAddress = new Attempts({ failuresMax: PER_ADDRESS, windowMs: WINDOW_MS });

  /** Failures that the store has not been told of. */
  private readonly untold = new Attempts({ failuresMax: Number.MAX_SAFE_INTEGER, windowMs: WINDOW_MS });

  constructor(pages: Pages) {
    this.pages = pages;
  }

  /** Milliseconds until this may be tried; 0: now, and it counts as a failure until `succeeded`. */
  begin({ kind, name, address }: Try, lock: Lock | undefined, now: number): number {
    const waitMs = Math.max(
      this.perAccount[kind].waitMs(name, now),
      this.perAddress.waitMs(network(address), now),
      (lock?.until ?? 0) - now,
    );
    if (waitMs > 0) return waitMs;
    this.perAccount[kind].failed(name, now);
    this.perAddress.failed(network(address), now);
    return 0;
  }

  succeeded({ kind, name, address }: Try): void {
    this.perAccount[kind].succeeded(name);
    this.perAddress.takenBack(network(address));
  }

  /** Requires `begin`. Tells the store of every few failures, without waiting for it. `exists`: the account does. */
  failed({ kind, name }: Try, exists: boolean): void {
    if (!exists) return;
    const told = `${kind} ${name}`;
    const count = this.untold.failed(told, Date.now());
    if (count < TOLD_AT_ONCE[kind]) return;
    this.untold.succeeded(told);
    const command = {
      id: newCommandId(),
      stream: accountStream(name),
      type: 'account.CountFailures',
      data: { kind, failures: count },
      action: 'Log-ins failed',
    };
    this.pages.send({ actor: 'anonymous', sessionHash: '' }, command).catch((error: unknown) => {
      this.pages.deps.logger.warn({ err: error, account: name }, 'failed log-ins were not counted');
    });
  }
}

/** One address of IPv4; of IPv6 the /64, which one customer has whole (RFC 6177). */
export function network(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address;
  const [head = '', tail = ''] = address.toLowerCase().split('%')[0]!.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  const zeros = address.includes('::') ? Math.max(0, 8 - before.length - after.length) : 0;
  const groups = [...before, ...Array.from({ length: zeros }, () => '0'), ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
