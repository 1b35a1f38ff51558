/**
 * Addresses completed from the address book: contacts, groups (all of their members at once), and the addresses
 * that one has written to. A completion reads a bounded number of cells, however large the book is.
 */
import type { Contact, Group } from '../../../domain/contacts/book.ts';
import { addressKey } from '../../../domain/contacts/book.ts';
import {
  beginningWith,
  readFoundLine,
  readGroup,
  readKnownAddress,
  type FoundLine,
} from '../../../projections/contacts-cells.ts';
import { bookAddressCell, contactWordsRow, groupCell } from '../../../projections/keys.ts';
import type { StoreClient } from '../../../storage-nodes/client/client.ts';
import { rowScan } from '../../pages/paging.ts';
import { cellOf } from '../../pages/visit.ts';
import { contactsById } from './book.ts';
import { foldedName } from './make.ts';

/** `list`: what goes into the field of recipients; one address, or those of a group. */
export type Completion = {
  readonly kind: FoundLine['kind'];
  readonly name: string;
  /** '' of a group. */
  readonly address: string;
  readonly list: string;
  readonly members?: number;
};

const LINES_READ_MAX = 40;
const ADDRESSES_LOOKED_AT_MAX = 60;
const GROUPS_SHOWN_MAX = 3;

/** Whose name has a word, or whose address, that begins with the text; those written to most often first. */
export async function completions(
  store: StoreClient,
  owner: string,
  text: string,
  limit: number,
): Promise<Completion[]> {
  const lines = await linesBeginningWith(store, owner, text);
  const groups = lines.filter(({ kind }) => kind === 'group').slice(0, GROUPS_SHOWN_MAX);
  const people = lines
    .flatMap(({ kind, name, addresses }) =>
      addressesThatFit(text, addresses).map((address) => ({ kind, name, address })),
    )
    .slice(0, ADDRESSES_LOOKED_AT_MAX);
  const { results } = await store.read(owner, [
    ...people.map(({ address }) => ({ get: bookAddressCell(owner, addressKey(address)) })),
    ...groups.map(({ id }) => ({ get: groupCell(owner, id) })),
  ]);
  const ranked = people
    .map((one, i) => ({ ...one, count: cellOf(results[i], readKnownAddress)?.count ?? 0 }))
    .sort((a, b) => b.count - a.count || Number(a.kind === 'collected') - Number(b.kind === 'collected'));
  const expanded = await Promise.all(
    groups.map((_line, i) => expand(store, owner, cellOf(results[people.length + i], readGroup))),
  );
  const single = ranked.map(({ kind, name, address }) => ({
    kind,
    name,
    address,
    list: written(name, address),
  }));
  return [...expanded.filter((one) => one !== undefined), ...single].slice(0, limit);
}

/** What a group stands for among recipients; undefined if nobody in it has an address. */
async function expand(
  store: StoreClient,
  owner: string,
  group: Group | undefined,
): Promise<Completion | undefined> {
  const members = await contactsById(store, owner, group?.members ?? []);
  const list = recipientsOf(members.map(({ contact }) => contact));
  if (group === undefined || list.length === 0) return undefined;
  return { kind: 'group', name: group.name, address: '', list: list.join(', '), members: list.length };
}

/** Each contact at its first address, as a field of recipients takes them. */
export function recipientsOf(contacts: readonly Contact[]): string[] {
  return contacts.flatMap(({ name, addresses: [first] }) =>
    first === undefined ? [] : [written(name, first)],
  );
}

/** Contacts, groups and collected addresses, each once, in the order of what they were found by. */
export async function linesBeginningWith(
  store: StoreClient,
  owner: string,
  text: string,
): Promise<FoundLine[]> {
  // Names are folded words; addresses, and names that no gateway has folded, stand there as they are written.
  const typed = addressKey(text.replace(/[\0-\x1f]/g, '').toWellFormed()).trim();
  const starts = [...new Set([foldedName(text), typed])].filter((start) => start !== '');
  if (starts.length === 0) return [];
  const { results } = await store.read(
    owner,
    starts.map((start) =>
      rowScan(contactWordsRow(owner), { ...beginningWith(start), reverse: false, limit: LINES_READ_MAX }),
    ),
  );
  const lines = new Map<string, FoundLine>();
  for (const { bytes } of results.flat()) {
    const line = bytes && readFoundLine(bytes);
    if (line) lines.set(line.id || `@${addressKey(line.addresses[0] ?? '')}`, line);
  }
  return [...lines.values()];
}

/** Those that begin so, then the others of the same person, unless it is plainly an address that is being typed. */
function addressesThatFit(text: string, addresses: readonly string[]): readonly string[] {
  const typed = addressKey(text.trim());
  const fits = (address: string) => addressKey(address).startsWith(typed);
  const fitting = addresses.filter(fits);
  return typed.includes('@') ? fitting : [...fitting, ...addresses.filter((one) => !fits(one))];
}

function written(name: string, address: string): string {
  return name === '' ? address : `"${name.replace(/["\\]/g, '')}" <${address}>`;
}
