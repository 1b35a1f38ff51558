/**
 * Which gateway a client is sent to: a live one with the fewest requests in flight; among equals
 * each in turn. A gateway is live by its heartbeat; while no heartbeats can be heard, by its answer on
 * /healthz. One that leaves its health check unanswered is out in either case.
 */
import { LIVE_MS, type LifeSign } from '../liveness/liveness.ts';

export type Gateway = { readonly id: string; readonly address: string };
export type Candidate = Gateway & { readonly load: number };

/** What health checks told last, by gateways' ids. */
export type Checked = {
  readonly answering: ReadonlySet<string>;
  readonly silent: ReadonlySet<string>;
};

/** Gateways that are known by their heartbeat alone count as well: one that joined later needs no configuration. */
export function liveGateways(
  configured: readonly Gateway[],
  signs: readonly LifeSign[],
  hearing: boolean,
  { answering, silent }: Checked,
): Candidate[] {
  const live = new Map<string, Candidate>();
  for (const { heartbeat, ageMs } of signs) {
    const { kind, id, address, load, status } = heartbeat;
    if (kind === 'gateway' && status === 'serving' && ageMs < LIVE_MS) live.set(id, { id, address, load });
  }
  if (!hearing) {
    for (const { id, address } of configured) {
      if (!answering.has(id)) live.delete(id);
      else if (!live.has(id)) live.set(id, { id, address, load: 0 });
    }
  }
  const answers = [...live.values()].filter(({ id }) => !silent.has(id));
  // If nobody answered in time, it is this process that was late.
  return answers.length > 0 ? answers : [...live.values()];
}

/** `turn`: grows with each choice, so that equals take turns. Undefined: there is none. */
export function leastBusy(candidates: readonly Candidate[], turn: number): Candidate | undefined {
  const least = Math.min(...candidates.map(({ load }) => load));
  const equals = candidates.filter(({ load }) => load === least).sort((a, b) => (a.id < b.id ? -1 : 1));
  return equals[turn % equals.length];
}

/** `address`: host:port. */
export function placeOf(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) };
}
