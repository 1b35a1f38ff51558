/**
 * Which gateway a new client is sent to: a live one with the fewest requests in flight; among equals
 * each in turn. A gateway is live by its heartbeat; while no heartbeats can be heard, by its answer on
 * /healthz.
 */
import { LIVE_MS, type LifeSign } from '../liveness/liveness.ts';

export type Gateway = { readonly id: string; readonly address: string };
export type Candidate = Gateway & { readonly load: number };

/**
 * `answering`: the ids of gateways that answered their last probe. Gateways that are known by their
 * heartbeat alone count as well: one that joined later needs no configuration here.
 */
export function liveGateways(
  configured: readonly Gateway[],
  signs: readonly LifeSign[],
  hearing: boolean,
  answering: ReadonlySet<string>,
): Candidate[] {
  const live = new Map<string, Candidate>();
  for (const { heartbeat, ageMs } of signs) {
    const { kind, id, address, load, status } = heartbeat;
    if (kind === 'gateway' && status === 'serving' && ageMs < LIVE_MS) live.set(id, { id, address, load });
  }
  if (hearing) return [...live.values()];
  for (const { id, address } of configured) {
    if (answering.has(id) && !live.has(id)) live.set(id, { id, address, load: 0 });
  }
  return [...live.values()];
}

/** `turn`: grows with each choice, so that equals take turns. Undefined: there is none. */
export function leastBusy(candidates: readonly Candidate[], turn: number): Candidate | undefined {
  const least = Math.min(...candidates.map(({ load }) => load));
  const equals = candidates.filter(({ load }) => load === least).sort((a, b) => (a.id < b.id ? -1 : 1));
  return equals[turn % equals.length];
}

/** `host`: the Host header as the client sent it. Keeps the name that the client used; undefined: malformed. */
export function hostNameOf(host: string | undefined): string | undefined {
  return /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/.exec(host ?? '')?.[1];
}

export function portOf(address: string): string {
  return address.slice(address.lastIndexOf(':') + 1);
}
