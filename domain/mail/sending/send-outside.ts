/**
 * A message that was written to addresses elsewhere under a release that took mail nowhere is sent to them now, because
 * its writer asks for it. What always holds: it joins a queue once, however often and from wherever it is asked for.
 *
 * Requires that the asker has read of the message that it was never sent ('queued' in its deliveries): no slice holds
 * that of the entries of those days.
 */
import { ACCOUNT_KEY, accountFault } from '../../account/evolve.ts';
import type { CommandHandler, EventHandler, StateKey } from '../../decider.ts';
import { fieldsOf, parsed, partAtMost, partsAre, randomId, whole } from '../../fields.ts';
import { ENVELOPE_RECIPIENTS_MAX } from '../../outbound/envelope.ts';
import { messageKey } from '../conversation.ts';
import { happened, noSuchMessage, nothing } from '../decisions.ts';
import type { MessageSentOutside } from '../events.ts';
import { checkOwnEnvelope, queueing } from './outside.ts';

export type SendOutside = { readonly messageId: string; readonly outside: number };

const MESSAGE_PART = 0;
const ENVELOPE_PART = 1;

const sentOutsideKey = (messageId: string): StateKey => `sent-outside/${messageId}`;

/** Parts: the message's bytes and its envelope, of `outside` addresses. */
export const sendOutside = (messageBytesMax: number): CommandHandler<SendOutside> => ({
  parse: (data, content) =>
    parsed((): SendOutside => {
      const { messageId, outside } = fieldsOf(data, ['messageId', 'outside']);
      partsAre(content, 'message', 'envelope');
      partAtMost(content, MESSAGE_PART, 'message', messageBytesMax);
      const count = whole(outside, 'outside', 1, ENVELOPE_RECIPIENTS_MAX);
      checkOwnEnvelope(content, ENVELOPE_PART, count);
      return { messageId: randomId(messageId, 'messageId'), outside: count };
    }),
  reads: ({ messageId }) => [ACCOUNT_KEY, messageKey(messageId), sentOutsideKey(messageId)],
  decide({ messageId, outside }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    if (slices(messageKey(messageId)) === undefined) return noSuchMessage;
    if (slices(sentOutsideKey(messageId)) !== undefined) return nothing;
    return happened({
      type: 'mail.MessageSentOutside',
      version: 1,
      data: { messageId, outside, envelope: ENVELOPE_PART },
    });
  },
});

export const messageSentOutside: EventHandler = {
  touches: (event) => [sentOutsideKey((event as MessageSentOutside).data.messageId)],
  evolve(_key, _slice, event) {
    return { outside: (event as MessageSentOutside).data.outside };
  },
  reactions(event, stream) {
    const { messageId, outside, envelope } = (event as MessageSentOutside).data;
    return queueing(stream, { messageId, origin: 'sent', message: MESSAGE_PART }, { outside, envelope });
  },
};
