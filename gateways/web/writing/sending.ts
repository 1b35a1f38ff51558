/**
 * A draft becomes a message: its attachments are read from where they lie and streamed into it, the sender's
 * copy is stored with the time at which it goes out, and everything else follows from that one command. What
 * always holds:
 *
 *   one form, and what stood in it, is one message, however often it is sent
 *   blind copies stand in the sender's own summary and in the envelope, never in the message
 */
import { createHash } from 'node:crypto';
import { encodeSummary, type MailSummary } from '../../../domain/mail/message/summary.ts';
import { encodeWrittenTo } from '../../../domain/mail/message/written-to.ts';
import { encodeEnvelope } from '../../../domain/outbound/envelope.ts';
import { metaCell } from '../../../projections/keys.ts';
import { readMessageMeta } from '../../../projections/message.ts';
import type { Accepted, StoreClient } from '../../../storage-nodes/client/client.ts';
import { accountsAddressed, answerableMessage } from '../../message/answerable.ts';
import { composeMessage, TooLong, UncomposableMessage } from '../../message/compose.ts';
import { readHeaderBlock, type HeaderBlock } from '../../message/header-block.ts';
import { namedIds } from '../../message/named-ids.ts';
import { readMessage } from '../../message/read-message.ts';
import { htmlDocument } from '../../message/rich-text.ts';
import { encodedWords } from '../../message/words.ts';
import type { Address } from '../../message/addresses.ts';
import { idFrom } from '../../pages/command-ids.ts';
import type { Pages } from '../../pages/pages.ts';
import { badField, PageRefusal } from '../../pages/refusals.ts';
import { cellOf, type Visit } from '../../pages/visit.ts';
import { threadOf } from './answers.ts';
import { attachmentReader, AttachmentGone, ownMessage } from '../../drafts/attachment-bytes.ts';
import { summaryOf, textOf, type DraftContent, type Typed } from '../../drafts/draft-content.ts';
import type { Recipients } from './recipients.ts';
import { addressOf, writersOf } from './sender.ts';

export type Sending = {
  readonly draftId: string;
  readonly content: DraftContent;
  readonly recipients: Recipients;
  readonly dueAt: number;
  /** The form's. */
  readonly commandId: string;
};

/** The message that this form becomes: another text in the same form would be another one. */
export function outgoingId(visit: Visit, commandId: string, typed: Typed): string {
  return idFrom(visit.account.name, sendingId(commandId, typed), 'message');
}

function sendingId(commandId: string, typed: Typed): string {
  const { from, to, cc, bcc, subject, text, html, answers } = typed;
  const all = JSON.stringify([from, to, cc, bcc, subject, text, html, answers]);
  return `${commandId}-m${createHash('sha256').update(all).digest('hex').slice(0, 16)}`;
}

/** The message, if it is there; `entry`: the one to undo, while it waits. */
export async function onItsWay(
  store: StoreClient,
  owner: string,
  messageId: string,
): Promise<{ readonly entry: string | undefined } | undefined> {
  const { tablet, results } = await store.read(owner, [{ get: metaCell(owner, messageId) }]);
  const meta = cellOf(results[0], readMessageMeta);
  // The cell was written by the entry that scheduled it, until it is written anew when the message is sent.
  const seq = results[0]?.[0]?.seq;
  return meta && { entry: meta.dueAt === undefined ? undefined : `${tablet}:${seq}` };
}

/** Throws PageRefusal for what cannot be sent as it is; nothing was sent then. */
export async function sendDraft(pages: Pages, visit: Visit, sending: Sending): Promise<Accepted> {
  const { store, domains } = pages.deps;
  const { content, recipients, commandId } = sending;
  const writer = (await writersOf(pages, visit)).find(({ id }) => id === content.from);
  if (writer === undefined) throw badField('The identity in From is gone: choose another one.');
  const from = addressOf(writer);
  const messageId = outgoingId(visit, commandId, content);
  const raw = await composed(pages, visit, sending, from, `<${messageId}@${domains[0]}>`);
  const header = readHeaderBlock(raw);
  const answered = answeredBy(header, from, recipients, domains);
  const summary = summaryOf(content, content.attachments, from, Date.now());
  const { bcc: _ownersAlone, ...shared } = summary;
  const text = textOf(content);
  const accepted = await pages.send(
    { actor: visit.account.name, sessionHash: visit.sessionHash },
    {
      id: sendingId(commandId, content),
      stream: visit.stream,
      type: 'mail.SendMessage',
      data: {
        messageId,
        recipients: recipients.accounts,
        outside: recipients.outside.length,
        ...(recipients.outside.length > 0 && { enveloped: true }),
        ids: namedIds(header),
        dueAt: sending.dueAt,
        draftId: sending.draftId,
        collects: true,
        ...(answered && { answer: answered.answer }),
      },
      parts: [
        raw,
        encodeSummary(summary),
        encodeSummary(shared),
        wordsOf(summary, text),
        wordsOf(shared, text),
        ...(recipients.outside.length > 0
          ? [encodeEnvelope({ from: from.address, to: recipients.outside, prepend: '' })]
          : []),
        encodeWrittenTo([...summary.to, ...summary.cc, ...(summary.bcc ?? [])]),
        ...(answered ? [answered.part] : []),
      ],
      action: 'Send message',
    },
  );
  // The store answers a repeat as it answered the first time, also if the message was taken back since.
  if ((await onItsWay(store, visit.stream, messageId)) !== undefined) return accepted;
  throw new PageRefusal(
    409,
    'Taken back',
    'This message was sent from this page before, and taken back. Nothing was sent now: send it once more if you mean to.',
  );
}

/** How the recipients that To and Cc name may answer while they are away; undefined: there are none. */
function answeredBy(
  header: HeaderBlock,
  { address }: Address,
  recipients: Recipients,
  domains: readonly string[],
) {
  const named = accountsAddressed(recipients, domains);
  const addressed = recipients.accounts.filter((account) => named.has(account));
  const answerable = addressed.length === 0 ? undefined : answerableMessage(header, address, domains);
  return answerable && { answer: { ...answerable.answer, addressed }, part: answerable.part };
}

/** The words by which the message can be found: in the sender's copy those of blind copies too. */
function wordsOf(summary: MailSummary, text: string): Buffer {
  return encodedWords({ ...summary, text, html: undefined });
}

async function composed(
  pages: Pages,
  visit: Visit,
  { content, recipients }: Sending,
  from: Address,
  messageIdHeader: string,
): Promise<Buffer> {
  const { messageBytesMax } = pages.deps;
  const { to, cc, bcc } = recipients;
  const bytesOf = attachmentReader(pages.deps.store, visit.stream);
  const attachments = content.attachments.map((one) => ({
    name: one.name,
    type: one.type,
    content: bytesOf(one),
  }));
  const thread = await threadFor(pages, visit, content.answers);
  try {
    const written = {
      ...{ from, to, cc, bcc, messageIdHeader, attachments },
      subject: content.subject,
      text: textOf(content),
      ...(content.html !== '' && { html: htmlDocument(content.html) }),
      date: Date.now(),
      ...thread,
    };
    return await composeMessage(written, messageBytesMax);
  } catch (error) {
    if (error instanceof UncomposableMessage) throw badField(error.message);
    if (error instanceof AttachmentGone) {
      const { attachment } = error;
      throw badField(
        `“${attachment}” is gone: its message was deleted. Remove the attachment, then send again.`,
      );
    }
    if (!(error instanceof TooLong)) throw error;
    throw badField(`Message is too large: at most ${messageBytesMax} bytes with its attachments.`);
  }
}

/** In-Reply-To and References; none if the message answered is gone meanwhile. */
async function threadFor(pages: Pages, visit: Visit, answered: string) {
  const raw = answered === '' ? undefined : await ownMessage(pages.deps.store, visit.stream, answered);
  return raw === undefined ? {} : threadOf(await readMessage(raw));
}
