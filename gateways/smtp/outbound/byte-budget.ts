/**
 * How many bytes of messages are in memory at a time, in all and for one domain. Who comes first is served first, but
 * who waits for its own domain's share holds up nobody else; what is longer than a share, or than all, waits until it
 * is alone there.
 *
 * Short messages have a part of their own. So a few domains that take long over long ones cannot keep the short ones of
 * all others waiting.
 */
export type BudgetLimits = {
  /** Of messages that are longer than `shortMax`, and of all others together. */
  readonly long: number;
  readonly short: number;
  readonly shortMax: number;
  /** What one domain may have of either, from 0 to 1. */
  readonly share: number;
};

export class ByteBudget {
  readonly #shortMax: number;
  readonly #long: Pot;
  readonly #short: Pot;

  constructor({ long, short, shortMax, share }: BudgetLimits) {
    this.#shortMax = shortMax;
    this.#long = new Pot(long, long * share);
    this.#short = new Pot(short, short * share);
  }

  /** Resolves with what gives them back. */
  take(domain: string, bytes: number): Promise<() => void> {
    return (bytes > this.#shortMax ? this.#long : this.#short).take(domain, bytes);
  }
}

type Waiting = { readonly domain: string; readonly bytes: number; readonly go: () => void };

class Pot {
  readonly #bytesMax: number;
  readonly #shareMax: number;
  #used = 0;
  readonly #usedBy = new Map<string, number>();
  readonly #waiting: Waiting[] = [];

  constructor(bytesMax: number, shareMax: number) {
    this.#bytesMax = bytesMax;
    this.#shareMax = shareMax;
  }

  async take(domain: string, bytes: number): Promise<() => void> {
    await new Promise<void>((go) => {
      this.#waiting.push({ domain, bytes, go });
      this.#serve();
    });
    return () => this.#give(domain, bytes);
  }

  #give(domain: string, bytes: number): void {
    this.#add(domain, -bytes);
    this.#serve();
  }

  /** In their order. Who is too long for what is left in all is waited for, so that it gets its turn. */
  #serve(): void {
    const passedOver = new Set<string>();
    let at = 0;
    for (let next = this.#waiting[at]; next !== undefined; next = this.#waiting[at]) {
      const { domain, bytes, go } = next;
      if (passedOver.has(domain) || !fits(bytes, this.#usedBy.get(domain) ?? 0, this.#shareMax)) {
        passedOver.add(domain);
        at++;
        continue;
      }
      if (!fits(bytes, this.#used, this.#bytesMax)) return;
      this.#waiting.splice(at, 1);
      this.#add(domain, bytes);
      go();
    }
  }

  #add(domain: string, bytes: number): void {
    this.#used += bytes;
    const used = (this.#usedBy.get(domain) ?? 0) + bytes;
    if (used === 0) this.#usedBy.delete(domain);
    else this.#usedBy.set(domain, used);
  }
}

function fits(bytes: number, used: number, max: number): boolean {
  return used === 0 || used + bytes <= max;
}
