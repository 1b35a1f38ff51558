/**
 * An open RocksDB store with its write queue, which is opened anew after it ran out of room.
 *
 *   open -> full: a write failed for want of room; lookups are answered, writes are refused
 *   full -> reopening -> open: a write came when there was room again; lookups wait meanwhile
 *
 * RocksDB takes no write after one that failed until it is opened again. What it then has is what was on disk:
 * the owner takes it over as after a restart.
 */
import type { Logger } from 'pino';
import { Fault, assert } from '../faults.ts';
import type { Seq, TabletId } from '../words.ts';
import { BatchChain } from './batch-chain.ts';
import { requireRoom } from './room.ts';
import type { RocksBinding } from './rocksdb-binding.ts';
import { closeStore, openStore } from './store-state.ts';
import type { StoreState } from './store-state.ts';
import type { TableLedger } from './table-ledger.ts';
import { WriteQueue } from './write-queue.ts';

export type Open = {
  readonly binding: RocksBinding;
  readonly queue: WriteQueue;
  readonly ledger: TableLedger;
};

export type ReopeningStoreOptions = {
  readonly folder: string;
  readonly logger: Logger | undefined;
  readonly verifiedAtOpeningBytes: number | undefined;
  /** Begins from what was found; the store is open. */
  readonly takeOver: (state: StoreState, open: Open) => Promise<void>;
  /** What readers were told to be applied. */
  readonly told: () => readonly { readonly id: TabletId; readonly applied: Seq }[];
  /** Ends what goes on beside lookups and writes. The binding refuses `after` already. */
  readonly release: { readonly before: () => Promise<void>; readonly after: () => Promise<void> };
};

export class ReopeningStore {
  readonly #options: ReopeningStoreOptions;
  #opened: Open | undefined;
  #full: Fault | undefined;
  #reopening: Promise<void> | undefined;
  #trying: Promise<void> | undefined;

  constructor(options: ReopeningStoreOptions) {
    this.#options = options;
  }

  async open(): Promise<{ condemned: string | undefined }> {
    const { folder, verifiedAtOpeningBytes } = this.#options;
    assert(this.#opened === undefined, `cells in ${folder} are opened twice`);
    const { state, condemned } = await openStore(folder, verifiedAtOpeningBytes);
    await this.#begin(state);
    return { condemned };
  }

  async close(): Promise<void> {
    await this.#trying?.catch(() => undefined);
    this.#full = undefined;
    await this.#end();
  }

  /** The store, for lookups. Throws Fault Closed, or DiskFull while it cannot even be opened. */
  require(): Open {
    if (this.#opened !== undefined) return this.#opened;
    throw (
      this.#full ?? new Fault('Closed', `the cells in ${this.#options.folder} are not open: open them first`)
    );
  }

  /** Set while lookups must wait: then ask `require` again. */
  get reopening(): Promise<void> | undefined {
    return this.#reopening?.catch(() => undefined);
  }

  /** Throws if the store was never opened, or was closed. */
  requireKnown(): void {
    if (this.#full === undefined) this.require();
  }

  /** A write failed for want of room: none is taken before `openAgain`. */
  get isFull(): boolean {
    return this.#full !== undefined || this.#opened?.queue.failure?.code === 'DiskFull';
  }

  /** Rejects with Fault DiskFull as long as there is no room. */
  openAgain(): Promise<void> {
    this.#trying ??= requireRoom(this.#options.folder)
      .then(() => (this.#reopening = this.#reopen().finally(() => (this.#reopening = undefined))))
      .finally(() => (this.#trying = undefined));
    return this.#trying;
  }

  async #reopen(): Promise<void> {
    if (!this.isFull) return;
    const { folder, logger, verifiedAtOpeningBytes, told } = this.#options;
    this.#full ??= this.#opened!.queue.failure;
    await this.#end();
    const { state, condemned } = await openStore(folder, verifiedAtOpeningBytes);
    const found = new Map(state.tablets.map(({ tablet, applied }) => [tablet, applied]));
    const lost = told().find(({ id, applied }) => (found.get(id) ?? 0) < applied);
    if (condemned !== undefined || lost !== undefined) {
      // Tablets that serve must not see cells vanish. With a new process the log builds them again.
      await closeStore(state);
      const reason = condemned ?? `what tablet ${lost!.id} had applied is gone`;
      throw new Fault('DiskFailed', `cells in ${folder}: opened again after a full disk, ${reason}`);
    }
    await this.#begin(state);
    this.#full = undefined;
    logger?.info({ folder }, 'there is room again: the cells take writes');
  }

  async #begin(state: StoreState): Promise<void> {
    const chain = new BatchChain();
    chain.resume(state.chainBase, state.markerSizes);
    const { binding, ledger } = state;
    this.#opened = { binding, ledger, queue: new WriteQueue(binding, chain) };
    await this.#options.takeOver(state, this.#opened);
  }

  async #end(): Promise<void> {
    const open = this.#opened;
    if (open === undefined) return;
    this.#opened = undefined;
    await open.queue.drain();
    await this.#options.release.before();
    await closeStore(open);
    await this.#options.release.after();
  }
}
