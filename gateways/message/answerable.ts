/**
 * Whether a message may be answered by a program, and how (RFC 3834 §2 and §4): read of its header when it comes in,
 * and recorded beside it. Always holds: what comes from a list, a robot or nobody is not answerable; an answer goes
 * to the envelope's sender, never to an address that the header names.
 */
import { createHash } from 'node:crypto';
import {
  encodeAnswerable,
  isAnswerableAddress,
  isMessageId,
  REFERENCES_MAX,
  type Answering,
} from '../../domain/mail/message/answerable.ts';
import type { MailSummary } from '../../domain/mail/message/summary.ts';
import { isServed, isValidAddress, recipientAccount } from './addresses.ts';
import type { HeaderBlock } from './header-block.ts';
import { readFrom } from './summary.ts';

/** What goes with the message's command: in its data, and as its last part. */
export type AnswerableMessage = { readonly answer: Answering; readonly part: Uint8Array };

/** RFC 2369, RFC 2919, RFC 8058. */
const LIST_FIELDS = ['id', 'help', 'subscribe', 'unsubscribe', 'post', 'owner', 'archive'].map(
  (field) => `list-${field}`,
);
/** What programs put into their answers before there was Auto-Submitted. */
const ANSWER_FIELDS = ['x-autoreply', 'x-autorespond'];
/** RFC 3834 §2, and names that say that nobody reads what is sent to them. */
const ROBOT =
  /^(?:mailer-daemon|postmaster|listserv|majordomo|nobody|owner-.*|.*-(?:request|owner|relay|bounces?|errors)|(?:bounces?|no[._-]?reply|do[._-]?not[._-]?reply)(?:[+._=-].*)?)$/i;
const MESSAGE_IDS = /<[^<>\s]{1,250}>/g;

/** `sender`: the envelope's, empty for none. Undefined: it must not be answered. */
export function answerableMessage(
  header: HeaderBlock,
  sender: string,
  domains: readonly string[],
): AnswerableMessage | undefined {
  if (!isValidAddress(sender) || !isAnswerableAddress(sender) || isRobot(sender)) return undefined;
  if (isAutomatic(header) || isRobot(readFrom(header).address)) return undefined;
  const account = recipientAccount(sender, domains) ?? null;
  if (account === null && isServed(sender, domains)) return undefined;
  const ids = (name: string) => (header.first(name)?.match(MESSAGE_IDS) ?? []).filter(isMessageId);
  const part = encodeAnswerable({
    address: sender,
    messageId: ids('message-id')[0] ?? '',
    references: ids('references').slice(-REFERENCES_MAX),
  });
  return { answer: { sender: senderHash(account ?? sender), account }, part };
}

/** The accounts here that To and Cc name: none else may answer (RFC 3834 §2). */
export function accountsAddressed(
  { to, cc }: Pick<MailSummary, 'to' | 'cc'>,
  domains: readonly string[],
): ReadonlySet<string> {
  return new Set([...to, ...cc].flatMap(({ address }) => recipientAccount(address, domains) ?? []));
}

function isAutomatic(header: HeaderBlock): boolean {
  const has = (name: string) => header.first(name) !== undefined;
  const says = (name: string, pattern: RegExp) => header.all(name).some((value) => pattern.test(value));
  return (
    LIST_FIELDS.some(has) ||
    ANSWER_FIELDS.some(has) ||
    // RFC 3834 §5: a keyword, then comments or parameters.
    !header.all('auto-submitted').every((value) => /^no\s*(?:[;(]|$)/i.test(value)) ||
    says('precedence', /\b(?:bulk|junk|list|auto_reply)\b/i) ||
    // Exchange's: nothing of this kind is wanted.
    says('x-auto-response-suppress', /\b(?:all|oof|autoreply)\b/i) ||
    // Reports of delivery (RFC 3464) and of reading (RFC 8098).
    says('content-type', /^multipart\/report\b/i)
  );
}

function isRobot(address: string): boolean {
  const at = address.lastIndexOf('@');
  return ROBOT.test(at < 0 ? address : address.slice(0, at));
}

/**
 * 128 bits of a sha256, so that who was told is remembered without an address. Of an account here its name: all of
 * its addresses are one person's, and a forged `name+1`, `name+2`, … must not bring that person an answer each.
 */
function senderHash(accountOrAddress: string): string {
  const folded = accountOrAddress.toLowerCase();
  return createHash('sha256').update(folded).digest().subarray(0, 16).toString('base64url');
}
