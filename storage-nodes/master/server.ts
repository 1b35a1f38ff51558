/**
 * The master: arbitrates configurations through its config store and pushes each new one to all nodes
 * (rule 1). It is asked when a membership changes, never on a read or a write; with it stopped, current
 * configurations keep serving (rule 8).
 *
 *   config.all    []                 -> [[canonical configuration, ...]]
 *   config.cas    [canonical next]   -> ['stored'] or ['refused', canonical current | null]
 *   config.watch  []                 -> []; from then on pushes ['configuration', canonical]
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { canonical } from '../replication/configuration.ts';
import { nodeId } from '../words.ts';
import { accept, type Connection } from '../wire/connection.ts';
import { decodeConfiguration } from '../wire/peer-codec.ts';
import { serve, type Handler } from '../wire/requests.ts';
import type { ConfigStore } from './config-store.ts';
import { initialConfigurations } from './placement.ts';

const COPIES = 3;

export class MasterServer {
  readonly #options: {
    store: ConfigStore;
    secret: string;
    nodes: readonly { id: string }[];
    host: string;
    port: number;
    logger: Logger;
  };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #watchers = new Set<Connection>();
  #unwatch: () => void = () => {};

  constructor(options: {
    store: ConfigStore;
    secret: string;
    nodes: readonly { id: string }[];
    host: string;
    port: number;
    logger: Logger;
  }) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** The store must be open. Creates the first configurations if there are none. */
  async start(): Promise<void> {
    const { store, host, port, logger } = this.#options;
    await this.#createTablets();
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => logger.error({ err: error }, 'cannot accept connections'));
        resolve();
      });
    });
    this.#unwatch = store.watch((configuration) => {
      const { tablet, version, epoch, primary, inSync } = configuration;
      logger.info({ tablet, version, epoch, primary, inSync }, 'configuration stored');
      for (const connection of this.#watchers)
        connection.send(['push', 'configuration', canonical(configuration)]);
    });
  }

  async stop(): Promise<void> {
    this.#unwatch();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Also after a start that was cut off half way: only tablets that have no configuration are created. */
  async #createTablets(): Promise<void> {
    const { store, nodes, logger } = this.#options;
    const known = new Set((await store.all()).map((configuration) => configuration.tablet));
    const first = initialConfigurations(
      nodes.map((node) => nodeId(node.id)),
      COPIES,
    );
    const missing = first.filter(({ tablet }) => !known.has(tablet));
    for (const configuration of missing) await store.compareAndSet(configuration);
    if (missing.length > 0) logger.info({ tablets: missing.length, nodes: nodes.length }, 'tablets created');
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    const { secret, logger } = this.#options;
    accept(socket, secret, logger, (connection) => {
      serve(connection, this.#handlers, (error) => logger.error({ err: error }, 'a request failed'));
      connection.onClose = () => this.#watchers.delete(connection);
    });
  }

  readonly #handlers: Record<string, Handler> = {
    'config.all': async () => ({ results: [(await this.#options.store.all()).map(canonical)], blobs: [] }),
    'config.cas': async ([text]) => {
      const answer = await this.#options.store.compareAndSet(decodeConfiguration(text));
      if (answer.outcome === 'stored') return { results: ['stored'], blobs: [] };
      return { results: ['refused', answer.current ? canonical(answer.current) : null], blobs: [] };
    },
    'config.watch': (_args, _blobs, connection) => {
      this.#watchers.add(connection);
      return { results: [], blobs: [] };
    },
  };
}
