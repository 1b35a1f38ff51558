/**
 * JetStream's client: the `nats` package's key-value view, on one connection to the server that leads the
 * bucket's stream (any other would add a hop). Gets are that view's default, direct gets, which any
 * replica may answer: less than linearizable, and faster than asking the leader.
 */
import { connect, StorageType, type KV, type NatsConnection } from 'nats';
import type { Address, Client } from './system.ts';

export const BUCKET = 'bench';
const STREAM = `KV_${BUCKET}`;

export class JetStreamClient implements Client {
  readonly #connection: NatsConnection;
  readonly #bucket: KV;

  private constructor(connection: NatsConnection, bucket: KV) {
    this.#connection = connection;
    this.#bucket = bucket;
  }

  static async open(leader: Address): Promise<JetStreamClient> {
    const connection = await open([leader]);
    return new JetStreamClient(
      connection,
      await connection.jetstream().views.kv(BUCKET, { bindOnly: true, allow_direct: true }),
    );
  }

  async put(key: string, value: Buffer): Promise<void> {
    await this.#bucket.put(key, value);
  }

  async get(key: string): Promise<Buffer | undefined> {
    const value = (await this.#bucket.get(key))?.value;
    return value && Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}

/** True once the bucket is there with all replicas current; throws while the servers cannot make it. */
export async function makeBucket(servers: readonly Address[]): Promise<boolean> {
  const connection = await open(servers);
  try {
    await connection.jetstream().views.kv(BUCKET, {
      replicas: servers.length,
      history: 1,
      storage: StorageType.File,
    });
  } finally {
    await connection.close();
  }
  return (await leaderOf(servers)).current === servers.length - 1;
}

/** The bucket's stream as its leader describes it; `current`: how many followers have caught up. */
export async function leaderOf(servers: readonly Address[]) {
  const connection = await open(servers);
  try {
    const { config, cluster } = await (await connection.jetstreamManager()).streams.info(STREAM);
    return {
      name: cluster?.leader ?? '',
      replicas: config.num_replicas,
      storage: config.storage as string,
      current: cluster?.replicas?.filter(({ current }) => current).length ?? 0,
    };
  } finally {
    await connection.close();
  }
}

function open(servers: readonly Address[]): Promise<NatsConnection> {
  return connect({ servers: servers.map(({ host, port }) => `${host}:${port}`), ignoreClusterUpdates: true });
}
