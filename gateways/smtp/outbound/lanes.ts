/**
 * How much goes to one domain at a time, and in all. A domain's letters wait in a lane of their own, so that a slow
 * domain holds up nobody else; sessions stay open for a moment after a letter, for the next one of the lane.
 */
import type { Session } from './session.ts';

export type LaneLimits = {
  /** Sessions with one domain. */
  readonly perDomain: number;
  readonly inAll: number;
  /** Letters to one domain in a second; 0: as many as there are. */
  readonly perSecond: number;
};

const SESSION_LETTERS_MAX = 100;
const SESSION_IDLE_MS = 3_000;

type Lane = { busy: number; nextAt: number; readonly waiting: (() => void)[]; readonly idle: Session[] };

export class Lanes {
  readonly #limits: LaneLimits;
  readonly #lanes = new Map<string, Lane>();
  #busy = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #sweep: NodeJS.Timeout;

  constructor(limits: LaneLimits) {
    this.#limits = limits;
    this.#sweep = setInterval(() => this.#closeIdle(), SESSION_IDLE_MS / 2);
    this.#sweep.unref();
  }

  get busy(): number {
    return this.#busy;
  }

  async run<T>(
    domain: string,
    work: (lane: { take(): Session | undefined; give(session: Session): void }) => Promise<T>,
  ): Promise<T> {
    const lane = this.#lane(domain);
    if (lane.busy >= this.#limits.perDomain) await new Promise<void>((resolve) => lane.waiting.push(resolve));
    else lane.busy++;
    try {
      await this.#pace(lane);
      if (this.#busy >= this.#limits.inAll) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      else this.#busy++;
      try {
        return await work({ take: () => takeOpen(lane), give: (session) => give(lane, session) });
      } finally {
        // A place is handed on, so that nobody comes in between.
        const next = this.#waiting.shift();
        if (next) next();
        else this.#busy--;
      }
    } finally {
      const next = lane.waiting.shift();
      if (next) next();
      else lane.busy--;
      this.#forget(domain, lane);
    }
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const lane of this.#lanes.values()) for (const session of lane.idle.splice(0)) session.close();
  }

  #lane(domain: string): Lane {
    const lane = this.#lanes.get(domain) ?? { busy: 0, nextAt: 0, waiting: [], idle: [] };
    this.#lanes.set(domain, lane);
    return lane;
  }

  async #pace(lane: Lane): Promise<void> {
    if (this.#limits.perSecond === 0) return;
    const at = Math.max(performance.now(), lane.nextAt);
    lane.nextAt = at + 1000 / this.#limits.perSecond;
    await new Promise((resolve) => setTimeout(resolve, at - performance.now()));
  }

  #closeIdle(): void {
    for (const [domain, lane] of this.#lanes) {
      const old = lane.idle.filter((session) => session.idleMs > SESSION_IDLE_MS || !session.isOpen);
      for (const session of old) {
        lane.idle.splice(lane.idle.indexOf(session), 1);
        session.close();
      }
      this.#forget(domain, lane);
    }
  }

  #forget(domain: string, lane: Lane): void {
    const isPaced = lane.nextAt > performance.now();
    if (lane.busy === 0 && lane.idle.length === 0 && !isPaced && this.#lanes.get(domain) === lane)
      this.#lanes.delete(domain);
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
