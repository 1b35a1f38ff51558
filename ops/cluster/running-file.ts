/**
 * data/running.json: which cluster runs in this folder now, so that the CLI finds its ports and tests
 * its process ids. Replaced whole at each change, removed at a clean stop; one that a killed launcher
 * left behind counts as absent.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const RunningFile = z.object({
  /** The launcher's. */
  pid: z.number(),
  portOffset: z.number(),
  host: z.string(),
  gateways: z.number(),
  configStore: z.enum(['embedded', 'etcd']),
  etcdEndpoints: z.array(z.string()),
  frontDoor: z.enum(['redirect', 'proxy']).default('redirect'),
  tlsCertFile: z.string().default(''),
  /** True once every tablet served and every gateway answered. */
  ready: z.boolean(),
  processes: z.array(
    z.object({
      id: z.string(),
      kind: z.string(),
      pid: z.number().nullable(),
      host: z.string(),
      port: z.number(),
    }),
  ),
});
export type RunningFile = z.infer<typeof RunningFile>;

const pathIn = (dataFolder: string): string => join(dataFolder, 'running.json');

export function writeRunningFile(dataFolder: string, running: RunningFile): void {
  const unfinished = `${pathIn(dataFolder)}.new`;
  writeFileSync(unfinished, JSON.stringify(running, null, 2) + '\n');
  renameSync(unfinished, pathIn(dataFolder));
}

export function removeRunningFile(dataFolder: string): void {
  rmSync(pathIn(dataFolder), { force: true });
}

/** Undefined: no launcher runs in this folder. */
export function readRunningFile(dataFolder: string): RunningFile | undefined {
  try {
    const running = RunningFile.parse(JSON.parse(readFileSync(pathIn(dataFolder), 'utf8')));
    process.kill(running.pid, 0);
    return running;
  } catch (error) {
    // EPERM: it runs, under another user.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPERM')
      throw new Error(`The cluster in ${dataFolder} runs under another user.`, { cause: error });
    return undefined;
  }
}
