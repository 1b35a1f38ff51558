/**
 * How processes die, and when they start again: killed, or with the power of their machine, which takes what
 * was not synced with it. A death may be prepared, so that it comes at the moment when most is at stake.
 */
import type { Random } from '../engine/random.ts';
import type { Breakable } from './breakable.ts';
import type { SimNode } from './node.ts';
import type { Premise } from './premise.ts';

/** What is known of a death before it comes. */
type Plan = {
  readonly byPower: boolean;
  readonly startsAfterMs?: number;
  /** Called when the process has been started again. */
  readonly then?: () => void;
};

export class Deaths {
  readonly #cluster: Breakable;
  readonly #premise: Premise;
  readonly #plans = new Map<SimNode, Plan>();

  constructor(cluster: Breakable, premise: Premise) {
    this.#cluster = cluster;
    this.#premise = premise;
  }

  /** The node's next death, whenever that is. Undefined: as it comes. */
  plan(node: SimNode, plan: Plan | undefined): void {
    if (plan) this.#plans.set(node, plan);
    else this.#plans.delete(node);
  }

  kill(node: SimNode): void {
    this.plan(node, { byPower: false });
    node.process?.die();
  }

  cutPower(node: SimNode): void {
    if (!node.up) return;
    this.plan(node, { byPower: true });
    node.process!.die();
  }

  /** The process is gone; the machine may be gone with it. Then it starts again. */
  onDeath(node: SimNode): void {
    const { world, profile } = this.#cluster;
    const { random } = world;
    const plan = this.#plans.get(node);
    this.#plans.delete(node);
    const byPower = plan?.byPower ?? (random.chance(0.5) && !this.#cluster.peace);
    const power = byPower && this.#premise.mayTear();
    world.count(power ? 'power cut' : 'kill');
    world.note(() => `${node.id} dies${power ? ' with its power' : ''}`);
    node.machine.disk.watch = undefined;
    this.#cluster.disconnect(node);
    const { life } = node;
    world.after(0, () => {
      if (!power) return;
      node.machine.disk.losePower(random);
      node.cellDisk.losePower(random);
    });
    const drawn = random.chance(profile.quickStarts) ? random.between(5, 200) : random.between(200, 3000);
    world.after(this.#cluster.peace ? 1 : (plan?.startsAfterMs ?? drawn), () => {
      if (node.life !== life || node.up) return;
      node.boot();
      if (!this.#cluster.peace) plan?.then?.();
    });
  }

  /**
   * Killed between a write to the journal and its fsync: what was written can be read, and may not be on the
   * disk. Then the machine loses its power while the next process opens, about when it has written behind that;
   * and perhaps so again, and again.
   */
  inARow(random: Random, node: SimNode): void {
    const { disk } = node.machine;
    const again = (left: number): void => {
      const isLast = left === 0;
      const [byPower, atOnce] = [random.chance(0.7), random.chance(0.3)];
      const operations = random.chance(0.7) ? 2 + random.below(8) : 1 + random.below(40);
      const startsAfterMs = random.between(1, 50);
      this.plan(node, isLast ? { byPower } : { byPower, startsAfterMs, then: () => again(left - 1) });
      disk.watch = (path) => {
        if (!path.includes('/journal/')) return;
        disk.watch = undefined;
        if (atOnce) node.process?.die();
        else node.process?.dieWithin(operations);
      };
    };
    const deaths = random.below(4);
    disk.watch = (path) => {
      if (!path.includes('/journal/')) return;
      this.plan(node, { byPower: false, startsAfterMs: random.between(1, 50), then: () => again(deaths) });
      node.process?.die();
    };
  }
}
