/**
 * What a benchmarked system is: three servers started on this machine for one run, and a client for the
 * load generator. The same for PennCloud and its peers, so that nothing but the system differs.
 *
 *   - A put is over when the system says that the value is on all three servers.
 *   - Servers hold their data in the folder given, listen on loopback only, and end with this process.
 *   - `access` is plain data: the load generator is another process.
 */

export const SYSTEMS = ['penncloud', 'etcd', 'redis', 'jetstream'] as const;
export type SystemName = (typeof SYSTEMS)[number];

export type Address = { readonly id: string; readonly host: string; readonly port: number };

/** What a client needs to reach a running system. */
export type Access = {
  readonly system: SystemName;
  /** Of all servers; the one that leads comes first where a client should ask that one alone. */
  readonly servers: readonly Address[];
  /** PennCloud's shared secret; empty for the others, which are open to this machine. */
  readonly secret: string;
};

export interface Client {
  /** Resolves when the put is over in the sense above. */
  put(key: string, value: Buffer): Promise<void>;
  /** Undefined: there is no such key. */
  get(key: string): Promise<Buffer | undefined>;
  close(): Promise<void>;
}

export interface RunningSystem {
  readonly access: Access;
  /** As the program itself says it. */
  readonly version: string;
  /** Of the servers, for their processor time. */
  readonly pids: readonly number[];
  /** Facts read back from the running servers that show what a put waits for. Throws if one is not so. */
  guarantees(): Promise<string[]>;
  stop(): Promise<void>;
}

/** Why a run cannot go on, in a sentence for the person at the terminal. */
export class BenchFailed extends Error {}
