/**
 * What goes wrong in a run, one fault after another until peace, within the premise (premise.ts). Faults are
 * numbered as they come, and each draws from a generator of its own, so that a run can be repeated with some
 * of them left out (runs/minimise.ts).
 */
import { Random } from '../engine/random.ts';
import { Deaths } from './deaths.ts';
import { DiskFaults } from './disk-faults.ts';
import { LinkFaults } from './link-faults.ts';
import type { SimNode } from './node.ts';
import type { Breakable } from './breakable.ts';
import { Premise } from './premise.ts';
import type { FaultKind } from './profile.ts';
import type { Copy } from './copy.ts';
import type { Seq } from '../../../storage-nodes/words.ts';

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
  readonly deaths: Deaths;
  readonly #disks: DiskFaults;
  /** Of a truncation that is to be lost. */
  #forTruncation: Random | undefined;
  #number = 0;

  constructor(cluster: Breakable) {
    this.#cluster = cluster;
    this.#premise = new Premise(cluster);
    this.#links = new LinkFaults(cluster);
    this.deaths = new Deaths(cluster, this.#premise);
    this.#disks = new DiskFaults(cluster, this.#premise, this.deaths);
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
      disk.watch = undefined;
      node.machine.slowMs = 0;
      node.machine.pausedUntil = 0;
      if (!node.up && node.process) node.boot();
    }
    // What is on the disks must be enough to go on with (rule 10).
    if (profile.restartsAll) for (const node of nodes) node.process?.die();
    this.#scrubAll();
    world.after(500, () => this.#recoverStore());
  }

  /** A copy drops entries that its primary does not have. */
  onCut(copy: Copy, from: Seq): void {
    const random = this.#forTruncation;
    if (!random || copy.taken.length <= from) return;
    this.#forTruncation = undefined;
    const node = this.#cluster.nodes.find(({ id }) => id === copy.node)!;
    this.#disks.loseTruncation(random, node, copy, from);
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
        return this.deaths.cutPower(node);
      case 'deaths in a row':
        counted();
        return this.deaths.inARow(random, node);
      case 'blackout':
        counted();
        for (const one of nodes) this.deaths.cutPower(one);
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
        disk.full = true;
        disk.fullForAll = random.chance(0.5);
        return world.after(lasting, () => void (disk.full = false));
      case 'full beginning':
        counted();
        if (random.chance(0.4)) return this.#disks.fillAtBeginning(random, node);
        return this.#disks.fillWhenNextBegins(random, node);
      case 'failed fsync':
        disk.failSyncs = true;
        return world.after(lasting, () => void (disk.failSyncs = false));
      case 'wipe':
        if (!this.#premise.mayLose(node) || !node.process) return;
        counted();
        return this.#disks.wipe(node);
      case 'flipped byte':
      case 'hole':
        if (random.chance(0.4)) return this.#disks.damageAtRest(random, node, kind);
        if (this.#premise.mayLose(node)) this.#disks.damage(random, node, kind);
        return;
      case 'lost tail':
        return this.#disks.loseTail(random, node);
      case 'lost truncation':
        counted();
        this.#forTruncation = random;
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
      case 'late words':
        counted();
        return this.#links.lateWords(random, node);
      case 'client reset':
        counted();
        return this.#links.resetClients(node, world.now + lasting);
    }
  }

  /** Most often somebody who leads, where most is at stake; sometimes somebody who does not count now. */
  #victim(random: Random, kind: FaultKind): SimNode {
    const { nodes, master } = this.#cluster;
    const [draw, pick] = [kind.startsWith('late') ? 0 : random.next(), random.next()];
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

  #scrubAll(): void {
    const { world, nodes } = this.#cluster;
    for (const node of nodes) node.scrub();
    world.after(2000, () => this.#scrubAll());
  }
}
