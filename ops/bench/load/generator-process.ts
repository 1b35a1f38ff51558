/** The load generator as its parent sees it: started, told what to do, stopped. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { BenchFailed, type Access } from '../systems/system.ts';
import type { Measured, Window } from './callers.ts';
import type { Order, Report } from './generator.ts';
import type { Cell } from './workload.ts';

/** `.js` where this runs from the build, `.ts` under a loader. */
const MAIN = fileURLToPath(
  new URL(`./generator.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url),
);

export class Generator {
  readonly #system: string;
  readonly #child: ChildProcess;

  private constructor(system: string) {
    this.#system = system;
    this.#child = fork(MAIN, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  static async start(access: Access): Promise<Generator> {
    const generator = new Generator(access.system);
    await generator.#tell({ do: 'connect', access });
    return generator;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async preload(valueBytes: number): Promise<void> {
    await this.#tell({ do: 'preload', valueBytes });
  }

  async run(cell: Cell, window: Window): Promise<Measured> {
    return (await this.#tell({ do: 'run', cell, window })) as Measured;
  }

  /** How many values were read back, all of them as last acknowledged. */
  async check(valueBytes: number): Promise<number> {
    return (await this.#tell({ do: 'check', valueBytes })) as number;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'exit');
  }

  #tell(order: Order): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const ended = (): void =>
        reject(new BenchFailed(`The load generator of ${this.#system} ended while it was to ${order.do}.`));
      this.#child.once('exit', ended);
      this.#child.once('message', (report: Report) => {
        this.#child.off('exit', ended);
        if (report.failed === undefined) resolve(report.done);
        else reject(new BenchFailed(`${this.#system}, ${order.do}: ${report.failed}.`));
      });
      this.#child.send(order);
    });
  }
}
