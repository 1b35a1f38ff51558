/**
 * What must always hold, whatever was broken. The checkers see all nodes, all disks and the store at
 * once; `truth` is the one log that was ever committed, learnt from primaries as they commit.
 */
import type { Configuration } from '../../storage-nodes/replication/configuration.ts';
import type { Epoch, NodeId, Seq } from '../../storage-nodes/words.ts';
import type { LogRecord } from '../../storage-nodes/log/entry.ts';
import { isSameRecord } from './disk.ts';
import type { SimNode, Witness } from './sim-node.ts';
import type { ModelConfigStore } from './model-config-store.ts';
import { Violation, type World } from './world.ts';

/** What is watched. */
export interface Watched {
  readonly world: World;
  readonly nodes: readonly SimNode[];
  readonly store: ModelConfigStore;
}

export class Checkers implements Witness {
  /** truth[i] is entry i + 1. Committed is acknowledged: the client hears it in the same step. */
  readonly truth: LogRecord[] = [];
  reads = 0;
  epochsServed = 0;
  longestHandOverMs = 0;
  #handingOverSince: number | undefined;
  readonly #cluster: Watched;
  readonly #servers = new Map<Epoch, string>();

  constructor(cluster: Watched) {
    this.#cluster = cluster;
  }

  /** One serving primary an epoch, in one life of it. */
  onServing(node: SimNode, serving: boolean, epoch: Epoch, successor: NodeId | undefined): void {
    const { now } = this.#cluster.world;
    if (successor !== undefined) this.#handingOverSince = now;
    if (!serving) return;
    this.longestHandOverMs = Math.max(this.longestHandOverMs, now - (this.#handingOverSince ?? now));
    this.#handingOverSince = undefined;
    const server = `${node.id} life ${node.life}`;
    const before = this.#servers.get(epoch);
    if (before !== undefined && before !== server) {
      fail(`epoch ${epoch} is served by ${server}, and was by ${before}`);
    }
    this.#servers.set(epoch, server);
    this.epochsServed = this.#servers.size;
  }

  onCommit(node: SimNode, upTo: Seq): void {
    const { truth } = this;
    const isPrimary = node.replica?.view.role === 'primary';
    for (let seq = 1; seq <= upTo; seq++) {
      const record = node.disk.volatile[seq - 1];
      if (!record) fail(`${node.id} commits ${seq}, which it does not have`);
      if (seq <= truth.length) {
        if (!isSameRecord(record, truth[seq - 1])) {
          fail(`${node.id} commits ${named(record)} where ${named(truth[seq - 1]!)} was committed`);
        }
        continue;
      }
      if (!isPrimary) fail(`${node.id} commits ${named(record)}, which no primary committed`);
      truth.push(record);
    }
    if (isPrimary) this.#onDiskOfAll(node, upTo);
    node.commitHigh = Math.max(node.commitHigh, upTo);
    this.forgive();
  }

  /** Rule 3, by the primary's own configuration and by the one that the store holds. */
  #onDiskOfAll(primary: SimNode, upTo: Seq): void {
    const own = primary.replica!.view.configuration!;
    for (const configuration of [own, this.#cluster.store.current]) {
      for (const member of this.#members(configuration)) {
        if (member.lossy) continue;
        const held = member.disk.durable[upTo - 1];
        if (!isSameRecord(held, this.truth[upTo - 1])) {
          fail(
            `${primary.id} commits ${upTo} in version ${own.version}, but ${member.id} does not have it on disk`,
          );
        }
      }
    }
  }

  /** Rule 6. A torn copy starts again below what it once knew to be committed. */
  onTruncate(node: SimNode, from: Seq): void {
    const kept = this.truth[from - 1];
    if (kept && isSameRecord(node.disk.volatile[from - 1], kept) && !node.lossy && this.#counts(node)) {
      fail(`${node.id} is in sync and cuts ${named(kept)}, which is committed`);
    }
    if (from <= Math.min(node.commitHigh, node.disk.volatile.length)) {
      fail(`${node.id} cuts from ${from}, below its own commit index ${node.commitHigh}`);
    }
  }

  /** Rules 1, 4 and 5, at the only place where configurations come to be. */
  onStored(next: Configuration, before: Configuration): void {
    this.forgive();
    if (next.inSync.length === 0 || !next.inSync.includes(next.primary))
      fail('a primary outside the in-sync set');
    if (next.primary !== before.primary && next.epoch === before.epoch) fail('two primaries in one epoch');
    if (!before.inSync.includes(next.primary)) {
      fail(`${next.primary} leads version ${next.version}, but was not in sync in version ${before.version}`);
    }
    for (const member of this.#members(next)) {
      if (before.inSync.includes(member.id) || member.lossy) continue;
      if (!this.#holdsTruth(member)) fail(`${member.id} is admitted without every committed entry`);
    }
    this.#survives();
  }

  /** Every acknowledged entry is on the disk of every in-sync member that lost nothing. */
  #survives(): void {
    const members = this.#members(this.#cluster.store.current);
    for (const member of members) {
      if (!member.lossy && !this.#holdsTruth(member))
        fail(`${member.id} is in sync without every committed entry`);
    }
    if (!members.some((member) => this.#holdsTruth(member)))
      fail('no in-sync copy has every committed entry');
  }

  afterStep(node: SimNode): void {
    const view = node.replica?.view;
    if (!view) return;
    if (view.committed > view.durable || view.durable > view.last)
      fail(`${node.id}: committed <= durable <= last`);
    if (view.last !== node.disk.volatile.length) {
      fail(`${node.id} believes in ${view.last} entries, its disk was told of ${node.disk.volatile.length}`);
    }
    if (view.quarantine && !node.lossy && !node.disk.damage && view.last > 0) {
      fail(`${node.id} is quarantined without damage: ${view.quarantine}`);
    }
  }

  /** A linearizable read: the value first, the lease after it; not older than what was acknowledged before. */
  read(node: SimNode): void {
    const acknowledged = this.truth.length;
    const { random } = this.#cluster.world;
    node.later(random.between(0, 5), () => {
      if (!node.replica?.view.serving) return;
      const value = node.replica.view.committed;
      const { servings } = node;
      node.later(random.chance(0.1) ? random.between(0, 300) : 0, () => {
        if (!node.replica || node.servings !== servings || node.clock >= node.replica.leaseUntil) return;
        this.reads++;
        if (value < acknowledged) {
          fail(
            `${node.id} answers a read as of ${value} under its lease; ${acknowledged} was acknowledged before`,
          );
        }
      });
    });
  }

  /** All copies are one: same log, all committed, all in sync, one serving. */
  get converged(): boolean {
    const { nodes, store } = this.#cluster;
    const { current } = store;
    if (current.inSync.length < current.replicas.length) return false;
    return nodes.every((node) => {
      const view = node.replica?.view;
      if (!view || view.quarantine || view.configuration?.version !== current.version) return false;
      if (view.serving !== (node.id === current.primary)) return false;
      return view.committed === this.truth.length && view.last === view.committed;
    });
  }

  /** A copy that lost entries and was filled again is as good as any. */
  forgive(): void {
    for (const node of this.#cluster.nodes) {
      const { disk, replica } = node;
      if (!node.lossy || !replica || replica.view.quarantine || disk.cut || disk.damage) continue;
      // An emptied copy is trusted again when it saves a configuration.
      if (!disk.configuration) continue;
      if (this.#holdsTruth(node)) node.lossy = false;
    }
  }

  #holdsTruth(node: SimNode): boolean {
    return this.truth.every((record, i) => isSameRecord(node.disk.durable[i], record));
  }

  #counts(node: SimNode): boolean {
    return this.#cluster.store.current.inSync.includes(node.id);
  }

  #members(configuration: Configuration): readonly SimNode[] {
    return this.#cluster.nodes.filter((node) => configuration.inSync.includes(node.id));
  }
}

function named(record: LogRecord): string {
  return `entry ${record.seq} of epoch ${record.epoch}`;
}

function fail(text: string): never {
  throw new Violation(text);
}
