/**
 * What a sent message asks of other accounts: one delivery per recipient, in the order of the event's
 * list. The recipient's copy has an id of its own, so that a message to oneself arrives beside the sent
 * one, and it gets the summary without Bcc.
 */
import type { Json, Reaction } from '../decider.ts';
import { accountOf, accountStream } from '../streams.ts';
import type { MessageSent } from './events.ts';

const ARRIVED = '-in';

export function deliveries(event: MessageSent): readonly Reaction[] {
  const { messageId, recipients } = event.data;
  return recipients.map((recipient) => ({
    stream: accountStream(recipient),
    command: 'mail.ReceiveMessage',
    data: { messageId: messageId + ARRIVED, via: 'local' },
    parts: [0, 2],
  }));
}

/**
 * The event that the shell writes in the origin's stream once the outcome of a reaction is known:
 * `stream` is the reaction's target, `data` its data, `code` the rejection's when it was refused.
 */
export type ReactionSettled = {
  readonly type: 'platform.ReactionSettled';
  readonly version: 1;
  readonly data: {
    readonly originSeq: number;
    readonly reaction: number;
    readonly command: string;
    readonly stream: string;
    readonly data: Json;
    readonly outcome: 'accepted' | 'refused';
    readonly code?: string;
  };
};

/** Which sent message, and which of its recipients, a settled reaction tells of; undefined: it was no delivery. */
export function settledDelivery(
  event: ReactionSettled,
): { messageId: string; recipient: string } | undefined {
  const { command, stream, data } = event.data;
  const recipient = accountOf(stream);
  if (command !== 'mail.ReceiveMessage' || recipient === undefined) return undefined;
  const arrived = (data as { readonly messageId?: Json } | null)?.messageId;
  if (typeof arrived !== 'string' || !arrived.endsWith(ARRIVED)) return undefined;
  return { messageId: arrived.slice(0, -ARRIVED.length), recipient };
}
