/**
 * A node's connection to the master: asks for compare-and-set, and hears every new configuration. It
 * dials for as long as it lives; after each connect it reads all configurations, so that nothing said
 * meanwhile is missed.
 */
import type { Logger } from 'pino';
import { Fault } from '../faults.ts';
import { canonical, type Configuration } from '../replication/configuration.ts';
import { dial } from '../wire/connection.ts';
import { decodeConfiguration } from '../wire/peer-codec.ts';
import { Requester } from '../wire/requests.ts';

export type CompareAndSetAnswer =
  | { readonly outcome: 'stored' }
  | { readonly outcome: 'refused'; readonly current: Configuration | undefined }
  /** It was sent and no answer came: it may be stored. */
  | { readonly outcome: 'ambiguous' }
  /** The master was not reached: it cannot be stored. */
  | { readonly outcome: 'unsent' };

const REDIAL_MS = 100;
const REDIAL_MS_MAX = 1000;
const ANSWER_MS = 2000;

export class ConfigClient {
  readonly #options: {
    self: string;
    host: string;
    port: number;
    secret: string;
    logger: Logger;
    onConfiguration: (c: Configuration) => void;
  };
  /** The newest connection, perhaps not good for anything yet. */
  #dialled: Requester | undefined;
  /** It, once all configurations were read over it. */
  #requester: Requester | undefined;
  #stopped = false;

  constructor(options: {
    self: string;
    host: string;
    port: number;
    secret: string;
    logger: Logger;
    onConfiguration: (c: Configuration) => void;
  }) {
    this.#options = options;
  }

  start(): void {
    void this.#stayConnected();
  }

  get connected(): boolean {
    return this.#requester !== undefined;
  }

  stop(): void {
    this.#stopped = true;
    this.#dialled?.close();
  }

  async compareAndSet(next: Configuration): Promise<CompareAndSetAnswer> {
    const requester = this.#requester;
    if (!requester) return { outcome: 'unsent' };
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Fault('Unavailable', 'the config store did not answer')),
        ANSWER_MS,
      );
    });
    try {
      const { results } = await Promise.race([requester.ask('config.cas', [canonical(next)]), late]);
      if (results[0] === 'stored') return { outcome: 'stored' };
      return {
        outcome: 'refused',
        current: typeof results[1] === 'string' ? decodeConfiguration(results[1]) : undefined,
      };
    } catch (error) {
      this.#options.logger.warn(
        { tablet: next.tablet, version: next.version, reason: String(error) },
        'configuration change without an answer',
      );
      return { outcome: 'ambiguous' };
    } finally {
      clearTimeout(timer);
    }
  }

  async #stayConnected(): Promise<void> {
    const { self, host, port, secret } = this.#options;
    let redialMs = REDIAL_MS;
    while (!this.#stopped) {
      try {
        const connection = await dial({ host, port }, { purpose: 'client', id: self, link: '' }, secret);
        this.#dialled = new Requester(connection);
        await this.#listenTo(this.#dialled);
        redialMs = REDIAL_MS;
      } catch {
        // Not there yet, or gone, or it spoke nonsense: dial again.
      }
      this.#requester = undefined;
      this.#dialled?.close();
      if (this.#stopped) return;
      await new Promise((resolve) => setTimeout(resolve, redialMs));
      redialMs = Math.min(redialMs * 2, REDIAL_MS_MAX);
    }
  }

  /** Resolves when a connection that was good is over. */
  async #listenTo(requester: Requester): Promise<void> {
    const { logger, onConfiguration } = this.#options;
    const closed = new Promise<void>((resolve) => (requester.onClose = resolve));
    requester.onPush = ([kind, text]) => {
      if (kind === 'configuration') onConfiguration(decodeConfiguration(text));
    };
    if (this.#stopped) return;
    await requester.ask('config.watch', []);
    const { results } = await requester.ask('config.all', []);
    for (const text of results[0] as unknown[]) onConfiguration(decodeConfiguration(text));
    this.#requester = requester;
    logger.info('connected to the master');
    await closed;
    if (!this.#stopped) logger.warn('connection to the master lost');
  }
}
