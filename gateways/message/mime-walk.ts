/**
 * One walk through a message's MIME structure with mailparser, bounded; a message that has none is read without
 * (plain-text.ts). It is the only place that knows mailparser; summary, message page and attachment download all
 * number attachments by it, so an index means the same part everywhere.
 *
 * Always holds: it resolves, never rejects; a message that breaks a bound or the parser gives what
 * was read up to there and `problem`, a sentence for the reader. Attachments' bytes pass through and
 * are kept only for those that are asked for.
 *
 * Of the 6,046 real test messages two have a problem: their parts are not delimited by the boundary that
 * their header names.
 */
import { Readable } from 'node:stream';
import { MailParser, type AttachmentStream, type MailParserOptions, type MessageText } from 'mailparser';
import { safeFileName, safeMediaType } from './file-names.ts';
import { readHeaderBlock, type HeaderBlock } from './header-block.ts';
import { plainTextOf } from './plain-text.ts';
import { oneLine } from './readable-text.ts';

export type WalkedAttachment = {
  readonly index: number;
  readonly name: string;
  readonly type: string;
  /** Decoded length in bytes. */
  size: number;
  /** Without its angle brackets, to be matched against `cid:` links. */
  readonly contentId: string | undefined;
};

export type Walk = {
  readonly text: string | undefined;
  readonly html: string | undefined;
  readonly attachments: readonly WalkedAttachment[];
  /** The bytes of the attachments asked for, by index; none if there is a problem. */
  readonly contents: ReadonlyMap<number, Buffer>;
  readonly problem: string | undefined;
};

export const PARTS_MAX = 400;
const HEADER_BYTES_MAX = 256 * 1024;

/** A 40 MiB attachment has 570,000 lines; a message of more lines would hold the event loop for seconds. */
const LINES_MAX = 700_000;

/** Above this, HTML is not turned into text nor text into HTML: both cost much per byte. */
const CONVERT_BYTES_MAX = 512 * 1024;

/** The slowest legitimate message, 40 MiB, takes a second: a parser this late has lost its way. */
const PARSE_MS_MAX = 20_000;

/** Fed in slices, so that other work gets its turn while a large message is read. */
const SLICE_BYTES = 64 * 1024;

/**
 * `convert`: also make text of HTML-only messages, and HTML of plain parts that stand beside HTML.
 * `keep`: whether the bytes of an attachment are wanted. `header`: of the same message, where it is read already.
 */
export async function walkMessage(
  raw: Buffer,
  {
    convert = false,
    keep = none,
    header = readHeaderBlock(raw),
  }: { convert?: boolean; keep?: (found: WalkedAttachment) => boolean; header?: HeaderBlock } = {},
): Promise<Walk> {
  const plain = plainTextOf(raw, header);
  if (plain !== undefined) {
    return {
      text: plain || undefined,
      html: undefined,
      attachments: [],
      contents: new Map(),
      problem: undefined,
    };
  }
  return parsedWalk(raw, header, convert, keep);
}

/** By the parser, whatever the message. */
export async function parsedWalk(
  raw: Buffer,
  header: HeaderBlock,
  convert = false,
  keep: (found: WalkedAttachment) => boolean = none,
): Promise<Walk> {
  const attachments: WalkedAttachment[] = [];
  const kept = new Map<number, Buffer[]>();
  let body: MessageText | undefined;
  let problem: string | undefined;
  if (linesExceed(raw, LINES_MAX)) {
    problem = `It has more than ${LINES_MAX} lines.`;
  } else {
    problem = await parse(raw, options(convert && raw.length <= CONVERT_BYTES_MAX), (found) => {
      if (found.type === 'text') {
        body = found;
        return;
      }
      const attachment = describe(found, attachments.length);
      attachments.push(attachment);
      const pieces: Buffer[] | undefined = keep(attachment) ? [] : undefined;
      if (pieces !== undefined) kept.set(attachment.index, pieces);
      found.content.on('data', (piece: Buffer) => {
        attachment.size += piece.length;
        pieces?.push(piece);
      });
      found.content.on('end', () => found.release?.());
    });
  }
  const text = body?.text || undefined;
  const html = body?.html || undefined;
  if (text === undefined && html === undefined && attachments.length === 0 && hasBody(raw, header)) {
    problem ??= 'None of its parts can be found where its header says they are.';
  }
  return {
    text,
    html,
    attachments,
    contents: new Map(
      problem === undefined ? [...kept].map(([index, pieces]) => [index, Buffer.concat(pieces)]) : [],
    ),
    problem,
  };
}

const none = (): boolean => false;

function options(convert: boolean): MailParserOptions {
  return {
    skipHtmlToText: !convert,
    skipTextToHtml: !convert,
    skipTextLinks: true,
    skipImageLinks: true,
    checksumAlgo: false,
    // An embedded message is an attachment to open by itself. (Parsed in place, one without a body makes
    // mailparser 3.14.2 wait for ever.)
    ignoreEmbedded: true,
    maxHtmlLengthToParse: CONVERT_BYTES_MAX,
    maxHeadSize: HEADER_BYTES_MAX,
    maxChildNodes: PARTS_MAX,
  };
}

function describe(found: AttachmentStream, index: number): WalkedAttachment {
  const type = safeMediaType(found.contentType);
  return {
    index,
    name: safeFileName(found.filename, index, type),
    type,
    size: 0,
    contentId: found.cid ? oneLine(found.cid, 256) : undefined,
  };
}

function parse(
  raw: Buffer,
  settings: MailParserOptions,
  onFound: (found: AttachmentStream | MessageText) => void,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const parser = new MailParser(settings);
    const source = Readable.from(slices(raw));
    const stop = (why: string) => {
      clearTimeout(late);
      source.destroy();
      parser.destroy();
      resolve(why);
    };
    const late = setTimeout(
      stop,
      PARSE_MS_MAX,
      `It could not be read within ${PARSE_MS_MAX / 1000} seconds.`,
    );
    parser.on('data', (found: AttachmentStream | MessageText) => {
      try {
        onFound(found);
      } catch (error) {
        // Thrown on, it would leave the parser's own callback and end the process.
        stop(explain(error as Error));
      }
    });
    parser.on('error', (error: Error) => stop(explain(error)));
    parser.on('end', () => {
      clearTimeout(late);
      resolve(undefined);
    });
    source.pipe(parser);
  });
}

function* slices(raw: Buffer): Generator<Buffer> {
  for (let at = 0; at < raw.length; at += SLICE_BYTES) yield raw.subarray(at, at + SLICE_BYTES);
}

function explain(error: Error): string {
  if (/child nodes/.test(error.message)) return `It has more than ${PARTS_MAX} parts.`;
  if (/header size/i.test(error.message))
    return `One of its header blocks is longer than ${HEADER_BYTES_MAX} bytes.`;
  return `Its structure cannot be read (${oneLine(error.message, 100)}).`;
}

/** Whether there are words behind the header. */
function hasBody(raw: Buffer, { bodyAt }: HeaderBlock): boolean {
  return /\S/.test(raw.toString('latin1', bodyAt, bodyAt + SLICE_BYTES));
}

function linesExceed(raw: Buffer, linesMax: number): boolean {
  // Two bytes a line at least, so a short message needs no count.
  if (raw.length <= linesMax) return false;
  let lines = 0;
  for (let at = raw.indexOf(0x0a); at >= 0; at = raw.indexOf(0x0a, at + 1)) {
    if (++lines > linesMax) return true;
  }
  return false;
}
