/**
 * That a reader asked to be taken off a mailing list, and what came of it. The asking itself is a gateway's work and
 * is done before; here it is only kept, so that the message says so later on, on any gateway.
 */
import { ACCOUNT_KEY, accountFault } from '../account/evolve.ts';
import type { CommandHandler, EventHandler } from '../decider.ts';
import { fieldsOf, flag, parsed, partAtMost, partsAre } from '../fields.ts';
import { messageKey, type MessageSlice } from './conversation.ts';
import { happened, noSuchMessage, nothing } from './decisions.ts';
import type { Unsubscribed } from './events.ts';
import { messageIdField } from './fields.ts';

export const OUTCOME_BYTES_MAX = 1000;

export type RecordUnsubscribe = { readonly messageId: string; readonly accepted: boolean };

/** Part: the outcome in words. Once it was accepted, nothing more is recorded of that message. */
export const recordUnsubscribe: CommandHandler<RecordUnsubscribe> = {
  parse: (data, content) =>
    parsed((): RecordUnsubscribe => {
      const { messageId, accepted } = fieldsOf(data, ['messageId', 'accepted']);
      partsAre(content, 'outcome');
      partAtMost(content, 0, 'outcome', OUTCOME_BYTES_MAX);
      return { messageId: messageIdField(messageId), accepted: flag(accepted, 'accepted') };
    }),
  reads: ({ messageId }) => [ACCOUNT_KEY, messageKey(messageId)],
  decide({ messageId, accepted }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const message = slices(messageKey(messageId)) as MessageSlice | undefined;
    if (message === undefined) return noSuchMessage;
    if (message.unsubscribed === true) return nothing;
    return happened({ type: 'mail.Unsubscribed', version: 1, data: { messageId, accepted } });
  },
};

export const unsubscribed: EventHandler = {
  touches: (event) => [messageKey((event as Unsubscribed).data.messageId)],
  evolve(_key, slice, event) {
    const { accepted } = (event as Unsubscribed).data;
    return slice === undefined || !accepted ? slice : { ...(slice as MessageSlice), unsubscribed: true };
  },
};
