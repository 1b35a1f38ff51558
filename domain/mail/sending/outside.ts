/**
 * What leaves for other systems joins a queue: a reaction of the account's own entry, with the message and its envelope
 * as parts of it. The entry is the promise; the queue keeps it (decision 0029).
 */
import type { Content, Reaction } from '../../decider.ts';
import { partAtMost, refuse } from '../../fields.ts';
import { checkedEnvelope, ENVELOPE_BYTES_MAX } from '../../outbound/envelope.ts';
import { itemIdOf, type Origin } from '../../outbound/item.ts';
import { accountOf, outboundStream } from '../../streams.ts';

/** Of how many addresses the envelope is, and in which part it lies. */
export type Outgoing = { readonly outside: number; readonly envelope: number };

/** Undefined: it goes nowhere else, or was written before the envelope was. */
export function outgoingOf(data: {
  readonly outside?: number;
  readonly envelope?: number;
}): Outgoing | undefined {
  const { outside, envelope } = data;
  return outside === undefined || envelope === undefined ? undefined : { outside, envelope };
}

/** `stream`: the account's. `message`: the part of its bytes; `partsOf`: the entry of the parts, if it is another one. */
export function queueing(
  stream: string,
  sent: {
    readonly messageId: string;
    readonly origin: Origin;
    readonly message: number;
    readonly partsOf?: number;
  },
  { outside, envelope }: Outgoing,
): Reaction[] {
  const account = accountOf(stream);
  if (account === undefined) return [];
  const { messageId, origin, message, partsOf } = sent;
  const id = itemIdOf({ account, origin, messageId });
  return [
    {
      stream: outboundStream(id),
      command: 'outbound.QueueMessage',
      data: { id, account, origin, messageId, recipients: outside },
      parts: [message, envelope],
      ...(partsOf !== undefined && { partsOf }),
    },
  ];
}

/** Requires `parsed` around it. Of a message that somebody wrote: it has a sender. */
export function checkOwnEnvelope(content: Content, part: number, outside: number): void {
  partAtMost(content, part, 'envelope', ENVELOPE_BYTES_MAX);
  const { from, to, prepend } = checkedEnvelope(content.bytes(part));
  if (from === '' || prepend !== '' || to.length !== outside) {
    const message = `The envelope must name a sender and ${outside} addresses, and no header lines.`;
    refuse('Malformed', message, { field: 'envelope', limit: outside });
  }
}
