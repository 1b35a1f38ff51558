/**
 * The cells of the address book, and how pages read them:
 *
 *   contacts/cards       one cell for each contact, as it was saved
 *   contacts/groups      one for each group
 *   contacts/group-list  one line for each group, in the order of folded names
 *   contacts/list        one line for each contact, in the order of folded names
 *   contacts/words       lines again, under each word that a search or a completion can begin with
 *   contacts/addresses   one for each address in the book, and each one written to
 *   contacts/collected   those written to that are in no contact, by address
 *   contacts/state       how many there are, and whether addresses are collected
 */
import {
  ADDRESSES_PER_CONTACT_MAX,
  decodeContact,
  decodeGroup,
  type Contact,
  type Group,
} from '../domain/contacts/book.ts';
import { cut } from '../domain/mail/message/summary.ts';
import { cellFormat, flag, listOf, natural, oneOf, orNull, record, text } from './cell-format.ts';

/** A contact in a list; the whole contact is a cell of its own. */
export type ContactLine = {
  readonly id: string;
  readonly name: string;
  readonly addresses: readonly string[];
  readonly organisation: string;
};

export type GroupLine = { readonly id: string; readonly name: string; readonly members: number };

/** What a completion finds. `id` '': an address collected from sent mail. */
export type FoundLine = {
  readonly kind: 'contact' | 'group' | 'collected';
  readonly id: string;
  readonly name: string;
  readonly addresses: readonly string[];
};

/** An address that is in the book (`contact`), was written to (`count` > 0), or both. */
export type KnownAddress = {
  readonly contact: string | null;
  /** As it was last written. */
  readonly address: string;
  /** As the message named it; may be empty. */
  readonly name: string;
  readonly count: number;
  /** 0: never. */
  readonly lastAt: number;
};

export type BookState = {
  readonly contacts: number;
  readonly groups: number;
  readonly collected: number;
  readonly collecting: boolean;
};

export const contactLine = cellFormat<ContactLine>(
  'a line of the contacts',
  record({ id: text, name: text, addresses: listOf(text), organisation: text }),
);
export const groupLine = cellFormat<GroupLine>(
  'a line of the groups',
  record({ id: text, name: text, members: natural }),
);
export const foundLine = cellFormat<FoundLine>(
  'a word of the contacts',
  record({ kind: oneOf('contact', 'group', 'collected'), id: text, name: text, addresses: listOf(text) }),
);
export const knownAddress = cellFormat<KnownAddress>(
  'an address',
  record({ contact: orNull(text), address: text, name: text, count: natural, lastAt: natural }),
);
export const bookState = cellFormat<BookState>(
  'the state of the contacts',
  record({ contacts: natural, groups: natural, collected: natural, collecting: flag }),
);

/** Before anything has happened. */
export const EMPTY_BOOK: BookState = { contacts: 0, groups: 0, collected: 0, collecting: true };

/** These throw on bytes that the projection cannot have written. */
export const readContactLine = (bytes: Uint8Array): ContactLine => contactLine.read(bytes);
export const readGroupLine = (bytes: Uint8Array): GroupLine => groupLine.read(bytes);
export const readFoundLine = (bytes: Uint8Array): FoundLine => foundLine.read(bytes);
export const readKnownAddress = (bytes: Uint8Array): KnownAddress => knownAddress.read(bytes);
export const readBookState = (bytes: Uint8Array): BookState => bookState.read(bytes);
export function readContact(bytes: Uint8Array): Contact {
  return sound(decodeContact(bytes), 'a contact');
}
export function readGroup(bytes: Uint8Array): Group {
  return sound(decodeGroup(bytes), 'a group');
}

function sound<Model>(model: Model | undefined, name: string): Model {
  if (model === undefined) throw new Error(`${name} is not written the way its projection writes it`);
  return model;
}

/** Parts a phrase, or a name, from the id behind it; sorts before all that a phrase can hold. */
const END = '\x01';
const PHRASE_CHARACTERS_MAX = 80;
const PHRASES_MAX = 12;

/** Where a contact stands in the list: by name, without one by address, and by id among those. */
export function listOrder({ folded, addresses }: Pick<Contact, 'folded' | 'addresses'>, id: string): string {
  return `${phrase(folded.name || folded.organisation || (addresses[0] ?? ''))}${END}${id}`;
}

/** The columns that begin with what is typed: from `after`, which is exclusive, up to `before`. */
export function beginningWith(typed: string): { after: string; before: string } {
  // No text holds U+10FFFF, a noncharacter that sorts behind all others.
  const start = phrase(typed);
  return { after: start, before: `${start}\u{10ffff}` };
}

export function groupOrder({ folded }: Pick<Group, 'folded'>, id: string): string {
  return wordColumn(folded, id);
}

export function wordColumn(word: string, id: string): string {
  return `${phrase(word)}${END}${id}`;
}

/** "anna van berg" -> anna van berg, van berg, berg: so that two words in a row are found by their beginning too. */
export function phrasesOf(...folded: readonly string[]): string[] {
  const phrases = folded.flatMap((one) => {
    const words = one === '' ? [] : one.split(' ');
    return words.slice(0, PHRASES_MAX).map((_word, i) => words.slice(i).join(' '));
  });
  return [...new Set(phrases.map(phrase))];
}

/** Each address is found by its beginning. */
export function wordsOfContact({ folded, addresses }: Contact, keyOf: (address: string) => string): string[] {
  const keys = addresses.slice(0, ADDRESSES_PER_CONTACT_MAX).map((address) => phrase(keyOf(address)));
  return [...new Set([...phrasesOf(folded.name, folded.organisation), ...keys])];
}

function phrase(text: string): string {
  return cut(text, PHRASE_CHARACTERS_MAX);
}
