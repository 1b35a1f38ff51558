/**
 * What an automatic answer to a message needs to know of it (RFC 3834 §3 and §4), told by the gateway that has read
 * its header. A message of which nothing is told must not be answered: it came from a list or a robot, has no
 * sender to answer to, does not name its recipient, or was taken in by an older release.
 *
 * Addresses and Message-IDs are content and travel as a part, JSON in one order; the data of the command says the
 * rest: a hash of the sender, and which account here that is.
 */
import { isAccountName } from '../../account/names.ts';
import type { Content } from '../../decider.ts';
import { decodeText, fieldsOf, listOf, matching, partAtMost, refuse } from '../../fields.ts';

export type Answerable = {
  /** The envelope's sender: whom an answer goes to. */
  readonly address: string;
  /** With angle brackets; '' if it has none. */
  readonly messageId: string;
  /** Its References, oldest first, with angle brackets. */
  readonly references: readonly string[];
};

export type Answering = {
  /** 22 characters of base64url: a hash of the sender's address, or of the account's name. */
  readonly sender: string;
  /** Null: the sender is at another system. */
  readonly account: string | null;
};

export const REFERENCES_MAX = 20;
export const ANSWERABLE_BYTES_MAX = 16 * 1024;
const ADDRESS_BYTES_MAX = 254;

export function encodeAnswerable({ address, messageId, references }: Answerable): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ address, messageId, references }));
}

/** Whether an answer can be addressed so: a quoted local part would need more care than it is worth. */
export function isAnswerableAddress(address: string): boolean {
  return (
    /^[^\s<>"(),:;\\\0-\x1f\x7f-\x9f]+@[^\s<>"(),;\\@\0-\x1f\x7f-\x9f]+$/.test(address) &&
    !/[\ud800-\udfff]/u.test(address) &&
    new TextEncoder().encode(address).length <= ADDRESS_BYTES_MAX
  );
}

/** As an answer may name it; anything else is left out of it. */
export function isMessageId(id: string): boolean {
  return /^<[!-;=?-~]{1,250}>$/.test(id);
}

/** Requires `parsed` around it, as do the next ones. */
export function answeringField(value: unknown): Answering {
  const { sender, account } = fieldsOf(value, ['sender', 'account']);
  if (account !== null && (typeof account !== 'string' || !isAccountName(account))) {
    refuse('Malformed', 'The sender’s account must be an account name or null.', { field: 'account' });
  }
  const rule = '22 characters of base64url (a hash)';
  return { sender: matching(sender, 'sender', /^[A-Za-z0-9_-]{22}$/, rule), account };
}

/** Undefined if the part was erased: its message is not answered. */
export function checkedAnswerable(content: Content, part: number): Answerable | undefined {
  if (content.length(part) === 0 || content.bytes(part) === undefined) return undefined;
  partAtMost(content, part, 'answerable', ANSWERABLE_BYTES_MAX);
  const { address, messageId, references } = fieldsOf(json(decodeText(content.bytes(part))), [
    'address',
    'messageId',
    'references',
  ]);
  if (typeof address !== 'string' || !isAnswerableAddress(address)) {
    refuse('Malformed', 'The address to answer to must be name@domain.', { field: 'address' });
  }
  const idField = (id: unknown): string => {
    if (typeof id === 'string' && isMessageId(id)) return id;
    return refuse('Malformed', 'A Message-ID must be <…>, without spaces.', { field: 'messageId' });
  };
  return {
    address,
    messageId: messageId === '' ? '' : idField(messageId),
    references: listOf(references, 'references', 0, REFERENCES_MAX, 'Message-IDs').map(idField),
  };
}

function json(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return refuse('Malformed', 'What an answer needs must be an object in JSON.', { field: 'answerable' });
  }
}
