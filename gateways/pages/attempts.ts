/**
 * How often a password may be tried for one account, whoever tries: after `failuresMax` failures within
 * the window further tries wait for it to pass. Kept in this gateway's memory only, and bounded: with
 * many names at once the oldest are forgotten first.
 */
export class Attempts {
  private readonly failuresMax: number;
  private readonly windowMs: number;
  private readonly namesMax = 10_000;
  private readonly failures = new Map<string, { count: number; since: number }>();

  constructor(options: { failuresMax: number; windowMs: number }) {
    this.failuresMax = options.failuresMax;
    this.windowMs = options.windowMs;
  }

  /** Milliseconds until the account may be tried again; 0: now. */
  waitMs(name: string, now: number): number {
    const seen = this.failures.get(name);
    if (seen === undefined || seen.count < this.failuresMax) return 0;
    return Math.max(0, seen.since + this.windowMs - now);
  }

  failed(name: string, now: number): void {
    const seen = this.failures.get(name);
    const fresh = seen === undefined || now >= seen.since + this.windowMs;
    this.failures.delete(name);
    this.failures.set(name, fresh ? { count: 1, since: now } : { count: seen.count + 1, since: seen.since });
    const oldest = this.failures.keys().next();
    if (this.failures.size > this.namesMax && !oldest.done) this.failures.delete(oldest.value);
  }

  succeeded(name: string): void {
    this.failures.delete(name);
  }
}
