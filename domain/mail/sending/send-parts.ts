/** What comes with a message that is sent: its parts, in the order of `MessageSent`, and how answers find its sender. */
import type { Content } from '../../decider.ts';
import { fieldsOf, partAtMost, partsAre } from '../../fields.ts';
import { answeringField, checkedAnswerable } from '../message/answerable.ts';
import type { SentAnswering } from '../events.ts';
import { accountNames, messageParts, WORDS_BYTES_MAX } from '../fields.ts';
import { WRITTEN_TO_BYTES_MAX } from '../message/written-to.ts';

const OUTSIDE_BYTES_MAX = 64 * 1024;

export type Beside = { readonly collects: boolean; readonly isAnswerable: boolean };

export function checkParts(
  content: Content,
  messageBytesMax: number,
  { collects, isAnswerable }: Beside,
): void {
  const names = [
    'message',
    'summary with Bcc',
    'summary without Bcc',
    'words with Bcc',
    'words without Bcc',
    'addresses outside',
  ];
  const beside = [...(collects ? ['addresses written to'] : []), ...(isAnswerable ? ['answerable'] : [])];
  const without = content.count - beside.length;
  const counts = beside.length > 0 ? [5, 6] : [3, 5, 6];
  const count = counts.includes(without) ? without : counts[0]!;
  partsAre(content, ...names.slice(0, count), ...beside);
  messageParts(content, messageBytesMax, 1, 2);
  for (let part = 3; part < Math.min(count, 5); part++) partAtMost(content, part, 'words', WORDS_BYTES_MAX);
  if (count === 6) partAtMost(content, 5, 'addresses outside', OUTSIDE_BYTES_MAX);
  if (collects) partAtMost(content, count, 'addresses written to', WRITTEN_TO_BYTES_MAX);
}

/** Where the part with the addresses to be collected is. */
export function collectedPart(content: Content, isAnswerable: boolean): number {
  return content.count - (isAnswerable ? 2 : 1);
}

/** Behind at least the five parts with words, so that the copies have words in front of it, too. */
export function sentAnswering(value: unknown, content: Content): SentAnswering {
  const { sender, account, addressed } = fieldsOf(value, ['sender', 'account', 'addressed']);
  const part = content.count - 1;
  checkedAnswerable(content, part);
  return { ...answeringField({ sender, account }), addressed: accountNames(addressed, 0), part };
}
