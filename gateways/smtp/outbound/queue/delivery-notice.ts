/**
 * What the sender hears of a message that could not be delivered, or is late: a delivery status notification (RFC 3464),
 * with words for a person, fields for a program, and the header of the message. It answers the message, so that it
 * stands in its conversation.
 *
 * What servers elsewhere said and what the message's header holds are strangers' words: each stays within its line.
 */
import { readHeaderBlock } from '../../../message/header-block.ts';
import { decodeWords } from '../../../message/encoded-words.ts';
import { oneLine } from '../../../message/readable-text.ts';
import type { Verdict } from '../transport/verdict.ts';

export type Notice = {
  readonly kind: 'failed' | 'delayed';
  /** Whom it goes to: the envelope's sender. */
  readonly to: string;
  readonly recipients: readonly {
    readonly address: string;
    readonly verdict: Verdict;
    readonly retryUntil: number;
  }[];
  /** The message's first bytes, its header among them. */
  readonly head: Buffer;
  readonly queuedAt: number;
  readonly now: number;
  /** How this system calls itself. */
  readonly ownName: string;
  /** Unique. */
  readonly id: string;
};

const HEADER_BYTES_MAX = 32 * 1024;
const SUBJECT_CHARACTERS_MAX = 200;

export function deliveryNotice(notice: Notice): Buffer {
  const { kind, to, ownName, id, now } = notice;
  const header = readHeaderBlock(notice.head);
  const subject = oneLine(decodeWords(header.first('subject') ?? ''), SUBJECT_CHARACTERS_MAX);
  const answers = /^<[^<>\s]{1,900}>/.exec(header.first('message-id') ?? '')?.[0];
  const boundary = `=_${id}`;
  const isGlobal = notice.recipients.some(({ address }) => !isAscii(address));
  const lines = [
    'Return-Path: <>',
    `Date: ${mailDate(now)}`,
    `From: Mail Delivery System <MAILER-DAEMON@${ownName}>`,
    `To: <${to}>`,
    `Subject: ${encoded(`${kind === 'failed' ? 'Not delivered' : 'Delayed'}: ${subject || '(no subject)'}`)}`,
    `Message-ID: <${id}@${ownName}>`,
    ...(answers === undefined ? [] : [`In-Reply-To: ${answers}`, `References: ${answers}`]),
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=delivery-status; boundary="${boundary}"`,
    '',
    `--${boundary}`,
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    ...wordsOf(notice),
    `--${boundary}`,
    `Content-Type: message/${isGlobal ? 'global-' : ''}delivery-status`,
    ...(isGlobal ? ['Content-Transfer-Encoding: 8bit'] : []),
    '',
    ...fieldsOf(notice),
    `--${boundary}`,
    'Content-Type: text/rfc822-headers; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
  ];
  const end = Math.min(header.bodyAt, HEADER_BYTES_MAX);
  const original = notice.head.subarray(0, end).toString('latin1').replace(/\r?\n/g, '\r\n').trimEnd();
  return Buffer.concat([
    Buffer.from(lines.join('\r\n') + '\r\n'),
    Buffer.from(original, 'latin1'),
    Buffer.from(`\r\n\r\n--${boundary}--\r\n`),
  ]);
}

function wordsOf({ kind, recipients, queuedAt }: Notice): string[] {
  const said = recipients.flatMap(({ address, verdict }) => [
    `    ${address}`,
    `    ${verdict.code !== null && verdict.host !== '' ? `${verdict.host} answered: ` : ''}${verdict.text}`,
    '',
  ]);
  const sent = `sent at ${mailDate(queuedAt)}`;
  if (kind === 'failed')
    return [
      `Your message, ${sent}, could not be delivered to:`,
      '',
      ...said,
      'It will not be tried again.',
      '',
    ];
  const until = Math.max(...recipients.map(({ retryUntil }) => retryUntil));
  return [
    `Your message, ${sent}, is not delivered yet to:`,
    '',
    ...said,
    `It is tried again until ${mailDate(until)}. You need not do anything.`,
    '',
  ];
}

/** RFC 3464 §2.2, §2.3; RFC 6533 §3 for addresses beyond ASCII. */
function fieldsOf({ kind, recipients, queuedAt, now, ownName }: Notice): string[] {
  return [
    `Reporting-MTA: dns; ${ownName}`,
    `Arrival-Date: ${mailDate(queuedAt)}`,
    '',
    ...recipients.flatMap(({ address, verdict, retryUntil }) => [
      `Final-Recipient: ${isAscii(address) ? 'rfc822' : 'utf-8'}; ${address}`,
      `Action: ${kind}`,
      `Status: ${verdict.status}`,
      ...(verdict.host === '' ? [] : [`Remote-MTA: dns; ${verdict.host}`]),
      `Diagnostic-Code: ${verdict.code === null ? 'X-PennCloud' : 'smtp'}; ${printable(verdict.text)}`,
      `Last-Attempt-Date: ${mailDate(now)}`,
      ...(kind === 'delayed' ? [`Will-Retry-Until: ${mailDate(retryUntil)}`] : []),
      '',
    ]),
  ];
}

function mailDate(time: number): string {
  return new Date(time).toUTCString().replace(/GMT$/, '+0000');
}

/** RFC 2047: encoded words of at most 75 characters, cut between letters. */
function encoded(text: string): string {
  if (isAscii(text)) return text;
  const words: string[] = [];
  let word = '';
  for (const letter of text) {
    if (Buffer.byteLength(word + letter) > 42) {
      words.push(word);
      word = '';
    }
    word += letter;
  }
  return [...words, word].map((one) => `=?utf-8?B?${Buffer.from(one).toString('base64')}?=`).join('\r\n ');
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 900);
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}
