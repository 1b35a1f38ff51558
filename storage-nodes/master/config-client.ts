/**
 * A node's side of the config store: reports to every master what the node holds (rule 9), hears every new
 * configuration, and asks for compare-and-set. Without sockets: how a master is dialled is passed in
 * (dial-master.ts), so that a simulator can drive these rules too.
 *
 * It dials every master for as long as it lives. A connection counts once the node has reported over it
 * and all configurations were read, and as long as the master goes on answering. One that counts is asked;
 * any will do, since the store arbitrates. What is said of a compare-and-set:
 *
 *   unsent     it was not sent, or the master says that it changed nothing: it never will
 *   ambiguous  it was sent, and no certain answer came: it may be stored, now or later
 *   refused    the store has something else, which comes with the answer
 *   invalid    it breaks a rule: no attempt ever was or will be stored
 */
import type { Logger } from 'pino';
import { Fault } from '../faults.ts';
import { canonical, type Configuration } from '../replication/configuration.ts';
import { pause, type Timers } from '../timers.ts';
import { decodeConfiguration } from '../wire/peer-codec.ts';
import { nodeId, type NodeId } from '../words.ts';

export type CompareAndSetAnswer =
  | { readonly outcome: 'stored' }
  | { readonly outcome: 'refused'; readonly current: Configuration | undefined }
  | { readonly outcome: 'invalid'; readonly reason: string }
  | { readonly outcome: 'ambiguous' }
  | { readonly outcome: 'unsent' };

/** A connection to a master. */
export interface MasterLink {
  onPush: (fields: readonly unknown[]) => void;
  onClose: () => void;
  /** Rejects with the Fault that came back, or with Fault Closed. */
  ask(kind: string, args: readonly unknown[]): Promise<{ readonly results: readonly unknown[] }>;
  close(): void;
}

export type ConfigClientOptions = {
  /** By each master's name, how to connect to it; rejects when nobody is there. */
  readonly masters: ReadonlyMap<string, () => Promise<MasterLink>>;
  /** The newest configuration that the node knows of each tablet. */
  readonly held: () => readonly Configuration[];
  readonly onConfiguration: (configuration: Configuration) => void;
  readonly onSuspected: (node: NodeId) => void;
  readonly timers: Timers;
  readonly logger: Logger;
};

const REDIAL_MS = 100;
const REDIAL_MS_MAX = 1000;
const ANSWER_MS = 2000;
/** The master itself may have to wait for its store. */
const CHANGE_MS = 4000;
const ALIVE_EVERY_MS = 1000;

type Joined = { readonly link: MasterLink; storeAnswers: boolean };

export class ConfigClient {
  readonly #options: ConfigClientOptions;
  readonly #links = new Set<MasterLink>();
  /** Good connections, by the master's name. */
  readonly #joined = new Map<string, Joined>();
  #stopped = false;

  constructor(options: ConfigClientOptions) {
    this.#options = options;
  }

  start(): void {
    for (const [master, connect] of this.#options.masters) void this.#stayConnected(master, connect);
  }

  /** A membership could be changed now. */
  get connected(): boolean {
    return [...this.#joined.values()].some(({ storeAnswers }) => storeAnswers);
  }

  stop(): void {
    this.#stopped = true;
    for (const link of this.#links) link.close();
  }

  async compareAndSet(next: Configuration): Promise<CompareAndSetAnswer> {
    const { logger, held } = this.#options;
    const known = held().filter(({ tablet }) => tablet === next.tablet);
    const found = [...this.#joined].sort(
      ([, a], [, b]) => Number(b.storeAnswers) - Number(a.storeAnswers),
    )[0];
    if (!found) return { outcome: 'unsent' };
    const [master, { link }] = found;
    const facts = { tablet: next.tablet, version: next.version, master };
    try {
      const asked = link.ask('config.cas', [canonical(next), known.map(canonical)]);
      const [word, more] = await this.#within(CHANGE_MS, asked.then(wordsOf, invalidIfMalformed));
      if (word === 'stored') return { outcome: 'stored' };
      if (word === 'invalid') return { outcome: 'invalid', reason: String(more) };
      if (word === 'refused')
        return { outcome: 'refused', current: more === null ? undefined : decodeConfiguration(more) };
      logger.warn({ ...facts, reason: more }, `configuration change: ${String(word)}`);
      return { outcome: word === 'unsent' || word === 'behind' ? 'unsent' : 'ambiguous' };
    } catch (error) {
      logger.warn({ ...facts, reason: String(error) }, 'configuration change without an answer');
      // Another master may answer the next time.
      if (this.#joined.get(master)?.link === link) link.close();
      return { outcome: 'ambiguous' };
    }
  }

  async #stayConnected(master: string, connect: () => Promise<MasterLink>): Promise<void> {
    let redialMs = REDIAL_MS;
    while (!this.#stopped) {
      let link: MasterLink | undefined;
      try {
        link = await connect();
        this.#links.add(link);
        await this.#useUntilClosed(master, link, () => (redialMs = REDIAL_MS));
      } catch {
        // Not there yet, or gone, or it spoke nonsense, or its store is away: dial again.
      }
      if (link) {
        this.#links.delete(link);
        link.close();
      }
      if (this.#joined.delete(master) && !this.#stopped)
        this.#options.logger.warn({ master }, 'connection to the master lost');
      if (this.#stopped) return;
      await pause(this.#options.timers, redialMs);
      redialMs = Math.min(redialMs * 2, REDIAL_MS_MAX);
    }
  }

  /** Resolves or rejects when the connection is of no use any more. */
  async #useUntilClosed(master: string, link: MasterLink, joined: () => void): Promise<void> {
    const { logger, held, onConfiguration, timers } = this.#options;
    let closed = false;
    const closing = new Promise<void>((resolve) => {
      link.onClose = () => {
        closed = true;
        resolve();
      };
    });
    link.onPush = ([kind, value]) => {
      if (kind === 'configuration') onConfiguration(decodeConfiguration(value));
      else if (kind === 'suspect') this.#options.onSuspected(nodeId(String(value)));
    };
    if (this.#stopped) return;
    const { results } = await this.#within(ANSWER_MS, link.ask('config.join', [held().map(canonical)]));
    for (const text of results[0] as unknown[]) onConfiguration(decodeConfiguration(text));
    const state: Joined = { link, storeAnswers: true };
    this.#joined.set(master, state);
    joined();
    logger.info({ master }, 'connected to the master');
    for (;;) {
      await Promise.race([pause(timers, ALIVE_EVERY_MS), closing]);
      if (closed || this.#stopped) return;
      const alive = await this.#within(ANSWER_MS, link.ask('config.alive', []));
      state.storeAnswers = alive.results[0] === true;
    }
  }

  async #within<T>(ms: number, work: Promise<T>): Promise<T> {
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      cancel = this.#options.timers.after(ms, () =>
        reject(new Fault('Unavailable', 'the master did not answer in time')),
      );
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      cancel();
    }
  }
}

function wordsOf({ results }: { readonly results: readonly unknown[] }): readonly unknown[] {
  return results;
}

/** Only the master's own refusal: an answer that cannot be read says nothing of the change. */
function invalidIfMalformed(error: unknown): readonly unknown[] {
  if (error instanceof Fault && error.code === 'Malformed') return ['invalid', error.message];
  throw error;
}
