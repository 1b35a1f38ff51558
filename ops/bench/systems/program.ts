/**
 * One server from a Debian package: started with its output in a file, ended with this process by the
 * kernel, stopped by its own pid. It is not started again: a server that dies has spoilt the run.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BenchFailed } from './system.ts';

const READY_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 5000;
/** Debian puts servers into a folder that need not be on a user's PATH. */
const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/usr/local/sbin` };

export const LOOPBACK = '127.0.0.1';

export class Program {
  readonly id: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #logFile: string;
  #how: string | undefined;

  /** `folder` gets the server's output, in `<id>.log`. */
  constructor(id: string, folder: string, program: string, args: readonly string[]) {
    this.id = id;
    mkdirSync(folder, { recursive: true });
    this.#logFile = join(folder, `${id}.log`);
    const log = openSync(this.#logFile, 'a');
    const [first, ...rest] = boundToParent(program, args);
    // A process group of its own: the terminal's Ctrl-C is this process's to handle.
    this.#child = spawn(first!, rest, { env, detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    this.#ended = new Promise((resolve) => {
      const ended = (how: string): void => {
        this.#how = how;
        resolve();
      };
      this.#child.once('error', (error) => ended(error.message));
      this.#child.once('exit', (code, signal) => ended(signal ? `killed by ${signal}` : `exit code ${code}`));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Asks again and again until `answer` is neither undefined nor false. Throws BenchFailed. */
  async until<T>(question: string, answer: () => Promise<T | undefined | false>): Promise<T> {
    const deadline = performance.now() + READY_DEADLINE_MS;
    let reason = '';
    for (;;) {
      if (this.#how !== undefined) throw this.#failure(`ended (${this.#how})`);
      const found = await answer().catch((error: Error) => void (reason = `: ${error.message}`));
      if (found !== undefined && found !== false) return found;
      if (performance.now() > deadline) throw this.#failure(`did not get so far that ${question}${reason}`);
      await sleep(50);
    }
  }

  async stop(): Promise<void> {
    if (this.#how === undefined) this.#child.kill('SIGTERM');
    const killing = setTimeout(() => this.#child.kill('SIGKILL'), STOP_DEADLINE_MS);
    await this.#ended;
    clearTimeout(killing);
  }

  #failure(what: string): BenchFailed {
    const said = readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-5).join('\n');
    return new BenchFailed(`${this.id} ${what}. It said last:\n${said}`);
  }
}

/** What a program prints when it is asked for its version. */
export function versionOf(program: string, argument: string): string {
  const printed = execFileSync(program, [argument], { env }).toString();
  return /\d+\.\d+\.\d+/.exec(printed)?.[0] ?? printed.trim();
}

/** Free on loopback when looked at; below the range that the system takes outgoing ports from. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = randomInt(10_000, 32_000);
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

/** Whether something on this machine takes connections there. */
export function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, LOOPBACK);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: LOOPBACK, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function boundToParent(program: string, args: readonly string[]): string[] {
  const bound = process.platform === 'linux' ? ['setpriv', '--pdeathsig', 'KILL'] : [];
  return [...bound, program, ...args];
}
