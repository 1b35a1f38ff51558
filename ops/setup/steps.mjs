/**
 * What a set-up step is made of: running a program to its end, and failing with a line that tells the
 * reader what to do. Progress goes to stderr, so that `penncloud kv get` keeps stdout for the value.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The checkout's top folder, ending in a slash. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export class SetupFailed extends Error {}

export function progress(line) {
  console.error(`penncloud: ${line}`);
}

/** Runs quietly; what the program printed is shown only if it fails. */
export async function runQuietly(program, args, { failure, env = {} }) {
  const { code, output } = await new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const pieces = [];
    child.stdout.on('data', (piece) => pieces.push(piece));
    child.stderr.on('data', (piece) => pieces.push(piece));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output: Buffer.concat(pieces).toString() }));
  });
  if (code !== 0) throw new SetupFailed(`${output.trimEnd()}\n${failure}`);
}

/** Runs with this terminal; resolves with the exit code. */
export function runVisibly(program, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: 'inherit' });
    // The terminal sends Ctrl-C to the child as well: wait for how it ends.
    const ignore = () => {};
    process.on('SIGINT', ignore);
    child.on('error', reject);
    child.on('close', (code) => {
      process.off('SIGINT', ignore);
      resolve(code ?? 1);
    });
  });
}
