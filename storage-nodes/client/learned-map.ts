/**
 * The tablet map of one client, learned from the storage nodes: every node is asked which configurations
 * it knows, and the newest are kept. However many callers want it learned, there is one round at a time
 * and one question under way per node, so that a node that does not answer costs nothing.
 */
import type { Configuration } from '../replication/configuration.ts';
import { decodeConfiguration } from '../wire/peer-codec.ts';
import type { NodePool } from './node-pool.ts';
import { TabletMap } from './tablet-map.ts';

/** After the first answer the others have this long. */
const OTHERS_MS = 20;
/** If nobody answers, the round ends anyway. */
const ROUND_MS = 1000;

export class LearnedMap {
  /** Called when a node knew something newer, before the round that asked it is over. */
  onNews: () => void = () => {};
  readonly #pool: NodePool;
  readonly #map = new TabletMap();
  readonly #asked = new Map<string, Promise<void>>();
  #round: Promise<void> | undefined;
  /** Why nodes could not be asked, newest answer each. */
  readonly #reasons = new Map<string, string>();

  constructor(pool: NodePool) {
    this.#pool = pool;
  }

  get(tablet: string): Configuration | undefined {
    return this.#map.get(tablet);
  }

  owner(row: string): Configuration | undefined {
    return this.#map.owner(row);
  }

  /** In row order. */
  all(): readonly Configuration[] {
    return this.#map.all();
  }

  /** Why nothing is known, for a message. */
  get trouble(): string {
    const reasons = [...this.#reasons].map(([node, reason]) => `${node}: ${reason}`);
    return reasons.length > 0 ? reasons.join('; ') : 'no node answers';
  }

  /** Resolves when at least one node answered, or none could. Never rejects. */
  learn(): Promise<void> {
    this.#round ??= this.#askAll().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  async #askAll(): Promise<void> {
    const asks = this.#pool.nodes.map(({ id }) => this.#ask(id));
    const timers: NodeJS.Timeout[] = [];
    const after = (ms: number) =>
      new Promise<void>((resolve) => timers.push(setTimeout(resolve, ms).unref()));
    const first = Promise.any(asks).then(
      () => after(OTHERS_MS),
      () => undefined,
    );
    await Promise.race([Promise.allSettled(asks), first, after(ROUND_MS)]);
    for (const timer of timers) clearTimeout(timer);
  }

  #ask(node: string): Promise<void> {
    let asked = this.#asked.get(node);
    if (!asked) {
      asked = this.#askNode(node).finally(() => this.#asked.delete(node));
      asked.catch(() => undefined);
      this.#asked.set(node, asked);
    }
    return asked;
  }

  async #askNode(node: string): Promise<void> {
    try {
      const requester = await this.#pool.to(node);
      const { results } = await requester.ask('map', []);
      this.#reasons.delete(node);
      if (this.#map.learn((results[0] as unknown[]).map(decodeConfiguration))) this.onNews();
    } catch (error) {
      this.#reasons.set(node, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }
}
