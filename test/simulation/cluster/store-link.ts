/** TEMP */
import type { Configuration } from '../../../storage-nodes/replication/configuration.ts';
import type { CompareAndSetAnswer } from '../../../storage-nodes/master/config-client.ts';
import type { Network } from '../machines/network.ts';
import type { Process } from '../machines/process.ts';
import type { SimMaster } from './master.ts';

export class StoreLink {
  master!: SimMaster;
  #process: Process | undefined;
  #connected = false;
  readonly #node: string;
  readonly #onConfiguration: (configuration: Configuration) => void;

  constructor(node: string, _network: Network, onConfiguration: (configuration: Configuration) => void) {
    this.#node = node;
    this.#onConfiguration = onConfiguration;
  }

  start(process: Process): void {
    this.#process = process;
    this.master.listeners.set(this.#node, (c) => process.happens(() => this.#onConfiguration(c)));
    this.#ask(process);
  }

  #ask(process: Process): void {
    this.master.all(this.#node, (all) =>
      process.happens(() => {
        this.#connected = true;
        for (const c of all) this.#onConfiguration(c);
      }),
    );
    process.timers.after(700, () => this.#ask(process));
  }

  compareAndSet(next: Configuration): Promise<CompareAndSetAnswer> {
    const process = this.#process!;
    if (!this.#connected) return Promise.resolve({ outcome: 'unsent' });
    return new Promise((resolve) => {
      if (!process.acts()) return;
      process.timers.after(2000, () => resolve({ outcome: 'ambiguous' }));
      this.master.compareAndSet(this.#node, next, (a) => process.happens(() => resolve(a)));
    });
  }
}
