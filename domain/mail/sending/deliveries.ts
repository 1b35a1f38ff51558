/** What a message that is sent asks of its recipients' accounts here. */
import type { Reaction } from '../../decider.ts';
import { accountStream } from '../../streams.ts';
import type { SentAnswering } from '../events.ts';

/** What the copy of a local recipient is called: a message to oneself arrives beside the sent one. */
const ARRIVED = '-in';

/** One delivery for each recipient, in the order of the list, with what its copy is made of. */
export function deliveries(
  sent: {
    readonly messageId: string;
    readonly recipients: readonly string[];
    readonly named?: readonly string[];
    readonly answer?: SentAnswering;
  },
  parts: number,
  entry?: number,
): Reaction[] {
  const { messageId, recipients, named } = sent;
  return recipients.map((recipient) => {
    const answer = sent.answer?.addressed.includes(recipient) === true ? sent.answer : undefined;
    return {
      stream: accountStream(recipient),
      command: 'mail.ReceiveMessage',
      data: {
        messageId: messageId + ARRIVED,
        via: 'local',
        ...(named !== undefined && { ids: named }),
        ...(answer && { answer: { sender: answer.sender, account: answer.account } }),
      },
      parts: [0, 2, ...(parts > 4 ? [4] : []), ...(answer ? [answer.part] : [])],
      ...(entry !== undefined && { partsOf: entry }),
    };
  });
}

/** The sent message that a delivery carried; undefined if it is not the id of one. */
export function sentIdOf(arrivedId: string): string | undefined {
  return arrivedId.endsWith(ARRIVED) ? arrivedId.slice(0, -ARRIVED.length) : undefined;
}
