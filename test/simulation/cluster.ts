/**
 * One tablet on three to five nodes, from first start through a time of faults to peace: a whole run
 * from one seed. After peace is made, every copy must become one again within bounded time.
 */
import type { Configuration } from '../../storage-nodes/replication/configuration.ts';
import type { PeerMessage } from '../../storage-nodes/replication/messages.ts';
import type { Epoch, NodeId, TabletId, Version } from '../../storage-nodes/words.ts';
import { Checkers } from './checkers.ts';
import { calmed, Faults, profileFor, type Profile } from './faults.ts';
import { ModelConfigStore } from './model-config-store.ts';
import { Network } from './network.ts';
import { SimNode } from './sim-node.ts';
import { Violation, World } from './world.ts';

const PEACE_MS = 60_000;
const CONVERGE_MS = 15_000;

/** `calm`: the same cluster with no faults at all; `planned`: with hand-overs only, and disks that never pause. */
export type Options = { readonly tracing?: boolean; readonly calm?: boolean; readonly planned?: boolean };

export type Outcome = {
  readonly seed: number;
  readonly violation: string | undefined;
  readonly profile: Profile;
  readonly committed: number;
  readonly epochs: number;
  readonly versions: number;
  readonly reads: number;
  readonly faults: number;
  readonly handOvers: number;
  /** From a primary's giving up until its successor serves, in ms. */
  readonly longestHandOverMs: number;
  readonly digest: number;
  readonly trace: readonly string[];
};

export class Cluster {
  readonly world: World;
  readonly profile: Profile;
  readonly nodes: readonly SimNode[];
  readonly store: ModelConfigStore;
  readonly network: Network;
  readonly checkers: Checkers;
  readonly faults: Faults;
  /** Nodes that cannot talk to the config store. */
  readonly cutFromStore = new Set<SimNode>();
  peace = false;
  readonly #planned: boolean;
  #payload = 0;
  #writing = true;

  constructor(seed: number, options: Options) {
    this.world = new World(seed, options.tracing ?? false);
    const { random } = this.world;
    const profile = profileFor(random);
    const { calm = false, planned = false } = options;
    this.#planned = planned;
    this.profile = calm || planned ? calmed(profile, planned ? ['handOver', 'standDown'] : []) : profile;
    this.checkers = new Checkers(this);
    this.nodes = Array.from(
      { length: this.profile.nodes },
      (_, i) => new SimNode(this, i, random.between(1 - this.profile.drift, 1 + this.profile.drift)),
    );
    this.store = new ModelConfigStore(this.world, this.#firstConfiguration(), (next, before) =>
      this.#stored(next, before),
    );
    this.store.ambiguity = this.profile.ambiguity;
    this.network = new Network(
      this.world,
      this.profile.network,
      (from, to, message) => this.nodes[to]!.receive(this.nodes[from]!, message),
      (node, peer) => this.#connected(node, peer),
    );
    this.faults = new Faults(this);
  }

  /** Throws a Violation if a promise is broken. */
  run(): void {
    for (const node of this.nodes) this.boot(node);
    this.#client();
    this.faults.start();
    this.world.run(this.profile.faultMs);
    this.peace = true;
    this.faults.end();
    const whole = (): boolean =>
      this.store.current.inSync.length === this.nodes.length &&
      this.nodes.some((node) => node.replica?.view.serving) &&
      this.nodes.every((node) => !node.replica?.view.quarantine);
    if (!this.world.run(this.world.now + PEACE_MS, whole)) {
      throw new Violation(`not whole again ${PEACE_MS} ms after the last fault: ${this.#state()}`);
    }
    const before = this.checkers.truth.length;
    if (!this.world.run(this.world.now + CONVERGE_MS, () => this.checkers.truth.length > before)) {
      throw new Violation(`no write passes in peace: ${this.#state()}`);
    }
    this.#writing = false;
    if (!this.world.run(this.world.now + CONVERGE_MS, () => this.checkers.converged)) {
      throw new Violation(`the copies do not become one: ${this.#state()}`);
    }
  }

  boot(node: SimNode): void {
    node.boot();
    this.#resetAll(node);
  }

  onCrash(node: SimNode): void {
    this.#resetAll(node);
    this.faults.restartLater(node);
  }

  send(from: SimNode, to: NodeId, message: PeerMessage): void {
    const target = this.nodes.find((node) => node.id === to);
    if (target && target !== from) this.network.send(from.index, target.index, message);
  }

  reachesStore(node: SimNode): boolean {
    return !this.cutFromStore.has(node);
  }

  /** Honest torn tails, but not while another member's loss already needs this copy's word (rule 5). */
  mayTear(): boolean {
    return this.profile.tears && !this.nodes.some((node) => node.lossy);
  }

  diesBetweenOutputs(): boolean {
    return !this.peace && this.profile.crashes && this.world.random.chance(0.0004);
  }

  diskDelay(): number {
    const { random } = this.world;
    return random.chance(0.02) && !this.peace && !this.#planned
      ? random.between(10, 400)
      : random.between(0.2, 6);
  }

  nextPayload(): number {
    return ++this.#payload;
  }

  /** Writes and reads against whoever serves, also against two at once if there were two. */
  #client(): void {
    const { random } = this.world;
    if (this.#writing) {
      for (const node of this.nodes) {
        if (random.chance(0.3)) continue;
        node.propose(Array.from({ length: 1 + random.below(3) }, () => this.nextPayload()));
      }
    }
    for (const node of this.nodes) if (node.replica?.view.serving) this.checkers.read(node);
    this.world.after(random.between(5, this.profile.writeMs * 2), () => this.#client());
  }

  #resetAll(node: SimNode): void {
    for (const peer of this.nodes) {
      if (peer === node) continue;
      this.network.reset(node.index, peer.index);
      this.network.reset(peer.index, node.index);
    }
  }

  #connected(node: number, peer: number): void {
    const at = this.nodes[node]!;
    const of = this.nodes[peer]!;
    if (at.replica && of.replica) at.later(0, () => at.input({ kind: 'peerConnected', peer: of.id }));
  }

  #stored(next: Configuration, before: Configuration): void {
    const { world } = this;
    world.note(() => `store: v${next.version} e${next.epoch} ${next.primary} [${next.inSync.join(' ')}]`);
    this.checkers.onStored(next, before);
    for (const node of this.nodes) {
      if (!this.reachesStore(node)) continue;
      world.after(world.random.between(1, 40), () =>
        node.later(0, () => node.input({ kind: 'configuration', configuration: next })),
      );
    }
  }

  #firstConfiguration(): Configuration {
    const ids = this.nodes.map((node) => node.id);
    return {
      tablet: 'tablet-1' as TabletId,
      version: 1 as Version,
      epoch: 1 as Epoch,
      lineage: 0,
      primary: ids[0]!,
      inSync: ids,
      replicas: ids,
      range: { from: '', to: null },
      predecessor: '',
    };
  }

  #state(): string {
    const { current } = this.store;
    const copies = this.nodes.map(({ id, replica, lossy }) => {
      const view = replica?.view;
      if (!view) return `${id} down`;
      const doubt = `${view.quarantine ? ' quarantined' : ''}${lossy ? ' lossy' : ''}${view.cutTail ? ' cut' : ''}`;
      return `${id} v${view.configuration?.version} ${view.role}${view.serving ? ' serving' : ''} ${view.committed}/${view.last}${doubt}`;
    });
    return `v${current.version} e${current.epoch} ${current.primary} [${current.inSync.join(' ')}]; ${copies.join('; ')}`;
  }
}

/** One run; never throws. */
export function simulate(seed: number, options: Options = {}): Outcome {
  const cluster = new Cluster(seed, options);
  let violation: string | undefined;
  try {
    cluster.run();
  } catch (error) {
    violation = error instanceof Violation ? error.message : String((error as Error).stack);
  }
  const { checkers, store, world, profile, faults } = cluster;
  return {
    seed,
    violation,
    profile,
    committed: checkers.truth.length,
    epochs: checkers.epochsServed,
    versions: store.current.version,
    reads: checkers.reads,
    faults: faults.count,
    handOvers: cluster.nodes.reduce((sum, node) => sum + node.handOvers, 0),
    longestHandOverMs: checkers.longestHandOverMs,
    digest: world.digest,
    trace: world.trace,
  };
}
