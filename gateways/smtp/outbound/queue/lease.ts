/**
 * The lease of a queue: whose worker's it is, for how long, by this process's own monotonic clock, counted from the
 * moment at which it was asked for. So it ends here no later than in the log's time, and a worker that stood still
 * knows that it has been replaced before it ends what it began.
 */
import { randomUUID } from 'node:crypto';
import { Rejected, type StoreClient } from '../../../../storage-nodes/client/client.ts';

const COMMAND_LIFE_MS = 60_000;
/** What is begun with less than this left might end too late. */
const MARGIN = 0.1;

export class QueueLease {
  readonly #store: StoreClient;
  readonly #queue: string;
  readonly #worker: string;
  readonly #ms: number;
  #token: number | undefined;
  #lastToken: number | undefined;
  #until = 0;

  constructor(options: { store: StoreClient; queue: string; worker: string; ms: number }) {
    this.#store = options.store;
    this.#queue = options.queue;
    this.#worker = options.worker;
    this.#ms = options.ms;
  }

  /** Undefined: it was never this worker's, or is no more. */
  get token(): number | undefined {
    return this.#token;
  }

  /** Of the last claim, also when it was lost. */
  get lastToken(): number | undefined {
    return this.#lastToken;
  }

  /** Whether an effect may still be had in its name. */
  get holds(): boolean {
    return this.#token !== undefined && performance.now() < this.#until - this.#ms * MARGIN;
  }

  get isFresh(): boolean {
    return this.#token !== undefined && performance.now() < this.#until - this.#ms / 2;
  }

  /** Asks for it, or for more of it. False: another worker has it. Rejects with the store's faults. */
  async claim(): Promise<boolean> {
    const asked = performance.now();
    try {
      const { reply } = await this.#store.execute(
        this.#command('outbound.ClaimQueue', { worker: this.#worker, ms: this.#ms }, 'work on a queue'),
        { deadlineMs: this.#ms },
      );
      this.#token = this.#lastToken = (reply as { token: number }).token;
      this.#until = asked + this.#ms;
      return true;
    } catch (error) {
      if (!(error instanceof Rejected) || error.rejection.code !== 'ClaimedByAnother') throw error;
      this.lost();
      return false;
    }
  }

  lost(): void {
    this.#token = undefined;
  }

  async release(): Promise<void> {
    if (this.#token === undefined) return;
    const data = { worker: this.#worker, token: this.#token };
    this.lost();
    await this.#store.execute(this.#command('outbound.ReleaseQueue', data, 'leave a queue'), {
      deadlineMs: 2000,
    });
  }

  #command(type: string, data: unknown, action: string) {
    const expiresAt = Date.now() + COMMAND_LIFE_MS;
    const id = randomUUID();
    return { id, expiresAt, stream: this.#queue, type, data, parts: [], actor: 'smtp', session: '', action };
  }
}
