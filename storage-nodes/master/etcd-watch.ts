/**
 * Follows the keys under a prefix and tells of each change, in etcd's order. A stream that breaks is taken
 * up again, at another member, behind the last revision that was seen; where etcd has compacted that away,
 * everything is read anew, and told where it differs.
 *
 * A stream can fall silent without breaking (its member stands still or is cut off), and etcd can be put
 * back to an earlier state. Both show when the keys are read: whoever reads them all compares
 * (`beginComparison`), and a watch that is found to be behind twice in a row starts again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { EtcdGateway, Json } from './etcd-gateway.ts';
import { base64, keyValue, keyValuesOf, prefixEnd, revisionOf, type KeyValue } from './etcd-keys.ts';

const READ_MS = 1000;
const RETRY_MS = 200;

export class EtcdWatch {
  readonly #options: {
    gateway: EtcdGateway;
    prefix: string;
    logger: Logger | undefined;
    onChanged: (kv: KeyValue) => void;
  };
  readonly #stop = new AbortController();
  /** Ends the stream that is open. */
  #restart = new AbortController();
  /** Everything up to this revision was told; undefined: to be read anew. */
  #seen: number | undefined;
  /** The mod revision that was told of each key. */
  #known = new Map<string, number>();
  #foundBehind = false;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: {
    gateway: EtcdGateway;
    prefix: string;
    logger: Logger | undefined;
    onChanged: (kv: KeyValue) => void;
  }) {
    this.#options = options;
  }

  /** Resolves once everything was read, or could not be at the first try. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#ended = this.#follow(resolve);
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#options.gateway.close();
    await this.#ended;
  }

  /** To be called before all keys are read; what it returns, with the store's revision and the keys. */
  beginComparison(): (revision: number, keyValues: readonly KeyValue[]) => void {
    const seenBefore = this.#seen;
    return (revision, keyValues) => {
      if (seenBefore === undefined || this.#seen === undefined) return;
      if (revision < seenBefore) {
        this.#options.logger?.error({ revision, seen: seenBefore }, 'etcd went back to an earlier state');
        this.#seen = undefined;
        return this.#restart.abort();
      }
      const newest = Math.max(0, ...keyValues.map(({ modRevision }) => modRevision));
      const isBehind = newest > this.#seen;
      if (isBehind && this.#foundBehind) {
        this.#options.logger?.warn({ newest, seen: this.#seen }, 'the watch on etcd fell silent');
        this.#restart.abort();
      }
      this.#foundBehind = isBehind && !this.#foundBehind;
    };
  }

  async #follow(tried: () => void): Promise<void> {
    const { gateway, logger } = this.#options;
    let said = '';
    while (!this.#stop.signal.aborted) {
      this.#restart = new AbortController();
      try {
        const from = this.#seen ?? (await this.#readAnew());
        this.#seen = from;
        tried();
        await this.#stream(from + 1);
        said = '';
      } catch (error) {
        const reason = (error as Error).message;
        if (!this.#stop.signal.aborted && reason !== said)
          logger?.warn({ reason }, 'the watch on etcd broke');
        said = reason;
        tried();
      }
      gateway.leaveMember();
      await sleep(RETRY_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }

  /** Tells what differs from what was told. Resolves with the revision. */
  async #readAnew(): Promise<number> {
    const { gateway, prefix } = this.#options;
    const range = { key: base64(prefix), range_end: base64(prefixEnd(prefix)) };
    const answer = await gateway.call('/v3/kv/range', range, READ_MS);
    const found = keyValuesOf(answer).sort((a, b) => a.modRevision - b.modRevision);
    const changed = found.filter(({ key, modRevision }) => this.#known.get(key) !== modRevision);
    this.#known = new Map(found.map(({ key, modRevision }) => [key, modRevision]));
    for (const kv of changed) this.#options.onChanged(kv);
    return revisionOf(answer);
  }

  /** Resolves when the stream ended by etcd's wish. */
  async #stream(from: number): Promise<void> {
    const { gateway, prefix, logger } = this.#options;
    const wish = {
      create_request: {
        key: base64(prefix),
        range_end: base64(prefixEnd(prefix)),
        start_revision: String(from),
        filters: ['NODELETE'],
      },
    };
    const signal = AbortSignal.any([this.#stop.signal, this.#restart.signal]);
    await gateway.stream('/v3/watch', wish, signal, (result) => {
      if (result['compact_revision'] !== undefined) {
        logger?.info({ from }, 'etcd has compacted what was to be followed: reading all configurations');
        this.#seen = undefined;
      }
      if (result['canceled'] === true) return this.#restart.abort();
      for (const event of (result['events'] ?? []) as Json[]) {
        const kv = keyValue(event['kv'] as Json);
        this.#known.set(kv.key, kv.modRevision);
        if (this.#seen !== undefined) this.#seen = Math.max(this.#seen, kv.modRevision);
        this.#options.onChanged(kv);
      }
    });
  }
}
