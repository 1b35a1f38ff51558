/**
 * The words of a message, for search and for rules (domain/mail/words.ts): of its addresses, subject, text and
 * the names of its attachments. Of HTML, the words that a reader sees.
 */
import { encodeWords, type Words } from '../../domain/mail/message/words.ts';
import type { Address, MailSummary } from '../../domain/mail/message/summary.ts';
import { folded, wordsOf } from './fold.ts';
import { htmlToLine } from './html-line.ts';

const TEXT_CHARACTERS_MAX = 400_000;
const BODY_WORDS_MAX = 12_000;

export type Worded = Pick<MailSummary, 'from' | 'to' | 'cc' | 'bcc' | 'subject' | 'attachments'> & {
  readonly text: string | undefined;
  readonly html: string | undefined;
};

/** The part that goes with the message. */
export function encodedWords(message: Worded): Buffer {
  return Buffer.from(encodeWords(messageWords(message)));
}

export function messageWords({ from, to, cc, bcc = [], subject, attachments, text, html }: Worded): Words {
  const body = text ?? (html === undefined ? '' : htmlToLine(html, TEXT_CHARACTERS_MAX));
  return {
    from: addressWords([from]),
    to: addressWords([...to, ...cc, ...bcc]),
    subject: wordsOf(subject, 500),
    names: wordsOf(attachments.map(({ name }) => name).join('\n'), 1000),
    body: wordsOf(body.slice(0, TEXT_CHARACTERS_MAX), BODY_WORDS_MAX),
  };
}

/** Names and addresses by their words, and each address whole. */
function addressWords(addresses: readonly Address[]): string[] {
  return addresses.flatMap(({ name, address }) => {
    const whole = folded(address).replace(/[\s\0]/g, '');
    return [...wordsOf(`${name} ${address}`, 40), ...(whole === '' ? [] : [whole])];
  });
}
