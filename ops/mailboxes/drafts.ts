/**
 * Drafts as messages, and messages as drafts. A draft is what was typed and where its attachments lie (decision 0023); in
 * a mailbox file it is a message that other programs open, with its blind copies, and beside it, in a field of our own,
 * what was typed in the fields of its form, which need not be addresses yet.
 *
 * What a message cannot say is lost on the way: an attachment whose message was deleted, and what of a text MIME does
 * not keep (white space at its end).
 */
import { z } from 'zod';
import { encodeSummary } from '../../domain/mail/message/summary.ts';
import {
  addressList,
  parseAddressList,
  readAddresses,
  type Address,
} from '../../gateways/message/addresses.ts';
import { composeMessage } from '../../gateways/message/compose.ts';
import { readHeaderBlock } from '../../gateways/message/header-block.ts';
import { walkMessage, type Walk } from '../../gateways/message/mime-walk.ts';
import { manyLines, oneLine } from '../../gateways/message/readable-text.ts';
import { htmlDocument, sanitiseWritten } from '../../gateways/message/rich-text.ts';
import { storeChunks, type ChunkCommand } from '../../gateways/chunks/store-chunks.ts';
import { attachmentReader, AttachmentGone } from '../../gateways/drafts/attachment-bytes.ts';
import {
  decodeDraft,
  encodeDraft,
  NOTHING_TYPED,
  summaryOf,
  textOf,
  type Attachment,
  type DraftContent,
  type Typed,
} from '../../gateways/drafts/draft-content.ts';
import {
  ADDRESSES_BYTES_MAX,
  ATTACHMENTS_BYTES_MAX,
  ATTACHMENTS_MAX,
  SUBJECT_BYTES_MAX,
  TEXT_BYTES_MAX,
} from '../../gateways/drafts/draft-limits.ts';
import { draftContentCell, metaCell } from '../../projections/keys.ts';
import { readMessageMeta } from '../../projections/message.ts';
import { readFrom, readSubject } from '../../gateways/message/summary.ts';
import type { StoreClient } from '../../storage-nodes/client/client.ts';

const RECIPIENTS_MAX = 100;
/** Read of a field; a longer list than a draft holds is refused. */
const LISTED_MAX = 10_000;

const typedFields = z.object({
  /** Of an identity. */
  from: z.string().max(64),
  to: z.string(),
  cc: z.string(),
  bcc: z.string(),
  subject: z.string(),
  // Anything but a message's id is no answer to anything.
  answers: z
    .string()
    .regex(/^[a-z2-7]{26}(?:-in)?$/)
    .catch(''),
});

export type DraftMessage = {
  /** The address of its writer. */
  readonly from: string;
  readonly message: Buffer;
  /** For `Marks.typed`. */
  readonly typed: string;
};

/** Undefined if it was sent or discarded meanwhile. `at`: when it was saved. */
export async function draftAsMessage(
  store: StoreClient,
  owner: string,
  id: string,
  at: number,
): Promise<DraftMessage | undefined> {
  const { results } = await store.read(owner, [
    { get: draftContentCell(owner, id) },
    { get: metaCell(owner, id) },
  ]);
  const [saved, meta] = [results[0]?.[0], results[1]?.[0]];
  const content = saved && decodeDraft(await store.bytes(saved));
  if (content === undefined || meta === undefined) return undefined;
  const { from } = readMessageMeta(await store.bytes(meta));
  const { from: writer, to, cc, bcc, subject, answers } = content;
  const message = await composeMessage({
    from,
    ...recipientsOf(content),
    subject: oneLine(subject, SUBJECT_BYTES_MAX),
    text: textOf(content),
    ...(content.html !== '' && { html: htmlDocument(content.html) }),
    attachments: await attachmentsOf(store, owner, content),
    date: at,
    messageIdHeader: `<${id}.draft@${from.address.split('@').at(-1)}>`,
    isDraft: true,
  });
  return {
    from: from.address,
    message,
    typed: JSON.stringify({ from: writer, to, cc, bcc, subject, answers }),
  };
}

/** Those that are addresses already. */
function recipientsOf({ to, cc, bcc }: DraftContent): { to: Address[]; cc: Address[]; bcc: Address[] } {
  let room = RECIPIENTS_MAX;
  const listed = (typed: string) => {
    const some = parseAddressList(typed).ok.slice(0, room);
    room -= some.length;
    return some;
  };
  return { to: listed(to), cc: listed(cc), bcc: listed(bcc) };
}

async function attachmentsOf(store: StoreClient, owner: string, { attachments }: DraftContent) {
  const bytesOf = attachmentReader(store, owner);
  const found = [];
  for (const one of attachments) {
    const pieces: Buffer[] = [];
    try {
      for await (const piece of bytesOf(one)) pieces.push(piece);
    } catch (error) {
      if (error instanceof AttachmentGone) continue;
      throw error;
    }
    found.push({ name: one.name, type: one.type, content: inPieces(pieces) });
  }
  return found;
}

async function* inPieces(pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces;
}

export type ToSave = {
  readonly id: string;
  /** The account's name. */
  readonly account: string;
  readonly message: Buffer;
  /** As `draftAsMessage` told it. */
  readonly typed: string | undefined;
};

/** Why a message cannot be a draft, all of it, in sentences for whoever imports it. */
export class NoDraft extends Error {}

/**
 * The parts of mail.SaveDraft; attachments are stored by then. The same message gives the same attachments under the
 * same ids. Throws NoDraft before anything is stored.
 */
export async function draftParts(
  { id, account, message, typed }: ToSave,
  send: (command: ChunkCommand) => Promise<unknown>,
): Promise<Uint8Array[]> {
  const header = readHeaderBlock(message);
  const read = await walkMessage(message, { convert: true, keep: () => true, header });
  if (read.problem !== undefined) throw new NoDraft(`Not all of it can be read. ${read.problem}`);
  const bytes = [...read.contents.values()].reduce((sum, { length }) => sum + length, 0);
  if (read.contents.size > ATTACHMENTS_MAX || bytes > ATTACHMENTS_BYTES_MAX) {
    throw new NoDraft(
      `Its attachments are too much for a draft: at most ${ATTACHMENTS_MAX}, and 25 MB together.`,
    );
  }
  const list = (name: string) => typedList(readAddresses(header.all(name), LISTED_MAX).list);
  const fields = typed === undefined ? undefined : readTyped(typed);
  const html = read.html === undefined ? '' : sanitiseWritten(read.html);
  const written = {
    ...NOTHING_TYPED,
    to: list('to'),
    cc: list('cc'),
    bcc: list('bcc'),
    subject: readSubject(header),
    ...fields,
    text: html === '' ? manyLines(read.text ?? '', Infinity) : '',
    html,
  };
  checkLengths(written);
  const attachments = await stored(read, { id, account }, send);
  const content: DraftContent = { ...written, attachments, window: '' };
  return [encodeDraft(content), encodeSummary(summaryOf(content, attachments, readFrom(header), Date.now()))];
}

/** Who has a name alone is not sent to yet, but was meant. */
function typedList(addresses: readonly Address[]): string {
  return addresses.map((one) => (one.address === '' ? one.name : addressList([one]))).join(', ');
}

/** As the form checks what is typed: what it would not save again is not imported. */
function checkLengths(written: Typed): void {
  const limits = [
    ['To', written.to, ADDRESSES_BYTES_MAX],
    ['Cc', written.cc, ADDRESSES_BYTES_MAX],
    ['Bcc', written.bcc, ADDRESSES_BYTES_MAX],
    ['subject', written.subject, SUBJECT_BYTES_MAX],
    ['text', written.text, TEXT_BYTES_MAX],
    ['formatted text', written.html, TEXT_BYTES_MAX],
  ] as const;
  for (const [name, text, max] of limits) {
    const bytes = Buffer.byteLength(text);
    if (bytes > max)
      throw new NoDraft(`Its ${name} is too long for a draft: at most ${max} bytes, this is ${bytes}.`);
  }
}

/** Undefined for what was not written by `draftAsMessage`. */
function readTyped(typed: string): z.infer<typeof typedFields> | undefined {
  try {
    return typedFields.safeParse(JSON.parse(typed)).data;
  } catch {
    return undefined;
  }
}

async function stored(
  { attachments, contents }: Walk,
  { id, account }: { readonly id: string; readonly account: string },
  send: (command: ChunkCommand) => Promise<unknown>,
): Promise<Attachment[]> {
  const kept: Attachment[] = [];
  for (const { index, name, type } of attachments) {
    const bytes = contents.get(index);
    if (bytes === undefined) continue;
    const file = { owner: account, bytes: inPieces([bytes]), commandId: `import-${id}-${index}` };
    kept.push({
      kind: 'file',
      name,
      type,
      ...(await storeChunks(send, { ...file, action: 'Import a draft' })),
    });
  }
  return kept;
}
