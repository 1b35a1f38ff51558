/** A message comes in. Message ids are chosen at random by the gateway, or derived from a sent message's id. */
import { ACCOUNT_KEY, accountFault } from '../account/evolve.ts';
import type { CommandHandler, EventHandler } from '../decider.ts';
import { fieldsOf, matching, parsed, partAtMost, partsAre } from '../fields.ts';
import {
  arrivalOf,
  arrivalReads,
  arrivalReadsNext,
  arrivalTouches,
  evolveArrival,
  hasPart,
  type Arriving,
} from './arrival.ts';
import { messageKey } from './conversation.ts';
import { happened, nothing } from './decisions.ts';
import type { MessageReceived, Via } from './events.ts';
import { messageIdField, messageParts, namedIds, WORDS_BYTES_MAX } from './fields.ts';

export type ReceiveMessage = Arriving & { readonly via: Via };

/** Parts: the message, its summary, its words (these may be left out). */
export const receiveMessage = (messageBytesMax: number): CommandHandler<ReceiveMessage> => ({
  parse: (data, content) =>
    parsed((): ReceiveMessage => {
      const { messageId, via, ids } = fieldsOf(data, ['messageId', 'via', 'ids']);
      if (content.count === 3) partAtMost(content, 2, 'words', WORDS_BYTES_MAX);
      else partsAre(content, 'message', 'summary');
      messageParts(content, messageBytesMax, 1);
      return {
        messageId: messageIdField(messageId),
        via: matching(via, 'via', /^(smtp|local)$/, '"smtp" or "local"') as Via,
        ids: namedIds(ids),
      };
    }),
  reads: (data) => [ACCOUNT_KEY, ...arrivalReads(data)],
  readsNext: arrivalReadsNext,
  decide(data, slices, { stream, content }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    if (slices(messageKey(data.messageId)) !== undefined) return nothing;
    const arrival = arrivalOf(data, slices, hasPart(content, 2));
    return happened({
      type: 'mail.MessageReceived',
      version: 1,
      data: { ...arrival, folder: 'inbox', via: data.via },
    });
  },
});

export const messageReceived: EventHandler = {
  touches: (event) => arrivalTouches((event as MessageReceived).data),
  evolve(key, slice, event, _content, time) {
    const { data } = event as MessageReceived;
    const { folder, read = false, starred = false } = data;
    return evolveArrival(key, slice, data, time, { folder, read, starred });
  },
};
