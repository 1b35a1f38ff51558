/**
 * What a mail client hands in is sent by the same command as what is written on a page: a copy in Sent, copies to
 * accounts here, and the addresses elsewhere, in one entry of the sender's account.
 */
import { encodeSummary, type Address } from '../../../domain/mail/message/summary.ts';
import { encodeWrittenTo } from '../../../domain/mail/message/written-to.ts';
import { encodeEnvelope } from '../../../domain/outbound/envelope.ts';
import { accountStream } from '../../../domain/streams.ts';
import { Rejected, type StoreClient } from '../../../storage-nodes/client/client.ts';
import { accountsAddressed, answerableMessage } from '../../message/answerable.ts';
import { readHeaderBlock } from '../../message/header-block.ts';
import { walkMessage } from '../../message/mime-walk.ts';
import { namedIds } from '../../message/named-ids.ts';
import { summaryOf } from '../../message/summary.ts';
import { encodedWords } from '../../message/words.ts';
import { commandId } from '../session/command-id.ts';
import { SmtpReply, tooLarge, tryAgain } from '../session/smtp-reply.ts';

const DEADLINE_MS = 60_000;
const COMMAND_LIFE_MS = 10 * 60_000;

export type Submitted = {
  readonly messageId: string;
  /** The message's id if it came in the hour before (session/repeats.ts). */
  readonly earlier: string | undefined;
  /** Account name. */
  readonly by: string;
  /** The envelope's sender. */
  readonly from: string;
  readonly raw: Buffer;
  /** The envelope: accounts here, and addresses elsewhere, each once. */
  readonly accounts: readonly string[];
  readonly outside: readonly string[];
  readonly bcc: readonly Address[];
  readonly sessionId: string;
  readonly domains: readonly string[];
  readonly messageBytesMax: number;
};

/** Resolves once the sender's entry is committed. Throws SmtpReply; any other error is a fault of the store: 451. */
export async function send(store: StoreClient, submitted: Submitted): Promise<void> {
  const { messageId, earlier, by, from, raw, accounts, outside, bcc, sessionId, domains, messageBytesMax } =
    submitted;
  const header = readHeaderBlock(raw);
  const walk = await walkMessage(raw);
  const shared = summaryOf(raw, header, walk);
  const summary = bcc.length === 0 ? shared : { ...shared, bcc };
  const words = (one: typeof summary) => encodedWords({ ...one, text: walk.text, html: walk.html });
  const named = accountsAddressed(shared, domains);
  const addressed = accounts.filter((account) => named.has(account));
  const answered = addressed.length === 0 ? undefined : answerableMessage(header, from, domains);
  const command = {
    id: commandId(),
    expiresAt: Date.now() + COMMAND_LIFE_MS,
    stream: accountStream(by),
    type: 'mail.SendMessage',
    data: {
      messageId,
      recipients: accounts,
      outside: outside.length,
      ...(outside.length > 0 && { enveloped: true }),
      ids: namedIds(header),
      collects: true,
      ...(earlier !== undefined && { earlier }),
      ...(answered && { answer: { ...answered.answer, addressed } }),
    },
    parts: [
      raw,
      encodeSummary(summary),
      encodeSummary(shared),
      words(summary),
      words(shared),
      ...(outside.length > 0 ? [encodeEnvelope({ from, to: outside, prepend: '' })] : []),
      encodeWrittenTo([...summary.to, ...summary.cc, ...bcc]),
      ...(answered ? [answered.part] : []),
    ],
    actor: by,
    session: sessionId,
    action: 'Send message',
  };
  try {
    await store.execute(command, { deadlineMs: DEADLINE_MS });
  } catch (error) {
    throw error instanceof Rejected ? refusal(error, messageBytesMax) : error;
  }
}

function refusal({ rejection }: Rejected, messageBytesMax: number): SmtpReply {
  if (rejection.code === 'TooLarge') return tooLarge(messageBytesMax);
  if (rejection.code === 'NoSuchAccount') return new SmtpReply(535, '5.7.8', 'This account is gone');
  return rejection.code === 'Malformed' ? new SmtpReply(554, '5.6.0', rejection.message) : tryAgain();
}
