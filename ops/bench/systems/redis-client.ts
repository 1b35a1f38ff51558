/**
 * Redis's client: puts and gets each have connections of their own, since WAIT holds up all that comes
 * behind it on its connection. A connection carries one batch of puts at a time: all SETs that came while
 * the batch before was under way, followed by one WAIT for them all, which answers for every write that
 * its connection sent before it. Group commit in the client, the most that Redis allows.
 */
import { RedisConnection } from './redis-connection.ts';
import type { Address, Client } from './system.ts';

/** While one batch waits for the replicas, the other fills. More measured no faster. */
const WRITERS = 2;
const WAIT_REPLICAS = 2;
const WAIT_MS = 10_000;

type Put = {
  readonly key: string;
  readonly value: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
};

export class RedisClient implements Client {
  readonly #writers: Writer[];
  readonly #reader: RedisConnection;
  #next = 0;

  constructor(primary: Address, { writers = WRITERS } = {}) {
    this.#writers = Array.from({ length: writers }, () => new Writer(new RedisConnection(primary)));
    this.#reader = new RedisConnection(primary);
  }

  put(key: string, value: Buffer): Promise<void> {
    return this.#writers[this.#next++ % this.#writers.length]!.put(key, value);
  }

  async get(key: string): Promise<Buffer | undefined> {
    return ((await this.#reader.send(['GET', key])) as Buffer | null) ?? undefined;
  }

  async close(): Promise<void> {
    for (const writer of this.#writers) writer.close();
    this.#reader.close();
  }
}

class Writer {
  readonly #connection: RedisConnection;
  #gathered: Put[] = [];
  #busy = false;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  put(key: string, value: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#gathered.push({ key, value, resolve, reject });
      if (this.#busy) return;
      this.#busy = true;
      // What other callers ask for in this turn of the event loop goes along.
      setImmediate(() => void this.#writeBatches());
    });
  }

  close(): void {
    this.#connection.close();
  }

  async #writeBatches(): Promise<void> {
    while (this.#gathered.length > 0) {
      const batch = this.#gathered;
      this.#gathered = [];
      try {
        const sets = batch.map(({ key, value }) => this.#connection.send(['SET', key, value]));
        const acknowledged = this.#connection.send(['WAIT', String(WAIT_REPLICAS), String(WAIT_MS)]);
        await Promise.all(sets);
        if (Number(await acknowledged) < WAIT_REPLICAS)
          throw new Error(`Redis: fewer than ${WAIT_REPLICAS} replicas have it`);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error as Error);
      }
      // Callers whose puts are over ask for the next ones before the next batch leaves.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#busy = false;
  }
}
