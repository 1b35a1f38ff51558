/**
 * The master's logic, without sockets: server.ts gives it connections, a simulator may give it others. It
 * arbitrates configurations through its config store and tells all nodes of each new one (rule 1). It is
 * asked when a membership changes, never on a read or a write; with it stopped, current configurations
 * keep serving (rule 8).
 *
 *   config.join      [held]            -> [stored]; from then on pushes ['configuration', canonical] and
 *                                         ['suspect', node]. A node's report (rule 9), at each connect
 *   config.cas       [next, held]      -> ['stored'] | ['refused', canonical current | null]
 *                                         | ['ambiguous' | 'unsent' | 'behind', reason]
 *   config.alive     []                -> [whether the store answered lately]
 *   config.all       []                -> [stored], behind or not
 *   config.replace   [next, expected | null] -> as config.cas; an operator's recovery (rules 9, 10)
 *
 * `held` and `stored` are lists of canonical configurations. What always holds:
 *
 *   - where the store is behind what a node holds, nothing changes and nothing is told (rule 9);
 *   - a tablet is created only when every node has reported, and none holds anything of it;
 *   - a first version is told only then, too: it says to an empty disk that nothing was ever written.
 *
 * Any number of masters may share a store, which alone arbitrates. Only an active one creates tablets.
 */
import type { Logger } from 'pino';
import { Fault } from '../faults.ts';
import { canonical, type Configuration } from '../replication/configuration.ts';
import type { Timers } from '../timers.ts';
import { decodeConfiguration } from '../wire/peer-codec.ts';
import { nodeId, type NodeId, type TabletId } from '../words.ts';
import type { CompareAndSet, ConfigStore } from './config-store.ts';
import { contradiction, HeldConfigurations } from './held-configurations.ts';
import { initialConfigurations } from './placement.ts';

const COPIES = 3;
/** How often the whole store is read. */
const CHECK_MS = 1000;

/** Somebody who asks, over a connection of its own. */
export type Session = { readonly id: string; push(fields: readonly unknown[]): void };

export type MasterOptions = {
  /** Open. */
  readonly store: ConfigStore;
  /** All nodes of the cluster. */
  readonly nodes: readonly NodeId[];
  readonly timers: Timers;
  readonly logger: Logger;
  /** Whether this master may create tablets and suggest. */
  readonly isActive: () => boolean;
};

export class Master {
  readonly #options: MasterOptions;
  readonly #held = new HeldConfigurations();
  /** Nodes that reported since this master started. */
  readonly #reported = new Set<NodeId>();
  readonly #joined = new Set<Session>();
  readonly #behind = new Map<TabletId, string>();
  /** Why the store did not answer the last time. */
  #storeTrouble: string | undefined;
  #stopped = false;
  #checkNow: () => void = () => {};
  #unwatch: () => void = () => {};

  constructor(options: MasterOptions) {
    this.#options = options;
  }

  start(): void {
    const { store, logger } = this.#options;
    this.#unwatch = store.watch((configuration) => {
      const { tablet, version, epoch, primary, inSync } = configuration;
      logger.info({ tablet, version, epoch, primary, inSync }, 'configuration stored');
      this.#held.note('this master', configuration);
      this.#tell(configuration);
    });
    void this.#keepChecking();
  }

  stop(): void {
    this.#stopped = true;
    this.#checkNow();
    this.#unwatch();
  }

  get alarms(): readonly string[] {
    const trouble = this.#storeTrouble;
    return [
      ...(trouble === undefined
        ? []
        : [
            `the config store does not answer: memberships cannot change, reads and writes go on (${trouble})`,
          ]),
      ...[...this.#behind.values()].map(
        (what) => `${what}: nothing changes there until \`penncloud recover\``,
      ),
    ];
  }

  /** Rejects with Fault Malformed or Unavailable. */
  async ask(session: Session, kind: string, args: readonly unknown[]): Promise<readonly unknown[]> {
    switch (kind) {
      case 'config.join':
        return [await this.#join(session, decodeList(args[0]))];
      case 'config.cas':
        return this.#compareAndSet(session, decodeConfiguration(args[0]), decodeList(args[1]));
      case 'config.alive':
        return [this.#storeTrouble === undefined];
      case 'config.all':
        return [(await this.#options.store.all()).map(canonical)];
      case 'config.replace':
        return this.#replace(
          session,
          decodeConfiguration(args[0]),
          args[1] === null ? undefined : decodeConfiguration(args[1]),
        );
      default:
        throw new Fault('Malformed', `an unknown request: ${kind.slice(0, 40)}`);
    }
  }

  left(session: Session): void {
    this.#joined.delete(session);
  }

  /** Tells every node that one was not heard for a while. A hint (rule 7: a master only suggests). */
  suspect(node: NodeId): void {
    for (const session of this.#joined) session.push(['suspect', node]);
  }

  async #join(session: Session, held: readonly Configuration[]): Promise<readonly string[]> {
    const { nodes } = this.#options;
    const isNode = nodes.includes(nodeId(session.id));
    const wasComplete = this.#allReported;
    if (isNode) {
      for (const configuration of held) this.#held.note(session.id, configuration);
      this.#reported.add(nodeId(session.id));
    }
    this.#joined.add(session);
    const stored = await this.#check();
    if (!wasComplete && this.#allReported) {
      const firsts = stored.filter(({ version }) => version === 1);
      for (const configuration of firsts) this.#tell(configuration);
      this.#checkNow();
    }
    return stored.filter((configuration) => this.#mayTell(configuration)).map(canonical);
  }

  async #compareAndSet(
    session: Session,
    next: Configuration,
    asker: readonly Configuration[],
  ): Promise<readonly unknown[]> {
    const { store } = this.#options;
    for (const configuration of asker) this.#held.note(session.id, configuration);
    const held = this.#held.snapshot();
    let stored: Configuration | undefined;
    try {
      stored = await store.get(next.tablet);
    } catch (error) {
      if (error instanceof Fault) return ['unsent', error.message];
      throw error;
    }
    const why = contradiction(held, next.tablet, stored);
    this.#noteBehind(next.tablet, why, stored);
    if (why !== undefined) return ['behind', `${why}: run \`penncloud recover\``];
    return encodeAnswer(await store.compareAndSet(next));
  }

  async #replace(
    session: Session,
    next: Configuration,
    expected: Configuration | undefined,
  ): Promise<readonly unknown[]> {
    const { store, logger } = this.#options;
    const answer = await store.replace(next, expected);
    logger.warn(
      { by: session.id, next: canonical(next), outcome: answer.outcome },
      'recovery by an operator',
    );
    await this.#check();
    return encodeAnswer(answer);
  }

  async #keepChecking(): Promise<void> {
    const { timers, logger } = this.#options;
    while (!this.#stopped) {
      try {
        await this.#check();
        await this.#createTablets();
      } catch (error) {
        if (!(error instanceof Fault)) logger.error({ err: error }, 'cannot check the config store');
      }
      await new Promise<void>((resolve) => {
        const cancel = timers.after(CHECK_MS, resolve);
        this.#checkNow = () => {
          cancel();
          resolve();
        };
      });
    }
  }

  /** What the store holds now, compared with what nodes were known to hold before it was read. */
  async #check(): Promise<readonly Configuration[]> {
    const { store, logger } = this.#options;
    const held = this.#held.snapshot();
    let stored: readonly Configuration[];
    try {
      stored = await store.all();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#storeTrouble === undefined && !this.#stopped)
        logger.error({ reason }, 'the config store does not answer');
      this.#storeTrouble = reason;
      throw error;
    }
    if (this.#storeTrouble !== undefined) logger.info('the config store answers again');
    this.#storeTrouble = undefined;
    const byTablet = new Map(stored.map((configuration) => [configuration.tablet, configuration]));
    for (const tablet of new Set([...held.keys(), ...byTablet.keys()]))
      this.#noteBehind(tablet, contradiction(held, tablet, byTablet.get(tablet)), byTablet.get(tablet));
    return stored;
  }

  #noteBehind(tablet: TabletId, why: string | undefined, stored: Configuration | undefined): void {
    const { logger } = this.#options;
    if (why !== undefined) {
      if (!this.#behind.has(tablet)) logger.error({ tablet, why }, 'the config store is behind');
      this.#behind.set(tablet, why);
      return;
    }
    // A report that came while the store was read counts, too.
    if (!this.#behind.has(tablet) || contradiction(this.#held.snapshot(), tablet, stored) !== undefined)
      return;
    this.#behind.delete(tablet);
    logger.info({ tablet }, 'the config store is no longer behind');
    if (stored) this.#tell(stored);
  }

  get #allReported(): boolean {
    return this.#options.nodes.every((node) => this.#reported.has(node));
  }

  #mayTell({ tablet, version }: Configuration): boolean {
    return !this.#behind.has(tablet) && (version > 1 || this.#allReported);
  }

  #tell(configuration: Configuration): void {
    if (!this.#mayTell(configuration)) return;
    for (const session of this.#joined) session.push(['configuration', canonical(configuration)]);
  }

  /** Also after a start that was cut off half way: only tablets that have no configuration are created. */
  async #createTablets(): Promise<void> {
    const { store, nodes, logger, isActive } = this.#options;
    if (!this.#allReported || !isActive()) return;
    const known = new Set((await store.all()).map(({ tablet }) => tablet));
    const missing = initialConfigurations(nodes, COPIES).filter(
      ({ tablet }) => !known.has(tablet) && !this.#held.has(tablet),
    );
    let created = 0;
    for (const configuration of missing) {
      if ((await store.compareAndSet(configuration)).outcome === 'stored') created++;
    }
    if (created > 0) logger.info({ tablets: created, nodes: nodes.length }, 'tablets created');
  }
}

function encodeAnswer(answer: CompareAndSet): readonly unknown[] {
  switch (answer.outcome) {
    case 'stored':
      return ['stored'];
    case 'refused':
      return ['refused', answer.current ? canonical(answer.current) : null];
    case 'ambiguous':
    case 'unsent':
      return [answer.outcome, answer.reason];
  }
}

function decodeList(value: unknown): Configuration[] {
  if (!Array.isArray(value)) throw new Fault('Malformed', 'a report is a list of configurations');
  return value.map(decodeConfiguration);
}
