/** What goes wrong between machines: ways are cut, get slow, or break for a moment. */
import type { Random } from '../engine/random.ts';
import type { Breakable } from './breakable.ts';
import type { SimNode } from './node.ts';

export class LinkFaults {
  readonly #cluster: Breakable;

  constructor(cluster: Breakable) {
    this.#cluster = cluster;
  }

  /** Cut off from the other nodes, and perhaps from the config store; clients still reach it. */
  isolate(random: Random, node: SimNode, lastingMs: number): void {
    const { network } = this.#cluster;
    const links: [string, string][] = [];
    this.#cluster.onAllLinks(node.id, (from, to) => links.push([from, to]));
    if (random.chance(0.6)) links.push([node.id, 'master'], ['master', node.id]);
    for (const [from, to] of links) {
      network.block(from, to);
      this.#cluster.world.after(lastingMs * random.between(1, 1.1), () => network.unblock(from, to));
    }
  }

  /** All that it sends its peers takes long, or all that they send: of an epoch that has passed by then, maybe. */
  slowDown(random: Random, node: SimNode): void {
    const { world, network } = this.#cluster;
    const outwards = random.chance(0.6);
    const byMs = random.pick([50, 300, 1000, 2000]);
    const lastingMs = random.between(200, 4000);
    this.#cluster.onAllLinks(node.id, (from, to) => {
      if ((from === node.id) !== outwards) return;
      network.slowDown(from, to, byMs);
      world.after(lastingMs, () => network.slowDown(from, to, 0));
    });
  }

  /**
   * For a while, all that it sends its peers takes so long that another may lead when it comes: entries of an
   * epoch that has passed by then. Each way takes its own time.
   */
  lateWords(random: Random, node: SimNode): void {
    const { world, network } = this.#cluster;
    const lastingMs = random.between(300, 1500);
    this.#cluster.onAllLinks(node.id, (from, to) => {
      if (from !== node.id) return;
      network.slowDown(from, to, random.between(750, 1500));
      world.after(lastingMs, () => network.slowDown(from, to, 0));
    });
  }

  /**
   * Its peers' answers take longer and longer; then what it says reaches nobody but clients any more, while
   * answers of before go on arriving. Who counted a lease from their arrival would serve reads too long (rule 7).
   */
  lateAnswers(random: Random, node: SimNode): void {
    const { world, network } = this.#cluster;
    const steps = 6 + random.below(7);
    const lastingMs = random.between(3000, 5000);
    const fromPeers: [string, string][] = [];
    const cut: [string, string][] = [
      [node.id, 'master'],
      ['master', node.id],
    ];
    this.#cluster.onAllLinks(node.id, (from, to) => (to === node.id ? fromPeers : cut).push([from, to]));
    // In steps below its patience, or it would take them for dead.
    for (let i = 1; i <= steps; i++)
      world.after(i * 300, () => {
        if (this.#cluster.peace) return;
        for (const [from, to] of fromPeers) network.slowDown(from, to, i * 250);
      });
    world.after(steps * 300 + random.between(0, 300), () => {
      if (this.#cluster.peace) return;
      for (const [from, to] of cut) network.block(from, to);
      world.after(lastingMs, () => {
        for (const [from, to] of cut) network.unblock(from, to);
        for (const [from, to] of fromPeers) network.slowDown(from, to, 0);
      });
    });
  }

  /** Connections of clients to it break again and again: they repeat what is under way. */
  resetClients(node: SimNode, until: number): void {
    const { world } = this.#cluster;
    if (this.#cluster.peace || world.now > until) return;
    this.#cluster.disconnectClients(node);
    world.after(world.random.between(20, 200), () => this.resetClients(node, until));
  }
}
