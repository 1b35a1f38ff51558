/**
 * Which of several masters is active: the one whose name stands in a key that lives as long as its lease.
 * Only for what may be done twice (creating tablets by compare-and-set, suggestions): a master that stood
 * still may believe for a moment that it is active when another one is.
 *
 * `isActive` ends, on this process's monotonic clock, before the lease can: it is counted from sending.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { EtcdGateway, type EtcdOptions, type Json } from './etcd-gateway.ts';
import { base64, keyValuesOf } from './etcd-keys.ts';

const LEASE_SECONDS = 3;
const ROUND_MS = 700;
const CALL_MS = 1000;

export class EtcdElection {
  readonly #gateway: EtcdGateway;
  readonly #key: string;
  readonly #name: string;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  #lease: string | undefined;
  #activeUntil = -Infinity;
  #wasActive = false;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: EtcdOptions & { prefix: string; name: string; logger: Logger }) {
    this.#gateway = new EtcdGateway(options);
    this.#key = base64(`${options.prefix}active-master`);
    // A master that is started again is another one: its old lease may still be there.
    this.#name = `${options.name} ${randomUUID()}`;
    this.#logger = options.logger;
  }

  get isActive(): boolean {
    return performance.now() < this.#activeUntil;
  }

  start(): void {
    this.#ended = this.#run();
  }

  /** Gives the place up, so that another master need not wait for the lease to end. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    this.#activeUntil = -Infinity;
    if (this.#lease !== undefined)
      await this.#gateway.call('/v3/lease/revoke', { ID: this.#lease }, CALL_MS).catch(() => {});
    this.#gateway.close();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#round();
      } catch {
        // The config store's own alarm says that etcd is away; the lease runs out.
      }
      if (this.isActive !== this.#wasActive)
        this.#logger.info(this.isActive ? 'this master is the active one' : 'this master is not active');
      this.#wasActive = this.isActive;
      await sleep(ROUND_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }

  async #round(): Promise<void> {
    const sentAt = performance.now();
    if (this.#lease === undefined || !(await this.#keepAlive(this.#lease))) {
      const { ID } = await this.#gateway.call('/v3/lease/grant', { TTL: String(LEASE_SECONDS) }, CALL_MS);
      this.#lease = String(ID);
    }
    if ((await this.#campaign(this.#lease)) === this.#name) this.#activeUntil = sentAt + LEASE_SECONDS * 1000;
    else this.#activeUntil = -Infinity;
  }

  /** False: the lease is gone. */
  async #keepAlive(lease: string): Promise<boolean> {
    const answer = await this.#gateway.call('/v3/lease/keepalive', { ID: lease }, CALL_MS);
    return Number((answer['result'] as Json | undefined)?.['TTL'] ?? 0) > 0;
  }

  /** Whose name stands in the key now. */
  async #campaign(lease: string): Promise<string> {
    const key = this.#key;
    const answer = await this.#gateway.call(
      '/v3/kv/txn',
      {
        compare: [{ target: 'CREATE', key, result: 'EQUAL', create_revision: '0' }],
        success: [{ request_put: { key, value: base64(this.#name), lease } }],
        failure: [{ request_range: { key } }],
      },
      CALL_MS,
    );
    if (answer['succeeded'] === true) return this.#name;
    const [response] = (answer['responses'] ?? []) as Json[];
    return keyValuesOf(response?.['response_range'] as Json | undefined)[0]?.value ?? '';
  }
}
