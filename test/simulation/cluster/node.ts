/**
 * A storage node: the production log, tablets, request handlers and codecs, put together as
 * storage-nodes/node.ts does it with sockets. Everything it sees of the world comes through its process,
 * which may die between any two things that it does.
 */
import type { Logger } from 'pino';
import { Drain } from '../../../storage-nodes/drain.ts';
import { Fault } from '../../../storage-nodes/faults.ts';
import { DiskLog } from '../../../storage-nodes/log/disk-log.ts';
import type { NodeLog } from '../../../storage-nodes/log/log.ts';
import { ConfigClient } from '../../../storage-nodes/master/config-client.ts';
import { NodeClock } from '../../../storage-nodes/node-clock.ts';
import { requestHandlers } from '../../../storage-nodes/node-requests.ts';
import { Rejected } from '../../../storage-nodes/rejected.ts';
import type { Configuration } from '../../../storage-nodes/replication/configuration.ts';
import type { Input, PeerMessage } from '../../../storage-nodes/replication/messages.ts';
import type { Timing } from '../../../storage-nodes/replication/state.ts';
import type { Application } from '../../../storage-nodes/tablet/application.ts';
import { judged, type Judged } from '../../../storage-nodes/tablet/log-trust.ts';
import type { TabletHost } from '../../../storage-nodes/tablet/tablet-host.ts';
import { openTablet, withLostTails } from '../../../storage-nodes/tablet/open-tablet.ts';
import type { Tablet } from '../../../storage-nodes/tablet/tablet.ts';
import type { Handler } from '../../../storage-nodes/wire/requests.ts';
import type { NodeId, Seq, TabletId } from '../../../storage-nodes/words.ts';
import { CellDisk, StoredCells } from '../machines/cells.ts';
import type { Network } from '../machines/network.ts';
import { Process, type Machine } from '../machines/process.ts';
import { watchedLog, type Copy } from './copy.ts';
import { clockFrame, clockOf, frame, messageOf, peerFrame, peerMessage } from './frames.ts';
import { dialSimMaster } from './master-link.ts';
import type { SimMaster } from './master.ts';

const TICK_MS = 25;
const DRAIN_MS = 2000;
const GIVING_UP_MS = 500;
const FOLDER = '/log';

export type NodeSurroundings = {
  readonly network: Network;
  readonly application: Application;
  readonly timing: Timing;
  readonly logger: Logger;
  readonly journalSegmentBytes: number;
  readonly tabletSegmentBytes: number;
  readonly master: () => SimMaster;
  readonly peers: () => readonly SimNode[];
  readonly copyOf: (node: SimNode, tablet: TabletId) => Copy;
  readonly onCut: (copy: Copy, from: Seq) => void;
  /** Called before anybody could learn what it has done. */
  readonly onLook: (node: SimNode) => void;
  readonly onRecovered: (node: SimNode, recovered: readonly Judged[]) => void;
  readonly onDeath: (node: SimNode) => void;
  /** After how many operations the next process dies by itself. */
  readonly operations: () => number;
  readonly deliver: (from: NodeId, to: string, bytes: Uint8Array) => void;
};

export class SimNode {
  readonly id: NodeId;
  readonly machine: Machine;
  readonly cellDisk = new CellDisk();
  process: Process | undefined;
  readonly tablets = new Map<TabletId, Tablet>();
  /** It listens and ticks. */
  joined = false;
  log: NodeLog | undefined;
  cells: StoredCells | undefined;
  life = 0;
  #opening: Promise<void> = Promise.resolve();
  #clock: NodeClock | undefined;
  #config: ConfigClient | undefined;
  #drain: Drain | undefined;
  #handlers: Readonly<Record<string, Handler>> = {};
  readonly #known = new Map<string, Configuration>();
  readonly #around: NodeSurroundings;

  constructor(id: NodeId, machine: Machine, around: NodeSurroundings) {
    this.id = id;
    this.machine = machine;
    this.#around = around;
  }

  get up(): boolean {
    return this.process !== undefined && !this.process.dead;
  }

  boot(): void {
    this.life++;
    this.tablets.clear();
    this.#known.clear();
    this.joined = false;
    this.#opening = Promise.resolve();
    const process = new Process(this.machine, this.#around.operations(), () => this.#around.onDeath(this));
    this.process = process;
    this.#clock = new NodeClock({
      peerCount: this.#around.peers().length - 1,
      wall: () => process.clock,
      now: () => process.now,
      tell: (wall) =>
        this.#around.peers().forEach((peer) => peer !== this && this.#tell(process, peer, wall)),
      timers: process.timers,
      logger: this.#around.logger,
    });
    this.#note(() => 'boots');
    this.#open(process).catch((error: unknown) => this.#fatal(process, error as Error));
  }

  /** A planned stop: leads are handed over first (rule 16), as far as others can take them. */
  restart(): void {
    if (!this.up || !this.joined || !this.#drain) return;
    const drained = this.#drain.run(DRAIN_MS).catch(() => undefined);
    const { process } = this;
    void drained.then(() => process === this.process && this.stop());
  }

  /** As SIGTERM does it. */
  stop(): void {
    const { process, log } = this;
    if (!process || process.dead || !log || !this.joined) return;
    this.joined = false;
    const stopping = async (): Promise<void> => {
      this.#config?.stop();
      await this.#opening;
      await Promise.all([...this.tablets.values()].map((tablet) => tablet.stop()));
      await log.close();
      process.die();
    };
    stopping().catch((error: unknown) => this.#fatal(process, error as Error));
  }

  /** Reads all of its log again, as storage-nodes/scrubber.ts does from time to time. */
  scrub(): void {
    const { log } = this;
    if (!log || !this.joined) return;
    for (const [id, tablet] of this.tablets) {
      log.scrub(id).then(
        ([first]) =>
          first &&
          tablet.logDamaged(new Fault('Damaged', `${first.file} at ${first.offset}: ${first.reason}`)),
        () => undefined,
      );
    }
  }

  input(input: Input): void {
    for (const tablet of this.tablets.values()) tablet.input(input);
  }

  connected(peer: NodeId): void {
    const { process } = this;
    process?.happens(() => {
      if (!this.joined) return;
      const target = this.#around.peers().find(({ id }) => id === peer)!;
      this.#tell(process, target, process.clock);
      this.input({ kind: 'peerConnected', peer });
    });
  }

  disconnected(peer: NodeId): void {
    this.process?.happens(() => this.joined && this.input({ kind: 'peerDisconnected', peer }));
  }

  receive(from: NodeId, bytes: Uint8Array): void {
    this.process?.happens(() => {
      if (!this.joined) return;
      const message = peerMessage(bytes);
      this.tablets.get(message.tablet)?.input({ kind: 'message', from, message });
    });
  }

  /** What a peer's wall clock showed. */
  receiveClock(from: NodeId, bytes: Uint8Array): void {
    this.process?.happens(() => {
      if (this.joined) this.#clock?.heard(from, clockOf(bytes));
    });
  }

  /** A client's request; its answer goes the way it came. */
  receiveRequest(from: string, bytes: Uint8Array): void {
    const { process } = this;
    process?.happens(() => {
      if (this.joined) void this.#answer(process, from, bytes);
    });
  }

  async #answer(process: Process, from: string, bytes: Uint8Array): Promise<void> {
    const { fields, blobs } = messageOf(bytes);
    const [, id, kind, ...args] = fields;
    let answer: Uint8Array;
    try {
      const { results, blobs: out } = await this.#handlers[kind as string]!(args, blobs, undefined as never);
      answer = frame(['answer', id, ...results], out);
    } catch (error) {
      if (error instanceof Rejected) answer = frame(['rejected', id, error.rejection]);
      else if (error instanceof Fault)
        answer = frame(['fault', id, error.code, error.message, error.hint ?? null]);
      else return this.#fatal(process, error as Error);
    }
    if (kind === 'execute') this.#around.onLook(this);
    if (process.acts()) this.#around.deliver(this.id, from, answer);
  }

  async #open(process: Process): Promise<void> {
    const { journalSegmentBytes, tabletSegmentBytes, logger, copyOf, onCut, onLook, onRecovered } =
      this.#around;
    const { network, master } = this.#around;
    const disk = new DiskLog({
      folder: FOLDER,
      files: process.files,
      timers: process.timers,
      lock: { take: async () => undefined, release: async () => undefined },
      journalSegmentBytes,
      tabletSegmentBytes,
      logger,
    });
    const recovered = (await disk.open()).map((one) => judged(one, this.id));
    onRecovered(this, recovered);
    const log = watchedLog(disk, {
      copyOf: (tablet) => copyOf(this, tablet),
      onCut,
      onCommit: () => onLook(this),
    });
    const cells = new StoredCells(this.cellDisk, () => process.acts());
    await cells.open();
    this.log = log;
    this.cells = cells;
    this.#handlers = requestHandlers({
      tablet: (id) => this.#tablet(id),
      log,
      cells,
      views: () => [],
      configurations: () => [...this.#known.values()],
      began: () => undefined,
      ended: () => undefined,
    });
    const config = new ConfigClient({
      masters: new Map([['master', () => dialSimMaster(this.id, process, network, master())]]),
      held: () => this.held(),
      onConfiguration: (configuration) => this.#heard(process, configuration),
      onSuspected: (node) => this.input({ kind: 'suspected', node }),
      timers: process.timers,
      logger,
    });
    this.#config = config;
    for (const one of await withLostTails({ log: this.log!, cells: this.cells!, logger }, recovered))
      await this.#openTablet(process, one.tablet, one);
    this.#drain = new Drain({
      self: this.id,
      tablets: () => [...this.tablets.values()],
      now: () => process.now,
      timers: process.timers,
    });
    this.joined = true;
    for (const peer of this.#around.peers()) {
      if (peer === this || !peer.up) continue;
      // Ticks may come first: dialling takes its time.
      process.later(this.machine.world.random.between(0, 60), () => {
        if (!peer.up) return;
        this.connected(peer.id);
        peer.connected(this.id);
      });
    }
    config.start();
    this.#tick(process);
  }

  #tick(process: Process): void {
    this.#clock?.tick();
    this.input({ kind: 'tick' });
    this.#drain?.tick();
    process.timers.after(TICK_MS, () => this.joined && this.#tick(process));
  }

  async #openTablet(process: Process, id: TabletId, recovered: Judged | undefined): Promise<Tablet> {
    const log = this.log!;
    const cells = this.cells!;
    const tablet = await openTablet(id, this.#host(process, log, cells), recovered);
    this.tablets.set(id, tablet);
    return tablet;
  }

  #host(process: Process, log: NodeLog, cells: StoredCells): TabletHost {
    const { application, timing, logger } = this.#around;
    const { random } = this.machine.world;
    const clock = this.#clock!;
    return {
      self: this.id,
      log,
      cells,
      application,
      timing,
      logger,
      now: () => process.now,
      clock: () => clock.time(),
      clockSettled: () => clock.settled(),
      timers: process.timers,
      random: (into) => random.fill(into),
      send: (to, message) => this.#send(process, to, message),
      compareAndSet: (next) => this.#config!.compareAndSet(next),
      execute: () => new Promise(() => undefined),
      notice: () => undefined,
      configurationChanged: (configuration) => this.#learn(configuration),
      fatal: (error) => this.#fatal(process, error),
    };
  }

  #tell(process: Process, peer: SimNode, wall: number): void {
    const bytes = clockFrame(wall);
    if (process.acts())
      this.#around.network.send(this.id, peer.id, '!', false, () => peer.receiveClock(this.id, bytes));
  }

  #send(process: Process, to: NodeId, message: PeerMessage): void {
    const { body } = message;
    if ('commit' in body && body.commit > this.#around.copyOf(this, message.tablet).committed)
      this.#around.onLook(this);
    if (!process.acts()) return;
    const isBeacon = body.type === 'beacon' || body.type === 'beaconAck';
    const bytes = peerFrame(message);
    const target = this.#around.peers().find((node) => node.id === to);
    if (target)
      this.#around.network.send(this.id, to, isBeacon ? '!' : '', false, () =>
        target.receive(this.id, bytes),
      );
  }

  /** From the config store. */
  #heard(process: Process, configuration: Configuration): void {
    if (!this.joined) return;
    this.#learn(configuration);
    const tablet = this.tablets.get(configuration.tablet);
    if (tablet) return tablet.input({ kind: 'configuration', configuration });
    if (!configuration.replicas.includes(this.id)) return;
    this.#opening = this.#opening
      .then(() => this.#openPlaced(process, configuration.tablet))
      .catch((error: unknown) => this.#fatal(process, error as Error));
  }

  async #openPlaced(process: Process, id: TabletId): Promise<void> {
    if (process.dead || !this.joined || this.tablets.has(id)) return;
    const tablet = await this.#openTablet(process, id, undefined);
    const configuration = this.#known.get(id);
    if (configuration) tablet.input({ kind: 'configuration', configuration });
    for (const peer of this.#around.peers())
      if (peer !== this && peer.up) tablet.input({ kind: 'peerConnected', peer: peer.id });
  }

  /** What the config store must not be behind of (rule 9). */
  held(): Configuration[] {
    const held = new Map(this.#known);
    for (const [id, { view }] of this.tablets)
      if (view.configuration && !held.has(id)) held.set(id, view.configuration);
    return [...held.values()];
  }

  #learn(configuration: Configuration): void {
    const known = this.#known.get(configuration.tablet);
    if (known && known.lineage === configuration.lineage && known.version >= configuration.version) return;
    this.#known.set(configuration.tablet, configuration);
  }

  /** Ends the process. A disk that was made to fail is a reason; anything else is a defect. */
  #fatal(process: Process, error: Error): void {
    if (process.dead) return;
    const { world, disk } = this.machine;
    this.#note(() => `cannot go on: ${error.message}`);
    const isDisk = error instanceof Fault && (error.code === 'DiskFailed' || error.code === 'DiskFull');
    // Room may have come back while it gave up.
    const isFull = disk.full || world.now - process.refusedAt < GIVING_UP_MS;
    if (!isDisk || !(process.diskFailed || isFull)) world.fail(`${this.id} cannot go on: ${error.stack}`);
    process.die();
  }

  #tablet(id: unknown): Tablet {
    const tablet = this.tablets.get(id as TabletId);
    if (!tablet) throw new Fault('NotPrimary', `tablet ${String(id)} is not on ${this.id}`);
    return tablet;
  }

  #note(text: () => string): void {
    this.machine.world.note(() => `${this.id} ${text()}`);
  }
}
