/**
 * What must always hold, whatever was broken. The checkers see all nodes, all disks and the store at once;
 * `truth` is each tablet's one log that was ever committed, learnt from primaries as they commit.
 */
import { decodeHead, sha256, type LogRecord } from '../../../storage-nodes/log/entry.ts';
import type { Judged } from '../../../storage-nodes/tablet/log-trust.ts';
import { parseConfiguration, type Configuration } from '../../../storage-nodes/replication/configuration.ts';
import type { Tablet } from '../../../storage-nodes/tablet/tablet.ts';
import { inRange, type Seq, type TabletId } from '../../../storage-nodes/words.ts';
import type { World } from '../engine/world.ts';
import { Copy, isSameRecord } from './copy.ts';
import type { Operation } from './history.ts';
import type { SimNode } from './node.ts';

type Truth = {
  readonly records: LogRecord[];
  lastHash: string;
  readonly commands: Map<string, Seq>;
  readonly streams: Map<string, number>;
  time: number;
};

export type Watched = {
  readonly world: World;
  readonly nodes: readonly SimNode[];
  readonly configurations: () => ReadonlyMap<TabletId, Configuration>;
};

export class Checkers {
  readonly truths = new Map<TabletId, Truth>();
  /** Of some tablet nobody in sync was left that had lost nothing: it need not be served any more. */
  forsaken = false;
  readonly #watched: Watched;
  readonly #copies = new Map<string, Copy>();
  /** Who committed in an epoch. */
  readonly #committers = new Map<string, string>();

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  copyOf(node: SimNode, tablet: TabletId): Copy {
    const name = `${node.id} ${tablet}`;
    let copy = this.#copies.get(name);
    if (!copy) this.#copies.set(name, (copy = new Copy(node.id, tablet)));
    return copy;
  }

  copiesOn(node: SimNode): Copy[] {
    return [...this.#watched.configurations().keys()].map((tablet) => this.copyOf(node, tablet));
  }

  truthOf(tablet: TabletId): Truth {
    let truth = this.truths.get(tablet);
    if (!truth) {
      truth = { records: [], lastHash: '0'.repeat(64), commands: new Map(), streams: new Map(), time: 0 };
      this.truths.set(tablet, truth);
    }
    return truth;
  }

  /** Nothing is promised of it now: it lost something, or bytes under it are wrong. */
  isLossy(node: SimNode, tablet: TabletId): boolean {
    return this.copyOf(node, tablet).lossy || node.machine.disk.damaged;
  }

  /** The log keeps what it reported durable, over kills and power cuts (rules 2 and 3). */
  onRecovered(node: SimNode, recovered: readonly Judged[]): void {
    for (const copy of this.copiesOn(node)) {
      const found = recovered.find(({ tablet }) => tablet === copy.tablet);
      const isLossy = this.isLossy(node, copy.tablet);
      if (!found) {
        if (!isLossy && copy.durable > 0)
          this.#fail(`${node.id} opens without ${copy.tablet}, of which it had ${copy.durable}`);
        copy.empty();
        continue;
      }
      this.#compareRecovered(node, copy, found, isLossy);
    }
  }

  #compareRecovered(node: SimNode, copy: Copy, found: Judged, isLossy: boolean): void {
    const { records } = this.truthOf(copy.tablet);
    const damaged = found.damage.length > 0 || found.suspect !== undefined;
    const taken = copy.taken.slice(0, found.committed);
    if (!damaged && found.committed > records.length)
      this.#fail(`${node.id} opens ${copy.tablet} with ${found.committed} committed; ${records.length} were`);
    // The segments' frames carry checksums; each entry is compared with the truth when it is read.
    for (let i = taken.length; i < found.committed; i++) taken.push(records[i]!);
    for (const record of found.prepared) taken.push(record);
    if (!isLossy) {
      const [damage] = found.damage;
      if (damage)
        this.#fail(
          `${node.id} finds damage in a sound ${copy.tablet}: ${damage.file}, byte ${damage.offset}: ${damage.reason}`,
        );
      for (let i = 0; i < copy.durable; i++) {
        if (isSameRecord(copy.taken[i], taken[i])) continue;
        this.#fail(`${node.id} opens ${copy.tablet} without entry ${i + 1}, which was durable there`);
      }
      const before = copy.configuration?.version ?? 0;
      const now = found.configuration
        ? parseConfiguration(Buffer.from(found.configuration).toString()).version
        : 0;
      if (now < before) this.#fail(`${node.id} forgot configuration ${before} of ${copy.tablet}`);
    }
    copy.taken = taken;
    copy.durable = damaged ? 0 : taken.length;
    copy.committed = damaged ? 0 : found.committed;
    copy.cut = found.cutTail;
    copy.damaged = damaged;
    copy.suspect = found.failedSync !== undefined;
    copy.configuration = found.configuration
      ? parseConfiguration(Buffer.from(found.configuration).toString())
      : undefined;
  }

  /**
   * Looks at what the node's tablets say of themselves: after each thing that happened to the node, and
   * before each by which others could learn of it.
   */
  look(node: SimNode): void {
    if (!node.up) return;
    for (const [id, tablet] of node.tablets) this.#look(node, id, tablet);
  }

  #look(node: SimNode, id: TabletId, tablet: Tablet): void {
    const { view } = tablet;
    const copy = this.copyOf(node, id);
    // A copy that is being given up has no say, and soon no log.
    if (view.quarantine) return this.#givenUp(node, copy, view.quarantine);
    if (view.committed === copy.committed) return;
    if (view.committed < copy.committed)
      return this.#fail(
        `${node.id} ${id}: its commit index fell from ${copy.committed} to ${view.committed}`,
      );
    if (!(view.committed <= view.durable && view.durable <= view.last))
      this.#fail(
        `${node.id} ${id}: committed ${view.committed} <= durable ${view.durable} <= last ${view.last}`,
      );
    const isPrimary = view.role === 'primary';
    const { records } = this.truthOf(id);
    for (let seq = copy.committed + 1; seq <= view.committed; seq++) {
      const record = copy.taken[seq - 1];
      if (!record) return this.#fail(`${node.id} commits ${seq} of ${id}, which it does not have`);
      const known = records[seq - 1];
      if (known) {
        if (!isSameRecord(record, known))
          this.#fail(`${node.id} commits ${named(record)} of ${id} where ${named(known)} was committed`);
      } else if (!isPrimary)
        this.#fail(`${node.id} commits ${named(record)} of ${id}, which no primary committed`);
      else this.#commitsFirst(id, record);
    }
    copy.committed = view.committed;
    if (isPrimary) this.#onDiskOfAll(node, id, view.configuration!, view.committed);
    this.forgive(node);
  }

  /** Only what lost something, or may have, is fetched anew (rule 11). */
  #givenUp(node: SimNode, copy: Copy, why: string): void {
    const { damaged, suspect, configuration } = copy;
    // Without a configuration it held nothing, and cannot know that nothing was expected of it.
    if (damaged || suspect || !configuration || this.isLossy(node, copy.tablet)) return;
    this.#fail(`${node.id} gives up ${copy.tablet}, which lost nothing: ${why}`);
  }

  /** The one log: chained, each command in it once, each stream without a gap, time never going back. */
  #commitsFirst(id: TabletId, record: LogRecord): void {
    const truth = this.truthOf(id);
    const head = decodeHead(record.head);
    const fail = (what: string): void => this.#fail(`${id}, ${named(record)}: ${what}`);
    if (Buffer.from(head.previousHash).toString('hex') !== truth.lastHash)
      fail('the chain of hashes is broken');
    if (head.time < truth.time) fail('its time goes back');
    if (head.commandId !== '') {
      const before = truth.commands.get(head.commandId);
      if (before !== undefined) fail(`command ${head.commandId} was carried out before, by entry ${before}`);
      truth.commands.set(head.commandId, record.seq);
    }
    if (head.stream !== '') {
      const streamSeq = (truth.streams.get(head.stream) ?? 0) + 1;
      if (head.streamSeq !== streamSeq)
        fail(`stream ${head.stream} goes on with ${head.streamSeq} instead of ${streamSeq}`);
      truth.streams.set(head.stream, streamSeq);
    }
    truth.time = head.time;
    truth.lastHash = sha256(record.head).toString('hex');
    truth.records.push(record);
  }

  /** Rule 3, by the primary's own configuration and by the one that the store holds; one primary an epoch. */
  #onDiskOfAll(primary: SimNode, id: TabletId, own: Configuration, upTo: Seq): void {
    const record = this.truthOf(id).records[upTo - 1];
    const stored = this.#watched.configurations().get(id)!;
    for (const configuration of [own, stored]) {
      for (const member of this.#members(configuration)) {
        const copy = this.copyOf(member, id);
        if (this.isLossy(member, id)) continue;
        if (copy.durable < upTo || !isSameRecord(copy.taken[upTo - 1], record))
          this.#fail(
            `${primary.id} commits ${upTo} of ${id} in version ${own.version}, but ${member.id} does not have it on disk`,
          );
      }
    }
    const epoch = `${id} epoch ${own.epoch}`;
    const committer = `${primary.id} in its life ${primary.life}`;
    const before = this.#committers.get(epoch);
    if (before === undefined) this.#watched.world.count('epoch');
    if (before !== undefined && before !== committer)
      this.#fail(`${epoch}: ${committer} commits, and ${before} did`);
    this.#committers.set(epoch, committer);
  }

  /** Rule 6. A copy that lost entries starts again below what it once knew to be committed. */
  onCut(copy: Copy, from: Seq): void {
    const node = this.#watched.nodes.find(({ id }) => id === copy.node)!;
    const kept = this.truthOf(copy.tablet).records[from - 1];
    const counts = this.#watched.configurations().get(copy.tablet)?.inSync.includes(copy.node);
    if (kept && counts && isSameRecord(copy.taken[from - 1], kept) && !this.isLossy(node, copy.tablet))
      this.#fail(`${copy.node} is in sync and cuts ${named(kept)} of ${copy.tablet}, which is committed`);
    if (from <= copy.committed)
      this.#fail(
        `${copy.node} cuts ${copy.tablet} from ${from}, below its own commit index ${copy.committed}`,
      );
  }

  /** Rules 1, 4 and 5, at the only place where configurations come to be. */
  onStored(next: Configuration, before: Configuration | undefined): void {
    const { tablet } = next;
    for (const node of this.#watched.nodes) this.forgive(node);
    if (!before) return;
    if (next.inSync.length === 0 || !next.inSync.includes(next.primary))
      this.#fail('a primary outside the in-sync set');
    if (next.primary !== before.primary) {
      this.#watched.world.count('failover');
      if (next.epoch === before.epoch) this.#fail(`two primaries of ${tablet} in epoch ${next.epoch}`);
      if (!before.inSync.includes(next.primary))
        this.#fail(
          `${next.primary} leads version ${next.version} of ${tablet}, but was not in sync in version ${before.version}`,
        );
    }
    const { records } = this.truthOf(tablet);
    const members = this.#members(next);
    // Silence removed those that had lost nothing: what the promise rests on is gone (rule 10).
    if (members.every((member) => this.isLossy(member, tablet))) this.forsaken = true;
    for (const member of members) {
      if (!before.inSync.includes(member.id)) this.#watched.world.count('catch-up');
      if (!this.isLossy(member, tablet) && !this.copyOf(member, tablet).holds(records))
        this.#fail(
          `${member.id} is in sync in version ${next.version} of ${tablet} without every committed entry`,
        );
    }
  }

  /** An answer is given only for what is committed, and for this very command. */
  onAcknowledged(operation: Operation, seq: number | undefined): void {
    if (seq === undefined || operation.action.kind === 'delete') return;
    for (const [id, { range }] of this.#watched.configurations()) {
      if (!inRange(operation.row, range)) continue;
      const record = this.truthOf(id).records[seq - 1];
      if (!record)
        return this.#fail(
          `${operation.commandId} was answered with entry ${seq} of ${id}, which is not committed`,
        );
      const { commandId } = decodeHead(record.head);
      if (commandId !== operation.commandId)
        this.#fail(
          `${operation.commandId} was answered with entry ${seq} of ${id}, which is that of ${commandId}`,
        );
    }
  }

  /** A copy that lost entries and was filled again is as good as any; not while its node gives up over its disk. */
  forgive(node: SimNode): void {
    if (node.machine.disk.damaged || !node.up || !node.joined || node.process?.diskFailed) return;
    for (const copy of this.copiesOn(node)) {
      if (!copy.lossy || copy.cut || copy.damaged || copy.suspect || !copy.configuration) continue;
      if (node.tablets.get(copy.tablet)?.view.quarantine) continue;
      if (copy.holds(this.truthOf(copy.tablet).records)) copy.lossy = false;
    }
  }

  #members(configuration: Configuration): readonly SimNode[] {
    return this.#watched.nodes.filter(({ id }) => configuration.inSync.includes(id));
  }

  #fail(text: string): void {
    this.#watched.world.fail(text);
  }
}

function named(record: LogRecord): string {
  return `entry ${record.seq} of epoch ${record.epoch}`;
}
