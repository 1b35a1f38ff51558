/** What goes wrong with disks: bytes change or vanish behind everyone's back, and room runs out. */
import type { Random } from '../engine/random.ts';
import type { Inode } from '../machines/disk.ts';
import { recordLength } from '../../../storage-nodes/log/journal-record.ts';
import type { Seq } from '../../../storage-nodes/words.ts';
import type { Breakable } from './breakable.ts';
import type { Copy } from './copy.ts';
import type { Deaths } from './deaths.ts';
import type { SimNode } from './node.ts';
import type { Premise } from './premise.ts';

export class DiskFaults {
  readonly #cluster: Breakable;
  readonly #premise: Premise;
  readonly #deaths: Deaths;

  constructor(cluster: Breakable, premise: Premise, deaths: Deaths) {
    this.#cluster = cluster;
    this.#premise = premise;
    this.#deaths = deaths;
  }

  wipe(node: SimNode): void {
    for (const copy of this.#cluster.checkers.copiesOn(node)) {
      copy.empty();
      copy.lossy = true;
    }
    this.#deaths.kill(node);
    this.#cluster.world.after(0, () => {
      node.machine.disk.wipe();
      node.cellDisk.wipe();
    });
  }

  damage(random: Random, node: SimNode, kind: 'flipped byte' | 'hole'): void {
    const { world } = this.#cluster;
    const files = [...node.machine.disk.files].filter(([, { size }]) => size > 0);
    if (files.length === 0) return;
    const [path, inode] = random.pick(files);
    // Most of a journal file is empty: what is written lies at its beginning.
    const end = random.chance(0.7) ? usedBytes(inode, inode.size) : inode.size;
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

  /** A node that took its leave, so that nobody counts on it, finds the damage when it starts again. */
  damageAtRest(random: Random, node: SimNode, kind: 'flipped byte' | 'hole'): void {
    const { world } = this.#cluster;
    const until = world.now + 3000;
    node.restart();
    const look = (): void => {
      if (this.#cluster.peace || world.now > until) return;
      if (node.up) return world.after(20, look);
      if (this.#premise.mayLose(node)) this.damage(random, node, kind);
    };
    look();
  }

  /** The end of what was written last is gone although it was synced, and the node dies of it. */
  loseTail(random: Random, node: SimNode): void {
    const tail = tailOf(node);
    if (tail) this.#cutOff(node, tail.inode, tail.end - 1 - random.below(800), tail.end - random.below(2));
  }

  /**
   * A copy is dropping entries that its primary does not have, two or more. About when the first that came in
   * their place has gone to the segments, the journal loses all that was written since: also the record that
   * drops them.
   */
  loseTruncation(random: Random, node: SimNode, copy: Copy, from: Seq): void {
    const { world } = this.#cluster;
    const before = tailOf(node);
    const until = world.now + 1000;
    const delay = random.between(40, 120);
    const look = (): void => {
      if (this.#cluster.peace || !before || world.now > until) return;
      if (copy.committed < from) return world.after(1, look);
      world.after(delay, () => {
        const now = tailOf(node);
        if (now?.inode === before.inode) this.#cutOff(node, now.inode, before.end + 8, now.end);
      });
    };
    look();
  }

  #cutOff(node: SimNode, inode: Inode, from: number, to: number): void {
    if (this.#cluster.peace || !node.up || !this.#premise.mayLose(node)) return;
    this.#cluster.world.count('lost tail');
    node.machine.disk.onLost();
    inode.bytes.fill(0, withinRecord(inode, Math.max(0, from)), to);
    this.#deaths.kill(node);
  }

  /** No room for the first record of a new file, as every start begins one; then room, and another start. */
  fillAtBeginning(random: Random, node: SimNode): void {
    const { world } = this.#cluster;
    const of = random.pick(['/journal/', '/']);
    this.#atBeginning(node, of, () => this.#fillFor(node, random.between(50, 800)));
    if (random.chance(0.7)) node.process?.die();
    const again = random.between(1500, 4000);
    world.after(again, () => !this.#cluster.peace && node.process?.die());
  }

  /**
   * The same in the midst of work, while the journal's file before is needed still; and the process dies soon
   * after it has written again.
   */
  fillWhenNextBegins(random: Random, node: SimNode): void {
    const { world } = this.#cluster;
    const { disk } = node.machine;
    const ms = random.between(20, 300);
    const operations = 2 + random.below(12);
    this.#atBeginning(node, '/journal/', () => {
      this.#fillFor(node, ms);
      world.after(ms, () => {
        if (this.#cluster.peace) return;
        disk.watch = (path) => {
          if (!path.includes('/journal/')) return;
          disk.watch = undefined;
          node.process?.dieWithin(operations);
        };
      });
    });
  }

  #atBeginning(node: SimNode, of: string, run: () => void): void {
    const { disk } = node.machine;
    disk.watch = (path, position) => {
      if (position !== 0 || !path.includes(of)) return;
      disk.watch = undefined;
      run();
    };
  }

  #fillFor(node: SimNode, ms: number): void {
    const { disk } = node.machine;
    disk.full = disk.fullForAll = true;
    this.#cluster.world.after(ms, () => void (disk.full = false));
  }
}

/** Where the journal ends. */
function tailOf({ machine }: SimNode): { readonly inode: Inode; readonly end: number } | undefined {
  // A file that was made ready for use begins with zeros, whatever stands behind them.
  const begun = [...machine.disk.files].filter(([path, { bytes, size }]) => {
    return path.includes('/journal/') && bytes.subarray(0, Math.min(size, 64)).some((byte) => byte !== 0);
  });
  const inode = begun.sort(([a], [b]) => (a < b ? 1 : -1))[0]?.[1];
  return inode && { inode, end: usedBytes(inode, inode.writtenTo) };
}

/** Something of the first record that is lost stays, or its place would look like one never written. */
function withinRecord({ bytes, size }: Inode, from: number): number {
  for (let at = 0; at < size;) {
    // A record may end with zeros itself.
    if (at >= from) return bytes.subarray(from, at).every((byte) => byte === 0) ? at + 8 : from;
    const length = recordLength(bytes, at, size - at);
    if (typeof length === 'string') break;
    at += length;
  }
  return from;
}

/** Up to the last byte before `end` that is not zero. */
function usedBytes({ bytes }: Inode, end: number): number {
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}
