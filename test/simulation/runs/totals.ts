/** What many runs came to. */
import type { Outcome } from './simulate.ts';

export type Failed = { readonly seed: number; readonly violation: string };

export class Totals {
  seeds = 0;
  operations = 0;
  acknowledged = 0;
  simulatedMs = 0;
  readonly counts = new Map<string, number>();
  readonly failed: Failed[] = [];

  add({ seed, operations, acknowledged, simulatedMs, counts, violation }: Outcome): void {
    this.seeds++;
    this.operations += operations;
    this.acknowledged += acknowledged;
    this.simulatedMs += simulatedMs;
    for (const [kind, n] of counts) this.counts.set(kind, (this.counts.get(kind) ?? 0) + n);
    if (violation !== undefined) this.failed.push({ seed, violation });
  }

  count(kind: string): number {
    return this.counts.get(kind) ?? 0;
  }

  /** Each kind of fault, and how often it was injected. */
  faults(): Record<string, number> {
    const faults = [...this.counts].filter(([kind]) => !OUTCOMES.has(kind));
    return Object.fromEntries(faults.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** Counted, and no faults. */
const OUTCOMES: ReadonlySet<string> = new Set([
  'epoch',
  'failover',
  'catch-up',
  'client retry',
  'slow replica left out',
  'run outside the premise',
]);
