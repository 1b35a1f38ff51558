/**
 * How many bytes of messages are in memory at a time, in all, for one domain and for one account. Who comes first is
 * served first, but who waits for the share of its domain or account holds up nobody else; what is longer than a share,
 * or than all, waits until it is alone there.
 *
 * Short messages have a part of their own. So a few domains that take long over long ones cannot keep the short ones of
 * all others waiting.
 */
export type BudgetLimits = {
  /** Of messages that are longer than `shortMax`, and of all others together. */
  readonly long: number;
  readonly short: number;
  readonly shortMax: number;
  /** What one domain may have of either, and one account, from 0 to 1. */
  readonly perDomain: number;
  readonly perAccount: number;
};

export class ByteBudget {
  readonly #shortMax: number;
  readonly #perDomain: number;
  readonly #perAccount: number;
  readonly #long: Pot;
  readonly #short: Pot;

  constructor({ long, short, shortMax, perDomain, perAccount }: BudgetLimits) {
    this.#shortMax = shortMax;
    this.#perDomain = perDomain;
    this.#perAccount = perAccount;
    this.#long = new Pot(long);
    this.#short = new Pot(short);
  }

  /** Resolves with what gives them back. */
  take(domain: string, account: string, bytes: number): Promise<() => void> {
    const sharers = [
      { name: `domain ${domain}`, share: this.#perDomain },
      { name: `account ${account}`, share: this.#perAccount },
    ];
    return (bytes > this.#shortMax ? this.#long : this.#short).take(sharers, bytes);
  }
}

/** Who has a share of the bytes, and which part of them. */
type Sharer = { readonly name: string; readonly share: number };
type Waiting = { readonly sharers: readonly Sharer[]; readonly bytes: number; readonly go: () => void };

class Pot {
  readonly #bytesMax: number;
  #used = 0;
  readonly #usedBy = new Map<string, number>();
  readonly #waiting: Waiting[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  async take(sharers: readonly Sharer[], bytes: number): Promise<() => void> {
    await new Promise<void>((go) => {
      this.#waiting.push({ sharers, bytes, go });
      this.#serve();
    });
    return () => this.#give(sharers, bytes);
  }

  #give(sharers: readonly Sharer[], bytes: number): void {
    this.#add(sharers, -bytes);
    this.#serve();
  }

  /** In their order. Who is too long for what is left in all is waited for, so that it gets its turn. */
  #serve(): void {
    const passedOver = new Set<string>();
    let at = 0;
    for (let next = this.#waiting[at]; next !== undefined; next = this.#waiting[at]) {
      const { sharers, bytes, go } = next;
      const full = sharers.filter(
        ({ name, share }) =>
          passedOver.has(name) || !fits(bytes, this.#usedBy.get(name) ?? 0, share * this.#bytesMax),
      );
      if (full.length > 0) {
        for (const { name } of full) passedOver.add(name);
        at++;
        continue;
      }
      if (!fits(bytes, this.#used, this.#bytesMax)) return;
      this.#waiting.splice(at, 1);
      this.#add(sharers, bytes);
      go();
    }
  }

  #add(sharers: readonly Sharer[], bytes: number): void {
    this.#used += bytes;
    for (const { name } of sharers) {
      const used = (this.#usedBy.get(name) ?? 0) + bytes;
      if (used === 0) this.#usedBy.delete(name);
      else this.#usedBy.set(name, used);
    }
  }
}

function fits(bytes: number, used: number, max: number): boolean {
  return used === 0 || used + bytes <= max;
}
