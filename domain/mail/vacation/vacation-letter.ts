/**
 * The answer of somebody who is away, as a message: RFC 5322 bytes, summary and words, of text that is at hand. Nothing
 * of the message that is answered is quoted but its subject (RFC 3834 §3.1.5 and §3.1.7). ASCII throughout, but for
 * the recipient's address where that is not; no line is longer than RFC 5322 §2.1.1 allows.
 */
import type { Time } from '../../decider.ts';
import type { Answerable } from '../message/answerable.ts';
import { cut, encodeSummary, SNIPPET_CHARACTERS_MAX } from '../message/summary.ts';
import type { VacationSettings } from './vacation-settings.ts';
import { decodeWords, encodeWords, type Words } from '../message/words.ts';

export type Letter = Pick<VacationSettings, 'subject' | 'text' | 'name' | 'address' | 'words'>;
export type Answered = {
  readonly how: Answerable;
  readonly subject: string;
  readonly words: Words;
};

/** Of the subject that is answered. */
const SUBJECT_CHARACTERS_MAX = 250;
const LINE_CHARACTERS = 76;
/** What text may be sent as it is; longer lines are legal (998), but gateways on the way break them. */
const PLAIN_LINE_CHARACTERS_MAX = 500;
/** UTF-8 bytes of one encoded word: 56 characters of base64, and 12 around them; 75 are allowed (RFC 2047 §2). */
const ENCODED_WORD_BYTES = 42;

/** The parts of a message: its bytes, its summary, its words. `name`: what stands before @ in its Message-ID. */
export function vacationLetter(letter: Letter, answered: Answered, name: string, at: Time): Uint8Array[] {
  const { how } = answered;
  const subject = letter.subject || oneLine(`Auto: ${cut(answered.subject, SUBJECT_CHARACTERS_MAX)}`);
  const domain = letter.address.slice(letter.address.lastIndexOf('@') + 1);
  const plain = isPlain(letter.text);
  const lines = [
    folded('From', mailbox(letter)),
    `To: ${how.address}`,
    folded('Subject', encoded(subject)),
    `Date: ${dateText(at)}`,
    `Message-ID: <${name}@${domain}>`,
    ...(how.messageId === '' ? [] : [`In-Reply-To: ${how.messageId}`]),
    ...references(how),
    // RFC 3834 §5: it is answered by no one.
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Transfer-Encoding: ${plain ? '7bit' : 'base64'}`,
    '',
    ...(plain ? letter.text.split('\n') : base64Lines(`${letter.text.replaceAll('\n', '\r\n')}\r\n`)),
    '',
  ];
  const own = decodeWords(utf8(letter.words));
  const summary = encodeSummary({
    from: { name: letter.name, address: letter.address },
    to: [{ name: '', address: how.address }],
    cc: [],
    subject,
    date: at,
    snippet: cut(oneLine(letter.text), SNIPPET_CHARACTERS_MAX),
    attachments: [],
  });
  const words = encodeWords({
    ...own,
    to: answered.words.from,
    subject: letter.subject === '' ? ['auto', ...answered.words.subject] : own.subject,
  });
  return [utf8(lines.join('\r\n')), summary, words];
}

/** RFC 5322 §3.6.4: what it answers comes last. */
function references({ messageId, references: older }: Answerable): string[] {
  const ids = messageId === '' ? older : [...older.filter((id) => id !== messageId), messageId];
  return ids.length === 0 ? [] : [`References: ${ids.join('\r\n ')}`];
}

function mailbox({ name, address }: Letter): string {
  if (name === '') return address;
  const isAscii = /^[ -~]*$/.test(name) && !name.includes('=?');
  return `${isAscii ? `"${name.replace(/["\\]/g, '\\$&')}"` : encoded(name)} <${address}>`;
}

/** As it is, or in encoded words (RFC 2047). */
function encoded(text: string): string {
  if (/^[ -~]*$/.test(text) && !text.includes('=?')) return text;
  const pieces: string[] = [''];
  for (const character of text) {
    const last = pieces.at(-1)! + character;
    if (utf8(last).length <= ENCODED_WORD_BYTES) pieces[pieces.length - 1] = last;
    else pieces.push(character);
  }
  return pieces.map((piece) => `=?utf-8?B?${base64(utf8(piece))}?=`).join(' ');
}

/** A field in lines of 76 characters, as far as spaces allow. */
function folded(name: string, value: string): string {
  const lines = [`${name}:`];
  for (const word of value.split(' ')) {
    const line = `${lines.at(-1)} ${word}`;
    // A line of space alone would end the header for some.
    if (line.length <= LINE_CHARACTERS || word === '') lines[lines.length - 1] = line;
    else lines.push(` ${word}`);
  }
  return lines.join('\r\n');
}

function isPlain(text: string): boolean {
  return (
    /^[\t\n -~]*$/.test(text) && text.split('\n').every(({ length }) => length <= PLAIN_LINE_CHARACTERS_MAX)
  );
}

function base64Lines(text: string): string[] {
  return base64(utf8(text)).match(new RegExp(`.{1,${LINE_CHARACTERS}}`, 'g')) ?? [];
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function oneLine(text: string): string {
  return text.replace(/[\s\0-\x1f\x7f]+/g, ' ').trim();
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAY_S = 86_400;

/** RFC 5322 §3.3, in UTC: "Mon, 23 Nov 2026 17:25:48 +0000". */
export function dateText(at: Time): string {
  const seconds = Math.floor(at / 1000);
  const days = Math.floor(seconds / DAY_S);
  const { year, month, day } = civil(days);
  const two = (n: number) => String(n).padStart(2, '0');
  const ofDay = seconds - days * DAY_S;
  const clock = [ofDay / 3600, (ofDay / 60) % 60, ofDay % 60].map((n) => two(Math.floor(n))).join(':');
  return `${DAYS[(days + 4) % 7]}, ${two(day)} ${MONTHS[month]} ${year} ${clock} +0000`;
}

/** The Gregorian date of a day counted from 1 January 1970: years counted from March, leap days last. */
function civil(days: number): { year: number; month: number; day: number } {
  const fromMarch0 = days + 719_468;
  const era = Math.floor(fromMarch0 / 146_097);
  const ofEra = fromMarch0 - era * 146_097;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * ofYear + 2) / 153);
  const month = (fromMarch + 2) % 12;
  return {
    year: yearOfEra + era * 400 + (month < 2 ? 1 : 0),
    month,
    day: ofYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
  };
}
