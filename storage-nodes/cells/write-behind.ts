/**
 * Cells that are written, and not in RocksDB yet. They are held here for a moment, so that one atomic
 * batch carries what all tablets wrote in it (a round), and a cell written again meanwhile goes only once:
 *
 *   visible = RocksDB after the rounds that have completed + `running` + `waiting`, the later one wins
 *
 * A reader looks here before it asks RocksDB. What is here when the process dies is applied again from the
 * log: RocksDB then holds an earlier, whole state, and the applied indexes in it say which.
 *
 * One round runs at a time, because RocksDB reorders concurrent batches, and each is linked into the batch
 * chain. A failed round stops the rounds for good: a later one would leave a hole below an applied index.
 * What is here then is handed on to the store when it is opened again (`unwritten`).
 */
import type { Fault } from '../faults.ts';
import type { Timers } from '../timers.ts';
import { type BatchChain } from './batch-chain.ts';
import type { Put, RocksBinding } from './rocksdb-binding.ts';

/** How long a write waits for others to join its round: what a kill makes the log apply again. */
const ROUND_MS = 50;
const ROUND_BYTES = 1024 * 1024;
/** With more waiting, writers wait too. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
/** What RocksDB's memory table takes for a record besides key and value, at least. */
const PUT_OVERHEAD_BYTES = 16;

export type Unwritten = { readonly puts: ReadonlyMap<string, Put>; readonly told: readonly (() => void)[] };

export class WriteBehind {
  private readonly binding: RocksBinding;
  private readonly chain: BatchChain;
  private readonly timers: Timers;
  private waiting = new Map<string, Put>();
  private waitingBytes = 0;
  private running = new Map<string, Put>();
  private round: Promise<void> | undefined;
  private cancelTimer: (() => void) | undefined;
  /** Why no write is taken any more. */
  failure: Fault | undefined;
  private waitingTold: (() => void)[] = [];
  private runningTold: (() => void)[] = [];
  /** Number of the last round that completed. */
  completed: number;

  /** `unwritten`: of the one before. */
  constructor(binding: RocksBinding, chain: BatchChain, timers: Timers, unwritten?: Unwritten) {
    this.binding = binding;
    this.chain = chain;
    this.timers = timers;
    this.completed = chain.last;
    for (const [name, put] of unwritten?.puts ?? []) this.put(name, put);
    this.waitingTold = [...(unwritten?.told ?? [])];
  }

  /** Number of the round that what is put now will be part of. */
  get next(): number {
    return this.completed + (this.round ? 2 : 1);
  }

  /** `name` is the key's, among all that are put here. What is put in one turn goes in one round. */
  put(name: string, put: Put): void {
    this.waiting.set(name, put);
    this.waitingBytes += put.key.length + (put.value?.length ?? 0) + PUT_OVERHEAD_BYTES;
  }

  /** Called once all that was put before is in RocksDB. */
  whenWritten(told: () => void): void {
    this.waitingTold.push(told);
  }

  /** What is not in RocksDB, or may not be. */
  unwritten(): Unwritten {
    return {
      puts: new Map([...this.running, ...this.waiting]),
      told: [...this.runningTold, ...this.waitingTold],
    };
  }

  /** Undefined: RocksDB knows. */
  find(name: string): Put | undefined {
    return this.waiting.get(name) ?? this.running.get(name);
  }

  /** Sees to it that a round begins in time. A promise: there is too much, wait for it before the next write. */
  schedule(): Promise<void> | undefined {
    if (this.round === undefined) {
      if (this.waitingBytes >= ROUND_BYTES) this.begin();
      else this.cancelTimer ??= this.timers.after(ROUND_MS, () => this.begin());
    }
    return this.waitingBytes > WAITING_BYTES_MAX ? this.flush() : undefined;
  }

  /** Resolves when all that was put before is in RocksDB. */
  async flush(): Promise<void> {
    const last = this.waiting.size > 0 ? this.next : this.completed + (this.round ? 1 : 0);
    while (this.completed < last && !this.failure) {
      if (!this.round) this.begin();
      await this.round;
    }
    if (this.failure) throw this.failure;
  }

  /** Of all keys that begin with `prefix`, what is not in RocksDB yet. */
  under(prefix: Buffer): Put[] {
    const found: Put[] = [];
    const isUnder = ({ key }: Put): boolean =>
      key.length >= prefix.length && prefix.compare(key, 0, prefix.length) === 0;
    for (const put of this.waiting.values()) if (isUnder(put)) found.push(put);
    for (const [name, put] of this.running) if (isUnder(put) && !this.waiting.has(name)) found.push(put);
    return found;
  }

  /** Flushes unless the rounds have stopped. Requires that nothing is put any more. */
  async close(): Promise<void> {
    await this.flush().catch(() => undefined);
    this.cancelTimer?.();
  }

  private begin(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    if (this.waiting.size === 0 || this.failure) return;
    this.running = this.waiting;
    this.waiting = new Map();
    this.runningTold = this.waitingTold;
    this.waitingTold = [];
    const bytes = this.waitingBytes;
    this.waitingBytes = 0;
    this.round = this.write(bytes);
  }

  private async write(bytes: number): Promise<void> {
    try {
      await this.binding.write([...this.running.values(), ...this.chain.link(bytes)]);
    } catch (error) {
      // What is here stays visible: it is what the log says.
      this.failure = error as Fault;
      this.round = undefined;
      return;
    }
    this.completed = this.chain.last;
    this.running = new Map();
    this.round = undefined;
    for (const told of this.runningTold.splice(0)) told();
    if (this.waiting.size > 0) void this.schedule()?.catch(() => undefined);
  }
}
