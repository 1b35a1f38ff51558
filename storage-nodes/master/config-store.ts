/**
 * The config store arbitrates configurations (rule 1). Adapters: `embedded` (the master's own synced
 * file) and `etcd`; one contract suite (test/contract/config-store.spec.ts) runs on each. Whether the
 * store is behind what nodes hold (rule 9) is the master's question, not the store's.
 */
import type { Configuration } from '../replication/configuration.ts';
import type { TabletId } from '../words.ts';

export type CompareAndSet =
  | { readonly outcome: 'stored' }
  /** Someone else's configuration is current; nothing was changed. Undefined: none is stored. */
  | { readonly outcome: 'refused'; readonly current: Configuration | undefined }
  /** It may be stored, now or later: the same call may be repeated until its answer is certain. */
  | { readonly outcome: 'ambiguous'; readonly reason: string }
  /** Certain that this call changed nothing and will change nothing. */
  | { readonly outcome: 'unsent'; readonly reason: string };

export interface ConfigStore {
  open(): Promise<void>;
  close(): Promise<void>;
  /** Linearizable, like `get`. Both reject with Fault Unavailable while the store is out of reach. */
  all(): Promise<readonly Configuration[]>;
  get(tablet: TabletId): Promise<Configuration | undefined>;
  /**
   * Stores `next` if the tablet's current configuration is exactly its predecessor (by hash; '' if there
   * is none). Storing what is already current answers 'stored' (a retry of an ambiguous call). Durable
   * when 'stored'. Rejects with Fault Malformed, and stores nothing, if `next` breaks a rule of
   * configuration-rules.ts.
   */
  compareAndSet(next: Configuration): Promise<CompareAndSet>;
  /**
   * An operator's recovery (rule 9): stores `next`, which need not be a successor, if the tablet's
   * configuration is exactly `current`. Answers like compareAndSet.
   */
  replace(next: Configuration, current: Configuration | undefined): Promise<CompareAndSet>;
  /**
   * Called with each newly stored configuration, a tablet's in the order of storing. A store that others
   * write to may tell late, tell again what is current, and leave out some that were replaced meanwhile.
   * Returns how to stop.
   */
  watch(listener: (configuration: Configuration) => void): () => void;
}
