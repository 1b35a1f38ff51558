/**
 * One writer for all tablets of a node, because RocksDB reorders concurrent batches. Waiting writes are
 * merged, in call order, into one atomic batch a round (group commit), linked into the batch chain.
 *
 *   what readers may see = the rounds that have completed
 *
 * A round is visible inside RocksDB a little before it completes here. A reader whose cells the running
 * round touches therefore takes its snapshot in the gap between two rounds (`inGap`); others need not
 * wait. So a lookup always answers exactly the state of the applied index that stands at its snapshot.
 *
 * A failed batch stops the queue for good: a later write of the same tablet would otherwise leave a hole
 * below its applied index. Opening the store again, which begins another queue, finds out what is on disk.
 */
import type { Fault } from '../faults.ts';
import { type BatchChain } from './batch-chain.ts';
import type { Put, RocksBinding } from './rocksdb-binding.ts';

const ROUND_BYTES_MAX = 4 * 1024 * 1024;

export type WriteJob = {
  readonly puts: readonly Put[];
  readonly bytes: number;
  readonly tablet: object;
  /** Identities of the cells it touches. */
  readonly touches: readonly string[];
  /** Called when the round has completed, in call order, before any reader runs. */
  readonly done: (batch: number) => void;
};

type Waiting = {
  readonly job: WriteJob;
  readonly resolve: () => void;
  readonly reject: (fault: unknown) => void;
};

export class WriteQueue {
  private readonly binding: RocksBinding;
  private readonly chain: BatchChain;
  private waiting: Waiting[] = [];
  private running: Promise<void> | undefined;
  private touched = new Set<string>();
  private tablets = new Set<object>();
  private gapWaiters: (() => void)[] = [];
  /** Why no write is taken any more. */
  failure: Fault | undefined;
  /** Number of the last round that completed. */
  completed: number;

  constructor(binding: RocksBinding, chain: BatchChain) {
    this.binding = binding;
    this.chain = chain;
    this.completed = chain.last;
  }

  /** Resolves when the job's round has completed. */
  write(job: WriteJob): Promise<void> {
    if (this.failure) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.waiting.push({ job, resolve, reject });
      this.running ??= Promise.resolve().then(() => this.rounds());
    });
  }

  /** Resolves when everything written so far has completed or failed. */
  async drain(): Promise<void> {
    while (this.running) await this.running;
  }

  touchesCell(identity: string): boolean {
    return this.touched.has(identity);
  }

  touchesTablet(tablet: object): boolean {
    return this.tablets.has(tablet);
  }

  /** Runs `take` when no round is running; it must take its snapshot before it returns. */
  inGap<T>(take: () => Promise<T>): Promise<T> {
    if (this.touched.size === 0 && this.tablets.size === 0) return take();
    return new Promise<T>((resolve, reject) => {
      this.gapWaiters.push(() => {
        try {
          take().then(resolve, reject);
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }

  private async rounds(): Promise<void> {
    while (this.waiting.length > 0) {
      const round = this.nextRound();
      const puts = round.flatMap(({ job }) => job.puts);
      const bytes = round.reduce((sum, { job }) => sum + job.bytes, 0);
      for (const { job } of round) {
        this.tablets.add(job.tablet);
        for (const identity of job.touches) this.touched.add(identity);
      }
      try {
        for (const put of this.chain.link(bytes)) puts.push(put);
        await this.binding.write(puts);
      } catch (error) {
        this.fail(error as Fault, round);
        return;
      }
      this.completed = this.chain.last;
      for (const { job } of round) job.done(this.completed);
      this.openGap();
      for (const { resolve } of round) resolve();
    }
    this.running = undefined;
  }

  private nextRound(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.waiting.length && (count === 0 || bytes < ROUND_BYTES_MAX))
      bytes += this.waiting[count++]!.job.bytes;
    return this.waiting.splice(0, count);
  }

  private openGap(): void {
    this.touched = new Set();
    this.tablets = new Set();
    const waiters = this.gapWaiters;
    this.gapWaiters = [];
    for (const run of waiters) run();
  }

  private fail(fault: Fault, round: readonly Waiting[]): void {
    this.failure = fault;
    this.running = undefined;
    const rest = this.waiting;
    this.waiting = [];
    this.openGap();
    for (const { reject } of [...round, ...rest]) reject(fault);
  }
}
