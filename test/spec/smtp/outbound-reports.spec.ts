/** Reports of deliveries on their way into the store, which is in memory and away now and then; the domain is the real one. */
import pino from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../../gateways/message/digest.ts';
import { QueueLease } from '../../../gateways/smtp/outbound/queue/lease.ts';
import { Reports, type ReportsOptions } from '../../../gateways/smtp/outbound/queue/reports.ts';
import type { Report } from '../../../gateways/smtp/outbound/queue/retry-times.ts';
import { impossible, verdictOfReply } from '../../../gateways/smtp/outbound/transport/verdict.ts';
import { Rejected, type CommandRequest, type StoreClient } from '../../../storage-nodes/client/client.ts';
import { LIMITS } from '../in-memory-shell.ts';
import { Queue } from '../outbound-queue.ts';

const DELIVERED = {
  verdict: verdictOfReply('250 2.0.0 kept', 'mx.far.example'),
  retryAt: null,
  isDelayTold: false,
};
const FAILED = {
  verdict: impossible('There is no such domain.', '5.1.2'),
  retryAt: null,
  isDelayTold: false,
};
const tried = (queue: Queue, ...outcomes: (typeof DELIVERED)[]): Report => ({
  id: queue.itemId,
  tried: outcomes.map((one, to) => ({ ...one, to })),
});

let reports: Reports | undefined;
afterEach(() => reports?.end());

/** A worker that has claimed the queue. `faults`: so many commands get no answer. */
async function worker(queue: Queue, notices: ReportsOptions['notices'], faults = 0) {
  let left = faults;
  const store = {
    async execute(command: CommandRequest) {
      if (command.type === 'outbound.RecordAttempts' && left-- > 0) throw new Error('no node answers');
      const outcome = queue.shell.execute({ ...command, data: structuredClone(command.data) });
      if ('rejection' in outcome) throw new Rejected(outcome.rejection);
      return { tablet: 't', seq: 1, time: queue.shell.time, reply: outcome.reply };
    },
  } as unknown as StoreClient;
  const options = { store, queue: queue.stream, worker: 'one' };
  const lease = new QueueLease({ ...options, ms: 60_000 });
  await lease.claim();
  reports = new Reports({ ...options, lease, notices, logger: pino({ level: 'silent' }) });
  return { reports, lease };
}

describe('a report of what a server took', () => {
  it('is brought although the notice beside it could not be made at first', async () => {
    const queue = new Queue();
    queue.queue();
    let asked = 0;
    const made = await worker(queue, async () => {
      if (++asked <= 2) throw new Error('no node answers');
      return [];
    });
    await made.reports.add(tried(queue, DELIVERED, FAILED));
    expect(queue.item()).toBeUndefined();
  });

  it('is brought although the store was away', async () => {
    const queue = new Queue();
    queue.queue();
    const made = await worker(queue, async () => [], 2);
    await made.reports.add(tried(queue, DELIVERED));
    expect(queue.states()).toEqual(['delivered', 'waiting']);
  });

  it('is brought although a notice beside it is refused', async () => {
    const queue = new Queue();
    queue.queue();
    const raw = Buffer.alloc(LIMITS.messageBytesMax + 1, 'x');
    const digest = await digestOf(Buffer.from('Subject: x\r\n\r\n'));
    const made = await worker(queue, async () => [{ id: queue.itemId, raw, digest }]);
    // Of two domains, in one batch.
    const [first, second] = [tried(queue, DELIVERED), tried(queue, DELIVERED, FAILED)];
    await Promise.all([
      made.reports.add(first),
      made.reports.add({ ...second, tried: second.tried.slice(1) }),
    ]);
    expect(queue.item()).toBeUndefined();
    expect(made.lease.token).toBe(1);
  });

  it('is brought although the queue is another worker’s, so that this one does not send it again', async () => {
    const queue = new Queue();
    queue.queue();
    const made = await worker(queue, async () => []);
    queue.do('ReleaseQueue', { worker: 'one', token: 1 });
    queue.claim('two');
    // As it finds at its next look, before it has reported anything.
    made.lease.lost();
    await made.reports.add(tried(queue, DELIVERED, FAILED));
    expect(queue.states()).toEqual(['delivered', 'waiting']);
    await made.reports.add({ ...tried(queue), tried: [{ ...DELIVERED, to: 1 }] });
    expect(queue.item()).toBeUndefined();
  });

  it('ends when the queue is another worker’s, and with its worker', async () => {
    const queue = new Queue();
    queue.queue();
    const made = await worker(queue, async () => []);
    queue.do('ReleaseQueue', { worker: 'one', token: 1 });
    queue.claim('two');
    await made.reports.add(tried(queue, FAILED));
    expect(made.lease.token).toBeUndefined();
    expect(queue.states()).toEqual(['waiting', 'waiting']);

    const away = await worker(new Queue(2), async () => [], Infinity);
    const given = away.reports.add(tried(queue, DELIVERED));
    away.reports.end();
    await given;
  });
});
