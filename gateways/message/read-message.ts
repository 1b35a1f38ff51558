/**
 * A message opened: what its page shows, and one attachment's bytes. Read from the raw message each
 * time; nothing of it is stored.
 *
 * Always holds: it resolves for any bytes at all. A message whose structure cannot be read comes with
 * `problem` and with the beginning of its raw body as text. `html` is as the sender wrote it, with
 * every danger still in it: whoever shows it sanitises it first.
 */
import { readAddresses, type Address } from './addresses.ts';
import { decodeUnlabelled } from './encoded-words.ts';
import { readHeaderBlock, type HeaderBlock } from './header-block.ts';
import { readMailDate } from './mail-date.ts';
import { walkMessage } from './mime-walk.ts';
import { cut, manyLines, oneLine } from './readable-text.ts';
import { ADDRESSES_MAX, readFrom, readSubject } from './summary.ts';

export type ReadableMessage = {
  readonly headers: DisplayHeaders;
  readonly text: string | undefined;
  /** Unsanitised. */
  readonly html: string | undefined;
  readonly attachments: readonly ReadableAttachment[];
  /** Why what stands here is not the whole message, in a sentence for the reader. */
  readonly problem?: string;
};

export type DisplayHeaders = {
  readonly from: Address;
  /** The first hundred. */
  readonly to: readonly Address[];
  readonly toTotal: number;
  readonly cc: readonly Address[];
  readonly ccTotal: number;
  readonly replyTo: readonly Address[];
  readonly subject: string;
  readonly date: number | null;
  /** With angle brackets, for In-Reply-To and References of an answer. */
  readonly messageId: string | undefined;
  readonly references: readonly string[];
};

export type ReadableAttachment = {
  readonly index: number;
  readonly name: string;
  readonly type: string;
  /** Decoded length in bytes. */
  readonly size: number;
  readonly contentId: string | undefined;
};

/** What a browser can be asked to lay out. */
const TEXT_CHARS_MAX = 1024 * 1024;
const HTML_CHARS_MAX = 2 * 1024 * 1024;

/** Of a message that cannot be parsed. */
const RAW_BYTES_SHOWN = 64 * 1024;

/** RFC 5322 §3.6.4, without its comments. */
const MESSAGE_ID = /<[^<>\s]{1,250}>/g;
const REFERENCES_MAX = 100;

export type ReadMessage = ReadableMessage & {
  /** The bytes of the attachments that were to be kept, by index. */
  readonly contents: ReadonlyMap<number, Buffer>;
};

/** `keep`: whether the bytes of an attachment are wanted; its `size` is not known yet when that is asked. */
export async function readMessage(
  raw: Buffer,
  keep: (found: ReadableAttachment) => boolean = () => false,
): Promise<ReadMessage> {
  const header = readHeaderBlock(raw);
  const walk = await walkMessage(raw, { convert: true, keep });
  const text = walk.text ?? (walk.problem === undefined ? undefined : startOfBody(raw, header));
  const problem = walk.problem ?? shortened(text, walk.html);
  return {
    headers: displayHeaders(header),
    text: text === undefined ? undefined : manyLines(text, TEXT_CHARS_MAX),
    html: walk.html === undefined ? undefined : cut(walk.html, HTML_CHARS_MAX),
    attachments: walk.attachments,
    contents: walk.contents,
    ...(problem === undefined ? {} : { problem }),
  };
}

export type Attachment = ReadableAttachment & { readonly content: Buffer };

/** One attachment by the index that `readMessage` gave it; undefined if the message has no such one. */
export async function readAttachment(raw: Buffer, index: number): Promise<Attachment | undefined> {
  if (!Number.isSafeInteger(index) || index < 0) return undefined;
  const [attachment] = await readAttachments(raw, (found) => found.index === index);
  return attachment;
}

/** Those that are wanted, in one reading of the message; `size` is not known yet when that is asked. */
export async function readAttachments(
  raw: Buffer,
  wanted: (found: ReadableAttachment) => boolean,
): Promise<Attachment[]> {
  const { attachments, contents } = await walkMessage(raw, { keep: wanted });
  return [...contents].flatMap(([index, content]) => {
    const attachment = attachments[index];
    return attachment === undefined ? [] : [{ ...attachment, content }];
  });
}

function displayHeaders(header: HeaderBlock): DisplayHeaders {
  const to = readAddresses(header.all('to'), ADDRESSES_MAX);
  const cc = readAddresses(header.all('cc'), ADDRESSES_MAX);
  const ids = (name: string) =>
    header
      .first(name)
      ?.match(MESSAGE_ID)
      ?.map((id) => oneLine(id, 252)) ?? [];
  return {
    from: readFrom(header),
    to: to.list,
    toTotal: to.total,
    cc: cc.list,
    ccTotal: cc.total,
    replyTo: readAddresses(header.all('reply-to'), ADDRESSES_MAX).list,
    subject: readSubject(header),
    date: readMailDate(header.first('date')),
    messageId: ids('message-id')[0],
    references: ids('references').slice(-REFERENCES_MAX),
  };
}

function startOfBody(raw: Buffer, header: HeaderBlock): string {
  return decodeUnlabelled(raw.subarray(header.bodyAt, header.bodyAt + RAW_BYTES_SHOWN));
}

function shortened(text: string | undefined, html: string | undefined): string | undefined {
  const whole = (text?.length ?? 0) <= TEXT_CHARS_MAX && (html?.length ?? 0) <= HTML_CHARS_MAX;
  return whole ? undefined : 'It is too long to be shown whole: this is its beginning.';
}
