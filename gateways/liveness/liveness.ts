/**
 * Who is alive, told from heartbeats: live while the last one is younger than three seconds, then
 * suspect, after ten seconds dead; forgotten after an hour. Ages are measured by this process's own
 * monotonic clock, from when a heartbeat was heard: no other clock is trusted.
 */
import type { Heartbeat, Notices } from '../../storage-nodes/client/notices.ts';

export const LIVE_MS = 3_000;
export const DEAD_MS = 10_000;
const FORGOTTEN_MS = 3_600_000;

export type LifeSign = {
  readonly heartbeat: Heartbeat;
  readonly ageMs: number;
  readonly state: 'live' | 'suspect' | 'dead';
};

export class Liveness {
  private readonly heard = new Map<string, { heartbeat: Heartbeat; at: number }>();
  private readonly now: () => number;
  /** Stops listening. */
  readonly close: () => void;

  constructor(notices: Pick<Notices, 'onHeartbeat'>, now: () => number = () => performance.now()) {
    this.now = now;
    this.close = notices.onHeartbeat((heartbeat) => {
      this.heard.set(`${heartbeat.kind}/${heartbeat.id}`, { heartbeat, at: now() });
    });
  }

  /** Everyone heard within the last hour, by kind and id. */
  signs(): LifeSign[] {
    const now = this.now();
    const signs: LifeSign[] = [];
    for (const [key, { heartbeat, at }] of this.heard) {
      const ageMs = now - at;
      if (ageMs > FORGOTTEN_MS) this.heard.delete(key);
      else
        signs.push({
          heartbeat,
          ageMs,
          state: ageMs < LIVE_MS ? 'live' : ageMs < DEAD_MS ? 'suspect' : 'dead',
        });
    }
    return signs.sort(
      (a, b) => compare(a.heartbeat.kind, b.heartbeat.kind) || compare(a.heartbeat.id, b.heartbeat.id),
    );
  }
}

/** Made once: to make one takes as long as thousands of comparisons. */
const { compare } = new Intl.Collator('en', { numeric: true });
