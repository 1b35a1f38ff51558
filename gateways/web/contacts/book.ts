/** What the pages of the address book share: reading it, changing it, and the column beside each page. */
import {
  encodeContact,
  encodeGroup,
  GROUPS_MAX,
  type BookKind,
  type Contact,
  type Group,
} from '../../../domain/contacts/book.ts';
import {
  EMPTY_BOOK,
  readBookState,
  readContact,
  readGroup,
  readGroupLine,
  readKnownAddress,
  type BookState,
  type GroupLine,
} from '../../../projections/contacts-cells.ts';
import {
  bookAddressCell,
  bookStateCell,
  contactCell,
  groupListRow,
  groupsRow,
} from '../../../projections/keys.ts';
import { addressKey } from '../../../domain/contacts/book.ts';
import type { Accepted, ReadCell, ReadQuery, StoreClient } from '../../../storage-nodes/client/client.ts';
import type { Pages } from '../../pages/pages.ts';
import { rowScan } from '../../pages/paging.ts';
import { cellOf, type Visit } from '../../pages/visit.ts';

/** `before` as it was seen, `after` as it shall be; undefined: not there. */
export type Change = {
  readonly id: string;
  readonly kind: BookKind;
  readonly before: Uint8Array | undefined;
  readonly after: Uint8Array | undefined;
};

export function contactChange(id: string, before: Contact | undefined, after: Contact | undefined): Change {
  const bytes = (contact: Contact | undefined) => contact && encodeContact(contact);
  return { id, kind: 'contact', before: bytes(before), after: bytes(after) };
}

export function groupChange(id: string, before: Group | undefined, after: Group | undefined): Change {
  const bytes = (group: Group | undefined) => group && encodeGroup(group);
  return { id, kind: 'group', before: bytes(before), after: bytes(after) };
}

/** Throws Rejected; then nothing has changed. */
export function changeBook(
  pages: Pages,
  visit: Visit,
  commandId: string,
  changes: readonly Change[],
  action: string,
): Promise<Accepted> {
  return pages.send(
    { actor: visit.account.name, sessionHash: visit.sessionHash },
    { id: commandId, stream: visit.stream, type: 'contacts.ChangeBook', ...changeOf(changes), action },
  );
}

export function changeOf(changes: readonly Change[]): { data: object; parts: Uint8Array[] } {
  return {
    data: {
      changes: changes.map(({ id, kind, before, after }) => ({
        id,
        kind,
        was: before !== undefined,
        is: after !== undefined,
      })),
    },
    parts: changes.flatMap(({ before, after }) => [after ?? NOTHING, before ?? NOTHING]),
  };
}

const NOTHING = new Uint8Array();

/** Their results, in this order, are what `asideFrom` takes. */
export function asideQueries(owner: string): ReadQuery[] {
  return [{ get: bookStateCell(owner) }, rowScan(groupListRow(owner), { reverse: false, limit: GROUPS_MAX })];
}

export type Aside = { readonly state: BookState; readonly groups: readonly GroupLine[] };

export function asideFrom(results: readonly (readonly ReadCell[])[]): Aside {
  const [state, groups = []] = results;
  return {
    state: cellOf(state, readBookState) ?? EMPTY_BOOK,
    groups: groups.flatMap(({ bytes }) => (bytes === undefined ? [] : [readGroupLine(bytes)])),
  };
}

/** `current`: 'all', 'written' or a group's id. */
export function asideView({ state, groups }: Aside, current: string | undefined) {
  return {
    contacts: state.contacts,
    collected: state.collected,
    isAll: current === 'all',
    isWritten: current === 'written',
    groups: groups.map((group) => ({ ...group, current: group.id === current })),
  };
}

export function groupsQuery(owner: string): ReadQuery {
  return rowScan(groupsRow(owner), { reverse: false, limit: GROUPS_MAX });
}

export function groupsFrom(cells: readonly ReadCell[] | undefined): { id: string; group: Group }[] {
  return (cells ?? []).flatMap(({ column: id, bytes }) =>
    bytes === undefined ? [] : [{ id, group: readGroup(bytes) }],
  );
}

const READ_AT_ONCE = 200;

/** Those that are there, in the order of the ids. */
export async function contactsById(
  store: StoreClient,
  owner: string,
  ids: readonly string[],
): Promise<{ id: string; contact: Contact }[]> {
  const found = await eachOf(store, owner, ids, (id) => contactCell(owner, id), readContact);
  return found.map(([id, contact]) => ({ id, contact }));
}

/** The ids of the contacts that have these addresses, by the address's key. */
export async function holdersOf(
  store: StoreClient,
  owner: string,
  addresses: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const keys = [...new Set(addresses.map(addressKey))];
  const found = await eachOf(store, owner, keys, (key) => bookAddressCell(owner, key), readKnownAddress);
  return new Map(found.flatMap(([key, { contact }]) => (contact === null ? [] : [[key, contact] as const])));
}

async function eachOf<Model>(
  store: StoreClient,
  owner: string,
  names: readonly string[],
  cell: (name: string) => { row: string; column: string },
  read: (bytes: Uint8Array) => Model,
): Promise<(readonly [string, Model])[]> {
  const found: (readonly [string, Model])[] = [];
  for (let at = 0; at < names.length; at += READ_AT_ONCE) {
    const some = names.slice(at, at + READ_AT_ONCE);
    const { results } = await store.read(
      owner,
      some.map((name) => ({ get: cell(name) })),
    );
    some.forEach((name, i) => {
      const model = cellOf(results[i], read);
      if (model !== undefined) found.push([name, model]);
    });
  }
  return found;
}
