/**
 * A message as a mail client hands it in becomes one that may go out (RFC 6409 §8): it says who wrote it, when, and what
 * it is called; it names no blind copies; and it claims nothing that only a receiving server can know.
 */
import { readAddresses, recipientAccount } from '../../message/addresses.ts';
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
/** In the name of whom it is shown, by one program or another. */
const WHO_WROTE: readonly string[] = ['from', 'sender', 'resent-from', 'resent-sender'];
const ADDRESSES_MAX = 100;
/** A hundred addresses; readAddresses takes more than that. */
const FIELD_CHARS_MAX = 40_000;

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
  const named = readAddresses(
    WHO_WROTE.flatMap((name) => header.all(name)),
    ADDRESSES_MAX,
  );
  const foreign = named.list.find((one) => !isOwn(one));
  if (foreign !== undefined || named.total > ADDRESSES_MAX) {
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
  let naming = 0;
  const body = withoutFields(received, (name) => {
    if (WHO_WROTE.includes(name)) naming++;
    return TAKEN_OUT.has(name);
  });
  // What was checked is what was read: of a header or of a field without an end that is the beginning.
  const checked = WHO_WROTE.flatMap((name) => header.all(name));
  if (naming !== checked.length || checked.some((value) => value.length > FIELD_CHARS_MAX))
    throw new SmtpReply(
      554,
      '5.6.0',
      'The header is too long: who wrote the message must stand in its beginning',
    );
  const raw = Buffer.concat([trace, Buffer.from(added.map((line) => `${line}\r\n`).join('')), body]);
  return { raw, bcc: readAddresses(header.all('bcc'), ADDRESSES_MAX).list };
}

/** RFC 5322 §3.3 */
function dateField(time: number): string {
  return new Date(time).toUTCString().replace(/GMT$/, '+0000');
}
