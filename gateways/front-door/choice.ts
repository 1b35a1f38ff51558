/**
 * Which gateway a client is sent to: a live one with the fewest requests in flight; among equals
 * each in turn. A gateway is live by its heartbeat; while no heartbeats can be heard, by its answer on
 * /healthz. One that refuses its health check is out until it is heard again, one that leaves it unanswered
 * until it answers.
 */
import { LIVE_MS, type LifeSign } from '../liveness/liveness.ts';

export type Gateway = { readonly id: string; readonly address: string };
export type Candidate = Gateway & { readonly load: number };

/**
 * `silent`: it took the connection and said nothing in time, as a process does that is frozen, or a machine
 * that has lost its power; `away`: it refused, or it says that it serves nobody new.
 */
export type Health = 'serving' | 'away' | 'silent';

/** What a gateway's last health check told, and how long ago. */
export type Check = { readonly health: Health; readonly ageMs: number };

/** Gateways that are known by their heartbeat alone count as well: one that joined later needs no configuration. */
export function liveGateways(
  configured: readonly Gateway[],
  signs: readonly LifeSign[],
  hearing: boolean,
  checks: ReadonlyMap<string, Check>,
): Candidate[] {
  const live = new Map<string, Candidate>();
  for (const { heartbeat, ageMs } of signs) {
    const { kind, id, address, load, status } = heartbeat;
    if (kind !== 'gateway' || status !== 'serving' || ageMs >= LIVE_MS) continue;
    const check = checks.get(id);
    // The newer word counts.
    if (check?.health !== 'away' || ageMs < check.ageMs) live.set(id, { id, address, load });
  }
  for (const { id, address } of hearing ? [] : configured) {
    if (checks.get(id)?.health === 'serving' && !live.has(id)) live.set(id, { id, address, load: 0 });
  }
  const answering = [...live.values()].filter(({ id }) => checks.get(id)?.health !== 'silent');
  // If nobody answered in time, it is this process that was late.
  return answering.length > 0 ? answering : [...live.values()];
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
