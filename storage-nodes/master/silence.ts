/**
 * Which nodes a master has not heard for a while, from heartbeats over NATS. Pure: times are passed in, in
 * milliseconds of a monotonic clock. What comes of it is a hint to the nodes, no more (rule 7).
 *
 * Silence accuses a node only while others are heard: a master that hears nobody lost its ears, not its
 * nodes (NATS is down, or this process stood still; rule 8). A node is named once per silence, and only if
 * it was heard before.
 */
export const SILENT_AFTER_MS = 3500;
/** Heartbeats come every second: someone must have been heard within this. */
const EARS_MS = 1800;

export class Silence {
  readonly #lastHeard = new Map<string, number>();
  readonly #named = new Set<string>();
  #newest = -Infinity;
  /** Since when somebody was heard without a break; a silence counts from here at the earliest. */
  #hearingSince = -Infinity;

  heard(node: string, now: number): void {
    if (now - this.#newest > EARS_MS) this.#hearingSince = now;
    this.#newest = now;
    this.#lastHeard.set(node, now);
    this.#named.delete(node);
  }

  /** The nodes that have fallen silent since the last question. */
  fallenSilent(now: number): string[] {
    if (now - this.#newest > EARS_MS) return [];
    const fallen = [...this.#lastHeard].filter(
      ([node, at]) => !this.#named.has(node) && now - Math.max(at, this.#hearingSince) > SILENT_AFTER_MS,
    );
    for (const [node] of fallen) this.#named.add(node);
    return fallen.map(([node]) => node);
  }

  /** All that are silent now. */
  get silent(): readonly string[] {
    return [...this.#named];
  }
}
