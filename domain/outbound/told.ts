/** An account hears what became of its item: a reaction in a lane of the item, so that it hears it in order. */
import type { Reaction } from '../decider.ts';
import { accountStream } from '../streams.ts';
import { itemIdOf, type ItemOwner, type RecipientChange } from './item.ts';

/** `parts`: what servers said of these changes (said.ts), or none. */
export function toldOf(
  { account, origin, messageId }: ItemOwner,
  changes: readonly RecipientChange[],
  parts: readonly number[],
): Reaction {
  return {
    stream: accountStream(account),
    command: 'mail.RecordDelivery',
    data: {
      messageId,
      origin,
      changes: changes.map(({ to, state, tries, retryAt, code }) => ({
        to,
        state,
        tries,
        retryAt,
        ...(code !== undefined && { code }),
      })),
    },
    parts,
    lane: `delivery/${itemIdOf({ account, origin, messageId })}`,
  };
}
