/**
 * The config store as its contract describes it: compare-and-set from the exact predecessor. It can be
 * down or out of reach, lose an answer (ambiguous), or carry a request out long after it was given up.
 */
import { createHash } from 'node:crypto';
import { canonical, type Configuration } from '../../storage-nodes/replication/configuration.ts';
import type { World } from './world.ts';

export type StoreAnswer =
  | { readonly outcome: 'stored' | 'ambiguous' | 'notSent' }
  | { readonly outcome: 'refused'; readonly current: Configuration };

export function hashOf(configuration: Configuration): string {
  return createHash('sha256').update(canonical(configuration)).digest('hex');
}

export class ModelConfigStore {
  current: Configuration;
  down = false;
  /** How often a request's answer is lost, or the request delayed by seconds. */
  ambiguity = 0;
  /** Requests that may still take effect. */
  readonly inFlight = new Set<Configuration>();
  readonly #world: World;
  readonly #onStored: (next: Configuration, before: Configuration) => void;

  constructor(
    world: World,
    first: Configuration,
    onStored: (next: Configuration, before: Configuration) => void,
  ) {
    this.#world = world;
    this.current = first;
    this.#onStored = onStored;
  }

  compareAndSet(next: Configuration, reachable: () => boolean, answer: (a: StoreAnswer) => void): void {
    const { random } = this.#world;
    if (this.down || !reachable()) {
      const unsent = random.chance(0.5);
      this.#world.after(unsent ? 5 : 300, () => answer({ outcome: unsent ? 'notSent' : 'ambiguous' }));
      return;
    }
    this.inFlight.add(next);
    let answered = false;
    const once = (a: StoreAnswer): void => {
      if (!answered) answer(a);
      answered = true;
    };
    const delayed = random.chance(this.ambiguity);
    const lost = delayed || random.chance(this.ambiguity);
    this.#world.after(delayed ? random.between(300, 4000) : random.between(1, 15), () => {
      this.inFlight.delete(next);
      const result = this.#apply(next);
      if (!lost && reachable()) this.#world.after(random.between(1, 15), () => once(result));
    });
    this.#world.after(400, () => once({ outcome: 'ambiguous' }));
  }

  #apply(next: Configuration): StoreAnswer {
    const before = this.current;
    if (canonical(before) === canonical(next)) return { outcome: 'stored' };
    const follows = next.predecessor === hashOf(before) && next.version === before.version + 1;
    if (!follows || next.epoch < before.epoch) return { outcome: 'refused', current: before };
    this.current = next;
    this.#onStored(next, before);
    return { outcome: 'stored' };
  }
}
