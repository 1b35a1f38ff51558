/**
 * Links between nodes, each going one way: connections that keep order, are cut as a whole and come back
 * (as TCP does), one for beacons and one for everything else. A direction may be blocked: then messages are lost
 * until the connection is reset, or held and delivered late. The `unordered` network also loses,
 * repeats and overtakes single messages, which no real link does: the core must bear it all the same.
 */
import type { PeerMessage } from '../../storage-nodes/replication/messages.ts';
import type { World } from './world.ts';

type Deliver = (from: number, to: number, message: PeerMessage) => void;

type Block = { readonly holds: boolean; readonly held: (() => void)[] };

export type NetworkProfile = {
  readonly latencyMs: number;
  readonly unordered: boolean;
  readonly loss: number;
};

export class Network {
  readonly #world: World;
  readonly #profile: NetworkProfile;
  readonly #deliver: Deliver;
  readonly #connected: (node: number, peer: number) => void;
  readonly #generation = new Map<string, number>();
  readonly #lastArrival = new Map<string, number>();
  readonly #blocks = new Map<string, Block>();
  /** After healing, nothing is lost any more. */
  calm = false;

  constructor(
    world: World,
    profile: NetworkProfile,
    deliver: Deliver,
    connected: (node: number, peer: number) => void,
  ) {
    this.#world = world;
    this.#profile = profile;
    this.#deliver = deliver;
    this.#connected = connected;
  }

  send(from: number, to: number, message: PeerMessage): void {
    const block = this.#blocks.get(`${from}>${to}`);
    if (!block) return this.#transmit(from, to, message);
    const generation = this.#generationOf(from, to);
    if (block.holds) {
      block.held.push(() => {
        if (this.#generationOf(from, to) === generation) this.#transmit(from, to, message);
      });
    }
  }

  /** Everything in flight from one to the other is lost; then it is connected again, and told so. */
  reset(from: number, to: number): void {
    const link = `${from}>${to}`;
    const generation = this.#generationOf(from, to) + 1;
    this.#generation.set(link, generation);
    this.#world.after(this.#world.random.between(1, 50), () => {
      if (this.#generationOf(from, to) === generation) this.#connected(from, to);
    });
  }

  block(from: number, to: number): void {
    const link = `${from}>${to}`;
    if (!this.#blocks.has(link)) this.#blocks.set(link, { holds: this.#world.random.chance(0.4), held: [] });
  }

  unblock(from: number, to: number): void {
    const link = `${from}>${to}`;
    const block = this.#blocks.get(link);
    if (!block) return;
    this.#blocks.delete(link);
    if (block.holds) for (const deliver of block.held) deliver();
    else this.reset(from, to);
  }

  heal(): void {
    this.calm = true;
    for (const link of [...this.#blocks.keys()]) {
      const [from, to] = link.split('>').map(Number);
      this.unblock(from!, to!);
    }
  }

  #transmit(from: number, to: number, message: PeerMessage): void {
    const { random } = this.#world;
    const { unordered, loss, latencyMs } = this.#profile;
    if (unordered && !this.calm && random.chance(loss)) return;
    const generation = this.#generationOf(from, to);
    const isBeacon = message.body.type === 'beacon' || message.body.type === 'beaconAck';
    const channel = `${from}>${to}${isBeacon ? '!' : ''}`;
    const copies = unordered && !this.calm && random.chance(loss) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      let arrival = this.#world.now + latencyMs * random.between(0.5, random.chance(0.05) ? 20 : 2);
      if (!unordered || this.calm) {
        arrival = Math.max(arrival, this.#lastArrival.get(channel) ?? 0);
        this.#lastArrival.set(channel, arrival);
      }
      this.#world.after(arrival - this.#world.now, () => {
        if (this.#generationOf(from, to) === generation) this.#deliver(from, to, message);
      });
    }
  }

  #generationOf(a: number, b: number): number {
    return this.#generation.get(`${a}>${b}`) ?? 0;
  }
}
