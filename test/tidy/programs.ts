/** Runs a development tool to its end, as `npx` would, with its output for the failure message. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The checkout's top folder, ending in a slash. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export function run(script: string, ...args: string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (piece: Buffer) => (output += piece.toString()));
    child.stderr.on('data', (piece: Buffer) => (output += piece.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}
