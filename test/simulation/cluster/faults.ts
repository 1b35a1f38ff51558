/**
 * What goes wrong in a run, one fault after another until peace, within the premise (premise.ts). Faults are
 * numbered as they come, and each draws from a generator of its own, so that a run can be repeated with some
 * of them left out (runs/minimise.ts).
 */
import { Random } from '../engine/random.ts';
import type { Inode } from '../machines/disk.ts';
import { LinkFaults } from './link-faults.ts';
import type { SimNode } from './node.ts';
import type { Breakable } from './breakable.ts';
import { Premise } from './premise.ts';
import type { FaultKind } from './profile.ts';

export class Faults {
  /** Some disk is slow. */
  slowDisk = false;
  /** What the config store's disk held a while ago. */
  #storeBefore: Map<string, Buffer> | undefined;
  readonly #cluster: Breakable;
  readonly #premise: Premise;
  readonly #links: LinkFaults;
  readonly #gaps: Random;
  /** The numbers of those that were inflicted. */
  readonly inflicted: number[] = [];
  #number = 0;
  /** How each node that is to die will die. */
  readonly #byPower = new Set<SimNode>();

  constructor(cluster: Breakable) {
    this.#cluster = cluster;
    this.#premise = new Premise(cluster);
    this.#links = new LinkFaults(cluster);
    this.#gaps = new Random(Math.imul(cluster.world.seed + 1, 0x9e3779b1));
    for (const node of cluster.nodes) {
      node.machine.disk.mayLose = () => this.#premise.mayLose(node);
      node.machine.disk.mayTear = () => this.#premise.mayTear();
      node.machine.disk.onLost = () => {
        for (const copy of cluster.checkers.copiesOn(node)) copy.lossy = true;
      };
    }
  }

  start(): void {
    const { world, profile } = this.#cluster;
    if (profile.kinds.length === 0) return;
    const number = this.#number++;
    world.after(this.#gaps.between(0, profile.everyMs * 2), () => {
      if (this.#cluster.peace) return;
      if (profile.faults?.includes(number) ?? true) this.#inflict(number);
      this.start();
    });
  }

  /** Peace: everything that was broken is mended; what was lost stays lost. */
  end(): void {
    const { network, nodes, world, master, profile } = this.#cluster;
    world.note(() => 'peace');
    network.heal();
    if (!master.up) master.boot();
    master.slowMs = 0;
    this.slowDisk = false;
    for (const node of nodes) {
      const { disk } = node.machine;
      disk.full = disk.failSyncs = disk.misdirect = false;
      disk.fullAtBeginning = undefined;
      node.machine.slowMs = 0;
      node.machine.pausedUntil = 0;
      if (!node.up && node.process) node.boot();
    }
    // What is on the disks must be enough to go on with (rule 10).
    if (profile.restartsAll) for (const node of nodes) node.process?.die();
    this.#scrubAll();
    world.after(500, () => this.#recoverStore());
  }

  /** The process is gone; the machine may be gone with it. Then it starts again. */
  onDeath(node: SimNode): void {
    const { world } = this.#cluster;
    const { random } = world;
    const byPower = this.#byPower.delete(node) || (random.chance(0.5) && !this.#cluster.peace);
    const power = byPower && this.#premise.mayTear();
    world.count(power ? 'power cut' : 'kill');
    world.note(() => `${node.id} dies${power ? ' with its power' : ''}`);
    this.#cluster.disconnect(node);
    const { life } = node;
    world.after(0, () => {
      if (!power) return;
      node.machine.disk.losePower(random);
      node.cellDisk.losePower(random);
    });
    const delay = random.chance(0.5) ? random.between(5, 200) : random.between(200, 3000);
    world.after(this.#cluster.peace ? 1 : delay, () => {
      if (node.life === life && !node.up) node.boot();
    });
  }

  #inflict(number: number): void {
    const { world, profile, nodes, network, master } = this.#cluster;
    const random = new Random(Math.imul(world.seed + 1, 0x85ebca6b) ^ Math.imul(number + 1, 0xc2b2ae35));
    const kind: FaultKind = random.pick(profile.kinds);
    const node = this.#victim(random, kind);
    const other = random.pick(nodes);
    const lasting = random.pick([100, 900, 1500, 3000]) * random.between(0.5, 1.5);
    const { machine } = node;
    const { disk } = machine;
    this.inflicted.push(number);
    world.note(() => `fault ${number}: ${kind} ${node.id}`);
    const counted = (): void => world.count(kind);
    switch (kind) {
      case 'kill':
        return node.process?.die();
      case 'power cut':
        return this.#cutPower(node);
      case 'blackout':
        counted();
        for (const one of nodes) this.#cutPower(one);
        return;
      case 'stop':
        counted();
        return node.stop();
      case 'rolling restart':
        counted();
        return node.restart();
      case 'hand-over':
        counted();
        return node.process?.happens(() => node.input({ kind: 'handOver' }));
      case 'suspicion':
        counted();
        for (const one of nodes) one.process?.happens(() => one.input({ kind: 'suspected', node: node.id }));
        return;
      case 'pause':
        counted();
        machine.pausedUntil = world.now + lasting;
        return;
      case 'block':
        if (node === other) return;
        counted();
        network.block(node.id, other.id);
        return world.after(lasting, () => network.unblock(node.id, other.id));
      case 'isolate':
        counted();
        return this.#links.isolate(random, node, random.pick([900, 1500, 3000]) * random.between(0.7, 1.5));
      case 'reset':
        counted();
        if (node !== other) network.reset(node.id, other.id);
        return;
      case 'store down':
        counted();
        master.process?.die();
        if (random.chance(0.3)) master.machine.disk.losePower(random);
        return world.after(lasting, () => {
          if (master.process!.dead) master.boot();
        });
      case 'store slow':
        counted();
        master.slowMs = 4000;
        return world.after(lasting, () => void (master.slowMs = 0));
      case 'store link':
        counted();
        network.block(node.id, 'master');
        if (random.chance(0.5)) network.block('master', node.id);
        return world.after(lasting, () => {
          network.unblock(node.id, 'master');
          network.unblock('master', node.id);
        });
      case 'store rollback':
        return this.#rollBackStore(lasting);
      case 'disk full':
        counted();
        if (random.chance(0.5)) return this.#fillAtBeginning(random, node);
        disk.full = true;
        disk.fullForAll = random.chance(0.5);
        return world.after(lasting, () => void (disk.full = false));
      case 'failed fsync':
        disk.failSyncs = true;
        return world.after(lasting, () => void (disk.failSyncs = false));
      case 'wipe':
        if (!this.#premise.mayLose(node) || !node.process) return;
        counted();
        return this.#wipe(node);
      case 'flipped byte':
      case 'hole':
        if (random.chance(0.4)) return this.#damageAtRest(random, node, kind);
        if (this.#premise.mayLose(node)) this.#damage(random, node, kind);
        return;
      case 'lost tail':
        if (node.up && this.#premise.mayLose(node)) this.#loseTail(random, node);
        return;
      case 'misdirected write':
        disk.misdirect = true;
        return;
      case 'damaged cell':
        if (node.cellDisk.damage(random)) counted();
        return;
      case 'clock jump':
        counted();
        machine.wallOffset += random.pick([-1, 1]) * random.pick([50, 5000, 3_600_000]);
        return;
      case 'slow disk':
        counted();
        this.slowDisk = true;
        return world.after(lasting, () => void (this.slowDisk = false));
      case 'slow replica':
        counted();
        machine.slowMs = random.pick([50, 600, 1200]);
        return world.after(3 * lasting, () => void (machine.slowMs = 0));
      case 'slow link':
        counted();
        return this.#links.slowDown(random, node);
      case 'late answers':
        counted();
        return this.#links.lateAnswers(random, node);
      case 'client reset':
        counted();
        return this.#links.resetClients(node, world.now + lasting);
    }
  }

  /** Most often somebody who leads, where most is at stake; sometimes somebody who does not count now. */
  #victim(random: Random, kind: FaultKind): SimNode {
    const { nodes, master } = this.#cluster;
    const [draw, pick] = [kind === 'late answers' ? 0 : random.next(), random.next()];
    const current = [...master.current.values()];
    const found = nodes.filter(({ id }) => {
      if (draw < 0.5) return current.some(({ primary }) => primary === id);
      return draw < 0.65 && current.some(({ inSync }) => !inSync.includes(id));
    });
    const from = found.length > 0 ? found : nodes;
    return from[Math.floor(pick * from.length)]!;
  }

  /**
   * The master's disk is put back to an earlier state, and an operator recovers it a while later. The premise:
   * every node holds the newest, so that none can ask for what follows from the older state.
   */
  #rollBackStore(lastingMs: number): void {
    const { world, master, nodes } = this.#cluster;
    const before = this.#storeBefore;
    this.#storeBefore = master.up ? master.machine.disk.snapshot() : undefined;
    const isCurrent = [...master.current].every(
      ([tablet, { version }]) =>
        master.proposed(tablet).length === 0 &&
        nodes.every((node) => node.up && node.tablets.get(tablet)?.view.configuration?.version === version),
    );
    if (!before || before.size === 0 || !isCurrent || !master.up) return;
    world.count('store rollback');
    this.#storeBefore = undefined;
    master.process!.die();
    world.after(0, () => {
      master.machine.disk.restore(before);
      master.boot();
    });
    world.after(lastingMs, () => this.#recoverStore());
  }

  #recoverStore(): void {
    const { world, master } = this.#cluster;
    master.recover().catch((error: unknown) => world.note(() => `recovery fails: ${String(error)}`));
  }

  #cutPower(node: SimNode): void {
    if (!node.up) return;
    this.#byPower.add(node);
    node.process!.die();
  }

  #wipe(node: SimNode): void {
    this.#byPower.delete(node);
    for (const copy of this.#cluster.checkers.copiesOn(node)) {
      copy.empty();
      copy.lossy = true;
    }
    node.process!.die();
    this.#cluster.world.after(0, () => {
      node.machine.disk.wipe();
      node.cellDisk.wipe();
    });
  }

  #damage(random: Random, node: SimNode, kind: 'flipped byte' | 'hole'): void {
    const { world } = this.#cluster;
    const files = [...node.machine.disk.files].filter(([, { size }]) => size > 0);
    if (files.length === 0) return;
    const [path, inode] = random.pick(files);
    // Most of a journal file is empty: what is written lies at its beginning.
    const end = random.chance(0.7) ? usedBytes(inode) : inode.size;
    if (end === 0) return;
    const from = random.below(end);
    const to = kind === 'hole' ? Math.min(inode.size, from + 1 + random.below(2000)) : from + 1;
    world.count(kind);
    world.note(() => `${node.id}: ${kind} in ${path}, ${from} to ${to}`);
    node.machine.disk.onLost();
    inode.damage(from, to, (bytes) => {
      if (kind === 'hole') bytes.fill(0);
      else bytes[0]! ^= 1 << random.below(8);
    });
  }

  /** No room for the first record of a new file, as every start begins one; then room, and another start. */
  #fillAtBeginning(random: Random, node: SimNode): void {
    const { world } = this.#cluster;
    node.machine.disk.fullAtBeginning = { of: random.pick(['/journal/', '/']), ms: random.between(50, 800) };
    if (random.chance(0.7)) node.process?.die();
    const again = random.between(1500, 4000);
    world.after(again, () => !this.#cluster.peace && node.process?.die());
  }

  /** A node that took its leave, so that nobody counts on it, finds the damage when it starts again. */
  #damageAtRest(random: Random, node: SimNode, kind: 'flipped byte' | 'hole'): void {
    const { world } = this.#cluster;
    const until = world.now + 3000;
    node.restart();
    const look = (): void => {
      if (this.#cluster.peace || world.now > until) return;
      if (node.up) return world.after(20, look);
      if (this.#premise.mayLose(node)) this.#damage(random, node, kind);
    };
    look();
  }

  /** The end of what was written last is gone although it was synced, and the node dies of it. */
  #loseTail(random: Random, node: SimNode): void {
    const { world } = this.#cluster;
    const { disk } = node.machine;
    const journals = [...disk.files].filter(
      ([path, inode]) => path.includes('/journal/') && usedBytes(inode) > 0,
    );
    const newest = journals.sort(([a], [b]) => (a < b ? 1 : -1))[0]?.[1];
    if (!newest) return;
    world.count('lost tail');
    disk.onLost();
    const end = usedBytes(newest);
    // Something of the first record stays: a file emptied as a whole would look like one never written.
    newest.bytes.fill(0, Math.max(Math.min(24, end), end - 1 - random.below(800)), end - random.below(2));
    this.#byPower.delete(node);
    node.process!.die();
  }

  #scrubAll(): void {
    const { world, nodes } = this.#cluster;
    for (const node of nodes) node.scrub();
    world.after(2000, () => this.#scrubAll());
  }
}

function usedBytes({ bytes, size }: Inode): number {
  let end = size;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}
