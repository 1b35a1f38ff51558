/**
 * A new message as RFC 5322 bytes: CRLF line ends, encoded by nodemailer's MailComposer. Bcc is
 * checked and then left out, but of a draft: the recipients of a blind copy stand in the envelope alone.
 *
 * Always holds: no field can start another one. Whatever has a line break, NUL or other control
 * character where one line belongs is refused, not repaired; an attachment's name, which a stranger may have
 * chosen, is made harmless instead. Attachments stream: beside the message itself a piece of one is held.
 */
import { Readable } from 'node:stream';
import MailComposer from 'nodemailer/lib/mail-composer';
import { isValidAddress, NAME_CHARS_MAX, type Address } from './addresses.ts';
import { safeFileName, safeMediaType } from './file-names.ts';
import { SUBJECT_CHARS_MAX } from './summary.ts';

export type NewMessage = {
  readonly from: Address;
  readonly to: readonly Address[];
  readonly cc: readonly Address[];
  readonly bcc: readonly Address[];
  readonly subject: string;
  readonly text: string;
  /** A whole document, sanitised; `text` is then its plain alternative. */
  readonly html?: string;
  readonly attachments?: readonly OutgoingAttachment[];
  /** ms since 1970 */
  readonly date: number;
  /** `<unique@domain>` */
  readonly messageIdHeader: string;
  readonly inReplyTo?: string;
  readonly references?: readonly string[];
  /** It is not on its way to anybody: blind copies stand in it. */
  readonly isDraft?: true;
};

export type OutgoingAttachment = {
  readonly name: string;
  readonly type: string;
  readonly content: AsyncIterable<Buffer>;
};

/** The message cannot be written as given; `field` and `limit` name why. */
export class UncomposableMessage extends Error {
  readonly field: string;
  readonly limit: string | number;
  constructor(field: string, limit: string | number) {
    super(`The ${field} is refused; allowed: ${limit}.`);
    this.name = 'UncomposableMessage';
    this.field = field;
    this.limit = limit;
  }
}

/** Per message, To, Cc and Bcc together. */
const RECIPIENTS_MAX = 100;
const MESSAGE_ID = /^<[^<>\s@]{1,120}@[^<>\s@]{1,120}>$/;

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Throws UncomposableMessage, TooLong, and what reading an attachment throws. */
export async function composeMessage(message: NewMessage, bytesMax = Infinity): Promise<Buffer> {
  check(message);
  const { from, to, cc, subject, text, html, date, messageIdHeader, inReplyTo, references } = message;
  const composer = new MailComposer({
    from: { ...from },
    to: to.map((address) => ({ ...address })),
    cc: cc.map((address) => ({ ...address })),
    ...(message.isDraft && { bcc: message.bcc.map((address) => ({ ...address })) }),
    subject,
    text,
    ...(html !== undefined && { html }),
    attachments: (message.attachments ?? []).map(({ name, type, content }, i) => {
      const contentType = safeMediaType(type);
      return {
        filename: safeFileName(name, i, contentType),
        contentType,
        contentDisposition: 'attachment' as const,
        content: Readable.from(content, { objectMode: false }),
      };
    }),
    date: new Date(date),
    messageId: messageIdHeader,
    inReplyTo,
    references: references && [...references],
    newline: 'win',
    // A body is text here, never an instruction to fetch something.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const compiled = composer.compile();
  compiled.keepBcc = message.isDraft === true;
  return collected(compiled.createReadStream(), bytesMax);
}

export class TooLong extends Error {
  readonly bytesMax: number;
  constructor(bytesMax: number) {
    super(`The message is longer than ${bytesMax} bytes.`);
    this.name = 'TooLong';
    this.bytesMax = bytesMax;
  }
}

/** Stops reading where the limit is passed, so that what comes behind it is never held. */
async function collected(stream: Readable, bytesMax: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > bytesMax) throw new TooLong(bytesMax);
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}

function check(message: NewMessage): void {
  checkAddresses('from', [message.from]);
  checkAddresses('to', message.to);
  checkAddresses('cc', message.cc);
  checkAddresses('bcc', message.bcc);
  const recipients = message.to.length + message.cc.length + message.bcc.length;
  if (recipients > RECIPIENTS_MAX) throw new UncomposableMessage('recipients', `at most ${RECIPIENTS_MAX}`);
  if (CONTROL.test(message.subject))
    throw new UncomposableMessage('subject', 'one line without control characters');
  if (message.subject.length > SUBJECT_CHARS_MAX) {
    throw new UncomposableMessage('subject', `at most ${SUBJECT_CHARS_MAX} characters`);
  }
  const ids = { 'message id': [message.messageIdHeader], 'in-reply-to': [message.inReplyTo ?? []].flat() };
  for (const [field, values] of Object.entries({ ...ids, references: message.references ?? [] })) {
    if (!values.every((id) => MESSAGE_ID.test(id) && !CONTROL.test(id))) {
      throw new UncomposableMessage(field, '<name@domain>');
    }
  }
}

function checkAddresses(field: string, addresses: readonly Address[]): void {
  for (const { name, address } of addresses) {
    if (CONTROL.test(name) || name.length > NAME_CHARS_MAX) {
      throw new UncomposableMessage(`name in ${field}`, `one line of at most ${NAME_CHARS_MAX} characters`);
    }
    if (!isValidAddress(address)) {
      throw new UncomposableMessage(
        `address in ${field}`,
        'name@domain, 64 octets before the @, 255 behind it, 254 in all',
      );
    }
  }
}
