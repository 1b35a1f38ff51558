/** Puts messages into the queues as an account's entry does, and sees what became of them. */
import { randomBytes } from 'node:crypto';
import { itemIdOf } from '../../domain/outbound/item.ts';
import { accountStream, outboundStream } from '../../domain/streams.ts';
import { readQueuedItem, type QueuedItem } from '../../projections/outbound.ts';
import { itemStateCell } from '../../projections/outbound-keys.ts';
import type { StoreClient } from '../../storage-nodes/client/client.ts';

export type ToQueue = {
  readonly account: string;
  readonly to: readonly string[];
  readonly raw: string | Buffer;
  readonly from?: string;
  /** Default: somebody here wrote it. */
  readonly origin?: 'sent' | 'forward';
  /** One of OUTBOUND_STREAMS; default: any. */
  readonly queue?: string;
};

let asked = 0;

/** The item's id. */
export async function queueMessage(
  store: StoreClient,
  { account, to, raw, from, origin = 'sent', queue }: ToQueue,
): Promise<string> {
  let messageId: string;
  let id: string;
  do {
    messageId = [...randomBytes(26)]
      .map((byte) => 'abcdefghijklmnopqrstuvwxyz234567'.charAt(byte & 31))
      .join('');
    id = itemIdOf({ account, origin, messageId });
  } while (queue !== undefined && outboundStream(id) !== queue);
  const envelope = JSON.stringify({ from: from ?? `${account}@penncloud.test`, to, prepend: '' });
  await store.execute({
    id: `queue-${id}`,
    expiresAt: Date.now() + 60_000,
    stream: outboundStream(id),
    type: 'outbound.QueueMessage',
    data: { id, account, origin, messageId, recipients: to.length },
    parts: [Buffer.from(raw), Buffer.from(envelope)],
    actor: accountStream(account),
    session: '',
    action: 'send a message',
    causation: { tablet: `test-${process.pid}`, seq: ++asked, reaction: 0 },
  });
  return id;
}

/** Undefined: all of its recipients are done. */
export async function itemOf(store: StoreClient, id: string): Promise<QueuedItem | undefined> {
  const queue = outboundStream(id);
  const { results } = await store.read(queue, [{ get: itemStateCell(queue, id) }]);
  const cell = results[0]?.[0];
  return cell === undefined ? undefined : readQueuedItem(await store.bytes(cell));
}

export type Tried = {
  readonly to: number;
  readonly outcome: 'delivered' | 'deferred' | 'failed';
  readonly code: number;
  readonly host: string;
  readonly text: string;
  readonly retryAt?: number;
};

/** Reports tries as a worker does that has claimed the item's queue. */
export async function reportTries(store: StoreClient, id: string, tried: readonly Tried[]): Promise<void> {
  const stream = outboundStream(id);
  const worker = `test-${process.pid}`;
  const command = { expiresAt: Date.now() + 60_000, stream, actor: 'smtp', session: '', action: 'report' };
  const claim = { type: 'outbound.ClaimQueue', data: { worker, ms: 600_000 }, parts: [] };
  const { reply } = await store.execute({ ...command, ...claim, id: `claim-${id}-${++asked}` });
  const { token } = reply as { token: number };
  const tries = tried.map(({ to, outcome, code, retryAt = null }) => ({ id, to, outcome, code, retryAt }));
  const said = JSON.stringify(tried.map(({ host, text }) => ({ host, text })));
  await store.execute({
    ...command,
    id: `tries-${id}-${++asked}`,
    type: 'outbound.RecordAttempts',
    data: { worker, token, tries, notices: [] },
    parts: [Buffer.from(said)],
  });
}
