/** How deliveries to accounts of this system ended, as the shell writes it into the sender's stream. */
import type { Json } from '../decider.ts';
import { accountOf } from '../streams.ts';
import { sentIdOf } from './sending/deliveries.ts';

/** `stream` is the reaction's target, `data` its data, `code` the rejection's when it was refused. */
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
  const messageId = typeof arrived === 'string' ? sentIdOf(arrived) : undefined;
  return messageId === undefined ? undefined : { messageId, recipient };
}
