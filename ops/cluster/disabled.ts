/**
 * Processes that an operator disabled. The launcher speaks for them while they do not run: it beats in
 * their place, and starts them when a restart is wished. A mark in the process's own folder keeps one
 * disabled over a restart of the launcher.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Notices, ProcessKind } from '../../storage-nodes/wire/notices.ts';
import { startHeartbeat } from '../processes/heartbeat.ts';
import type { ProcessPlan } from '../processes/topology.ts';
import type { Supervisor } from './supervisor.ts';

const markOf = (dataFolder: string, id: string): string => join(dataFolder, id, 'disabled');

export function isDisabled(dataFolder: string, id: string): boolean {
  return existsSync(markOf(dataFolder, id));
}

export function markDisabled(dataFolder: string, id: string, disabled: boolean): void {
  if (!disabled) return rmSync(markOf(dataFolder, id), { force: true });
  mkdirSync(join(dataFolder, id), { recursive: true, mode: 0o700 });
  writeFileSync(markOf(dataFolder, id), 'Disabled by an operator; penncloud node restart starts it again.\n');
}

/** Returns how to stop speaking. */
export function speakForDisabled(
  notices: Notices,
  plans: readonly ProcessPlan[],
  supervisorOf: (id: string) => Supervisor | undefined,
): () => void {
  const stops = plans.flatMap((plan) => {
    const { id, kind } = plan;
    if (!isOurs(kind)) return [];
    const startedAt = Date.now();
    const beating = startHeartbeat(
      {
        beat: (heartbeat) => {
          if (supervisorOf(id)?.disabled && supervisorOf(id)?.pid === undefined) notices.beat(heartbeat);
        },
      },
      () => ({
        kind,
        id,
        address: `${plan.host}:${plan.port}`,
        status: 'disabled',
        pid: 0,
        startedAt,
        load: 0,
        residentBytes: 0,
        alarms: [],
      }),
    );
    const ignore = notices.onControl(id, ({ wish }) => {
      if (wish === 'restart') supervisorOf(id)?.enable();
    });
    return [() => beating.stop(), ignore];
  });
  return () => {
    for (const stop of stops) stop();
  };
}

/** Programs that are not ours beat no heart. */
export function isOurs(kind: ProcessPlan['kind']): kind is ProcessKind {
  return kind !== 'nats' && kind !== 'etcd';
}
