/**
 * The processes of a cluster under test, each under the ordinary supervisor, which starts again what
 * ends. Each is bound to this process by the kernel as well, so that even one that stands still ends when
 * this one is killed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Supervisor, type Command } from '../cluster/supervisor.ts';

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

function boundToParent(command: Command): Command {
  if (process.platform !== 'linux' || command.program === 'setpriv') return command;
  return { ...command, program: 'setpriv', args: ['--pdeathsig', 'KILL', command.program, ...command.args] };
}
