/**
 * Takes mail to other systems: a worker for each of the sixteen queues, one carrier for all of them. It hears of new work
 * by the store's notices and, since those may get lost, looks by itself every few seconds.
 */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { OUTBOUND_STREAMS } from '../../../domain/streams.ts';
import type { StoreClient } from '../../../storage-nodes/client/client.ts';
import type { CommitNotice } from '../../../storage-nodes/client/notices.ts';
import { ByteBudget, type BudgetLimits } from './queue/byte-budget.ts';
import { Carrier, type CarrierOptions } from './transport/carrier.ts';
import { QueueWorker } from './queue/queue-worker.ts';
import type { RetryTimes } from './queue/retry-times.ts';
import { Signer } from './signing/signer.ts';

export type OutboundOptions = {
  readonly store: StoreClient;
  readonly notices: { onCommitted(listener: (notice: CommitNotice) => void): () => void };
  readonly id: string;
  readonly carrier: CarrierOptions;
  readonly times: RetryTimes;
  readonly domains: readonly string[];
  /** Where the signing keys lie. */
  readonly keyFolder: string;
  readonly drainMs: number;
  readonly logger: Logger;
  readonly leaseMs?: number;
  readonly pollMs?: number;
  readonly inMemory?: BudgetLimits;
};

export type Outbound = {
  /** Messages in work. */
  readonly load: () => number;
  /** Lets what is on its way finish, and leaves the queues to others. */
  readonly stop: () => Promise<void>;
};

/** So long do others wait for the queues of a worker that died. */
const LEASE_MS = 15_000;
const POLL_MS = 5_000;
const MIB = 1024 * 1024;
const IN_MEMORY: BudgetLimits = {
  long: 128 * MIB,
  short: 32 * MIB,
  shortMax: MIB / 4,
  perDomain: 1 / 4,
  perAccount: 1 / 2,
};

export function startOutbound(options: OutboundOptions): Outbound {
  const { store, notices, id, times, domains, keyFolder, drainMs, logger } = options;
  const carrier = new Carrier(options.carrier);
  const shared = {
    store,
    carrier,
    times,
    logger,
    worker: `${id}.${randomBytes(6).toString('hex')}`,
    signer: new Signer({ folder: keyFolder, domains, resolver: carrier.resolver, logger }),
    budget: new ByteBudget(options.inMemory ?? IN_MEMORY),
    ownName: options.carrier.ownName,
    leaseMs: options.leaseMs ?? LEASE_MS,
    pollMs: options.pollMs ?? POLL_MS,
  };
  const workers = OUTBOUND_STREAMS.map((queue) => ({ queue, worker: new QueueWorker({ ...shared, queue }) }));
  const stopListening = notices.onCommitted(({ rows }) => {
    for (const { queue, worker } of workers)
      if (rows.length === 0 || rows.some((row) => row === queue || row.startsWith(`${queue}/`)))
        worker.wake();
  });
  for (const { worker } of workers) worker.start();
  return {
    load: () => workers.reduce((sum, { worker }) => sum + worker.inWork, 0),
    async stop() {
      stopListening();
      await Promise.all(workers.map(({ worker }) => worker.stop(drainMs)));
      carrier.close();
    },
  };
}
