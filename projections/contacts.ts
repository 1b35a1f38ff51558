/**
 * The address book as pages read it (contacts-cells.ts names the cells). What always holds:
 *
 *   the counts are those of the cells
 *   an address is listed as collected if and only if it was written to and is in no contact
 *   at most COLLECTED_MAX addresses are collected: then the ones that are there go on being counted
 *
 * An address counts as written to once its message is sent, or set to be sent at a time; taking the message back
 * does not take that back.
 */
import { addressKey, decodeContact, decodeGroup, type Contact, type Group } from '../domain/contacts/book.ts';
import { decodeKeys } from '../domain/contacts/decider.ts';
import type { AddressesForgotten, BookChanged, CollectingSet } from '../domain/contacts/events.ts';
import { afterOf, beforeOf } from '../domain/contacts/evolve.ts';
import type { Content, DomainEvent } from '../domain/decider.ts';
import type { MessageScheduled, MessageSent } from '../domain/mail/events.ts';
import { cut, decodeSummary, type Address } from '../domain/mail/message/summary.ts';
import { decodeWrittenTo, eachOnce } from '../domain/mail/message/written-to.ts';
import {
  bookState,
  contactLine,
  EMPTY_BOOK,
  foundLine,
  groupLine,
  groupOrder,
  knownAddress,
  listOrder,
  phrasesOf,
  wordColumn,
  wordsOfContact,
  type BookState,
  type FoundLine,
  type KnownAddress,
} from './contacts-cells.ts';
import {
  bookAddressCell,
  bookStateCell,
  collectedCell,
  contactCell,
  contactLineCell,
  contactWordCell,
  groupCell,
  groupLineCell,
} from './keys.ts';
import type { CellKey, EntryFacts, Mutation, PriorCells, Projection } from './projection.ts';

export const COLLECTED_MAX = 5000;
/** Of a contact in a list. */
const LINE_ADDRESSES_MAX = 5;
const COLLECTED_NAME_CHARACTERS_MAX = 100;

type Heard = BookChanged | AddressesForgotten | CollectingSet | MessageSent | MessageScheduled;
const types: readonly Heard['type'][] = [
  'contacts.BookChanged',
  'contacts.AddressesForgotten',
  'contacts.CollectingSet',
  'mail.MessageSent',
  'mail.MessageScheduled',
];

export const contactsProjection: Projection = {
  name: 'contacts',
  listensTo: new Set(types),
  priors: (event: DomainEvent, { stream }, content): CellKey[] => [
    bookStateCell(stream),
    ...keysOf(event as Heard, content).map((key) => bookAddressCell(stream, key)),
  ],
  project(event: DomainEvent, entry, content, prior): Mutation[] {
    const heard = event as Heard;
    const book = new BookCells(entry, prior);
    switch (heard.type) {
      case 'contacts.BookChanged':
        changeBook(book, heard, content);
        break;
      case 'contacts.AddressesForgotten':
        for (const key of keysOf(heard, content)) book.forget(key);
        break;
      case 'contacts.CollectingSet':
        book.state = { ...book.state, collecting: heard.data.on };
        break;
      case 'mail.MessageSent':
      case 'mail.MessageScheduled':
        for (const address of book.state.collecting ? written(heard, content) : []) book.collect(address);
    }
    return book.mutations();
  },
};

function changeBook(book: BookCells, { data }: BookChanged, content: Content): void {
  data.changes.forEach(({ id, kind, was }, i) => {
    const before = content.bytes(beforeOf(i));
    if (!was) return;
    if (kind === 'contact') book.removeContact(id, decodeContact(before));
    else book.removeGroup(id, decodeGroup(before));
  });
  data.changes.forEach(({ id, kind, is }, i) => {
    const after = content.bytes(afterOf(i));
    if (!is) return;
    if (kind === 'contact') book.addContact(id, decodeContact(after), after);
    else book.addGroup(id, decodeGroup(after), after);
  });
}

/** The keys of the addresses whose cells an event may change. */
function keysOf(event: Heard, content: Content): readonly string[] {
  switch (event.type) {
    case 'contacts.BookChanged': {
      const parts = event.data.changes.flatMap(({ kind }, i) =>
        kind === 'contact' ? [afterOf(i), beforeOf(i)] : [],
      );
      const addresses = parts.flatMap((part) => decodeContact(content.bytes(part))?.addresses ?? []);
      return [...new Set(addresses.map(addressKey))];
    }
    case 'contacts.AddressesForgotten':
      return [...new Set(decodeKeys(content.bytes(0)) ?? [])];
    case 'contacts.CollectingSet':
      return [];
    case 'mail.MessageSent':
    case 'mail.MessageScheduled':
      return written(event, content).map(({ address }) => addressKey(address));
  }
}

/** Whom the message of the entry goes to, each once; in earlier logs only its summary says so. */
function written({ data: { collected } }: MessageSent | MessageScheduled, content: Content): Address[] {
  if (collected !== undefined) return decodeWrittenTo(content.bytes(collected));
  const { to, cc, bcc = [] } = decodeSummary(content.bytes(1));
  return eachOnce([...to, ...cc, ...bcc]);
}

/** The cells while one event changes them: what is read again is what was written. */
class BookCells {
  state: BookState;
  readonly #owner: string;
  readonly #time: number;
  readonly #prior: PriorCells;
  readonly #addresses = new Map<string, KnownAddress | undefined>();
  readonly #mutations = new Map<string, Mutation>();

  constructor({ stream, time }: EntryFacts, prior: PriorCells) {
    this.#owner = stream;
    this.#time = time;
    this.#prior = prior;
    const bytes = prior(bookStateCell(stream));
    this.state = bytes === undefined ? EMPTY_BOOK : bookState.read(bytes);
  }

  mutations(): Mutation[] {
    this.#put(bookStateCell(this.#owner), bookState.write(this.state));
    return [...this.#mutations.values()];
  }

  addContact(id: string, contact: Contact | undefined, bytes: Uint8Array | undefined): void {
    this.state = { ...this.state, contacts: this.state.contacts + 1 };
    // Erased: it is counted until it is deleted, and there is nothing to show.
    if (contact === undefined || bytes === undefined) return;
    const { name, organisation } = contact;
    const addresses = contact.addresses.slice(0, LINE_ADDRESSES_MAX);
    this.#put(contactCell(this.#owner, id), bytes);
    const line = contactLine.write({ id, name, addresses, organisation });
    this.#put(contactLineCell(this.#owner, listOrder(contact, id)), line);
    const found: FoundLine = { kind: 'contact', id, name: name || organisation, addresses };
    for (const word of wordsOfContact(contact, addressKey)) this.#putWord(word, id, found);
    for (const address of contact.addresses) {
      const key = addressKey(address);
      const known = this.#known(key) ?? { address, name: '', count: 0, lastAt: 0 };
      this.#setKnown(key, { ...known, contact: id });
    }
  }

  removeContact(id: string, contact: Contact | undefined): void {
    this.state = { ...this.state, contacts: Math.max(0, this.state.contacts - 1) };
    this.#delete(contactCell(this.#owner, id));
    if (contact === undefined) return;
    this.#delete(contactLineCell(this.#owner, listOrder(contact, id)));
    for (const word of wordsOfContact(contact, addressKey)) this.#deleteWord(word, id);
    for (const address of contact.addresses) {
      const key = addressKey(address);
      const known = this.#known(key);
      if (known?.contact === id) this.#setKnown(key, { ...known, contact: null });
    }
  }

  addGroup(id: string, group: Group | undefined, bytes: Uint8Array | undefined): void {
    this.state = { ...this.state, groups: this.state.groups + 1 };
    if (group === undefined || bytes === undefined) return;
    this.#put(groupCell(this.#owner, id), bytes);
    const line = groupLine.write({ id, name: group.name, members: group.members.length });
    this.#put(groupLineCell(this.#owner, groupOrder(group, id)), line);
    const found: FoundLine = { kind: 'group', id, name: group.name, addresses: [] };
    for (const word of phrasesOf(group.folded)) this.#putWord(word, id, found);
  }

  removeGroup(id: string, group: Group | undefined): void {
    this.state = { ...this.state, groups: Math.max(0, this.state.groups - 1) };
    this.#delete(groupCell(this.#owner, id));
    if (group === undefined) return;
    this.#delete(groupLineCell(this.#owner, groupOrder(group, id)));
    for (const word of phrasesOf(group.folded)) this.#deleteWord(word, id);
  }

  collect({ address, name }: Address): void {
    const key = addressKey(address);
    const known = this.#known(key);
    if (known === undefined && this.state.collected >= COLLECTED_MAX) return;
    this.#setKnown(key, {
      contact: known?.contact ?? null,
      address,
      name: cut(name, COLLECTED_NAME_CHARACTERS_MAX) || (known?.name ?? ''),
      count: (known?.count ?? 0) + 1,
      lastAt: this.#time,
    });
  }

  forget(key: string): void {
    const known = this.#known(key);
    if (known !== undefined) this.#setKnown(key, { ...known, name: '', count: 0, lastAt: 0 });
  }

  #known(key: string): KnownAddress | undefined {
    if (this.#addresses.has(key)) return this.#addresses.get(key);
    const bytes = this.#prior(bookAddressCell(this.#owner, key));
    return bytes === undefined ? undefined : knownAddress.read(bytes);
  }

  /** The address and, with it, whether it is listed as collected. */
  #setKnown(key: string, known: KnownAddress): void {
    const before = this.#known(key);
    const isKept = known.contact !== null || known.count > 0;
    this.#addresses.set(key, isKept ? known : undefined);
    const cell = bookAddressCell(this.#owner, key);
    if (isKept) this.#put(cell, knownAddress.write(known));
    else this.#delete(cell);

    const [was, is] = [isCollected(before), isCollected(known)];
    this.state = { ...this.state, collected: this.state.collected + Number(is) - Number(was) };
    if (was) {
      this.#delete(collectedCell(this.#owner, key));
      for (const word of wordsOfCollected(key, before!)) this.#deleteWord(word, key);
    }
    if (is) {
      const { address, name } = known;
      this.#put(collectedCell(this.#owner, key), knownAddress.write(known));
      const found: FoundLine = { kind: 'collected', id: '', name, addresses: [address] };
      for (const word of wordsOfCollected(key, known)) this.#putWord(word, key, found);
    }
  }

  #putWord(word: string, id: string, found: FoundLine): void {
    this.#put(contactWordCell(this.#owner, wordColumn(word, id)), foundLine.write(found));
  }

  #deleteWord(word: string, id: string): void {
    this.#delete(contactWordCell(this.#owner, wordColumn(word, id)));
  }

  #put(cell: CellKey, bytes: Uint8Array): void {
    this.#mutations.set(`${cell.row}\0${cell.column}`, { put: cell, value: { bytes } });
  }

  #delete(cell: CellKey): void {
    this.#mutations.set(`${cell.row}\0${cell.column}`, { delete: cell });
  }
}

function isCollected(known: KnownAddress | undefined): boolean {
  return known !== undefined && known.contact === null && known.count > 0;
}

/** No gateway has folded this name: it is found as it is written, but for A to Z. */
function wordsOfCollected(key: string, { name }: KnownAddress): string[] {
  const words = addressKey(name)
    .replace(/[\0-\x20\ud800-\udfff]+/gu, ' ')
    .trim();
  return [...new Set([...phrasesOf(words), key])];
}
