/** Runs opening.ts as a process of its own, under a limit on its memory if asked. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Opening, OpeningOptions } from './opening.ts';

const OPENING = fileURLToPath(new URL('./opening.ts', import.meta.url));
const LIMITED_HEAP_MIB = 64;
const TIMEOUT_MS = 300_000;

/**
 * `memoryBytes`: all that the process may write to and that is not in a file (RLIMIT_DATA: V8's heap, RocksDB,
 * buffers, stacks). It ends when it wants more.
 */
export function openApart(folder: string, options: OpeningOptions, memoryBytes?: number): Promise<Opening> {
  const flags = ['--import', 'tsx', OPENING, folder, JSON.stringify(options)];
  const limits =
    memoryBytes === undefined ? '' : `ulimit -s 1024; ulimit -d ${Math.floor(memoryBytes / 1024)}; `;
  if (memoryBytes !== undefined)
    flags.unshift(`--max-old-space-size=${LIMITED_HEAP_MIB}`, '--max-semi-space-size=2');
  return new Promise((resolve, reject) => {
    const args = ['-c', `${limits}exec "$0" "$@"`, process.execPath, ...flags];
    const env = { ...process.env, UV_THREADPOOL_SIZE: '4' };
    execFile(
      '/bin/sh',
      args,
      { env, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        if (stdout.endsWith('}\n')) resolve(JSON.parse(stdout) as Opening);
        else reject(new Error(`the opening ended without figures: ${stderr}`, { cause: error }));
      },
    );
  });
}
