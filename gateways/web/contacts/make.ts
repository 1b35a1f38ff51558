/**
 * Contacts and groups made of what was typed or imported: cleaned, and with the folded spelling that the store
 * compares and sorts by.
 */
import {
  NAME_CHARACTERS_MAX,
  NOTE_CHARACTERS_MAX,
  type Contact,
  type Group,
} from '../../../domain/contacts/book.ts';
import { cut } from '../../../domain/mail/message/summary.ts';
import { folded } from '../../message/fold.ts';

export type ContactFields = Omit<Contact, 'folded'>;

/** The contact with all lines clean; lengths are the store's to judge. */
export function makeContact(fields: ContactFields): Contact {
  const name = clean(fields.name);
  const organisation = clean(fields.organisation);
  return {
    name,
    addresses: fields.addresses.map(clean),
    phones: fields.phones.map(clean),
    organisation,
    note: cleanText(fields.note),
    uid: clean(fields.uid),
    folded: { name: foldedName(name), organisation: foldedName(organisation) },
  };
}

export function makeGroup(name: string, members: readonly string[]): Group {
  const cleaned = clean(name);
  return { name: cleaned, members, folded: foldedName(cleaned) || cleaned };
}

/** Words in the one spelling in which they are compared, parted by single spaces. */
export function foldedName(text: string): string {
  const words = folded(text).match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
  return cut(words.join(' '), 2 * NAME_CHARACTERS_MAX).trim();
}

/** One line, without what cannot be seen. */
export function clean(text: string): string {
  return cleanText(text).replace(/\s+/g, ' ').trim();
}

function cleanText(text: string): string {
  const lines = text.replace(/\r\n?/g, '\n').toWellFormed().normalize('NFC');
  return cut(lines.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, '').trim(), 2 * NOTE_CHARACTERS_MAX);
}
