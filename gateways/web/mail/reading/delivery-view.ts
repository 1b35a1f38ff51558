/** How the deliveries of a message stand, in words: those to accounts here and those to other systems alike. */
import { COPIES_A_DAY_MAX } from '../../../../domain/mail/rules/forwarding.ts';
import type { DeliveryState, MessageMeta } from '../../../../projections/message.ts';
import type { OutsideDelivery } from '../../../../projections/outside.ts';

/** "ann@far.example: will be tried again at … (the server said: …)"; `time` stands between `words` and `rest`. */
export type DeliveryLine = {
  readonly name: string;
  readonly words: string;
  readonly time?: number;
  readonly rest: string;
  readonly failed: boolean;
};

export function sentLines({ delivery = {}, outside = [] }: MessageMeta): DeliveryLine[] {
  return [
    ...Object.entries(delivery).map(([name, state]) => ({ name, rest: '', ...deliveryWords(state) })),
    ...outside.filter(({ origin }) => origin === 'sent').map(outsideLine),
  ];
}

/** Of a message that came in: what a rule of its reader sends on. */
export function forwardLines({ outside = [] }: MessageMeta): DeliveryLine[] {
  return outside.filter(({ origin }) => origin === 'forward').map(outsideLine);
}

/** Of a message that was answered while its reader was away. */
export function answerLine({ outside = [] }: MessageMeta): DeliveryLine | undefined {
  return outside.filter(({ origin }) => origin === 'answer').map(outsideLine)[0];
}

export const NOT_FORWARDED: Readonly<Record<NonNullable<MessageMeta['notForwarded']>, string>> = {
  limit: `A rule would have forwarded it, but ${COPIES_A_DAY_MAX} copies left your account within a day: it was not forwarded.`,
  loop: 'A rule would have forwarded it, but it came back from where it was forwarded to: it was not forwarded again.',
};

export function outsideLine(one: OutsideDelivery): DeliveryLine {
  return { name: one.to, ...outsideWords(one) };
}

function outsideWords(one: OutsideDelivery): Omit<DeliveryLine, 'name'> {
  const { state, at, tries, retryAt, host = '' } = one;
  switch (state) {
    case 'scheduled':
      return { words: 'not sent yet', rest: '', failed: false };
    case 'waiting':
      if (tries === 0) return { words: 'waits to be taken to another system', rest: '', failed: false };
      return {
        words: 'will be tried again',
        ...(retryAt !== null && { time: retryAt }),
        rest: answerOf(one),
        failed: false,
      };
    case 'held':
      return { words: 'is held back by the operator of this system', rest: answerOf(one), failed: false };
    case 'delivered':
      return { words: host === '' ? 'delivered' : `delivered to ${host}`, time: at, rest: '', failed: false };
    case 'failed':
      return { words: 'not delivered', time: at, rest: answerOf(one), failed: true };
    case 'cancelled':
      return {
        words: 'cancelled by the operator of this system',
        time: at,
        rest: answerOf(one),
        failed: true,
      };
  }
}

/** What the other server answered, or why none did. */
function answerOf({ code = null, text = '' }: OutsideDelivery): string {
  if (code === null) return text;
  return `the server said: ${text.startsWith(String(code)) ? text : `${code} ${text}`.trim()}`;
}

const STATE_WORDS: Readonly<Partial<Record<DeliveryState, string>>> = {
  scheduled: 'not sent yet',
  pending: 'on its way',
  queued: 'was not sent: it was written before this system took mail to others',
  delivered: 'delivered',
};

/** `state`: as the message's deliveries have it. */
export function deliveryWords(state: string): { words: string; failed: boolean } {
  const words = STATE_WORDS[state as DeliveryState];
  if (words !== undefined) return { words, failed: false };
  const why = state === 'NoSuchAccount' ? ': there is no such account' : '';
  return { words: `not delivered${why}`, failed: true };
}
