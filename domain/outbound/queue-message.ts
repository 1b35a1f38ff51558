/**
 * A message joins the queue of its id. Only an account's own entry asks for that, as its reaction, so that nothing
 * leaves here that no account's log promises.
 */
import type { CommandHandler, EventHandler } from '../decider.ts';
import { checkAccountName } from '../account/names.ts';
import { fieldsOf, matching, parsed, partAtMost, partsAre, refuse, whole } from '../fields.ts';
import { accountStream, outboundStream } from '../streams.ts';
import { checkedEnvelope, ENVELOPE_BYTES_MAX, ENVELOPE_RECIPIENTS_MAX } from './envelope.ts';
import type { MessageQueued } from './events.ts';
import { itemIdField, itemIdOf, itemKey, itemOf, type ItemSlice, type Origin } from './item.ts';
import { happened, nothing, refused } from './outcomes.ts';

export type QueueMessage = MessageQueued['data'];

/** Parts: the message, its envelope. */
export const queueMessage = (messageBytesMax: number): CommandHandler<QueueMessage> => ({
  parse: (data, content) =>
    parsed((): QueueMessage => {
      const fields = fieldsOf(data, ['id', 'account', 'origin', 'messageId', 'recipients']);
      partsAre(content, 'message', 'envelope');
      partAtMost(content, 0, 'message', messageBytesMax);
      partAtMost(content, 1, 'envelope', ENVELOPE_BYTES_MAX);
      const { from, to } = checkedEnvelope(content.bytes(1));
      const recipients = whole(fields.recipients, 'recipients', 1, ENVELOPE_RECIPIENTS_MAX);
      if (recipients !== to.length) {
        refuse('Malformed', `Recipients must be how many the envelope names, ${to.length}.`, {
          field: 'recipients',
          limit: to.length,
        });
      }
      const rule = '"sent", "forward" or "answer"';
      const owner = {
        account: checkAccountName(fields.account, 'recipients'),
        origin: matching(fields.origin, 'origin', /^(sent|forward|answer)$/, rule) as Origin,
        messageId: matching(fields.messageId, 'messageId', /^[a-z2-7]{26}(-in)?$/, 'a message’s id'),
      };
      const id = itemIdField(fields.id);
      if (id !== itemIdOf(owner)) {
        refuse('Malformed', `Id must be the one that follows from its message, ${itemIdOf(owner)}.`, {
          field: 'id',
        });
      }
      return { id, ...owner, recipients, bounces: from !== '' };
    }),
  reads: ({ id }) => [itemKey(id)],
  decide(data, slices, { stream, askedBy }) {
    if (stream !== outboundStream(data.id))
      return refused('Malformed', `This item belongs to the queue ${outboundStream(data.id)}.`, 'stream');
    if (askedBy !== accountStream(data.account))
      return refused('Malformed', 'Only the entry of the account that sends it queues a message.', 'account');
    if (itemOf(slices, data.id) !== undefined) return nothing;
    return happened({ type: 'outbound.MessageQueued', version: 1, data });
  },
});

export const messageQueued: EventHandler = {
  touches: (event) => [itemKey((event as MessageQueued).data.id)],
  isBlind: () => true,
  evolve(_key, _slice, event, _content, time) {
    const { account, origin, messageId, bounces, recipients } = (event as MessageQueued).data;
    return {
      account,
      origin,
      messageId,
      bounces,
      recipients: Array.from({ length: recipients }, () => ({ state: 'waiting', tries: 0, retryAt: time })),
    } satisfies ItemSlice;
  },
};
