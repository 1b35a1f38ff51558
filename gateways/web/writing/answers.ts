/** What a compose form starts with when it answers or forwards a message (RFC 5322 §3.6.4 and §3.6.5). */
import { addressList, type Address } from '../../message/addresses.ts';
import type { ReadableMessage } from '../../message/read-message.ts';
import { timeInWords } from '../../pages/wording.ts';
import { NOTHING_TYPED, type Attachment, type Typed } from '../../drafts/draft-content.ts';
import { signed } from './signatures.ts';

/** What of the other message is quoted. */
const QUOTED_CHARS_MAX = 100_000;
const REFERENCES_MAX = 20;

export function blank(given: { readonly to: string; readonly subject: string }, signature: string): Typed {
  return { ...NOTHING_TYPED, ...given, text: signed(signature) };
}

export function replyTo(
  message: ReadableMessage,
  options: { id: string; all: boolean; own: (address: string) => boolean; signature: string },
): Typed {
  const { headers } = message;
  const sender = headers.replyTo.length > 0 ? headers.replyTo : [headers.from];
  const own = ({ address }: Address) => options.own(address);
  // A reply to what one has sent oneself goes where the message went.
  const to = sender.every(own) && headers.to.length > 0 ? headers.to : sender;
  const listed = new Set(to.map(({ address }) => address.toLowerCase()));
  const others = [...headers.to, ...headers.cc].filter(
    (one) => !own(one) && !listed.has(one.address.toLowerCase()),
  );
  return {
    ...NOTHING_TYPED,
    to: addressList(to),
    cc: options.all ? addressList(others) : '',
    subject: prefixed('Re:', headers.subject),
    text: `${signed(options.signature)}\n\n${attribution(message)}\n${quoted(bodyOf(message))}\n`,
    answers: options.id,
  };
}

/** With its text in the new message. */
export function forwardOf(message: ReadableMessage, signature: string): Typed {
  const { from, to, subject, date } = message.headers;
  const told = date === null ? undefined : timeInWords(date);
  const head = [
    '---------- Forwarded message ----------',
    `From: ${addressList([from])}`,
    ...(told === undefined ? [] : [`Date: ${told.words}`]),
    `Subject: ${subject}`,
    `To: ${addressList(to)}`,
  ];
  return {
    ...NOTHING_TYPED,
    subject: prefixed('Fwd:', subject),
    text: `${signed(signature)}\n\n${head.join('\n')}\n\n${bodyOf(message)}\n`,
  };
}

/** With the whole message beside the new one. */
export function forwardAttached({ headers }: ReadableMessage, signature: string): Typed {
  return { ...NOTHING_TYPED, subject: prefixed('Fwd:', headers.subject), text: signed(signature) };
}

/** What is sent along when a message is forwarded: its attachments, or itself (RFC 2046 §5.2.1). */
export function forwarded(
  message: ReadableMessage,
  given: { readonly id: string; readonly size: number; readonly asAttachment: boolean },
): Attachment[] {
  if (given.asAttachment) {
    const name = `${message.headers.subject.slice(0, 80) || 'message'}.eml`;
    return [{ kind: 'message', name, type: 'message/rfc822', size: given.size, message: given.id }];
  }
  return message.attachments.map(({ index, name, type, size }) => ({
    kind: 'part',
    ...{ name, type, size, index },
    message: given.id,
  }));
}

export function threadOf({ headers }: ReadableMessage): { inReplyTo?: string; references?: string[] } {
  const { messageId, references } = headers;
  if (messageId === undefined || !isPlainId(messageId)) return {};
  return {
    inReplyTo: messageId,
    references: [...references.filter(isPlainId).slice(-REFERENCES_MAX), messageId],
  };
}

function isPlainId(id: string): boolean {
  return /^<[^<>\s@]{1,120}@[^<>\s@]{1,120}>$/.test(id);
}

function bodyOf(message: ReadableMessage): string {
  return (message.text ?? '').slice(0, QUOTED_CHARS_MAX).trimEnd();
}

function quoted(text: string): string {
  return text
    .split('\n')
    .map((line) => (line.startsWith('>') ? `>${line}` : `> ${line}`))
    .join('\n');
}

function attribution({ headers }: ReadableMessage): string {
  const who = headers.from.name || headers.from.address || 'someone';
  const told = headers.date === null ? undefined : timeInWords(headers.date);
  return told === undefined ? `${who} wrote:` : `On ${told.words}, ${who} wrote:`;
}

function prefixed(prefix: string, subject: string): string {
  return subject.toLowerCase().startsWith(prefix.toLowerCase()) ? subject : `${prefix} ${subject}`;
}
