/**
 * What the address book holds: contacts and groups, each one JSON text in a part. The text is written in one way
 * only, so that equal contacts are equal bytes, and the digest of a part tells whether something has changed.
 *
 * A gateway folds names (Unicode tables change, a log does not); an address is compared by `addressKey`, which
 * needs no table. What always holds of a contact that `decodeContact` gives: it has a name or an address, its
 * addresses differ, and nothing in it exceeds its limit.
 */
import { decodeText } from '../fields.ts';

export const CONTACTS_MAX = 20_000;
export const GROUPS_MAX = 200;
export const GROUP_MEMBERS_MAX = 500;
export const ADDRESSES_PER_CONTACT_MAX = 20;
export const PHONES_PER_CONTACT_MAX = 20;
export const NAME_CHARACTERS_MAX = 200;
export const PHONE_CHARACTERS_MAX = 60;
export const NOTE_CHARACTERS_MAX = 4000;
export const UID_CHARACTERS_MAX = 200;
const ADDRESS_CHARACTERS_MAX = 320;
/** In UTF-8, escapes of JSON included. */
export const BOOK_PART_BYTES_MAX = 64 * 1024;

export type BookKind = 'contact' | 'group';

export type Contact = {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly phones: readonly string[];
  readonly organisation: string;
  /** Lines parted by LF. */
  readonly note: string;
  /** What another address book calls it; '' for one that was made here. */
  readonly uid: string;
  /** Name and organisation in the one spelling in which they are compared: words parted by single spaces. */
  readonly folded: { readonly name: string; readonly organisation: string };
};

export type Group = {
  readonly name: string;
  /** Ids of contacts; one that is deleted is passed over, and counts again when it is back. */
  readonly members: readonly string[];
  readonly folded: string;
};

/** How addresses are compared: A to Z in lower case, everything else as it stands. */
export function addressKey(address: string): string {
  return address.replace(/[A-Z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 32));
}

export function encodeContact(contact: Contact): Uint8Array {
  return new TextEncoder().encode(contactText(contact));
}

export function encodeGroup(group: Group): Uint8Array {
  return new TextEncoder().encode(groupText(group));
}

/** Undefined for bytes that were erased, or that `encodeContact` cannot have written of a sound contact. */
export function decodeContact(bytes: Uint8Array | undefined): Contact | undefined {
  const [text, value] = parse(bytes);
  if (value === undefined || !isContact(value)) return undefined;
  return contactText(value) === text ? value : undefined;
}

/** Undefined for bytes that were erased, or that `encodeGroup` cannot have written of a sound group. */
export function decodeGroup(bytes: Uint8Array | undefined): Group | undefined {
  const [text, value] = parse(bytes);
  if (value === undefined || !isGroup(value)) return undefined;
  return groupText(value) === text ? value : undefined;
}

function contactText({ name, addresses, phones, organisation, note, uid, folded }: Contact): string {
  const spellings = { name: folded.name, organisation: folded.organisation };
  return JSON.stringify({ name, addresses, phones, organisation, note, uid, folded: spellings });
}

function groupText({ name, members, folded }: Group): string {
  return JSON.stringify({ name, members, folded });
}

function parse(bytes: Uint8Array | undefined): [string, Record<string, unknown> | undefined] {
  const text = decodeText(bytes);
  if (text === undefined) return ['', undefined];
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return [text, isObject ? (value as Record<string, unknown>) : undefined];
  } catch {
    return ['', undefined];
  }
}

function isContact(value: Record<string, unknown>): value is Contact {
  const { name, addresses, phones, organisation, note, uid, folded } = value as Partial<Contact>;
  return (
    isLine(name, NAME_CHARACTERS_MAX) &&
    isListOf(addresses, ADDRESSES_PER_CONTACT_MAX, isAddress) &&
    isListOf(phones, PHONES_PER_CONTACT_MAX, (phone) => isLine(phone, PHONE_CHARACTERS_MAX, 1)) &&
    isLine(organisation, NAME_CHARACTERS_MAX) &&
    isText(note, NOTE_CHARACTERS_MAX) &&
    isLine(uid, UID_CHARACTERS_MAX) &&
    typeof folded === 'object' &&
    isFolded(folded.name) &&
    isFolded(folded.organisation) &&
    new Set(addresses.map(addressKey)).size === addresses.length &&
    (name !== '' || addresses.length > 0)
  );
}

function isGroup(value: Record<string, unknown>): value is Group {
  const { name, members, folded } = value as Partial<Group>;
  const isId = (id: unknown): id is string => typeof id === 'string' && /^[a-z2-7]{26}$/.test(id);
  return (
    isLine(name, NAME_CHARACTERS_MAX, 1) &&
    isListOf(members, GROUP_MEMBERS_MAX, isId) &&
    new Set(members).size === members.length &&
    isFolded(folded, 1)
  );
}

function isListOf(value: unknown, max: number, isItem: (item: unknown) => boolean): value is string[] {
  return Array.isArray(value) && value.length <= max && value.every(isItem);
}

function isAddress(value: unknown): value is string {
  return isLine(value, ADDRESS_CHARACTERS_MAX, 3) && /^[^\s@"]+@[^\s@"]+$|^"[^"]*"@[^\s@"]+$/.test(value);
}

/** Folding can make a name longer: ligatures fall apart into letters. */
function isFolded(value: unknown, min = 0): value is string {
  return isLine(value, 4 * NAME_CHARACTERS_MAX, min) && !/^ | $| {2}/.test(value);
}

function isLine(value: unknown, max: number, min = 0): value is string {
  return isText(value, max) && value.length >= min && !/[\n\t]/.test(value);
}

/** No control characters but line feed and tab, no lone surrogates: the text has one form in UTF-8. */
function isText(value: unknown, max: number): value is string {
  if (typeof value !== 'string' || value.length > max || /[\ud800-\udfff]/u.test(value)) return false;
  return !/[\0-\x08\x0b-\x1f\x7f-\x9f]/.test(value);
}
