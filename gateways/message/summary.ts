/**
 * The summary of a message: what the inbox shows of it, recorded beside the raw bytes when the
 * message enters, so that nothing ever has to parse it again to list it.
 *
 * Always holds: `summarise` resolves for any bytes at all; every field is bounded and readable; facts
 * of the header come from the header block itself, so that they are there even when the structure
 * cannot be read. Then `problem` says why, in a sentence for the reader. Bcc is never read from a
 * message that came in: it belongs to the sender's own copy.
 */
import type { MailSummary } from '../../domain/mail/message/summary.ts';
import { readAddresses, type Address } from './addresses.ts';
import { decodeWords } from './encoded-words.ts';
import { readHeaderBlock, type HeaderBlock } from './header-block.ts';
import { htmlToLine } from './html-line.ts';
import { readMailDate } from './mail-date.ts';
import { walkMessage, type Walk } from './mime-walk.ts';
import { oneLine } from './readable-text.ts';

export type Summary = MailSummary;

/** A line of RFC 5322 §2.1.1. */
export const SUBJECT_CHARS_MAX = 998;
export const ADDRESSES_MAX = 100;
const ATTACHMENTS_MAX = 200;
const SNIPPET_CHARS_MAX = 200;

/** What of a body is looked at for the snippet. */
const SNIPPET_SOURCE_CHARS = 16 * 1024;

export async function summarise(raw: Buffer): Promise<Summary> {
  const header = readHeaderBlock(raw);
  return summaryOf(raw, header, await walkMessage(raw, { header }));
}

/** `header` and `walk`: of the same message. */
export function summaryOf(raw: Buffer, header: HeaderBlock, walk: Walk): Summary {
  return {
    from: readFrom(header),
    to: readAddresses(header.all('to'), ADDRESSES_MAX).list,
    cc: readAddresses(header.all('cc'), ADDRESSES_MAX).list,
    subject: readSubject(header),
    date: readMailDate(header.first('date')),
    snippet: snippet(walk, raw, header),
    attachments: walk.attachments
      .slice(0, ATTACHMENTS_MAX)
      .map(({ name, type, size }) => ({ name, type, size })),
    ...(walk.problem === undefined ? {} : { problem: walk.problem }),
  };
}

/** The first mailbox of From, else of Sender; both empty if there is none. */
export function readFrom(header: HeaderBlock): Address {
  const listed = readAddresses([header.first('from') ?? '', header.first('sender') ?? ''], 10).list;
  return listed.find(({ name, address }) => name !== '' || address !== '') ?? { name: '', address: '' };
}

export function readSubject(header: HeaderBlock): string {
  return oneLine(
    decodeWords((header.first('subject') ?? '').slice(0, 8 * SUBJECT_CHARS_MAX)),
    SUBJECT_CHARS_MAX,
  );
}

/** The first words, of whichever form of the body has any: some senders leave the plain one blank. */
function snippet(walk: Walk, raw: Buffer, header: HeaderBlock): string {
  const text = (walk.text ?? '').slice(0, SNIPPET_SOURCE_CHARS);
  const plain = oneLine(withoutQuotes(text), SNIPPET_CHARS_MAX) || oneLine(text, SNIPPET_CHARS_MAX);
  if (plain !== '') return plain;
  if (walk.html !== undefined)
    return htmlToLine(walk.html.slice(0, 4 * SNIPPET_SOURCE_CHARS), SNIPPET_CHARS_MAX);
  if (walk.problem === undefined) return '';
  const start = raw.subarray(header.bodyAt, header.bodyAt + SNIPPET_SOURCE_CHARS);
  return oneLine(start.toString('utf8'), SNIPPET_CHARS_MAX);
}

/** What its sender wrote, without what is quoted and the line that says whom ("… wrote:"). */
function withoutQuotes(text: string): string {
  const lines = text.split('\n');
  const isQuoted = (line: string | undefined) => line !== undefined && line.startsWith('>');
  const isSpace = (line: string | undefined) => line?.trim() === '';
  return lines
    .filter((line, i) => {
      const below = isSpace(lines[i + 1]) ? lines[i + 2] : lines[i + 1];
      return !isQuoted(line) && !(isQuoted(below) && line.trimEnd().endsWith(':'));
    })
    .join('\n');
}
