/**
 * What came of tries goes back to the queue in batches: a hundred tries, or those of 50 ms, in one entry, with the
 * notices to their senders. One report of a queue is under way at a time.
 *
 * Always holds: a report is given up only when the queue is another worker's, or when this worker ends; deliveries are
 * reported even then, in the name of the claim that was lost. What a server took and nobody wrote down is sent again,
 * to everybody in the batch, and so any patience is worth it: while the store is away, or the notices cannot be made,
 * it is tried again; what the store refuses goes without company, and in the end without notices and words.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { encodeSummary } from '../../../../domain/mail/message/summary.ts';
import { NOTICES_MAX, TRIES_MAX } from '../../../../domain/outbound/attempts.ts';
import { encodeSaid } from '../../../../domain/outbound/said.ts';
import { Rejected, type StoreClient } from '../../../../storage-nodes/client/client.ts';
import type { QueueLease } from './lease.ts';
import type { WrittenNotice } from './notice-writer.ts';
import type { Report } from './retry-times.ts';

const GATHER_MS = 50;
const REPEAT_MS = 500;
const PATIENCE_MS = 10 * 60_000;
const UNSAID = { host: '', text: '' };

export type ReportsOptions = {
  readonly store: StoreClient;
  readonly queue: string;
  readonly worker: string;
  readonly lease: QueueLease;
  /** Writes the notices that a batch asks for. */
  readonly notices: (reports: readonly Report[]) => Promise<readonly WrittenNotice[]>;
  readonly logger: Logger;
};

type Waiting = { readonly report: Report; readonly recorded: () => void };

export class Reports {
  readonly #options: ReportsOptions;
  #waiting: Waiting[] = [];
  #tries = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending = Promise.resolve();
  #isOver = false;

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  /** Resolves when the store has it, or will not take it any more. */
  add(report: Report): Promise<void> {
    return new Promise((recorded) => {
      this.#waiting.push({ report, recorded });
      this.#tries += report.tried.length;
      if (this.#tries >= TRIES_MAX) this.flush();
      else this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
    });
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending = this.#sending.then(async () => {
      while (this.#waiting.length > 0) await this.#send(this.#batch());
    });
  }

  /** As many as fit; an item's tries with one domain stay together. */
  #batch(): Waiting[] {
    const batch: Waiting[] = [];
    let tries = 0;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      tries += next.report.tried.length;
      if (batch.length > 0 && tries > TRIES_MAX) break;
      batch.push(next);
      this.#waiting.shift();
      this.#tries -= next.report.tried.length;
    }
    return batch;
  }

  /** What is not recorded by now is not recorded any more. */
  end(): void {
    this.#isOver = true;
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    await this.#brought(batch.map(({ report }) => report));
    for (const { recorded } of batch) recorded();
  }

  async #brought(reports: readonly Report[], isBare = false): Promise<void> {
    const { logger, queue, lease } = this.#options;
    while (!this.#isOver) {
      const token = lease.lastToken;
      if (token === undefined) return;
      try {
        return await this.#record(reports, token, isBare);
      } catch (error) {
        logger.error({ err: error, queue, reports: reports.length }, 'a report of deliveries was not taken');
        if (!(error instanceof Rejected)) await pause();
        else if (error.rejection.code === 'ClaimLost') return lease.lost();
        else if (reports.length > 1) {
          for (const one of reports) await this.#brought([one]);
          return;
        } else if (isBare) return;
        else isBare = true;
      }
    }
  }

  /** `isBare`: without notices, and without what servers said. */
  async #record(reports: readonly Report[], token: number, isBare: boolean): Promise<void> {
    const { store, queue, worker, notices } = this.#options;
    const tries = reports.flatMap(({ id, tried }) =>
      tried.map(({ to, verdict, retryAt, isDelayTold }) => ({
        id,
        to,
        outcome: verdict.outcome,
        code: verdict.code,
        retryAt,
        ...(isDelayTold && { isDelayTold }),
      })),
    );
    const said = reports.flatMap(({ tried }) => tried.map(({ verdict }) => (isBare ? UNSAID : verdict)));
    const written = isBare ? [] : (await notices(reports)).slice(0, NOTICES_MAX);
    const beside = written.flatMap(({ raw, digest }) => [raw, encodeSummary(digest.summary), digest.words]);
    const command = {
      id: randomUUID(),
      expiresAt: Date.now() + PATIENCE_MS,
      stream: queue,
      type: 'outbound.RecordAttempts',
      data: {
        worker,
        token,
        tries,
        notices: written.map(({ id, digest }, i) => ({ id, part: 1 + 3 * i, ids: digest.ids })),
      },
      parts: [encodeSaid(said), ...beside],
      actor: 'smtp',
      session: '',
      action: 'report deliveries',
    };
    const patience = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        await store.execute(command);
        return;
      } catch (error) {
        if (error instanceof Rejected || performance.now() > patience || this.#isOver) throw error;
        await pause();
      }
    }
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, REPEAT_MS));
}
