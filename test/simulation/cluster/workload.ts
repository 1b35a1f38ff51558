/** What clients do: puts, gets, compare-and-puts and deletes of a few cells, so that they meet. */
import type { World } from '../engine/world.ts';
import type { SimClient } from './client.ts';
import type { Profile } from './profile.ts';

/** Of both tablets, if there are two. */
const ROWS = ['a', 'x', 'b', 'y'];
const COLUMNS = ['p', 'q'];

export class Workload {
  readonly #world: World;
  readonly #profile: Profile;
  readonly #clients: readonly SimClient[];
  #left: number;
  #busy = 0;
  #nextValue = 1;

  constructor(world: World, profile: Profile, clients: readonly SimClient[]) {
    this.#world = world;
    this.#profile = profile;
    this.#clients = clients;
    this.#left = profile.operations;
  }

  get finished(): boolean {
    return this.#left === 0 && this.#busy === 0;
  }

  start(): void {
    for (const client of this.#clients) this.#later(client);
  }

  /** No more begin; those under way come to their end. */
  end(): void {
    this.#left = 0;
  }

  goOn(operations: number): void {
    this.#left = operations;
    this.start();
  }

  #later(client: SimClient): void {
    const { random } = this.#world;
    this.#world.after(this.#profile.thinkMs * random.between(0, 2), () => {
      if (this.#left === 0) return;
      this.#left--;
      this.#busy++;
      this.#operation(client)
        .catch((error: unknown) => this.#world.fail(`${client.id}: ${(error as Error).stack}`))
        .finally(() => {
          this.#busy--;
          this.#later(client);
        });
    });
  }

  #operation(client: SimClient): Promise<void> {
    const { random } = this.#world;
    const { rows, columns, readers, readerShare } = this.#profile;
    const row = ROWS[random.below(rows)]!;
    const column = COLUMNS[random.below(columns)]!;
    // Some hardly do anything but look: such a one stays where it is answered.
    const looks = this.#clients.indexOf(client) < readers && random.chance(readerShare);
    const kind = looks ? 0.5 : random.next();
    if (kind < 0.35) return client.put(row, column, this.#value());
    if (kind < 0.65) return client.get(row, column);
    if (kind < 0.9) return client.compareAndPut(row, column, this.#value());
    return client.delete(row, column);
  }

  #value(): string {
    const { random } = this.#world;
    const { longValues, largeValues } = this.#profile;
    const name = `v${this.#nextValue++}`;
    if (random.chance(largeValues)) return `${name}:${66_000 + random.below(3000)}`;
    if (random.chance(longValues)) return `${name}:${4200 + random.below(3000)}`;
    return name;
  }
}
