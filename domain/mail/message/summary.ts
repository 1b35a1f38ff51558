/**
 * The summary of a message: what lists and headings show of it without parsing the message again. The
 * gateway that took the message in makes it, and it travels as a part of the command (JSON, UTF-8),
 * because subjects and names are user content and can be erased.
 *
 * `encodeSummary` always fits SUMMARY_BYTES_MAX: a message to thousands of people, or with thousands of
 * attachments, is summarised with its first ones. `decodeSummary` never throws: a summary that is gone
 * or unreadable becomes an empty one whose `problem` says why.
 */
import { decodeText } from '../../fields.ts';

export type Address = { readonly name: string; readonly address: string };
export type AttachmentSummary = { readonly name: string; readonly type: string; readonly size: number };

export type MailSummary = {
  readonly from: Address;
  readonly to: readonly Address[];
  readonly cc: readonly Address[];
  /** Only in the sender's own copy. */
  readonly bcc?: readonly Address[];
  readonly subject: string;
  /** The message's own Date, milliseconds since 1970; null when it has none that can be read. */
  readonly date: number | null;
  /** The beginning of the text, on one line. */
  readonly snippet: string;
  readonly attachments: readonly AttachmentSummary[];
  /** Why the message could not be (wholly) read, in words for the person reading it. */
  readonly problem?: string;
};

/** A summary, with what projections add to it, stays below the size at which cells are sent inline. */
export const SUMMARY_BYTES_MAX = 48 * 1024;
export const SNIPPET_CHARACTERS_MAX = 200;
const SUBJECT_CHARACTERS_MAX = 1000;
const NAME_CHARACTERS_MAX = 255;
/** RFC 5321 §4.5.3.1: 64 for the local part, '@', 255 for the domain. */
const ADDRESS_CHARACTERS_MAX = 320;
const LISTED_MAX = 200;

/** The bytes of a summary part, at most SUMMARY_BYTES_MAX, properties in a fixed order. */
export function encodeSummary(summary: MailSummary): Uint8Array {
  for (let listedMax = LISTED_MAX; ; listedMax = Math.floor(listedMax / 2)) {
    const bytes = new TextEncoder().encode(JSON.stringify(bounded(summary, listedMax)));
    // With empty lists the rest is bounded far below the limit, so that this ends.
    if (bytes.length <= SUMMARY_BYTES_MAX || listedMax === 0) return bytes;
  }
}

/** Several projections ask for the same one, of the same bytes. */
const decoded = new WeakMap<Uint8Array, MailSummary>();

/**
 * Never throws; see `problem` of the result. `bytes` undefined: the part was erased. Requires that the bytes stay as
 * they are.
 */
export function decodeSummary(bytes: Uint8Array | undefined): MailSummary {
  if (bytes === undefined) return unreadable('The summary of this message was erased.');
  const known = decoded.get(bytes);
  if (known !== undefined) return known;
  const summary = readSummary(bytes);
  decoded.set(bytes, summary);
  return summary;
}

function readSummary(bytes: Uint8Array): MailSummary {
  const text = decodeText(bytes);
  if (text === undefined) return unreadable('The summary of this message is not valid text.');
  try {
    return (
      summaryFrom(JSON.parse(text)) ?? unreadable('The summary of this message lacks some of its fields.')
    );
  } catch {
    return unreadable('The summary of this message could not be read.');
  }
}

/** At most `max` UTF-16 units, never ending inside a character. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? max - 1 : max);
}

function bounded(summary: MailSummary, listedMax: number): MailSummary {
  const address = (one: Address): Address => ({
    name: cut(one.name, NAME_CHARACTERS_MAX),
    address: cut(one.address, ADDRESS_CHARACTERS_MAX),
  });
  const addresses = (list: readonly Address[]) => list.slice(0, listedMax).map(address);
  return {
    from: address(summary.from),
    to: addresses(summary.to),
    cc: addresses(summary.cc),
    ...(summary.bcc && { bcc: addresses(summary.bcc) }),
    subject: cut(summary.subject, SUBJECT_CHARACTERS_MAX),
    date: summary.date,
    snippet: cut(summary.snippet, SNIPPET_CHARACTERS_MAX),
    attachments: summary.attachments.slice(0, listedMax).map(({ name, type, size }) => ({
      name: cut(name, NAME_CHARACTERS_MAX),
      type: cut(type, NAME_CHARACTERS_MAX),
      size,
    })),
    ...(summary.problem !== undefined && { problem: cut(summary.problem, SUBJECT_CHARACTERS_MAX) }),
  };
}

function unreadable(problem: string): MailSummary {
  return {
    from: { name: '', address: '' },
    to: [],
    cc: [],
    subject: '',
    date: null,
    snippet: '',
    attachments: [],
    problem,
  };
}

/** The summary in its fixed order; undefined when a field is missing or of the wrong type. */
function summaryFrom(value: unknown): MailSummary | undefined {
  if (!isRecord(value)) return undefined;
  const { from, to, cc, bcc, subject, date, snippet, attachments, problem } = value;
  if (!isAddress(from) || !isListOf(to, isAddress) || !isListOf(cc, isAddress)) return undefined;
  if (bcc !== undefined && !isListOf(bcc, isAddress)) return undefined;
  if (typeof subject !== 'string' || typeof snippet !== 'string') return undefined;
  if (date !== null && !Number.isSafeInteger(date)) return undefined;
  if (!isListOf(attachments, isAttachment)) return undefined;
  if (problem !== undefined && typeof problem !== 'string') return undefined;
  return bounded(
    {
      from,
      to,
      cc,
      ...(bcc !== undefined && { bcc }),
      subject,
      date: date as number | null,
      snippet,
      attachments,
      ...(problem !== undefined && { problem }),
    },
    LISTED_MAX,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAddress(value: unknown): value is Address {
  return isRecord(value) && typeof value.name === 'string' && typeof value.address === 'string';
}

function isAttachment(value: unknown): value is AttachmentSummary {
  return (
    isRecord(value) &&
    typeof value.name === 'string' &&
    typeof value.type === 'string' &&
    Number.isSafeInteger(value.size)
  );
}

function isListOf<Item>(value: unknown, isItem: (item: unknown) => item is Item): value is Item[] {
  return Array.isArray(value) && value.every(isItem);
}
