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
  readonly #failures: string[] = [];

  /** In the order of start. */
  constructor(members: readonly Member[]) {
    this.#members = new Map(members.map((member) => [member.id, member]));
  }

  /** Why processes could not start at all, in their own words. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  startAll(): void {
    for (const id of this.#members.keys()) this.start(id);
  }

  start(id: string): void {
    const { command, logFile } = this.#members.get(id)!;
    const supervisor = new Supervisor(id, boundToParent(command), logFile, {
      started: () => {},
      failed: (_, reason) => void this.#failures.push(reason),
      ended: () => {},
    });
    this.#supervisors.set(id, supervisor);
    supervisor.start();
  }

  /** Throws if it does not run now. */
  pid(id: string): number {
    const pid = this.#supervisors.get(id)?.pid;
    if (pid === undefined) throw new Error(`${id} does not run`);
    return pid;
  }

  signal(id: string, signal: NodeJS.Signals): void {
    process.kill(this.pid(id), signal);
  }

  /** Ends it; its supervisor starts it again. Resolves when another process is in its place. */
  async restart(id: string, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const before = this.pid(id);
    process.kill(before, signal);
    for (;;) {
      const now = this.#supervisors.get(id)?.pid;
      if (now !== undefined && now !== before) return;
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
  }
}

function boundToParent(command: Command): Command {
  if (process.platform !== 'linux' || command.program === 'setpriv') return command;
  return { ...command, program: 'setpriv', args: ['--pdeathsig', 'KILL', command.program, ...command.args] };
}
