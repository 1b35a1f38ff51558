/** TEMP master: a memory store by the contract, until the production master can be driven. */
import { Fault } from '../../../storage-nodes/faults.ts';
import { brokenRule } from '../../../storage-nodes/master/configuration-rules.ts';
import { configurationHash } from '../../../storage-nodes/master/configuration-hash.ts';
import type { Configuration } from '../../../storage-nodes/replication/configuration.ts';
import type { TabletId } from '../../../storage-nodes/words.ts';
import type { World } from '../engine/world.ts';
import type { Network } from '../machines/network.ts';

export type StoreAnswer =
  | { readonly outcome: 'stored' }
  | { readonly outcome: 'refused'; readonly current: Configuration | undefined };

export class SimMaster {
  readonly current = new Map<TabletId, Configuration>();
  readonly #proposed: Configuration[] = [];
  down = false;
  slowMs = 0;
  readonly #world: World;
  readonly #network: Network;
  readonly #onStored: (next: Configuration, before: Configuration | undefined) => void;
  readonly listeners = new Map<string, (configuration: Configuration) => void>();

  constructor(world: World, network: Network, onStored: (next: Configuration, before: Configuration | undefined) => void) {
    this.#world = world;
    this.#network = network;
    this.#onStored = onStored;
  }

  all(from: string, answer: (all: Configuration[]) => void): void {
    this.#network.send(from, 'master', '', true, () => {
      if (this.down) return;
      const all = [...this.current.values()];
      this.#network.send('master', from, '', true, () => answer(all));
    });
  }

  /** Asked for, and possible still. */
  proposed(tablet: TabletId): Configuration[] {
    const { version } = this.current.get(tablet)!;
    return this.#proposed.filter((next) => next.tablet === tablet && next.version > version);
  }

  compareAndSet(from: string, next: Configuration, answer: (answer: StoreAnswer) => void): void {
    this.#proposed.push(next);
    this.#network.send(from, 'master', '', true, () => {
      if (this.down) return;
      this.#world.after(this.slowMs > 0 ? this.#world.random.between(0, this.slowMs) : 1, () => {
        const result = this.apply(next);
        this.#network.send('master', from, '', true, () => answer(result));
      });
    });
  }

  apply(next: Configuration): StoreAnswer {
    const before = this.current.get(next.tablet);
    const hash = before ? configurationHash(before) : '';
    if (before && configurationHash(next) === hash) return { outcome: 'stored' };
    if (next.predecessor !== hash) return { outcome: 'refused', current: before };
    const broken = brokenRule(next, before);
    if (broken) throw new Fault('Malformed', broken);
    this.current.set(next.tablet, next);
    this.#onStored(next, before);
    for (const [node, listener] of this.listeners)
      this.#network.send('master', node, '', true, () => listener(next));
    return { outcome: 'stored' };
  }
}
