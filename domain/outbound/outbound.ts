/**
 * The queues of mail to other systems (decision 0029): sixteen streams, each with its items and the lease of the
 * worker that carries them out. What it leaves out: the carrying itself, which is a gateway's, and what the sender
 * sees, which is the account's.
 */
import type { DomainArea, EventHandler } from '../decider.ts';
import { attemptsRecorded, recordAttempts } from './attempts.ts';
import { changeItem, itemChanged } from './change-item.ts';
import { claimQueue, queueClaimed, queueReleased, releaseQueue } from './claims.ts';
import type { OutboundEvent } from './events.ts';
import { messageQueued, queueMessage } from './queue-message.ts';

export function createOutbound(limits: { readonly messageBytesMax: number }): DomainArea {
  return {
    commands: {
      'outbound.QueueMessage': queueMessage(limits.messageBytesMax),
      'outbound.ClaimQueue': claimQueue,
      'outbound.ReleaseQueue': releaseQueue,
      'outbound.RecordAttempts': recordAttempts(limits.messageBytesMax),
      'outbound.ChangeItem': changeItem,
    },
    events: outboundEvents,
  };
}

const outboundEvents: { readonly [Type in OutboundEvent['type']]: EventHandler } = {
  'outbound.MessageQueued': messageQueued,
  'outbound.QueueClaimed': queueClaimed,
  'outbound.QueueReleased': queueReleased,
  'outbound.AttemptsRecorded': attemptsRecorded,
  'outbound.ItemChanged': itemChanged,
};
