/**
 * A storage node: one log, one cell store, and a copy of each tablet placed here; the port where peers
 * and clients connect; links to the other nodes; the connection to the master. It knows opaque entries:
 * what they mean is in the `application` that the composition root passes in.
 *
 * Starting: open the log (recovery), open the cells, build the tablets, then listen. Stopping: the other
 * way round.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { CellStore } from './cells/cells.ts';
import type { Accepted, CommandRequest } from './client/client.ts';
import type { NodeTablet } from './client/store-client.ts';
import { Drain } from './drain.ts';
import { Fault } from './faults.ts';
import type { NodeLog, RecoveredTablet } from './log/log.ts';
import { ConfigClient } from './master/config-client.ts';
import { dialMaster } from './master/dial-master.ts';
import { NodeClock } from './node-clock.ts';
import { requestHandlers } from './node-requests.ts';
import type { Configuration } from './replication/configuration.ts';
import { randomPool } from './random-pool.ts';
import type { Input } from './replication/messages.ts';
import { DEFAULT_TIMING, type Timing } from './replication/state.ts';
import { Scrubber } from './scrubber.ts';
import type { Application } from './tablet/application.ts';
import { judged } from './tablet/log-trust.ts';
import type { TabletHost } from './tablet/tablet-host.ts';
import { openTablet, withLostTails } from './tablet/open-tablet.ts';
import type { Tablet } from './tablet/tablet.ts';
import { accept } from './wire/connection.ts';
import { IncomingLinks, PeerLink } from './wire/peer-links.ts';
import { serve, type Handler } from './wire/requests.ts';
import { realTimers } from './timers.ts';
import { nodeId, type NodeId, type TabletId } from './words.ts';

const TICK_MS = 25;
const DRAIN_MS = 10_000;
const SCRUB_EVERY_MS = 10 * 60 * 1000;

export type Address = { readonly id: string; readonly host: string; readonly port: number };

export type StorageNodeOptions = {
  readonly self: Address;
  readonly peers: readonly Address[];
  readonly masters: readonly Address[];
  readonly secret: string;
  readonly log: NodeLog;
  readonly cells: CellStore;
  readonly application: Application;
  readonly logger: Logger;
  readonly timing?: Timing;
  /** This node's wall clock, ms since 1970; the system's, if it is left out. */
  readonly wallClock?: () => number;
  /** How long after one tablet's scrub the next one's begins; each is scrubbed in its turn. */
  readonly scrubEveryMs?: number;
  /** Carries out a command wherever its stream lives (reactions). */
  readonly execute: (command: CommandRequest) => Promise<Accepted>;
  readonly onCommitted: TabletHost['notice'];
  readonly onConfiguration: (configuration: Configuration) => void;
  /** The node cannot go on; the process must end. */
  readonly onFatal: (error: Error) => void;
};

export class StorageNode {
  readonly #options: StorageNodeOptions;
  readonly #self: NodeId;
  readonly #logger: Logger;
  readonly #server: Server;
  readonly #requests: Readonly<Record<string, Handler>>;
  readonly #sockets = new Set<Socket>();
  readonly #incoming: IncomingLinks;
  readonly #config: ConfigClient;
  readonly #tablets = new Map<TabletId, Tablet>();
  /** Tablets being placed here, one after the other. */
  #opening: Promise<void> = Promise.resolve();
  /** Newest configuration heard of, of every tablet of the cluster. */
  readonly #known = new Map<string, Configuration>();
  #links = new Map<NodeId, PeerLink>();
  #ticker: NodeJS.Timeout | undefined;
  readonly #scrubber: Scrubber;
  readonly #drain: Drain;
  readonly #random = randomPool();
  readonly #clock: NodeClock;
  #inFlight = 0;
  #stopping = false;
  /** How to close what is open, in the order of opening. */
  readonly #opened: (() => Promise<void>)[] = [];

  constructor(options: StorageNodeOptions) {
    this.#options = options;
    this.#self = nodeId(options.self.id);
    this.#logger = options.logger;
    const { masters, secret, logger, peers } = options;
    this.#clock = new NodeClock({
      peerCount: peers.length,
      wall: options.wallClock ?? Date.now,
      now: () => performance.now(),
      tell: (wall) => this.#links.forEach((link) => link.sendClock(wall)),
      timers: realTimers,
      logger,
    });
    this.#incoming = new IncomingLinks(
      peers.map((peer) => peer.id),
      logger,
      (from, message) => this.#tablets.get(message.tablet)?.input({ kind: 'message', from, message }),
      (from, wall) => this.#clock.heard(from, wall),
    );
    this.#server = createServer((socket) => this.#accept(socket));
    this.#requests = requestHandlers({
      tablet: (id) => this.#tablet(id),
      log: options.log,
      cells: options.cells,
      views: () => this.tabletViews(),
      configurations: () => this.#held(),
      began: () => this.#inFlight++,
      ended: () => this.#inFlight--,
    });
    this.#drain = new Drain({
      self: this.#self,
      tablets: () => [...this.#tablets.values()],
      now: () => performance.now(),
      timers: realTimers,
    });
    this.#scrubber = new Scrubber({
      log: options.log,
      tablets: () =>
        [...this.#tablets].map(([id, tablet]) => ({ id, damaged: (error) => tablet.logDamaged(error) })),
      cells: options.cells,
      everyMs: options.scrubEveryMs ?? SCRUB_EVERY_MS,
      logger,
      onCellsDamaged: (error) => options.onFatal(error),
    });
    this.#config = new ConfigClient({
      masters: new Map(
        masters.map((master) => [master.id, () => dialMaster(options.self.id, master, secret)]),
      ),
      held: () => this.#held(),
      onConfiguration: (configuration) => this.#heard(configuration),
      onSuspected: (node) => {
        this.#logger.info({ node }, 'the master does not hear this node');
        this.#all({ kind: 'suspected', node });
      },
      timers: realTimers,
      logger,
    });
  }

  /** Throws when the folders cannot be opened or the port is in use; nothing is left open then. */
  async start(): Promise<void> {
    const { log, cells, self } = this.#options;
    try {
      const recovered = await log.open();
      this.#opened.push(() => log.close());
      const { condemned } = await cells.open();
      this.#opened.push(() => cells.close());
      if (condemned)
        this.#logger.error({ reason: condemned }, 'the cells were condemned: they are rebuilt from the log');
      this.#opened.push(() => this.#stopTablets());
      for (const one of await withLostTails(this.#host(), recovered)) await this.#openTablet(one.tablet, one);
      await this.#listen(self);
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#join();
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    clearInterval(this.#ticker);
    this.#scrubber.stop();
    this.#config.stop();
    const closed = new Promise<void>((resolve) =>
      this.#server.listening ? this.#server.close(() => resolve()) : resolve(),
    );
    for (const link of this.#links.values()) link.close();
    this.#incoming.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    for (const close of this.#opened.reverse()) await close();
  }

  async #stopTablets(): Promise<void> {
    await this.#opening;
    await Promise.all([...this.#tablets.values()].map((tablet) => tablet.stop()));
  }

  #listen({ host, port }: Address): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#logger.error({ err: error }, 'cannot accept connections'));
        resolve();
      });
    });
  }

  /** From here on the others are heard. */
  #join(): void {
    const { peers, secret, application } = this.#options;
    for (const peer of peers) {
      const id = nodeId(peer.id);
      this.#links.set(
        id,
        new PeerLink(id, {
          self: this.#self,
          host: peer.host,
          port: peer.port,
          secret,
          logger: this.#logger,
          onConnected: () => {
            this.#links.get(id)?.sendClock(this.#clock.wall());
            this.#all({ kind: 'peerConnected', peer: id });
          },
          onDisconnected: () => this.#all({ kind: 'peerDisconnected', peer: id }),
        }),
      );
    }
    this.#config.start();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#scrubber.start();
    this.#logger.info(
      { tablets: this.#tablets.size, projections: application.projections.length },
      'storage node open',
    );
  }

  #tick(): void {
    this.#all({ kind: 'store', answers: this.#config.connected });
    this.#all({ kind: 'tick' });
    this.#clock.tick();
    this.#drain.tick();
  }

  /** Requests in flight. */
  get load(): number {
    return this.#inFlight;
  }

  get alarms(): string[] {
    const alarms = [...this.#tablets.values()].flatMap((tablet) => tablet.alarms);
    for (const [id, tablet] of this.#tablets) {
      const { quarantine, role, configuration } = tablet.view;
      if (quarantine) alarms.push(`${id}: this copy is quarantined: ${quarantine}`);
      if (
        role === 'primary' &&
        configuration &&
        configuration.inSync.length === 1 &&
        configuration.replicas.length > 1
      ) {
        alarms.push(`${id}: the last in-sync copy serves alone`);
      }
    }
    if (this.#clock.alarm) alarms.push(this.#clock.alarm);
    if (!this.#config.connected) alarms.push('the config store is not reachable');
    return alarms;
  }

  tabletViews(): NodeTablet[] {
    return [...this.#tablets].map(([tablet, t]) => {
      const { role, serving, configuration, last, committed, applied, deciding, isSuspect } = t.view;
      return {
        tablet,
        role,
        isSuspect,
        serving: serving && deciding,
        version: configuration?.version ?? 0,
        epoch: configuration?.epoch ?? 0,
        last,
        committed,
        applied,
      };
    });
  }

  #all(input: Input): void {
    for (const tablet of this.#tablets.values()) tablet.input(input);
  }

  /**
   * For a planned stop (rule 16): others lead what this node led, and no write waits for its disk. Keeps
   * it so until the node stops. Throws Fault NotServing, and gives up, if nobody can take over.
   */
  drain(withinMs = DRAIN_MS): Promise<void> {
    return this.#drain.run(withinMs);
  }

  /** `found` undefined: placed here for the first time. */
  async #openTablet(id: TabletId, found: RecoveredTablet | undefined): Promise<Tablet> {
    const recovered = found && judged(found, this.#self);
    for (const damage of recovered?.damage ?? [])
      this.#logger.error({ tablet: id, ...damage }, 'the log is damaged here');
    if (recovered?.suspect) this.#logger.error({ tablet: id, ...recovered.suspect }, 'the log is suspect');
    const tablet = await openTablet(id, this.#host(), recovered);
    this.#tablets.set(id, tablet);
    return tablet;
  }

  #host(): TabletHost {
    const { log, cells, application, execute, onCommitted, onFatal } = this.#options;
    return {
      self: this.#self,
      log,
      cells,
      application,
      execute,
      timing: this.#options.timing ?? DEFAULT_TIMING,
      logger: this.#logger,
      now: () => performance.now(),
      clock: () => this.#clock.time(),
      clockSettled: () => this.#clock.settled(),
      timers: realTimers,
      random: this.#random,
      send: (to, message) => this.#links.get(to)?.send(message),
      compareAndSet: (next) => this.#config.compareAndSet(next),
      notice: onCommitted,
      configurationChanged: (configuration) => this.#note(configuration),
      fatal: onFatal,
    };
  }

  /** From the config store: a tablet's newest configuration; one placed here for the first time is opened. */
  #heard(configuration: Configuration): void {
    if (this.#stopping) return;
    this.#note(configuration);
    const tablet = this.#tablets.get(configuration.tablet);
    if (tablet) {
      tablet.input({ kind: 'configuration', configuration });
      return;
    }
    if (!configuration.replicas.includes(this.#self)) return;
    this.#opening = this.#opening
      .then(() => this.#openPlaced(configuration.tablet))
      .catch((error: unknown) => this.#options.onFatal(error as Error));
  }

  /** Meanwhile newer configurations of it may have come: the newest counts. */
  async #openPlaced(id: TabletId): Promise<void> {
    if (this.#stopping || this.#tablets.has(id)) return;
    const tablet = await this.#openTablet(id, undefined);
    const configuration = this.#known.get(id);
    if (configuration) tablet.input({ kind: 'configuration', configuration });
    for (const [peer, link] of this.#links) if (link.connected) tablet.input({ kind: 'peerConnected', peer });
  }

  /** What the config store must not be behind of (rule 9): all that was heard of, and what was on disk before. */
  #held(): Configuration[] {
    const held = new Map(this.#known);
    for (const [id, { view }] of this.#tablets)
      if (view.configuration && !held.has(id)) held.set(id, view.configuration);
    return [...held.values()];
  }

  #note(configuration: Configuration): void {
    const known = this.#known.get(configuration.tablet);
    if (
      known &&
      (known.lineage > configuration.lineage ||
        (known.lineage === configuration.lineage && known.version >= configuration.version))
    )
      return;
    this.#known.set(configuration.tablet, configuration);
    this.#options.onConfiguration(configuration);
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    accept(socket, this.#options.secret, this.#logger, (connection) => {
      if (connection.hello.purpose !== 'client') return this.#incoming.add(connection);
      serve(connection, this.#requests, (error) => this.#logger.error({ err: error }, 'a request failed'));
    });
  }

  #tablet(id: string): Tablet {
    const tablet = this.#tablets.get(id as TabletId);
    if (!tablet) throw new Fault('NotPrimary', `tablet ${id.slice(0, 100)} is not on ${this.#self}`);
    return tablet;
  }
}
