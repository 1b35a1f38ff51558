/** Publishes a process's heartbeat every second, from the moment it starts until it stops. */
import type { Heartbeat, Notices } from '../../storage-nodes/wire/notices.ts';

export const HEARTBEAT_INTERVAL_MS = 1000;

export function startHeartbeat(notices: Pick<Notices, 'beat'>, heartbeat: () => Heartbeat): { stop(): void } {
  const beat = (): void => notices.beat(heartbeat());
  beat();
  const timer = setInterval(beat, HEARTBEAT_INTERVAL_MS);
  return { stop: () => clearInterval(timer) };
}
