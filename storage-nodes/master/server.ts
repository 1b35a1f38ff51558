/** The master's sockets: each authenticated connection is a session of master.ts. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { realTimers } from '../timers.ts';
import { nodeId } from '../words.ts';
import { accept, type Connection } from '../wire/connection.ts';
import { serve, type Handler } from '../wire/requests.ts';
import type { ConfigStore } from './config-store.ts';
import { Master, type Session } from './master.ts';

const KINDS = ['config.join', 'config.cas', 'config.alive', 'config.all', 'config.replace'];

export type MasterServerOptions = {
  /** Open. */
  readonly store: ConfigStore;
  readonly secret: string;
  /** All nodes of the cluster. */
  readonly nodes: readonly { readonly id: string }[];
  readonly host: string;
  readonly port: number;
  readonly logger: Logger;
  /** Whether this master may create tablets and suggest; alone, it may. */
  readonly isActive?: () => boolean;
};

export class MasterServer {
  readonly master: Master;
  readonly #options: MasterServerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new WeakMap<Connection, Session>();

  constructor(options: MasterServerOptions) {
    const { store, nodes, logger, isActive = () => true } = options;
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
    this.master = new Master({
      store,
      nodes: nodes.map(({ id }) => nodeId(id)),
      timers: realTimers,
      logger,
      isActive,
    });
  }

  async start(): Promise<void> {
    const { host, port, logger } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => logger.error({ err: error }, 'cannot accept connections'));
        resolve();
      });
    });
    this.master.start();
  }

  async stop(): Promise<void> {
    this.master.stop();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    const { secret, logger } = this.#options;
    accept(socket, secret, logger, (connection) => {
      const session: Session = {
        id: connection.hello.id,
        push: (fields) => connection.send(['push', ...fields]),
      };
      this.#sessions.set(connection, session);
      connection.onClose = () => this.master.left(session);
      serve(connection, this.#handlers, (error) => logger.error({ err: error }, 'a request failed'));
    });
  }

  readonly #handlers: Readonly<Record<string, Handler>> = Object.fromEntries(
    KINDS.map((kind): [string, Handler] => [
      kind,
      async (args, _blobs, connection) => ({
        results: await this.master.ask(this.#sessions.get(connection)!, kind, args),
        blobs: [],
      }),
    ]),
  );
}
