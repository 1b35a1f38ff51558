/**
 * The envelope of what goes to other systems (RFC 5321 §2.3.1): JSON in one order, a part of its entry, because
 * addresses are user content. Reading it checks everything: what stands in it is spoken to strangers' servers, so
 * that nothing in it can end a command or a header.
 */
import { decodeText, parsed, refuse } from '../fields.ts';
import type { Rejection } from '../errors.ts';

export type Envelope = {
  /** The sender's address; '': nobody, and nothing is bounced (RFC 5321 §4.5.5). */
  readonly from: string;
  /** Each gets a delivery of its own, known by its place in this list. */
  readonly to: readonly string[];
  /** Header lines in front of the message, each ended by CRLF; '': none. */
  readonly prepend: string;
};

export const ENVELOPE_RECIPIENTS_MAX = 100;
export const ENVELOPE_BYTES_MAX = 64 * 1024;
const ADDRESS_BYTES_MAX = 254;
const PREPEND_BYTES_MAX = 4 * 1024;

export function encodeEnvelope({ from, to, prepend }: Envelope): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ from, to, prepend }));
}

/** The envelope, or why it is none; `bytes` undefined: it was erased. */
export function decodeEnvelope(
  bytes: Uint8Array | undefined,
): { readonly data: Envelope } | { readonly rejection: Rejection } {
  return parsed(() => checkedEnvelope(bytes));
}

/** Requires `parsed` around it. */
export function checkedEnvelope(bytes: Uint8Array | undefined): Envelope {
  const { from, to, prepend } = json(decodeText(bytes));
  if (from !== '' && !isMailAddress(from)) return wrong('from must be "" or an address');
  if (!Array.isArray(to) || to.length < 1 || to.length > ENVELOPE_RECIPIENTS_MAX || !to.every(isMailAddress))
    return wrong(`to must be a list of 1 to ${ENVELOPE_RECIPIENTS_MAX} addresses`);
  if (typeof prepend !== 'string' || !areHeaderLines(prepend))
    return wrong('prepend must be "" or header lines, each ended by CRLF');
  return { from, to, prepend };
}

/** name@domain as a command of SMTP can carry it: at most 254 bytes (RFC 5321 §4.5.3.1.3), nothing that ends it. */
export function isMailAddress(address: unknown): address is string {
  return (
    typeof address === 'string' &&
    /^(?:[^\s<>"(),:;\\@\0-\x1f\x7f-\x9f]+|"[^<>"\\\0-\x1f\x7f-\x9f]+")@[^\s<>"(),;\\@\0-\x1f\x7f-\x9f]+$/.test(
      address,
    ) &&
    !/[\ud800-\udfff]/u.test(address) &&
    new TextEncoder().encode(address).length <= ADDRESS_BYTES_MAX
  );
}

function areHeaderLines(text: string): boolean {
  return (
    new TextEncoder().encode(text).length <= PREPEND_BYTES_MAX &&
    /^(?:[!-9;-~]{1,70}: [^\0-\x1f\x7f-\x9f]{1,900}\r\n)*$/.test(text)
  );
}

function json(text: string | undefined): { readonly [key: string]: unknown } {
  try {
    const value: unknown = JSON.parse(text ?? '');
    if (typeof value === 'object' && value !== null) return value as { readonly [key: string]: unknown };
  } catch {
    // Refused as anything else that is no envelope.
  }
  return wrong('it must be an object in JSON');
}

function wrong(rule: string): never {
  return refuse('Malformed', `The envelope is none: ${rule}.`, { field: 'envelope' });
}
