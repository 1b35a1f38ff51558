/**
 * A draft as its writer sees it: what was typed, as it was typed, and the names of its attachments, whose
 * bytes lie elsewhere: in chunks of their own, or in a message of the same mailbox that is forwarded. Kept as
 * one part of an event (domain/mail/draft.ts), so that it can be erased; read again on any gateway.
 */
import { z } from 'zod';
import type { MailSummary } from '../../domain/mail/message/summary.ts';
import { parseAddressList, type Address } from '../message/addresses.ts';
import { oneLine } from '../message/readable-text.ts';
import { plainOf } from '../message/rich-text.ts';

const attachment = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('file'),
    name: z.string(),
    type: z.string(),
    size: z.number(),
    fileId: z.string(),
    chunks: z.number(),
    chunkBytes: z.number(),
    sha256: z.string(),
  }),
  z.object({
    kind: z.literal('part'),
    name: z.string(),
    type: z.string(),
    size: z.number(),
    message: z.string(),
    index: z.number(),
  }),
  z.object({
    kind: z.literal('message'),
    name: z.string(),
    type: z.string(),
    size: z.number(),
    message: z.string(),
  }),
]);
const typedContent = z.object({
  /** Id of the identity that writes; '': the account itself. */
  from: z.string(),
  to: z.string(),
  cc: z.string(),
  bcc: z.string(),
  subject: z.string(),
  text: z.string(),
  /** Formatted, sanitised; '': the text is plain. */
  html: z.string(),
  /** The message answered; '': none. */
  answers: z.string(),
});
const content = typedContent.extend({
  attachments: z.array(attachment),
  /** The window that saved it last: a window is never told that it is behind itself. */
  window: z.string(),
});

export type Attachment = z.infer<typeof attachment>;
export type Typed = z.infer<typeof typedContent>;
export type DraftContent = z.infer<typeof content>;

export const NOTHING_TYPED: Typed = {
  from: '',
  to: '',
  cc: '',
  bcc: '',
  subject: '',
  text: '',
  html: '',
  answers: '',
};

export function encodeDraft(draft: DraftContent): Buffer {
  return Buffer.from(JSON.stringify(draft));
}

/** Undefined for bytes that `encodeDraft` cannot have written. */
export function decodeDraft(bytes: Buffer): DraftContent | undefined {
  try {
    return content.safeParse(JSON.parse(bytes.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

/** Unique within a draft, and the same in every window. */
export function keyOf(attachment: Attachment): string {
  switch (attachment.kind) {
    case 'file':
      return attachment.fileId;
    case 'part':
      return `${attachment.message}.${attachment.index}`;
    case 'message':
      return attachment.message;
  }
}

export function sameTyped(a: Typed, b: Typed): boolean {
  return (Object.keys(NOTHING_TYPED) as (keyof Typed)[]).every((name) => a[name] === b[name]);
}

/** What is sent, and shown to who reads plain text. */
export function textOf({ text, html }: Typed): string {
  return html === '' ? text : plainOf(html);
}

const SNIPPET_CHARS = 200;
/** What of a text is looked at for the snippet. */
const SNIPPET_SOURCE_CHARS = 16 * 1024;

/** What lists show of a message that is being written, or that is sent: told by what was typed, not parsed anew. */
export function summaryOf(
  written: Typed,
  attachments: readonly Attachment[],
  from: Address,
  date: number,
): MailSummary {
  const listed = (typed: string) => parseAddressList(typed).ok;
  const bcc = listed(written.bcc);
  return {
    from,
    to: listed(written.to),
    cc: listed(written.cc),
    ...(bcc.length > 0 && { bcc }),
    subject: oneLine(written.subject, 998),
    date,
    snippet: oneLine(textOf(written).slice(0, SNIPPET_SOURCE_CHARS), SNIPPET_CHARS),
    attachments: attachments.map(({ name, type, size }) => ({ name, type, size })),
  };
}
