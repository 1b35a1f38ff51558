/**
 * A message as a mail client hands it in becomes one that may go out (RFC 6409 §8): it says who wrote it, when, and what
 * it is called; it names no blind copies; and it claims nothing that only a receiving server can know.
 */
import { readAddresses } from '../../message/addresses.ts';
import { recipientAccount } from '../../message/addresses.ts';
import type { Address } from '../../../domain/mail/message/summary.ts';
import { readHeaderBlock } from '../../message/header-block.ts';
import { withoutFields } from '../../message/without-fields.ts';
import { SmtpReply } from '../session/smtp-reply.ts';

/** What is taken out: blind copies (RFC 5322 §3.6.3), and what receivers write. */
const TAKEN_OUT: ReadonlySet<string> = new Set([
  'bcc',
  'resent-bcc',
  'return-path',
  'authentication-results',
]);
const ADDRESSES_MAX = 100;

export type Outgoing = {
  readonly raw: Buffer;
  /** As the message named them. */
  readonly bcc: readonly Address[];
};

export type Written = {
  /** Account name. */
  readonly by: string;
  readonly domains: readonly string[];
  /** Without angle brackets; for a message that has none. */
  readonly messageId: string;
  readonly time: number;
  /** Of our own: trace fields. */
  readonly trace: Buffer;
};

/** Throws SmtpReply where it says that somebody else wrote it. */
export function outgoing(received: Buffer, { by, domains, messageId, time, trace }: Written): Outgoing {
  const header = readHeaderBlock(received);
  const isOwn = ({ address }: Address): boolean => recipientAccount(address, domains) === by;
  const from = header.all('from');
  const authors = readAddresses(from, ADDRESSES_MAX);
  if (from.length !== 1 || authors.total === 0) {
    throw new SmtpReply(554, '5.6.0', 'The message must have one From field with an address (RFC 5322 3.6)');
  }
  const sender = readAddresses(header.all('sender'), ADDRESSES_MAX);
  const foreign = [...authors.list, ...sender.list].find((one) => !isOwn(one));
  if (foreign !== undefined || authors.total > ADDRESSES_MAX) {
    throw new SmtpReply(
      550,
      '5.7.1',
      `From and Sender must be addresses of ${by}; ${foreign?.address ?? ''} is not`,
    );
  }
  const added = [
    ...(header.first('date') === undefined ? [`Date: ${dateField(time)}`] : []),
    ...(header.first('message-id') === undefined
      ? [`Message-ID: <${messageId}@${domains[0] ?? 'localhost'}>`]
      : []),
  ];
  const body = withoutFields(received, (name) => TAKEN_OUT.has(name));
  const raw = Buffer.concat([trace, Buffer.from(added.map((line) => `${line}\r\n`).join('')), body]);
  return { raw, bcc: readAddresses(header.all('bcc'), ADDRESSES_MAX).list };
}

/** RFC 5322 §3.3 */
function dateField(time: number): string {
  return new Date(time).toUTCString().replace(/GMT$/, '+0000');
}
