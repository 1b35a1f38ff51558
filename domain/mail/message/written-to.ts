/**
 * The addresses that a message of one's own goes to, as the address book collects them: a part of its own, beside
 * the message and its summary, so that it is still there when those are erased. JSON text in UTF-8.
 *
 * `encodeWrittenTo` always fits WRITTEN_TO_BYTES_MAX: of too many, the last ones are left out.
 */
import { addressKey } from '../../contacts/book.ts';
import { decodeText } from '../../fields.ts';
import { cut, type Address } from './summary.ts';

export const WRITTEN_TO_BYTES_MAX = 64 * 1024;
const NAME_CHARACTERS_MAX = 100;

/** Each address once. */
export function encodeWrittenTo(addresses: readonly Address[]): Uint8Array {
  const listed = eachOnce(addresses).map(({ name, address }) => ({
    name: cut(name, NAME_CHARACTERS_MAX),
    address,
  }));
  for (let count = listed.length; ; count = Math.floor(count / 2)) {
    const bytes = new TextEncoder().encode(JSON.stringify(listed.slice(0, count)));
    if (bytes.length <= WRITTEN_TO_BYTES_MAX || count === 0) return bytes;
  }
}

/** What of it can be collected; none of what was erased or is no such list. */
export function decodeWrittenTo(bytes: Uint8Array | undefined): Address[] {
  const text = decodeText(bytes);
  if (text === undefined) return [];
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? eachOnce(list.filter(isAddress)) : [];
  } catch {
    return [];
  }
}

/** Those that can be an address at all; of the same ones the last, which has the newest name. */
export function eachOnce(addresses: readonly Address[]): Address[] {
  const isSound = ({ address }: Address) => address.includes('@') && !/[\0-\x20\ud800-\udfff]/u.test(address);
  return [...new Map(addresses.filter(isSound).map((one) => [addressKey(one.address), one])).values()];
}

function isAddress(value: unknown): value is Address {
  const { name, address } = (value ?? {}) as { readonly name?: unknown; readonly address?: unknown };
  return typeof name === 'string' && typeof address === 'string' && address.length <= 320;
}
