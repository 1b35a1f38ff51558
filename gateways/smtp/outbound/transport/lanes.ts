/**
 * How much goes to one domain at a time, for one account, and in all. A domain's letters have a lane of their own, so
 * that a slow domain holds up nobody else; an account has a share of all sessions, and takes turns with the others, so
 * that neither many slow domains of one account nor its ten thousand letters to one do. A letter that waits takes up
 * nothing. Sessions stay open for a moment after a letter, for the next one of the lane.
 */
import type { Session } from './session.ts';
import { Turns } from './turns.ts';

export type LaneLimits = {
  /** Sessions with one domain. */
  readonly perDomain: number;
  readonly inAll: number;
  /** Letters to one domain in a second; 0: as many as there are. */
  readonly perSecond: number;
};

/** What one account may have of all sessions. */
const SHARE = 1 / 4;
const SESSION_LETTERS_MAX = 100;
const SESSION_IDLE_MS = 3_000;

type Lane = {
  readonly domain: string;
  busy: number;
  /** Of those that wait and those at work. */
  letters: number;
  nextAt: number;
  isPacing: boolean;
  readonly idle: Session[];
};

export class Lanes {
  readonly #limits: LaneLimits;
  readonly #perAccount: number;
  readonly #lanes = new Map<string, Lane>();
  readonly #busyOf = new Map<string, number>();
  readonly #waiting = new Turns<Lane, () => void>();
  #busy = 0;
  readonly #sweep: NodeJS.Timeout;

  constructor(limits: LaneLimits) {
    this.#limits = limits;
    this.#perAccount = Math.max(1, Math.floor(limits.inAll * SHARE));
    this.#sweep = setInterval(() => this.#closeIdle(), SESSION_IDLE_MS / 2);
    this.#sweep.unref();
  }

  get busy(): number {
    return this.#busy;
  }

  /** `account`: whose letter it is. */
  async run<T>(
    domain: string,
    account: string,
    work: (lane: { take(): Session | undefined; give(session: Session): void }) => Promise<T>,
  ): Promise<T> {
    const lane = this.#lane(domain);
    lane.letters++;
    await new Promise<void>((go) => {
      this.#waiting.add(account, lane, go);
      this.#serve();
    });
    try {
      return await work({ take: () => takeOpen(lane), give: (session) => give(lane, session) });
    } finally {
      lane.letters--;
      this.#count(lane, account, -1);
      this.#serve();
      this.#forget(lane);
    }
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const lane of this.#lanes.values()) for (const session of lane.idle.splice(0)) session.close();
  }

  #serve(): void {
    while (this.#busy < this.#limits.inAll) {
      const next = this.#waiting.next(
        (account) => (this.#busyOf.get(account) ?? 0) < this.#perAccount,
        (lane) => this.#isFree(lane),
      );
      if (next === undefined) return;
      this.#count(next.lane, next.account, 1);
      if (this.#limits.perSecond > 0)
        next.lane.nextAt = Math.max(performance.now(), next.lane.nextAt) + 1000 / this.#limits.perSecond;
      next.waiting();
    }
  }

  #isFree(lane: Lane): boolean {
    if (lane.busy >= this.#limits.perDomain) return false;
    const early = lane.nextAt - performance.now();
    if (early <= 0) return true;
    if (!lane.isPacing) {
      lane.isPacing = true;
      setTimeout(() => {
        lane.isPacing = false;
        this.#serve();
      }, early);
    }
    return false;
  }

  #count(lane: Lane, account: string, more: number): void {
    this.#busy += more;
    lane.busy += more;
    const busy = (this.#busyOf.get(account) ?? 0) + more;
    if (busy === 0) this.#busyOf.delete(account);
    else this.#busyOf.set(account, busy);
  }

  #lane(domain: string): Lane {
    const known = this.#lanes.get(domain);
    const lane = known ?? { domain, busy: 0, letters: 0, nextAt: 0, isPacing: false, idle: [] };
    this.#lanes.set(domain, lane);
    return lane;
  }

  #closeIdle(): void {
    for (const lane of this.#lanes.values()) {
      const old = lane.idle.filter((session) => session.idleMs > SESSION_IDLE_MS || !session.isOpen);
      for (const session of old) {
        lane.idle.splice(lane.idle.indexOf(session), 1);
        session.close();
      }
      this.#forget(lane);
    }
  }

  #forget(lane: Lane): void {
    const isPaced = lane.nextAt > performance.now();
    if (lane.letters === 0 && lane.idle.length === 0 && !isPaced) this.#lanes.delete(lane.domain);
  }
}

function takeOpen(lane: Lane): Session | undefined {
  for (let session = lane.idle.pop(); session !== undefined; session = lane.idle.pop())
    if (session.isOpen) return session;
  return undefined;
}

function give(lane: Lane, session: Session): void {
  if (session.isOpen && session.sent < SESSION_LETTERS_MAX) lane.idle.push(session);
  else session.close();
}
