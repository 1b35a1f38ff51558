/**
 * How often something may be tried under one name, whoever tries: after `failuresMax` failures within the
 * window further tries wait for it to pass. A try counts as a failure from its beginning, so that many at
 * once are not all let through; its success takes back what was counted. Kept in this process's memory
 * only, and bounded: with many names at once the oldest are forgotten first.
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

  /** Milliseconds until the name may be tried again; 0: now. */
  waitMs(name: string, now: number): number {
    const seen = this.failures.get(name);
    if (seen === undefined || seen.count < this.failuresMax) return 0;
    return Math.max(0, seen.since + this.windowMs - now);
  }

  /** How many failures the window has now. */
  failed(name: string, now: number): number {
    const seen = this.failures.get(name);
    const fresh = seen === undefined || now >= seen.since + this.windowMs;
    const counted = fresh ? { count: 1, since: now } : { count: seen.count + 1, since: seen.since };
    this.failures.delete(name);
    this.failures.set(name, counted);
    const oldest = this.failures.keys().next();
    if (this.failures.size > this.namesMax && !oldest.done) this.failures.delete(oldest.value);
    return counted.count;
  }

  succeeded(name: string): void {
    this.failures.delete(name);
  }

  /** One failure was none. */
  takenBack(name: string): void {
    const seen = this.failures.get(name);
    if (seen === undefined) return;
    if (seen.count <= 1) this.failures.delete(name);
    else this.failures.set(name, { ...seen, count: seen.count - 1 });
  }
}
