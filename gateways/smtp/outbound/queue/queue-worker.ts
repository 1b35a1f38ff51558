/**
 * Works on one queue: claims it, reads what is due, gives each message's recipients to the carrier domain by domain,
 * and reports what came of it.
 *
 * Always holds: an item is in work once; what is read while a report is under way is not taken for news; a message's
 * bytes are read when its turn has come, together with its state, so that what was held or cancelled meanwhile stays;
 * the data of a message is ended only while the lease holds. A worker with nothing to do writes nothing.
 */
import type { Logger } from 'pino';
import { readQueuedItem, type QueuedItem } from '../../../../projections/outbound.ts';
import { itemStateCell } from '../../../../projections/outbound-keys.ts';
import type { StoreClient } from '../../../../storage-nodes/client/client.ts';
import { Fault } from '../../../../storage-nodes/faults.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { Carrier } from '../transport/carrier.ts';
import { AHEAD_MAX, DueItems } from './due-items.ts';
import { QueueLease } from './lease.ts';
import { Letters } from './letters.ts';
import { NoticeWriter } from './notice-writer.ts';
import { Reports } from './reports.ts';
import { afterTry, type RetryTimes, type Tried } from './retry-times.ts';
import { Round } from './round.ts';
import { NotOurs } from '../transport/session.ts';
import type { Signer } from '../signing/signer.ts';
import { unanswered } from '../transport/verdict.ts';

export type QueueWorkerOptions = {
  readonly store: StoreClient;
  readonly queue: string;
  /** Unique to this run of this process. */
  readonly worker: string;
  readonly carrier: Carrier;
  readonly signer: Signer;
  readonly budget: ByteBudget;
  readonly times: RetryTimes;
  readonly ownName: string;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly logger: Logger;
};

const READ_AT_ONCE = 50;
/** Between two looks: what changes within it is one look. */
const LOOK_MS = 10;
/** The same while there is work, and with much of it: its own reports wake it all the time. */
const BUSY_LOOK_MS = 50;
const MUCH_WORK_LOOK_MS = 250;
const FAULT_MS = 1000;
const UNREADABLE = unanswered(
  '',
  'This system could not read or sign the message: its log says why.',
  '4.3.0',
);

export class QueueWorker {
  readonly #options: QueueWorkerOptions;
  readonly #lease: QueueLease;
  readonly #reports: Reports;
  readonly #letters: Letters;
  readonly #due: DueItems;
  readonly #inWork = new Map<string, QueuedItem>();
  #isWoken = false;
  #wake: () => void = () => {};
  readonly #leaving = new AbortController();
  #isLate = false;
  #running: Promise<void> | undefined;

  constructor(options: QueueWorkerOptions) {
    const { store, queue, worker, leaseMs, signer, budget, times, ownName, logger } = options;
    this.#options = options;
    this.#lease = new QueueLease({ store, queue, worker, ms: leaseMs });
    this.#due = new DueItems(store, queue);
    this.#letters = new Letters({ store, queue, signer, budget });
    const writer = new NoticeWriter({ store, queue, times, ownName, items: this.#inWork });
    const notices = writer.write.bind(writer);
    this.#reports = new Reports({ store, queue, worker, lease: this.#lease, notices, logger });
  }

  get #isStopping(): boolean {
    return this.#leaving.signal.aborted;
  }

  get inWork(): number {
    return this.#inWork.size;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Something may be due. */
  wake(): void {
    this.#isWoken = true;
    this.#wake();
  }

  /** Lets what is on its way finish; after `withinMs` what is not ended is not ended any more. */
  async stop(withinMs: number): Promise<void> {
    this.#leaving.abort();
    this.wake();
    const late = setTimeout(() => (this.#isLate = true), withinMs);
    const end = performance.now() + withinMs;
    while (this.#inWork.size > 0 && performance.now() < end) {
      this.#reports.flush();
      await pause(LOOK_MS);
    }
    clearTimeout(late);
    this.#isLate = true;
    await this.#running;
    this.#reports.end();
    await this.#lease.release().catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (!this.#isStopping || (this.#inWork.size > 0 && !this.#isLate)) {
      this.#isWoken = false;
      let waitMs = FAULT_MS;
      try {
        waitMs = await this.#look();
      } catch (error) {
        const { logger, queue } = this.#options;
        logger.warn({ err: error, queue }, 'a queue could not be read; it is read again');
      }
      await this.#sleep(Math.max(LOOK_MS, waitMs));
    }
  }

  async #sleep(ms: number): Promise<void> {
    const until = performance.now() + ms;
    // Also a burst of wakes leaves a moment between two looks.
    await pause(this.#gapMs());
    if (this.#isWoken || performance.now() >= until) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, until - performance.now());
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }

  #gapMs(): number {
    if (this.#inWork.size === 0 || this.#isStopping) return LOOK_MS;
    return this.#inWork.size < AHEAD_MAX / 2 ? BUSY_LOOK_MS : MUCH_WORK_LOOK_MS;
  }

  /** Takes up what is due; resolves with how long nothing will be, in ms. */
  async #look(): Promise<number> {
    const { pollMs, leaseMs } = this.#options;
    const renewMs = Math.min(pollMs, leaseMs / 4);
    if (this.#inWork.size > 0 && !this.#lease.isFresh) await this.#lease.claim();
    if (this.#isStopping || this.#inWork.size >= AHEAD_MAX) return renewMs;
    const before = new Map(this.#inWork);
    const { ids, nextAt } = await this.#due.next(before);
    if (ids.length === 0) {
      const idleMs = nextAt === undefined ? pollMs : Math.max(0, Math.min(pollMs, nextAt - Date.now()));
      return this.#inWork.size > 0 ? Math.min(renewMs, idleMs) : idleMs;
    }
    if (!this.#lease.isFresh && !(await this.#lease.claim())) return Math.min(pollMs, FAULT_MS);
    // Read after the claim: before it, another worker may have been at work.
    const items = await this.#states(ids);
    for (const item of items) if (!before.has(item.id) && !this.#inWork.has(item.id)) void this.#work(item);
    return items.length > 0 ? 0 : FAULT_MS;
  }

  async #states(ids: readonly string[]): Promise<QueuedItem[]> {
    const { store, queue } = this.#options;
    const items: QueuedItem[] = [];
    for (let at = 0; at < ids.length; at += READ_AT_ONCE) {
      const gets = ids.slice(at, at + READ_AT_ONCE).map((id) => ({ get: itemStateCell(queue, id) }));
      const { results } = await store.read(queue, gets);
      const cells = results.flatMap(([cell]) => (cell === undefined ? [] : [cell]));
      items.push(...(await Promise.all(cells.map(async (cell) => readQueuedItem(await store.bytes(cell))))));
    }
    return items;
  }

  async #work(item: QueuedItem): Promise<void> {
    this.#inWork.set(item.id, item);
    const now = Date.now();
    const domains = new Map<string, number[]>();
    item.recipients.forEach(({ to, state, retryAt }, i) => {
      if (state !== 'waiting' || (retryAt ?? 0) > now) return;
      const domain = to.slice(to.lastIndexOf('@') + 1).toLowerCase();
      domains.set(domain, [...(domains.get(domain) ?? []), i]);
    });
    const round = new Round(domains.size);
    await Promise.all(
      [...domains].map(([domain, recipients]) => this.#deliver(item, domain, recipients, round)),
    );
    this.#inWork.delete(item.id);
    this.#letters.forget(item.id);
    this.wake();
  }

  async #deliver(
    item: QueuedItem,
    domain: string,
    recipients: readonly number[],
    round: Round,
  ): Promise<void> {
    const { carrier, times, logger, queue } = this.#options;
    const given: { back: () => void } = { back: () => {} };
    const answered = once(() => round.answered());
    // Not one that was lost and had again: what another worker did in between is not known here.
    const token = this.#lease.token;
    const mayEnd = () => this.#lease.token === token && this.#lease.holds && !this.#isLate;
    try {
      const letter = async () => {
        if (!mayEnd() || this.#isStopping) throw new NotOurs('this worker leaves the queue');
        const { bytes, from, to, giveBack } = await this.#letters.take(item, domain, recipients);
        given.back = once(giveBack);
        return { bytes, from, to, mayEnd };
      };
      const to = { domain, account: item.account, recipients: recipients.length };
      const carried = await carrier.carry(to, letter).catch(async (error: unknown) => {
        if (error instanceof NotOurs) return undefined;
        logger.error({ err: error, queue, item: item.id }, 'a message could not be brought on its way');
        // Not at once again, for it may be this process that cannot.
        await pause(this.#isStopping ? 0 : FAULT_MS);
        // While the store is away it just stays due. Anything else is told as any other failure is, and ends.
        const isAway = error instanceof Fault && Date.now() < item.queuedAt + times.giveUp;
        return isAway ? undefined : recipients.map(() => UNREADABLE);
      });
      given.back();
      if (carried === undefined) return;
      const now = Date.now();
      const { id, queuedAt } = item;
      const tried = recipients.map((to, i) => ({
        to,
        ...afterTry(carried[i]!, item.recipients[to]!, { queuedAt, now, times, random: Math.random() }),
      }));
      answered();
      const isTold = (one: Tried) => one.verdict.outcome === 'failed' || one.isDelayTold;
      const [told, others] = [tried.filter(isTold), tried.filter((one) => !isTold(one))];
      await Promise.all([
        others.length > 0 && this.#reports.add({ id, tried: others }),
        told.length > 0 &&
          round.others(this.#leaving.signal).then(() => this.#reports.add({ id, tried: told })),
      ]);
    } finally {
      given.back();
      answered();
    }
  }
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
