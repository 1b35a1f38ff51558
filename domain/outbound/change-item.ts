/** What an operator does to an item: to all of its recipients that are not done. Who may do it, the console says. */
import type { CommandHandler, EventHandler, Time } from '../decider.ts';
import { fieldsOf, matching, parsed, partsAre } from '../fields.ts';
import { outboundStream } from '../streams.ts';
import type { ItemAction, ItemChanged } from './events.ts';
import { itemIdField, itemKey, itemOf, withChanges, isOver, type Recipient } from './item.ts';
import { happened, nothing, refused } from './outcomes.ts';
import { toldOf } from './told.ts';

export type ChangeItem = { readonly id: string; readonly action: ItemAction };

export const changeItem: CommandHandler<ChangeItem> = {
  parse: (data, content) =>
    parsed((): ChangeItem => {
      const { id, action } = fieldsOf(data, ['id', 'action']);
      partsAre(content);
      const rule = '"hold", "release", "retry" or "cancel"';
      return {
        id: itemIdField(id),
        action: matching(action, 'action', /^(hold|release|retry|cancel)$/, rule) as ItemAction,
      };
    }),
  reads: ({ id }) => [itemKey(id)],
  decide({ id, action }, slices, { stream, time }) {
    if (stream !== outboundStream(id))
      return refused('Malformed', `This item belongs to the queue ${outboundStream(id)}.`, 'stream');
    const item = itemOf(slices, id);
    if (item === undefined || item.recipients.every(({ state }) => isOver(state))) {
      return refused(
        'NoSuchItem',
        'This message does not wait any more: it was delivered or given up.',
        'id',
      );
    }
    const changes = item.recipients.flatMap((recipient, to) => {
      const after = changed(recipient, action, time);
      return after === undefined ? [] : [{ ...after, to, before: recipient.state }];
    });
    if (changes.length === 0) return nothing;
    const { account, origin, messageId } = item;
    return happened({
      type: 'outbound.ItemChanged',
      version: 1,
      data: { id, account, origin, messageId, action, changes },
    });
  },
};

export const itemChanged: EventHandler = {
  touches: (event) => [itemKey((event as ItemChanged).data.id)],
  evolve: (_key, slice, event) => withChanges(slice, (event as ItemChanged).data.changes),
  reactions(event) {
    const { data } = event as ItemChanged;
    return [toldOf(data, data.changes, [])];
  },
};

/** Undefined: it stays as it is. */
function changed(recipient: Recipient, action: ItemAction, time: Time): Recipient | undefined {
  const { state } = recipient;
  switch (action) {
    case 'hold':
      return state === 'waiting' ? { ...recipient, state: 'held', retryAt: null } : undefined;
    case 'release':
      return state === 'held' ? { ...recipient, state: 'waiting', retryAt: time } : undefined;
    case 'retry':
      return state === 'waiting' ? { ...recipient, retryAt: time } : undefined;
    case 'cancel':
      return isOver(state) ? undefined : { ...recipient, state: 'cancelled', retryAt: null };
  }
}
