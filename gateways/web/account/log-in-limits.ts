/**
 * How often a log-in may fail: per account, per address, and, for accounts that exist, across all gateways
 * and their restarts. The first two are counted in this gateway's memory, whether there is such an
 * account or not; the third by events, one for several failures, which the store turns into a lock.
 *
 * A browser that has logged in to the account before (cookies.ts, pc_known) is counted by itself: strangers who
 * lock the account do not lock out its owner. Not so for codes: who gets that far has the password.
 */
import type { AttemptKind } from '../../../domain/account/events.ts';
import { accountStream } from '../../../domain/streams.ts';
import type { Lock } from '../../../projections/second-factor.ts';
import { Attempts } from '../../passwords/attempts.ts';
import { newCommandId } from '../../pages/command-ids.ts';
import { network } from '../../pages/network.ts';
import type { Pages } from '../../pages/pages.ts';

const WINDOW_MS = 5 * 60_000;
const PER_ACCOUNT: Readonly<Record<AttemptKind, number>> = { password: 20, code: 10, recovery: 10 };
/** An office, a school or a train shares one address. */
const PER_ADDRESS = 100;
/** Failures that one event tells of. */
const TOLD_AT_ONCE: Readonly<Record<AttemptKind, number>> = { password: 5, code: 2, recovery: 2 };

export type Try = {
  readonly kind: AttemptKind;
  readonly name: string;
  readonly address: string;
  /** Of the browser, if it has logged in to this account before. */
  readonly known?: string | undefined;
};

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
  begin(attempt: Try, lock: Lock | undefined, now: number): number {
    const { kind, address } = attempt;
    const who = whoTries(attempt);
    const waitMs = Math.max(
      this.perAccount[kind].waitMs(who, now),
      this.perAddress.waitMs(network(address), now),
      isStranger(attempt) ? (lock?.until ?? 0) - now : 0,
    );
    if (waitMs > 0) return waitMs;
    this.perAccount[kind].failed(who, now);
    this.perAddress.failed(network(address), now);
    return 0;
  }

  succeeded(attempt: Try): void {
    this.perAccount[attempt.kind].succeeded(whoTries(attempt));
    this.perAddress.takenBack(network(attempt.address));
  }

  /** Requires `begin`. Tells the store of every few failures, without waiting for it. `exists`: the account does. */
  failed(attempt: Try, exists: boolean): void {
    if (!exists || !isStranger(attempt)) return;
    const { kind, name } = attempt;
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

function isStranger({ kind, known }: Try): boolean {
  return known === undefined || kind === 'code';
}

function whoTries(attempt: Try): string {
  return isStranger(attempt) ? attempt.name : `${attempt.name} ${attempt.known}`;
}
