/**
 * Keeps one process running: started, started again when it ends unasked, stopped on request. One that
 * ends because it was disabled stays stopped until it is enabled.
 *
 * The delay before a restart doubles from 200 ms to 5 s while the process keeps ending within 10 s of
 * its start. Children have a process group of their own, so that the terminal's Ctrl-C reaches the
 * launcher alone and the order of stopping is the launcher's. They still end with it: Node processes
 * see the IPC channel close, programs are bound to their parent by the kernel (command.ts).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ProcessReport } from '../processes/process.ts';

const RESTART_DELAY_MIN_MS = 200;
const RESTART_DELAY_MAX_MS = 5000;
const STEADY_AFTER_MS = 10_000;
const STOP_DEADLINE_MS = 10_000;
const LOG_BYTES_MAX = 64 * 1024 * 1024;

export type Command = {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** True for Node processes of ours, which report over IPC. */
  readonly reports: boolean;
  /** How long it may take to stop before it is killed. Default: 10 s. */
  readonly stopMs?: number;
};

export type SupervisorEvents = {
  started(id: string, pid: number, restarted: boolean): void;
  /** It said itself why it cannot start. */
  failed(id: string, reason: string): void;
  ended(id: string, how: string, restartInMs: number): void;
  /** It ended because an operator wished so, or may run again. */
  disabled?(id: string, disabled: boolean): void;
};

export class Supervisor {
  readonly id: string;
  readonly #command: Command;
  readonly #logFile: string;
  readonly #events: SupervisorEvents;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #restart: NodeJS.Timeout | undefined;
  #stopping = false;
  #quickEnds = 0;
  #disabled: boolean;
  /** What the running process said it ends for. */
  #ending: 'disable' | 'restart' | undefined;

  constructor(
    id: string,
    command: Command,
    logFile: string,
    events: SupervisorEvents,
    { disabled = false } = {},
  ) {
    this.id = id;
    this.#command = command;
    this.#logFile = logFile;
    this.#events = events;
    this.#disabled = disabled;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get disabled(): boolean {
    return this.#disabled;
  }

  /** How often in a row it ended soon after its start. */
  get quickEnds(): number {
    return this.#quickEnds;
  }

  start(): void {
    if (this.#stopping || this.#disabled) return;
    this.#ending = undefined;
    const { program, args, env, reports } = this.#command;
    const log = openLog(this.#logFile);
    const startedAt = performance.now();
    const child = spawn(program, args, {
      env,
      detached: true,
      stdio: reports ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
    });
    closeSync(log);
    this.#child = child;
    child.on('message', (report: ProcessReport) => {
      if ('failed' in report) this.#events.failed(this.id, report.failed);
      else this.#ending = report.ending;
    });
    this.#ended = new Promise((resolve) => {
      const ended = (how: string): void => {
        if (this.#child === child) this.#child = undefined;
        resolve();
        if (!this.#stopping) this.#afterEnd(how, performance.now() - startedAt);
      };
      child.once('error', (error) => (child.pid === undefined ? ended(error.message) : undefined));
      child.once('exit', (code, signal) => ended(signal ? `killed by ${signal}` : `exit code ${code}`));
    });
    if (child.pid !== undefined) this.#events.started(this.id, child.pid, this.#quickEnds > 0);
  }

  #afterEnd(how: string, livedMs: number): void {
    if (this.#ending === 'disable') {
      this.#disabled = true;
      this.#events.disabled?.(this.id, true);
      return;
    }
    if (this.#ending === 'restart') return this.start();
    this.#scheduleRestart(how, livedMs);
  }

  /** Starts what was disabled. */
  enable(): void {
    if (!this.#disabled) return;
    this.#disabled = false;
    this.#events.disabled?.(this.id, false);
    this.start();
  }

  #scheduleRestart(how: string, livedMs: number): void {
    this.#quickEnds = livedMs < STEADY_AFTER_MS ? this.#quickEnds + 1 : 1;
    const delayMs = Math.min(RESTART_DELAY_MAX_MS, RESTART_DELAY_MIN_MS * 2 ** (this.#quickEnds - 1));
    this.#events.ended(this.id, how, delayMs);
    this.#restart = setTimeout(() => this.start(), delayMs);
  }

  /** SIGTERM, and SIGKILL when that is not enough in time. Resolves when the process has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const killing = setTimeout(() => this.kill(), this.#command.stopMs ?? STOP_DEADLINE_MS);
    this.#child?.kill('SIGTERM');
    await this.#ended;
    clearTimeout(killing);
  }

  /** At once, and for good. */
  kill(): void {
    this.#stopping = true;
    clearTimeout(this.#restart);
    this.#child?.kill('SIGKILL');
  }
}

/** Appends; a log that has grown too long is put aside once per start. */
function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_BYTES_MAX) renameSync(file, `${file}.1`);
  return openSync(file, 'a', 0o600);
}
