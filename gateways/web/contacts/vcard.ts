/**
 * vCards: 3.0 (RFC 2426) and 4.0 (RFC 6350) are read, 4.0 is written. Files come from strangers: size, number,
 * and lengths are bounded before anything is parsed; each card is parsed on its own, so that a broken one harms
 * no other; and of each card only the lines that are taken get to the parser.
 *
 * Taken: FN, N, EMAIL, TEL, ORG, NOTE, UID, and of groups (KIND:group) MEMBER. What else a card holds is named
 * in `left`, never dropped in silence.
 */
import ICAL from 'ical.js';
import {
  ADDRESSES_PER_CONTACT_MAX,
  addressKey,
  NAME_CHARACTERS_MAX,
  NOTE_CHARACTERS_MAX,
  PHONE_CHARACTERS_MAX,
  PHONES_PER_CONTACT_MAX,
  UID_CHARACTERS_MAX,
  type Contact,
} from '../../../domain/contacts/book.ts';
import { cut } from '../../../domain/mail/message/summary.ts';
import { isValidAddress } from '../../message/addresses.ts';
import { clean, type ContactFields } from './make.ts';

export const CARD_FILE_BYTES_MAX = 8 * 1024 * 1024;
export const CARDS_MAX = 5000;
/** Of what is taken; a photo is not. */
const LINE_CHARACTERS_MAX = 16 * 1024;
const LINES_PER_CARD_MAX = 1000;

/** `line`: of the file, from 1, where the card begins. */
export type ReadCard =
  | {
      readonly kind: 'contact';
      readonly line: number;
      readonly fields: ContactFields;
      readonly left: readonly string[];
    }
  | {
      readonly kind: 'group';
      readonly line: number;
      readonly name: string;
      readonly uid: string;
      /** UIDs. */
      readonly members: readonly string[];
      readonly left: readonly string[];
    }
  | { readonly kind: 'problem'; readonly line: number; readonly name: string; readonly problem: string };

/** `problem`: why the file as a whole, or its end, was not read. */
export type CardFile = { readonly cards: readonly ReadCard[]; readonly problem?: string };

const TAKEN = new Set(['FN', 'N', 'EMAIL', 'TEL', 'ORG', 'NOTE', 'UID', 'KIND', 'MEMBER', 'VERSION']);
/** Say nothing about the person. */
const PASSED_OVER = new Set([
  'BEGIN',
  'END',
  'PRODID',
  'REV',
  'SOURCE',
  'CLIENTPIDMAP',
  'SORT-STRING',
  'PROFILE',
]);

/** Never throws. */
export function readCards(bytes: Uint8Array): CardFile {
  if (bytes.length > CARD_FILE_BYTES_MAX) {
    return { cards: [], problem: `The file is too large: at most ${CARD_FILE_BYTES_MAX / 1024 / 1024} MiB.` };
  }
  const text = decoded(bytes);
  if (text === undefined) return { cards: [], problem: 'The file is not text in UTF-8 or UTF-16.' };
  const cards: ReadCard[] = [];
  let open: { line: number; lines: string[] } | undefined;
  for (const { line, text: content } of unfolded(text)) {
    const mark = content.trim().toUpperCase();
    if (mark === 'BEGIN:VCARD') {
      if (open) cards.push(broken(open.line, '', 'The card has no end.'));
      if (cards.length >= CARDS_MAX) {
        return {
          cards,
          problem: `Only the first ${CARDS_MAX} cards were read: split the file for the others.`,
        };
      }
      open = { line, lines: [] };
    } else if (mark === 'END:VCARD' && open) {
      cards.push(readCard(open.line, open.lines));
      open = undefined;
    } else {
      open?.lines.push(content);
    }
  }
  if (open) cards.push(broken(open.line, '', 'The card has no end: the file seems to be cut off.'));
  return cards.length > 0 ? { cards } : { cards, problem: 'There is no vCard in this file.' };
}

function decoded(bytes: Uint8Array): string | undefined {
  const [first, second] = bytes;
  const encoding =
    first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** RFC 6350 §3.2: a line that begins with a space or a tab goes on with the one before. */
function* unfolded(text: string): Generator<{ line: number; text: string }> {
  let pieces: string[] = [];
  let start = 1;
  let number = 0;
  for (const line of text.split(/\r\n|\n|\r/)) {
    number++;
    if (/^[ \t]/.test(line) && pieces.length > 0) {
      pieces.push(line.slice(1));
      continue;
    }
    if (pieces.length > 0) yield { line: start, text: pieces.join('') };
    pieces = [line];
    start = number;
  }
  yield { line: start, text: pieces.join('') };
}

function readCard(line: number, lines: readonly string[]): ReadCard {
  if (lines.length > LINES_PER_CARD_MAX) {
    return broken(line, '', `The card has too many lines: at most ${LINES_PER_CARD_MAX}.`);
  }
  const left = new Set<string>();
  const taken: string[] = [];
  for (const content of lines) {
    // An Apple card writes "item1.EMAIL": the group before the dot says nothing that is kept.
    const [, name = ''] = /^(?:[A-Za-z0-9-]+\.)?([A-Za-z0-9-]+)[;:]/.exec(content) ?? [];
    const property = name.toUpperCase();
    if (content.trim() === '' || PASSED_OVER.has(property)) continue;
    if (!TAKEN.has(property)) left.add(property === '' ? 'a line that is no property' : cut(property, 40));
    else if (content.length > LINE_CHARACTERS_MAX) left.add(`${property}, which is too long`);
    else taken.push(plainSemicolons(content.slice(content.search(/[A-Za-z0-9-]+[;:]/)), property));
  }
  const version = taken
    .find((one) => /^VERSION:/i.test(one))
    ?.slice('VERSION:'.length)
    .trim();
  const name = clean(taken.find((one) => /^FN[;:]/i.test(one))?.replace(/^[^:]*:/, '') ?? '');
  if (version !== undefined && version !== '3.0' && version !== '4.0') {
    return broken(line, name, `It is of version ${cut(clean(version), 20)}: only 3.0 and 4.0 are read.`);
  }
  const others = taken.filter((one) => !/^VERSION:/i.test(one));
  try {
    // What is taken means the same in both versions; the library takes escapes back in full only in 4.0.
    const text = ['BEGIN:VCARD', 'VERSION:4.0', ...others, 'END:VCARD'].join('\r\n');
    return fromProperties(line, propertiesOf(ICAL.parse(text)), left);
  } catch {
    return broken(line, name, 'The card is malformed.');
  }
}

/** RFC 6350 §3.4: a semicolon may be escaped anywhere; the library takes that back only where it parts fields. */
function plainSemicolons(content: string, property: string): string {
  if (property === 'N' || property === 'ORG') return content;
  return content.replace(/\\[\\;]/g, (escaped) => (escaped === '\\;' ? ';' : escaped));
}

type Property = { readonly name: string; readonly values: readonly string[] };

/** A jCard (RFC 7095): ['vcard', [[name, parameters, type, value, …], …], …]. */
function propertiesOf(card: unknown): Property[] {
  const properties: unknown = Array.isArray(card) ? card[1] : undefined;
  if (!Array.isArray(properties)) throw new Error('no jCard');
  return properties.flatMap((property: unknown) => {
    if (!Array.isArray(property)) return [];
    const [name, , , ...values] = property as unknown[];
    return [
      { name: String(name), values: values.flat(3).map((value) => (typeof value === 'string' ? value : '')) },
    ];
  });
}

function fromProperties(line: number, properties: readonly Property[], left: Set<string>): ReadCard {
  const all = (name: string) => properties.filter((one) => one.name === name);
  const first = (name: string) => clean(all(name)[0]?.values[0] ?? '');
  const bounded = (text: string, max: number, what: string) => {
    if (text.length > max) left.add(`the end of ${what}, which is too long`);
    return cut(text, max);
  };
  const name = bounded(first('fn') || nameFrom(all('n')[0]), NAME_CHARACTERS_MAX, 'the name');
  if (first('kind').toLowerCase() === 'group') {
    const members = all('member').map(({ values }) => clean(values[0] ?? ''));
    if (name === '') return broken(line, '', 'The group has no name.');
    return { kind: 'group', line, name, uid: first('uid'), members, left: [...left] };
  }
  const addresses = distinct(all('email'), (value) => value.replace(/^mailto:/i, ''), addressKey).filter(
    (address) => isValidAddress(address) || void left.add(`“${cut(address, 60)}”, which is no mail address`),
  );
  const phones = distinct(
    all('tel'),
    (value) => value.replace(/^tel:/i, ''),
    (value) => value,
  ).filter(
    (phone) => phone.length <= PHONE_CHARACTERS_MAX || void left.add('a phone number, which is too long'),
  );
  if (addresses.length > ADDRESSES_PER_CONTACT_MAX)
    left.add(`addresses beyond the first ${ADDRESSES_PER_CONTACT_MAX}`);
  if (phones.length > PHONES_PER_CONTACT_MAX) left.add(`numbers beyond the first ${PHONES_PER_CONTACT_MAX}`);
  const organisation = clean(
    all('org')[0]
      ?.values.filter((value) => value !== '')
      .join(', ') ?? '',
  );
  const note = all('note')
    .flatMap(({ values }) => values)
    .join('\n');
  const fields: ContactFields = {
    // FN is never absent: where there is no name, it is written as the address.
    name: addresses.includes(name) ? '' : name || (addresses.length === 0 ? organisation : ''),
    addresses: addresses.slice(0, ADDRESSES_PER_CONTACT_MAX),
    phones: phones.slice(0, PHONES_PER_CONTACT_MAX),
    organisation: bounded(organisation, NAME_CHARACTERS_MAX, 'the organisation'),
    note: bounded(note, NOTE_CHARACTERS_MAX, 'the note'),
    uid: cut(first('uid'), UID_CHARACTERS_MAX),
  };
  if (fields.name === '' && addresses.length === 0)
    return broken(line, '', 'It has neither a name nor a mail address.');
  return {
    kind: 'contact',
    line,
    fields: { ...fields, name: cut(fields.name, NAME_CHARACTERS_MAX) },
    left: [...left],
  };
}

/** N is family; given; additional; prefixes; suffixes. */
function nameFrom(property: Property | undefined): string {
  const [family = '', given = '', additional = '', prefix = '', suffix = ''] = property?.values ?? [];
  return clean([prefix, given, additional, family, suffix].filter((one) => one !== '').join(' '));
}

function distinct(
  properties: readonly Property[],
  read: (value: string) => string,
  keyOf: (value: string) => string,
): string[] {
  const values = properties
    .map(({ values: [value = ''] }) => clean(read(value)))
    .filter((value) => value !== '');
  return [...new Map(values.toReversed().map((value) => [keyOf(value), value])).values()].reverse();
}

function broken(line: number, name: string, problem: string): ReadCard {
  return { kind: 'problem', line, name, problem };
}

/** What a contact of this address book is called in a file. */
export function uidOf(id: string, { uid }: Pick<Contact, 'uid'> = { uid: '' }): string {
  return uid === '' ? `penncloud-${id}` : uid;
}

/** The id of the contact or group that `uidOf` named so; undefined for another address book's. */
export function ownIdIn(uid: string): string | undefined {
  return /^penncloud-([a-z2-7]{26})$/.exec(uid)?.[1];
}

export function writeContact(id: string, contact: Contact): string {
  const { name, addresses, phones, organisation, note } = contact;
  return written([
    ['fn', {}, 'text', name || organisation || (addresses[0] ?? '')],
    ['uid', {}, 'text', uidOf(id, contact)],
    ...addresses.map((address) => ['email', {}, 'text', address]),
    ...phones.map((phone) => ['tel', {}, 'text', phone]),
    ...(organisation === '' ? [] : [['org', {}, 'text', [organisation]]]),
    ...(note === '' ? [] : [['note', {}, 'text', note]]),
  ]);
}

/** `members`: UIDs. */
export function writeGroup(id: string, name: string, members: readonly string[]): string {
  return written([
    ['kind', {}, 'text', 'group'],
    ['fn', {}, 'text', name],
    ['uid', {}, 'text', uidOf(id)],
    ...members.map((member) => ['member', {}, 'text', member]),
  ]);
}

function written(properties: readonly unknown[]): string {
  const card = ['vcard', [['version', {}, 'text', '4.0'], ...properties], []];
  return `${ICAL.stringify(card)}\r\n`;
}
