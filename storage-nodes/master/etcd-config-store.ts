/**
 * The config store on an etcd cluster: one key per tablet, whose value is the configuration's canonical
 * text. A change is one transaction that compares value and mod revision of the exact predecessor (rule
 * 1); reads are linearizable. Nothing else of etcd is relied on: the watch (etcd-watch.ts) is for speed.
 *
 * A transaction without an answer may have been carried out, or be carried out later. It is sent again,
 * until the deadline: its predecessor never comes back, so that a certain answer to any of the attempts
 * settles them all. What it leaves out: creating users and certificates of the etcd cluster.
 */
import type { Logger } from 'pino';
import { Fault } from '../faults.ts';
import { canonical, type Configuration } from '../replication/configuration.ts';
import { decodeConfiguration } from '../wire/peer-codec.ts';
import type { TabletId } from '../words.ts';
import type { CompareAndSet, ConfigStore } from './config-store.ts';
import { judge, judgeReplacement } from './configuration-rules.ts';
import { EtcdGateway, EtcdRefused, EtcdUnavailable, type EtcdOptions, type Json } from './etcd-gateway.ts';
import { base64, keyValuesOf, prefixEnd, revisionOf, type KeyValue } from './etcd-keys.ts';
import { EtcdWatch } from './etcd-watch.ts';

const READ_MS = 1000;
const WRITE_MS = 1500;

export class EtcdConfigStore implements ConfigStore {
  readonly #prefix: string;
  readonly #gateway: EtcdGateway;
  readonly #watch: EtcdWatch;
  readonly #logger: Logger | undefined;
  readonly #listeners = new Set<(configuration: Configuration) => void>();
  #open = false;

  /** `prefix` ends in a slash; clusters with different ones share an etcd cluster. */
  constructor(options: EtcdOptions & { prefix: string; logger?: Logger }) {
    this.#prefix = `${options.prefix}configurations/`;
    this.#logger = options.logger;
    this.#gateway = new EtcdGateway(options);
    this.#watch = new EtcdWatch({
      // A stream of its own may be left for another member without moving the calls there.
      gateway: new EtcdGateway(options),
      prefix: this.#prefix,
      logger: options.logger,
      onChanged: (kv) => this.#tell(kv),
    });
  }

  /** Does not fail without etcd: until it answers, calls say that it does not. */
  async open(): Promise<void> {
    if (this.#open) throw new Fault('Closed', 'the config store is open already');
    this.#open = true;
    await this.#watch.start();
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#watch.stop();
    this.#gateway.close();
  }

  async all(): Promise<readonly Configuration[]> {
    this.#requireOpen();
    const compare = this.#watch.beginComparison();
    const answer = await this.#read({
      key: base64(this.#prefix),
      range_end: base64(prefixEnd(this.#prefix)),
    });
    const keyValues = keyValuesOf(answer);
    compare(revisionOf(answer), keyValues);
    return keyValues.map(toConfiguration);
  }

  async get(tablet: TabletId): Promise<Configuration | undefined> {
    this.#requireOpen();
    const current = await this.#find(tablet);
    return current && toConfiguration(current);
  }

  compareAndSet(next: Configuration): Promise<CompareAndSet> {
    return this.#change(next, (current) => judge(next, current));
  }

  replace(next: Configuration, expected: Configuration | undefined): Promise<CompareAndSet> {
    return this.#change(next, (current) => judgeReplacement(next, expected, current));
  }

  watch(listener: (configuration: Configuration) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #change(
    next: Configuration,
    verdictOn: (current: Configuration | undefined) => CompareAndSet | 'write',
  ): Promise<CompareAndSet> {
    this.#requireOpen();
    let current: KeyValue | undefined;
    try {
      current = await this.#find(next.tablet);
    } catch (error) {
      if (error instanceof Fault && error.code === 'Unavailable')
        return { outcome: 'unsent', reason: error.message };
      throw error;
    }
    const verdict = verdictOn(current && toConfiguration(current));
    if (verdict !== 'write') return verdict;
    return this.#write(next, current);
  }

  async #write(next: Configuration, predecessor: KeyValue | undefined): Promise<CompareAndSet> {
    const key = base64(this.#prefix + next.tablet);
    const text = canonical(next);
    const compare: Json[] = predecessor
      ? [
          { target: 'MOD', key, result: 'EQUAL', mod_revision: String(predecessor.modRevision) },
          { target: 'VALUE', key, result: 'EQUAL', value: base64(predecessor.value) },
        ]
      : [{ target: 'CREATE', key, result: 'EQUAL', create_revision: '0' }];
    const transaction: Json = {
      compare,
      success: [{ request_put: { key, value: base64(text) } }],
      failure: [{ request_range: { key } }],
    };
    let answer: Json;
    try {
      answer = await this.#gateway.call('/v3/kv/txn', transaction, WRITE_MS);
    } catch (error) {
      if (error instanceof EtcdUnavailable)
        return { outcome: error.sent ? 'ambiguous' : 'unsent', reason: error.message };
      // An earlier attempt of the same call may have got through before this refusal.
      if (error instanceof EtcdRefused) return { outcome: 'ambiguous', reason: error.message };
      throw error;
    }
    if (answer['succeeded'] === true) return { outcome: 'stored' };
    const [failure] = (answer['responses'] ?? []) as Json[];
    const [found] = keyValuesOf(failure?.['response_range'] as Json | undefined);
    // It was stored by an earlier attempt.
    if (found?.value === text) return { outcome: 'stored' };
    return { outcome: 'refused', current: found && toConfiguration(found) };
  }

  async #find(tablet: TabletId): Promise<KeyValue | undefined> {
    return keyValuesOf(await this.#read({ key: base64(this.#prefix + tablet) }))[0];
  }

  async #read(range: Json): Promise<Json> {
    try {
      return await this.#gateway.call('/v3/kv/range', range, READ_MS);
    } catch (error) {
      if (error instanceof EtcdUnavailable || error instanceof EtcdRefused)
        throw new Fault('Unavailable', error.message, { cause: error });
      throw error;
    }
  }

  #tell(kv: KeyValue): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(toConfiguration(kv));
      } catch (error) {
        this.#logger?.error({ key: kv.key, err: error }, 'a listener of the config store failed');
      }
    }
  }

  #requireOpen(): void {
    if (!this.#open) throw new Fault('Closed', 'the config store is not open: open it first');
  }
}

/** Throws Fault Damaged: somebody else wrote there. */
function toConfiguration({ key, value }: KeyValue): Configuration {
  try {
    return decodeConfiguration(value);
  } catch (cause) {
    throw new Fault(
      'Damaged',
      `etcd's key ${key} holds no configuration: delete it, then run \`penncloud recover\``,
      { cause },
    );
  }
}
