/**
 * The config store arbitrates configurations (rule 1). Adapters: `embedded` (the master's own synced
 * store) and, later, etcd; one contract suite (test/contract/config-store.spec.ts) runs on each.
 */
import type { Configuration } from '../replication/configuration.ts';
import type { TabletId } from '../words.ts';

export type CompareAndSet =
  | { readonly outcome: 'stored' }
  /** Someone else's configuration is current; nothing was changed. Undefined: none is stored. */
  | { readonly outcome: 'refused'; readonly current: Configuration | undefined };

export interface ConfigStore {
  open(): Promise<void>;
  close(): Promise<void>;
  all(): Promise<readonly Configuration[]>;
  get(tablet: TabletId): Promise<Configuration | undefined>;
  /**
   * Stores `next` if the tablet's current configuration is exactly its predecessor (by hash; '' if there
   * is none) and next.version = current.version + 1, next.epoch >= current.epoch. Storing what is already
   * current answers 'stored' (a retry of an ambiguous call). Durable when it resolves; a rejection by
   * exception means ambiguous.
   */
  compareAndSet(next: Configuration): Promise<CompareAndSet>;
  /** Called with each newly stored configuration. Returns how to stop. */
  watch(listener: (configuration: Configuration) => void): () => void;
}
