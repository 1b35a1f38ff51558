/**
 * What a queue of outbound mail tells the account that a message comes from: how the delivery to each address at
 * another system stands. Nothing is decided by it, so that no slice holds it: the message's page shows it, and the
 * log keeps it. A message that is gone meanwhile hears nothing more.
 */
import { ACCOUNT_KEY, accountFault } from '../../account/evolve.ts';
import type { CommandHandler, EventHandler } from '../../decider.ts';
import { fieldsOf, listOf, matching, parsed, partAtMost, partsAre, whole } from '../../fields.ts';
import { ENVELOPE_RECIPIENTS_MAX } from '../../outbound/envelope.ts';
import type { Origin, RecipientState } from '../../outbound/item.ts';
import { SAID_BYTES_MAX } from '../../outbound/said.ts';
import { OUTBOUND_STREAMS } from '../../streams.ts';
import { messageKey } from '../conversation.ts';
import { happened, nothing, refused } from '../decisions.ts';
import type { DeliveryChange, DeliveryRecorded } from '../events.ts';
import { messageIdField, timeField } from '../fields.ts';

export type RecordDelivery = DeliveryRecorded['data'];

const TRIES_MAX = 1_000_000;
const STATES: readonly RecipientState[] = ['waiting', 'held', 'delivered', 'failed', 'cancelled'];

/** Parts: what the servers said of each change (said.ts), or none. */
export const recordDelivery: CommandHandler<RecordDelivery> = {
  parse: (data, content) =>
    parsed((): RecordDelivery => {
      const { messageId, origin, changes } = fieldsOf(data, ['messageId', 'origin', 'changes']);
      if (content.count > 0) {
        partsAre(content, 'said');
        partAtMost(content, 0, 'said', SAID_BYTES_MAX);
      }
      const rule = '"sent", "forward" or "answer"';
      return {
        messageId: messageIdField(messageId),
        origin: matching(origin, 'origin', /^(sent|forward|answer)$/, rule) as Origin,
        changes: listOf(changes, 'changes', 1, ENVELOPE_RECIPIENTS_MAX, 'changes').map(changeField),
      };
    }),
  reads: ({ messageId }) => [ACCOUNT_KEY, messageKey(messageId)],
  decide(data, slices, { stream, askedBy }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    if (askedBy === undefined || !OUTBOUND_STREAMS.includes(askedBy))
      return refused('Malformed', 'Only a queue of outbound mail says how a delivery stands.', 'messageId');
    if (slices(messageKey(data.messageId)) === undefined) return nothing;
    return happened({ type: 'mail.DeliveryRecorded', version: 1, data });
  },
};

export const deliveryRecorded: EventHandler = {
  touches: () => [],
  evolve: (_key, slice) => slice,
};

function changeField(value: unknown): DeliveryChange {
  const { to, state, tries, retryAt, code } = fieldsOf(value, ['to', 'state', 'tries', 'retryAt', 'code']);
  return {
    to: whole(to, 'to', 0, ENVELOPE_RECIPIENTS_MAX - 1),
    state: matching(
      state,
      'state',
      new RegExp(`^(${STATES.join('|')})$`),
      STATES.join(', '),
    ) as RecipientState,
    tries: whole(tries, 'tries', 0, TRIES_MAX),
    retryAt: retryAt === null ? null : timeField(retryAt, 'retryAt'),
    ...(code !== undefined && { code: code === null ? null : whole(code, 'code', 200, 599) }),
  };
}
