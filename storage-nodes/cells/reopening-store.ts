/**
 * An open RocksDB store with what is on its way there, which is opened anew after it ran out of room.
 *
 *   open -> full: a write failed for want of room; lookups are answered, writes are refused
 *   full -> reopening -> open: a write came when there was room again; lookups wait meanwhile
 *
 * RocksDB takes no write after one that failed until it is opened again. What it then has is what had been
 * written; what readers have seen beyond that is kept in memory meanwhile, and written then.
 */
import type { Logger } from 'pino';
import { Fault, assert } from '../faults.ts';
import type { Timers } from '../timers.ts';
import type { Seq, TabletId } from '../words.ts';
import { BatchChain } from './batch-chain.ts';
import { requireRoom } from './room.ts';
import type { RocksBinding } from './rocksdb-binding.ts';
import { closeStore, openStore } from './store-state.ts';
import type { StoreState } from './store-state.ts';
import type { TableLedger } from './table-ledger.ts';
import { WriteBehind, type Unwritten } from './write-behind.ts';

export type Open = {
  readonly binding: RocksBinding;
  readonly behind: WriteBehind;
  readonly ledger: TableLedger;
};

export type ReopeningStoreOptions = {
  readonly folder: string;
  readonly logger: Logger | undefined;
  readonly form: number;
  readonly verifiedAtOpeningBytes: number | undefined;
  readonly timers: Timers;
  /** Begins from what was found; the store is open. */
  readonly takeOver: (state: StoreState, open: Open) => Promise<void>;
  /** The store is open again, and has what it had. */
  readonly goOn: (open: Open) => void;
  /** What was written to RocksDB. */
  readonly written: () => readonly { readonly id: TabletId; readonly applied: Seq }[];
  /** Ends what goes on beside lookups and writes. The binding refuses `after` already. */
  readonly release: { readonly before: () => Promise<void>; readonly after: () => Promise<void> };
};

export class ReopeningStore {
  readonly #options: ReopeningStoreOptions;
  #opened: Open | undefined;
  #full: Fault | undefined;
  /** While it is not open: what it has missed. */
  #unwritten: Unwritten | undefined;
  #reopening: Promise<void> | undefined;
  #trying: Promise<void> | undefined;

  constructor(options: ReopeningStoreOptions) {
    this.#options = options;
  }

  async open(): Promise<{ condemned: string | undefined }> {
    const { folder, form, verifiedAtOpeningBytes } = this.#options;
    assert(this.#opened === undefined, `cells in ${folder} are opened twice`);
    const { state, condemned } = await openStore(folder, form, verifiedAtOpeningBytes);
    await this.#options.takeOver(state, this.#begin(state));
    return { condemned };
  }

  async close(): Promise<void> {
    await this.#trying?.catch(() => undefined);
    this.#full = undefined;
    this.#unwritten = undefined;
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
    return this.#full !== undefined || this.#opened?.behind.failure?.code === 'DiskFull';
  }

  /** The store, for a write. Throws what keeps it from taking one; if that is want of room, it is tried to open it again. */
  forWriting(): Open {
    if (this.isFull) {
      const full = this.#full ?? this.#opened!.behind.failure!;
      this.openAgain().catch(() => undefined);
      throw full;
    }
    const open = this.require();
    if (open.behind.failure) throw open.behind.failure;
    return open;
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
    const { folder, form, logger, verifiedAtOpeningBytes, goOn, written } = this.#options;
    this.#full ??= this.#opened!.behind.failure;
    this.#unwritten ??= this.#opened!.behind.unwritten();
    await this.#end();
    const { state, condemned } = await openStore(folder, form, verifiedAtOpeningBytes);
    const found = new Map(state.tablets.map(({ tablet, applied }) => [tablet, applied]));
    const lost = written().find(({ id, applied }) => (found.get(id) ?? 0) < applied);
    if (condemned !== undefined || lost !== undefined) {
      // Tablets that serve must not see cells vanish. With a new process the log builds them again.
      await closeStore(state);
      const reason = condemned ?? `what tablet ${lost!.id} had written is gone`;
      throw new Fault('DiskFailed', `cells in ${folder}: opened again after a full disk, ${reason}`);
    }
    const open = this.#begin(state);
    this.#full = undefined;
    this.#unwritten = undefined;
    goOn(open);
    void open.behind.schedule()?.catch(() => undefined);
    logger?.info({ folder }, 'there is room again: the cells take writes');
  }

  #begin(state: StoreState): Open {
    const { binding, ledger } = state;
    const chain = new BatchChain();
    chain.resume(state.chainBase, state.markerSizes);
    const behind = new WriteBehind(binding, chain, this.#options.timers, this.#unwritten);
    return (this.#opened = { binding, ledger, behind });
  }

  async #end(): Promise<void> {
    const open = this.#opened;
    if (open === undefined) return;
    this.#opened = undefined;
    await open.behind.close();
    await this.#options.release.before();
    await closeStore(open);
    await this.#options.release.after();
  }
}
