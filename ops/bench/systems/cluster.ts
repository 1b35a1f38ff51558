/** A whole cluster as `npm start` runs it, gateways and mail included, for what is measured from outside. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { planCluster, type ProcessPlan } from '../../processes/topology.ts';
import { freePortOffset } from './penncloud-ports.ts';
import { BenchFailed } from './system.ts';

/** From `build/ops/bench/systems`. */
const LAUNCHER = fileURLToPath(new URL('../../../../ops/bin/penncloud', import.meta.url));

export type RunningCluster = {
  readonly plans: readonly ProcessPlan[];
  stop(): Promise<void>;
};

/** `folder`: its data. `settings`: of the environment, besides those. Throws BenchFailed. */
export async function startCluster(
  folder: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningCluster> {
  const portOffset = await freePortOffset();
  const launcher = spawn(process.execPath, [LAUNCHER, 'up'], {
    env: {
      ...process.env,
      PENNCLOUD_DATA: folder,
      PENNCLOUD_PORT_OFFSET: String(portOffset),
      PENNCLOUD_SETTINGS: '',
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const ended = once(launcher, 'exit').then(() => Promise.reject(new BenchFailed('The cluster has ended.')));
  const said = new Promise<void>((resolve) => {
    let output = '';
    // To the end of the run: a launcher whose words nobody takes would not stop its cluster well.
    launcher.stdout!.on('data', (piece: Buffer) => {
      output += piece.toString();
      if (output.includes('PennCloud is ready at ')) resolve();
    });
  });
  await Promise.race([said, ended]);
  ended.catch(() => undefined);
  return {
    plans: planCluster({ portOffset, host: '127.0.0.1', gateways: 2 }),
    stop: async () => {
      if (launcher.exitCode !== null || launcher.signalCode !== null) return;
      launcher.kill('SIGINT');
      await once(launcher, 'exit');
    },
  };
}
