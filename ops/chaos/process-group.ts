/**
 * The processes of a cluster under test, each under the ordinary supervisor, which starts again what
 * ends. Each is bound to this process by the kernel as well, so that even one that stands still ends when
 * this one is killed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Supervisor, type Command } from '../cluster/supervisor.ts';

const WISH_AGAIN_MS = 1_000;
const WISH_DEADLINE_MS = 120_000;

export interface Member {
  readonly id: string;
  readonly command: Command;
  readonly logFile: string;
}

export class ProcessGroup {
  readonly #members: ReadonlyMap<string, Member>;
  readonly #supervisors = new Map<string, Supervisor>();
  readonly #reasons = new Map<string, string>();
  readonly #pids = new Map<string, number>();

  readonly #onEnded: (pid: number) => void;

  /** In the order of start. `onEnded` hears of each process that is no more. */
  constructor(members: readonly Member[], onEnded: (pid: number) => void) {
    this.#members = new Map(members.map((member) => [member.id, member]));
    this.#onEnded = onEnded;
  }

  /** Why processes could not start when they last failed to; their supervisors try on. */
  get reasons(): readonly string[] {
    return [...this.#reasons.values()];
  }

  startAll(): void {
    for (const id of this.#members.keys()) this.start(id);
  }

  start(id: string): void {
    const { command, logFile } = this.#members.get(id)!;
    const supervisor = new Supervisor(id, boundToParent(command), logFile, {
      started: (_, pid) => this.#started(id, pid),
      failed: (_, reason) => void this.#reasons.set(id, reason),
      ended: () => {},
    });
    this.#supervisors.set(id, supervisor);
    supervisor.start();
  }

  /** Its supervisor starts one only when the one before has ended. */
  #started(id: string, pid: number): void {
    const before = this.#pids.get(id);
    if (before !== undefined) this.#onEnded(before);
    this.#pids.set(id, pid);
  }

  /** To the process that runs now, or as soon as one does. */
  async signal(id: string, signal: NodeJS.Signals): Promise<void> {
    process.kill(await this.#running(id), signal);
  }

  /** Ends it; its supervisor starts it again. Resolves when another process is in its place. */
  async restart(id: string, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const before = await this.#running(id);
    process.kill(before, signal);
    await this.#running(id, before);
  }

  /** Asks each second for it to be restarted, until another process is in its place. */
  async untilReplaced(id: string, ask: () => void): Promise<void> {
    const before = await this.#running(id);
    await asking(ask, `${id} is not restarted`, () => {
      const pid = this.#supervisors.get(id)?.pid;
      return pid !== undefined && pid !== before;
    });
  }

  /** Asks each second for it to be disabled, until it has ended for that. */
  async untilDisabled(id: string, ask: () => void): Promise<void> {
    await asking(ask, `${id} is not disabled`, () => this.#supervisors.get(id)?.disabled === true);
  }

  /** Starts what was disabled. */
  enable(id: string): void {
    this.#supervisors.get(id)?.enable();
  }

  async #running(id: string, besides?: number): Promise<number> {
    for (;;) {
      const pid = this.#supervisors.get(id)?.pid;
      if (pid !== undefined && pid !== besides) return pid;
      await sleep(20);
    }
  }

  /** Killed, and not started again. */
  async takeDown(id: string): Promise<void> {
    const supervisor = this.#supervisors.get(id);
    supervisor?.kill();
    await supervisor?.stop();
  }

  /** In reverse order of start. What stands still goes on first, so that it can stop. */
  async stopAll(): Promise<void> {
    for (const supervisor of [...this.#supervisors.values()].reverse()) {
      if (supervisor.pid !== undefined) process.kill(supervisor.pid, 'SIGCONT');
      await supervisor.stop();
    }
    for (const pid of this.#pids.values()) this.#onEnded(pid);
  }
}

/** Wishes may be lost, and a node that cannot be drained now may be a moment later. */
async function asking(ask: () => void, complaint: string, isDone: () => boolean): Promise<void> {
  const deadline = performance.now() + WISH_DEADLINE_MS;
  let askAt = 0;
  while (!isDone()) {
    const now = performance.now();
    if (now > deadline) throw new Error(`${complaint}, though asked to for ${WISH_DEADLINE_MS / 1000} s`);
    if (now >= askAt) {
      ask();
      askAt = now + WISH_AGAIN_MS;
    }
    await sleep(20);
  }
}

function boundToParent(command: Command): Command {
  if (process.platform !== 'linux' || command.program === 'setpriv') return command;
  return { ...command, program: 'setpriv', args: ['--pdeathsig', 'KILL', command.program, ...command.args] };
}
