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

/** By group (a generation of a tablet; the store's own records are a group too), and in it by name. */
type Puts = Map<number, Map<string, Put>>;

/** What one round writes. */
class Round {
  readonly groups: Puts = new Map();
  readonly told: (() => void)[] = [];
  bytes = 0;

  put(group: number, name: string, put: Put): void {
    let puts = this.groups.get(group);
    if (!puts) this.groups.set(group, (puts = new Map()));
    puts.set(name, put);
    this.bytes += put.key.length + (put.value?.length ?? 0) + PUT_OVERHEAD_BYTES;
  }

  find(group: number, name: string): Put | undefined {
    return this.groups.get(group)?.get(name);
  }

  get isEmpty(): boolean {
    return this.groups.size === 0;
  }

  all(): Put[] {
    return [...this.groups.values()].flatMap((puts) => [...puts.values()]);
  }
}

/** Rounds that did not complete, oldest first. */
export type Unwritten = readonly Round[];

export class WriteBehind {
  private readonly binding: RocksBinding;
  private readonly chain: BatchChain;
  private readonly timers: Timers;
  private waiting = new Round();
  private running = new Round();
  private round: Promise<void> | undefined;
  private cancelTimer: (() => void) | undefined;
  /** Why no write is taken any more. */
  failure: Fault | undefined;
  /** Number of the last round that completed. */
  completed: number;

  /** `unwritten`: of the one before. */
  constructor(binding: RocksBinding, chain: BatchChain, timers: Timers, unwritten?: Unwritten) {
    this.binding = binding;
    this.chain = chain;
    this.timers = timers;
    this.completed = chain.last;
    for (const { groups, told } of unwritten ?? []) {
      for (const [group, puts] of groups) for (const [name, put] of puts) this.put(group, name, put);
      this.waiting.told.push(...told);
    }
  }

  /** Number of the round that what is put now will be part of. */
  get next(): number {
    return this.completed + (this.round ? 2 : 1);
  }

  /** `name` is the key's, among all of its group. What is put in one turn goes in one round. */
  put(group: number, name: string, put: Put): void {
    this.waiting.put(group, name, put);
  }

  /** Called once all that was put before is in RocksDB. */
  whenWritten(told: () => void): void {
    this.waiting.told.push(told);
  }

  /** What is not in RocksDB, or may not be. */
  unwritten(): Unwritten {
    return [this.running, this.waiting];
  }

  /** Undefined: RocksDB knows. */
  find(group: number, name: string): Put | undefined {
    return this.waiting.find(group, name) ?? this.running.find(group, name);
  }

  /** Sees to it that a round begins in time. A promise: there is too much, wait for it before the next write. */
  schedule(): Promise<void> | undefined {
    if (this.round === undefined) {
      if (this.waiting.bytes >= ROUND_BYTES) this.begin();
      else this.cancelTimer ??= this.timers.after(ROUND_MS, () => this.begin());
    }
    return this.waiting.bytes > WAITING_BYTES_MAX ? this.flush() : undefined;
  }

  /** Resolves when all that was put before is in RocksDB. */
  async flush(): Promise<void> {
    const last = !this.waiting.isEmpty ? this.next : this.completed + (this.round ? 1 : 0);
    while (this.completed < last && !this.failure) {
      if (!this.round) this.begin();
      await this.round;
    }
    if (this.failure) throw this.failure;
  }

  /** Of a group's keys that begin with `prefix`, what is not in RocksDB yet. */
  under(group: number, prefix: Buffer): Put[] {
    const found: Put[] = [];
    const isUnder = ({ key }: Put): boolean =>
      key.length >= prefix.length && prefix.compare(key, 0, prefix.length) === 0;
    for (const put of this.waiting.groups.get(group)?.values() ?? []) if (isUnder(put)) found.push(put);
    for (const [name, put] of this.running.groups.get(group) ?? [])
      if (isUnder(put) && !this.waiting.find(group, name)) found.push(put);
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
    if (this.waiting.isEmpty || this.failure) return;
    this.running = this.waiting;
    this.waiting = new Round();
    this.round = this.write(this.running);
  }

  private async write(round: Round): Promise<void> {
    try {
      await this.binding.write([...round.all(), ...this.chain.link(round.bytes)]);
    } catch (error) {
      // What is here stays visible: it is what the log says.
      this.failure = error as Fault;
      this.round = undefined;
      return;
    }
    this.completed = this.chain.last;
    this.running = new Round();
    this.round = undefined;
    for (const told of round.told) told();
    if (!this.waiting.isEmpty) void this.schedule()?.catch(() => undefined);
  }
}
