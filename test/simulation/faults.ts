/**
 * What goes wrong in a run. Each seed has only some kinds of fault (swarm testing: Groce et al. 2012),
 * so that rare combinations get runs of their own. Losing what was acknowledged (a wiped, torn or
 * damaged disk) happens only while another in-sync copy that lost nothing remains: that one copy is
 * the promise's premise (rule 10).
 */
import type { Configuration } from '../../storage-nodes/replication/configuration.ts';
import type { Checkers } from './checkers.ts';
import type { ModelConfigStore } from './model-config-store.ts';
import type { Network, NetworkProfile } from './network.ts';
import type { Random } from './random.ts';
import type { SimNode } from './sim-node.ts';
import type { World } from './world.ts';

export type Profile = {
  readonly nodes: number;
  readonly faultMs: number;
  readonly everyMs: number;
  readonly writeMs: number;
  /** Each clock runs faster or slower by up to this share; lease (1 + d) < grace (1 - d). */
  readonly drift: number;
  readonly network: NetworkProfile;
  readonly ambiguity: number;
  readonly crashes: boolean;
  readonly tears: boolean;
  readonly kinds: readonly FaultKind[];
};

const KINDS = [
  'crash',
  'pause',
  'block',
  'isolate',
  'reset',
  'store',
  'storeLink',
  'full',
  'wipe',
  'lose',
  'damage',
  'handOver',
  'standDown',
  'suspect',
  'unable',
  'slow',
] as const;
export type FaultKind = (typeof KINDS)[number];

export function profileFor(random: Random): Profile {
  const unordered = random.chance(0.25);
  const kinds = KINDS.filter(() => random.chance(0.5));
  return {
    nodes: random.chance(0.75) ? 3 : 3 + random.below(3),
    faultMs: random.between(4000, 25_000),
    everyMs: random.pick([150, 500, 1500]),
    writeMs: random.pick([10, 40, 150]),
    drift: random.pick([0, 0.05, 0.15]),
    network: { latencyMs: random.pick([0.5, 3, 20]), unordered, loss: random.pick([0.005, 0.05]) },
    ambiguity: random.pick([0, 0.1, 0.4]),
    crashes: kinds.includes('crash'),
    tears: random.chance(0.5),
    // What a repeated or overtaken message says of a copy that lost its disk is believed: TCP has none.
    kinds: unordered ? kinds.filter((kind) => kind !== 'damage') : kinds,
  };
}

/** Only delays and drifting clocks are left, and what an operator wishes now and then. */
export function calmed(profile: Profile, wishes: readonly FaultKind[]): Profile {
  const network = { ...profile.network, unordered: false };
  return { ...profile, network, ambiguity: 0, crashes: false, tears: false, kinds: wishes, everyMs: 1500 };
}

/** What can be broken. */
export interface Breakable {
  readonly world: World;
  readonly profile: Profile;
  readonly nodes: readonly SimNode[];
  readonly store: ModelConfigStore;
  readonly network: Network;
  readonly checkers: Checkers;
  readonly cutFromStore: Set<SimNode>;
  readonly peace: boolean;
  boot(node: SimNode): void;
}

export class Faults {
  count = 0;
  readonly #cluster: Breakable;

  constructor(cluster: Breakable) {
    this.#cluster = cluster;
  }

  start(): void {
    const { world, profile } = this.#cluster;
    if (profile.kinds.length === 0) return;
    world.after(world.random.between(0, profile.everyMs * 2), () => {
      if (this.#cluster.peace) return;
      this.#inflict(world.random.pick(profile.kinds));
      this.start();
    });
  }

  /** Peace: everything that was broken by us is mended; what was lost stays lost. */
  end(): void {
    const { network, store, nodes, cutFromStore, world } = this.#cluster;
    world.note(() => 'peace');
    network.heal();
    store.down = false;
    store.ambiguity = 0;
    cutFromStore.clear();
    for (const node of nodes) {
      node.disk.full = false;
      node.pausedUntil = 0;
      node.slowness = 1;
      node.leaving = false;
      node.wish({ kind: 'unable', reason: undefined });
      if (!node.replica) this.#cluster.boot(node);
    }
  }

  restartLater(node: SimNode): void {
    const { world } = this.#cluster;
    const { life } = node;
    const delay = world.random.chance(0.5) ? world.random.between(5, 200) : world.random.between(200, 6000);
    world.after(delay, () => {
      if (node.life === life && !node.replica) this.#cluster.boot(node);
    });
  }

  #inflict(kind: FaultKind): void {
    const { world, nodes, network, store, cutFromStore } = this.#cluster;
    const { random } = world;
    const node = random.pick(nodes);
    const other = random.pick(nodes);
    const lasting = random.pick([100, 900, 1500, 4000]) * random.between(0.5, 1.5);
    this.count++;
    world.note(() => `fault: ${kind} ${node.id}`);
    switch (kind) {
      case 'crash':
        return node.crash();
      case 'pause':
        node.pausedUntil = world.now + lasting;
        return;
      case 'block':
        if (node === other) return;
        network.block(node.index, other.index);
        return world.after(lasting, () => network.unblock(node.index, other.index));
      case 'isolate':
        for (const peer of nodes) {
          if (peer === node) continue;
          network.block(node.index, peer.index);
          network.block(peer.index, node.index);
          world.after(lasting, () => {
            network.unblock(node.index, peer.index);
            network.unblock(peer.index, node.index);
          });
        }
        return;
      case 'reset':
        if (node !== other) network.reset(node.index, other.index);
        return;
      case 'store':
        store.down = true;
        return world.after(lasting, () => void (store.down = false));
      case 'storeLink':
        cutFromStore.add(node);
        return world.after(lasting, () => void cutFromStore.delete(node));
      case 'full':
        node.disk.full = true;
        return world.after(lasting, () => void (node.disk.full = false));
      case 'handOver':
        return node.wish({ kind: 'handOver', ...(random.chance(0.5) && { to: other.id }) });
      case 'standDown':
        node.leaving = true;
        return world.after(lasting, () => void (node.leaving = false));
      case 'suspect':
        return node.wish({ kind: 'suspected', node: other.id });
      case 'unable':
        node.wish({ kind: 'unable', reason: 'an entry cannot be applied' });
        return world.after(lasting, () => node.wish({ kind: 'unable', reason: undefined }));
      case 'slow':
        node.slowness = random.pick([20, 200, 1000]);
        return world.after(lasting * 3, () => void (node.slowness = 1));
      case 'wipe':
      case 'lose':
      case 'damage':
        if (this.#mayLose(node)) this.#lose(node, kind);
    }
  }

  #lose(node: SimNode, kind: 'wipe' | 'lose' | 'damage'): void {
    const { random } = this.#cluster.world;
    node.lossy = true;
    node.crashIf(kind !== 'damage' || random.chance(0.3));
    if (kind === 'wipe') {
      node.disk.wipe();
      node.commitHigh = 0;
    } else if (kind === 'lose') {
      node.disk.tear(random);
      node.commitHigh = Math.min(node.commitHigh, node.disk.durable.length);
    } else {
      node.disk.damage = 'a checksum does not match';
      node.input({ kind: 'damaged', reason: node.disk.damage });
    }
  }

  /** Whatever the store says now or may yet be asked, somebody who lost nothing stays in sync. */
  #mayLose(node: SimNode): boolean {
    const { store, nodes, checkers } = this.#cluster;
    checkers.forgive();
    const survives = (configuration: Configuration): boolean =>
      nodes.some(
        (other) =>
          other !== node &&
          !other.lossy &&
          !other.disk.cut &&
          configuration.inSync.includes(other.id) &&
          (other.disk.configuration?.version ?? 0) > 1,
      );
    return [store.current, ...store.inFlight].every(survives);
  }
}
