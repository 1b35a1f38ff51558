/** Puts messages into the queues as an account's entry does, and sees what became of them. */
import { randomBytes } from 'node:crypto';
import { accountStream, outboundStream } from '../../domain/streams.ts';
import { readQueuedItem, type QueuedItem } from '../../projections/outbound.ts';
import { itemStateCell } from '../../projections/outbound-keys.ts';
import type { StoreClient } from '../../storage-nodes/client/client.ts';

export type ToQueue = {
  readonly account: string;
  readonly to: readonly string[];
  readonly raw: string | Buffer;
  readonly from?: string;
};

let asked = 0;

/** The item's id. */
export async function queueMessage(store: StoreClient, { account, to, raw, from }: ToQueue): Promise<string> {
  const id = [...randomBytes(26)]
    .map((byte) => 'abcdefghijklmnopqrstuvwxyz234567'.charAt(byte & 31))
    .join('');
  const envelope = JSON.stringify({ from: from ?? `${account}@penncloud.test`, to, prepend: '' });
  await store.execute({
    id: `queue-${id}`,
    expiresAt: Date.now() + 60_000,
    stream: outboundStream(id),
    type: 'outbound.QueueMessage',
    data: { id, account, origin: 'sent', messageId: id, recipients: to.length },
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
