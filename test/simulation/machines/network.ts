/**
 * Links between machines, each going one way: connections that keep order, are cut as a whole and come
 * back (as TCP does), one for beacons and one for everything else. A direction may be blocked: then
 * messages are lost until the connection is reset, or held and delivered late. The `unordered` network also
 * loses, repeats and overtakes single messages, which no real link does: the store must bear it all the same.
 */
import type { World } from '../engine/world.ts';

export type NetworkProfile = {
  readonly latencyMs: number;
  readonly unordered: boolean;
  readonly loss: number;
};

type Block = { readonly holds: boolean; readonly held: (() => void)[] };

export class Network {
  readonly #world: World;
  readonly #profile: NetworkProfile;
  readonly #onConnected: (node: string, peer: string) => void;
  readonly #generation = new Map<string, number>();
  readonly #lastArrival = new Map<string, number>();
  readonly #blocks = new Map<string, Block>();
  /** Ways that take so much longer, ms. */
  readonly #slow = new Map<string, number>();
  /** After healing, nothing is lost any more. */
  calm = false;

  constructor(world: World, profile: NetworkProfile, onConnected: (node: string, peer: string) => void) {
    this.#world = world;
    this.#profile = profile;
    this.#onConnected = onConnected;
  }

  /** `lossless`: an order-keeping connection whatever the profile says. */
  send(from: string, to: string, channel: string, lossless: boolean, deliver: () => void): void {
    const link = `${from}>${to}`;
    const block = this.#blocks.get(link);
    const generation = this.#generation.get(link) ?? 0;
    const isSame = (): boolean => (this.#generation.get(link) ?? 0) === generation;
    const transmit = (): void => {
      if (isSame()) this.#transmit(link, channel, lossless, () => isSame() && deliver());
    };
    if (!block) return transmit();
    if (block.holds) block.held.push(transmit);
    else this.#world.count('lost message');
  }

  blocked(from: string, to: string): boolean {
    return this.#blocks.has(`${from}>${to}`);
  }

  /** Everything in flight from one to the other is lost; then it is connected again, and told so. */
  reset(from: string, to: string): void {
    const link = `${from}>${to}`;
    const generation = (this.#generation.get(link) ?? 0) + 1;
    this.#generation.set(link, generation);
    this.#world.after(this.#world.random.between(1, 50), () => {
      if (this.#generation.get(link) === generation) this.#onConnected(from, to);
    });
  }

  block(from: string, to: string): void {
    const link = `${from}>${to}`;
    if (!this.#blocks.has(link)) this.#blocks.set(link, { holds: this.#world.random.chance(0.4), held: [] });
  }

  unblock(from: string, to: string): void {
    const link = `${from}>${to}`;
    const block = this.#blocks.get(link);
    if (!block) return;
    this.#blocks.delete(link);
    if (block.holds) for (const deliver of block.held) deliver();
    else this.reset(from, to);
  }

  /** What goes from one to the other now takes so much longer; order is kept. 0: as before. */
  slowDown(from: string, to: string, byMs: number): void {
    if (byMs > 0) this.#slow.set(`${from}>${to}`, byMs);
    else this.#slow.delete(`${from}>${to}`);
  }

  heal(): void {
    this.calm = true;
    this.#slow.clear();
    for (const link of [...this.#blocks.keys()]) {
      const [from, to] = link.split('>');
      this.unblock(from!, to!);
    }
  }

  #transmit(link: string, channel: string, lossless: boolean, deliver: () => void): void {
    const { random } = this.#world;
    const { loss, latencyMs } = this.#profile;
    const unordered = this.#profile.unordered && !this.calm && !lossless;
    if (unordered && random.chance(loss)) return this.#world.count('lost message');
    const copies = unordered && random.chance(loss) ? 2 : 1;
    if (copies === 2) this.#world.count('doubled message');
    const late = this.#slow.get(link) ?? 0;
    for (let i = 0; i < copies; i++) {
      const slow = random.chance(0.03);
      let arrival = this.#world.now + late + latencyMs * random.between(0.5, slow ? 20 : 2);
      const name = `${link}${channel}`;
      const last = this.#lastArrival.get(name) ?? 0;
      if (!unordered) arrival = Math.max(arrival, last);
      else if (arrival < last) this.#world.count('overtaken message');
      if (arrival > last) this.#lastArrival.set(name, arrival);
      this.#world.after(arrival - this.#world.now, deliver);
    }
  }
}
