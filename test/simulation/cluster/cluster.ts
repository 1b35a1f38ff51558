/**
 * A whole cluster in one process, from first start through a time of faults to peace: a run is a function
 * of its seed. After peace is made, every copy must become one again within bounded time.
 */
import { checkLinearizable } from '../../../ops/chaos/linearizability.ts';
import pino, { type Logger } from 'pino';
import { createApplication } from '../../../ops/processes/platform.ts';
import type { Configuration } from '../../../storage-nodes/replication/configuration.ts';
import { DEFAULT_TIMING } from '../../../storage-nodes/replication/state.ts';
import {
  epoch,
  nodeId,
  tabletId,
  version,
  type NodeId,
  type TabletId,
} from '../../../storage-nodes/words.ts';
import { type World } from '../engine/world.ts';
import { Disk } from '../machines/disk.ts';
import { Network } from '../machines/network.ts';
import { Machine } from '../machines/process.ts';
import { Checkers } from './checkers.ts';
import { SimClient } from './client.ts';
import { Faults } from './faults.ts';
import { History } from './history.ts';
import { SimMaster } from './master.ts';
import { SimNode } from './node.ts';
import { NEVER, type Profile } from './profile.ts';
import { Workload } from './workload.ts';

const APPLICATION = createApplication({ kvValueBytesMax: 1024 * 1024, messageBytesMax: 1024 * 1024 });
const SILENT = pino({ level: 'silent' });
const PEACE_MS = 60_000;

export class Cluster {
  readonly world: World;
  readonly profile: Profile;
  readonly network: Network;
  readonly master: SimMaster;
  readonly nodes: readonly SimNode[];
  readonly clients: readonly SimClient[];
  readonly history: History;
  readonly checkers: Checkers;
  readonly workload: Workload;
  readonly faults: Faults;
  peace = false;

  constructor(world: World, profile: Profile) {
    this.world = world;
    this.profile = profile;
    const { random } = world;
    this.network = new Network(world, profile.network, (node, peer) => this.#connected(node, peer));
    const ids = Array.from({ length: profile.nodes }, (_, i) => nodeId(`n${i + 1}`));
    const logger = world.tracing ? this.#tracingLogger() : SILENT;
    const masterDelays = { syncMs: () => random.between(0.3, 3), writeMs: () => 0 };
    const masterClocks = { rate: 1, wallOffset: 0 };
    this.master = new SimMaster(new Machine('master', world, new Disk(), masterDelays, masterClocks), {
      world,
      network: this.network,
      nodes: ids,
      first: firstConfigurations(ids, profile.tablets),
      logger,
      ambiguity: () => (this.peace ? 0 : profile.ambiguity),
      onStored: (next, before) => this.#stored(next, before),
    });
    this.nodes = ids.map((id) => {
      const clocks = {
        rate: random.between(1 - profile.drift, 1 + profile.drift),
        wallOffset: random.between(-profile.skewMs, profile.skewMs),
      };
      const delays = { syncMs: () => this.#syncMs(), writeMs: () => this.#writeMs() };
      const machine = new Machine(id, world, new Disk(), delays, clocks);
      return new SimNode(id, machine, {
        network: this.network,
        application: APPLICATION,
        timing: {
          ...DEFAULT_TIMING,
          streamCountMax: 20,
          slowForMs: profile.slowForMs,
          catchUpBytes: 4096,
          snapshotEntries: profile.snapshotEntries,
          snapshotChunkBytes: 2048,
        },
        logger,
        journalSegmentBytes: profile.journalSegmentBytes,
        tabletSegmentBytes: profile.tabletSegmentBytes,
        master: () => this.master,
        peers: () => this.nodes,
        copyOf: (node, tablet) => this.checkers.copyOf(node, tablet),
        onLook: (node) => this.checkers.look(node),
        onCut: (copy, from) => {
          this.checkers.onCut(copy, from);
          this.faults.onCut(copy, from);
        },
        onRecovered: (node, recovered) => this.checkers.onRecovered(node, recovered),
        onDeath: (node) => this.faults.deaths.onDeath(node),
        operations: () => this.#operations(),
        deliver: (from, to, bytes) => this.#answer(from, to, bytes),
      });
    });
    this.checkers = new Checkers({ world, nodes: this.nodes, configurations: () => this.master.current });
    this.history = new History(
      () => world.now,
      (operation, seq) => this.checkers.onAcknowledged(operation, seq),
    );
    this.clients = Array.from(
      { length: profile.clients },
      (_, i) =>
        new SimClient(`c${i + 1}`, {
          world,
          history: this.history,
          nodes: ids,
          request: (client, node, bytes) => this.#request(client, node, bytes),
          clock: () => Math.floor(1_700_000_000_000 + world.now),
          patienceMs: random.pick([1500, 6000]),
          expiryMs: random.pick([2000, 60_000]),
        }),
    );
    this.workload = new Workload(world, profile, this.clients);
    this.faults = new Faults(this);
  }

  /** Leaves what was found in `world.violation`. */
  run(): void {
    const { world, workload } = this;
    this.master.boot();
    for (const node of this.nodes) node.boot();
    workload.start();
    this.faults.start();
    world.run(this.profile.faultMs, () => workload.finished);
    this.peace = true;
    workload.end();
    this.faults.end();
    const isWhole = (): boolean => workload.finished && this.#whole;
    if (!world.run(world.now + PEACE_MS, isWhole)) return this.#fails('is not whole again');
    workload.goOn(this.profile.tablets * 4);
    if (!world.run(world.now + PEACE_MS, () => workload.finished))
      return this.#fails('answers no command in peace');
    if (!world.run(world.now + PEACE_MS, () => this.#converged))
      return this.#fails('has copies that do not become one');
    this.#judge();
  }

  /** All copies in sync and trusted, one serving. */
  get #whole(): boolean {
    if (this.master.current.size === 0) return false;
    return [...this.master.current.values()].every(
      ({ tablet, inSync, replicas, primary }) =>
        inSync.length === replicas.length &&
        this.nodes.every((node) => {
          const view = node.tablets.get(tablet)?.view;
          return view && !view.quarantine && (node.id !== primary || view.deciding);
        }),
    );
  }

  /** Same log, all committed and applied. */
  get #converged(): boolean {
    return (
      this.#whole &&
      [...this.master.current].every(([tablet, current]) =>
        this.nodes.every((node) => {
          const { configuration, last, committed, applied } = node.tablets.get(tablet)!.view;
          const { length } = this.checkers.truthOf(tablet).records;
          return (
            configuration?.version === current.version &&
            [last, committed, applied].every((n) => n === length)
          );
        }),
      )
    );
  }

  /** The history as clients saw it, and every copy's cells. */
  #judge(): void {
    const verdict = checkLinearizable(this.history.operations);
    if (!verdict.linearizable)
      this.world.fail(
        `the history of (${verdict.row}, ${verdict.column}) is not linearizable: ${verdict.story}`,
      );
    for (const tablet of this.master.current.keys()) {
      const digests = new Map<string, string>();
      for (const node of this.nodes) {
        void node
          .cells!.digest(tablet)
          .then(({ applied, digest }) => digests.set(digest, `${node.id} at ${applied}`));
      }
      this.world.run(this.world.now);
      if (digests.size > 1)
        this.world.fail(`the cells of ${tablet} differ: ${[...digests.values()].join(', ')}`);
    }
  }

  onAllLinks(node: NodeId, what: (from: string, to: string) => void): void {
    for (const peer of this.nodes) {
      if (peer.id === node) continue;
      what(node, peer.id);
      what(peer.id, node);
    }
  }

  /** Its connections break: peers and clients notice. */
  disconnect(node: SimNode): void {
    this.onAllLinks(node.id, (from, to) => this.network.reset(from, to));
    for (const link of [...this.master.links]) if (link.node === node.id) link.broken();
    this.world.after(1, () => {
      for (const peer of this.nodes) if (peer !== node) peer.disconnected(node.id);
    });
    this.disconnectClients(node);
  }

  #fails(what: string): void {
    if (this.checkers.forsaken) return this.world.count('run outside the premise');
    if (this.world.violation === undefined)
      this.world.fail(`${Math.round(this.world.now)} ms: the cluster ${what}: ${this.state()}`);
  }

  state(): string {
    const tablets = [...this.master.current.values()].map(({ tablet, version, epoch, primary, inSync }) => {
      const copies = this.nodes.map((node) => {
        const view = node.tablets.get(tablet)?.view;
        if (!node.up || !view) return `${node.id} down`;
        const copy = this.checkers.copyOf(node, tablet);
        const doubt = `${view.quarantine ? ` quarantined (${view.quarantine})` : ''}${copy.lossy ? ' lossy' : ''}${view.cutTail ? ' cut' : ''}${node.machine.disk.damaged ? ' damaged' : ''}`;
        return `${node.id} v${view.configuration?.version} ${view.role}${view.deciding ? ' deciding' : view.serving ? ' serving' : ''} ${view.applied}/${view.committed}/${view.last}${doubt}`;
      });
      return `${tablet} v${version} e${epoch} ${primary} [${inSync.join(' ')}] of ${this.checkers.truthOf(tablet).records.length}: ${copies.join('; ')}`;
    });
    return tablets.join(' | ');
  }

  #stored(next: Configuration, before: Configuration | undefined): void {
    for (const { id, machine } of this.nodes)
      if (machine.slowMs > 0 && before?.inSync.includes(id) && !next.inSync.includes(id))
        this.world.count('slow replica left out');
    this.world.note(
      () =>
        `store: ${next.tablet} v${next.version} e${next.epoch} ${next.primary} [${next.inSync.join(' ')}]`,
    );
    this.checkers.onStored(next, before);
  }

  #connected(from: string, to: string): void {
    if (from === 'master' || to === 'master') {
      for (const link of [...this.master.links]) if (link.node === from || link.node === to) link.broken();
      return;
    }
    const node = this.nodes.find(({ id }) => id === from);
    const peer = this.nodes.find(({ id }) => id === to);
    if (node && peer?.up) node.connected(peer.id);
  }

  /** The connections of clients to a node break; both live on. */
  disconnectClients(node: SimNode): void {
    for (const client of this.clients) {
      this.network.reset(client.id, node.id);
      this.network.reset(node.id, client.id);
      this.world.after(1, () => client.disconnected(node.id));
    }
  }

  #request(client: string, node: NodeId, bytes: Uint8Array): void {
    const target = this.nodes.find(({ id }) => id === node)!;
    if (!target.up) {
      const from = this.clients.find(({ id }) => id === client)!;
      this.world.after(1, () => from.disconnected(node));
      return;
    }
    this.network.send(client, node, '', true, () => target.receiveRequest(client, bytes));
  }

  #answer(from: NodeId, to: string, bytes: Uint8Array): void {
    const client = this.clients.find(({ id }) => id === to);
    if (client) this.network.send(from, to, '', true, () => client.receive(bytes));
  }

  #operations(): number {
    const { lifeOperations } = this.profile;
    if (this.peace || lifeOperations === NEVER) return Infinity;
    return 1 + this.world.random.below(2 * lifeOperations);
  }

  #syncMs(): number {
    const { random } = this.world;
    const slow = this.faults.slowDisk && !this.peace ? 40 : 1;
    return this.profile.syncMs * random.between(0.5, 2) * slow;
  }

  #writeMs(): number {
    return this.profile.writeMs > 0 ? this.profile.writeMs * this.world.random.between(0, 2) : 0;
  }

  #tracingLogger(): Logger {
    const stream = { write: (line: string) => this.world.note(() => `  log: ${line.trim()}`) };
    return pino({ level: 'info', base: null, timestamp: false }, stream);
  }

  get tablets(): TabletId[] {
    return [...this.master.current.keys()];
  }
}

function firstConfigurations(ids: readonly NodeId[], tablets: number): Configuration[] {
  const ranges = [
    { from: '', to: tablets === 1 ? null : 'm' },
    { from: 'm', to: null },
  ];
  return ranges.slice(0, tablets).map((range, i) => ({
    tablet: tabletId(`t${i + 1}`),
    version: version(1),
    epoch: epoch(1),
    lineage: 1,
    primary: ids[i % ids.length]!,
    inSync: ids,
    replicas: ids,
    range,
    predecessor: '',
  }));
}
