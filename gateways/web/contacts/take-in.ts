/**
 * Taking the cards of a file into an address book. A contact that is there already, told by its UID or by one of
 * its addresses, is filled in with what it lacks and loses nothing. Each contact is saved whole or not at all;
 * an import that breaks off can be begun again, and finds what it has saved.
 */
import {
  addressKey,
  ADDRESSES_PER_CONTACT_MAX,
  encodeContact,
  GROUP_MEMBERS_MAX,
  PHONES_PER_CONTACT_MAX,
  type Contact,
  type Group,
} from '../../../domain/contacts/book.ts';
import type { StoreClient } from '../../../storage-nodes/client/client.ts';
import { idFrom } from '../../pages/command-ids.ts';
import { contactChange, contactsById, groupChange, holdersOf, type Change } from './book.ts';
import { nameOf } from './contact.ts';
import { foldedName, makeContact, makeGroup } from './make.ts';
import { ownIdIn, type ReadCard } from './vcard.ts';

export type Outcome = 'added' | 'filled in' | 'already there' | 'not taken';
export type Taken = {
  readonly line: number;
  readonly name: string;
  readonly outcome: Outcome;
  /** What was not taken of it, and why. */
  readonly notes: readonly string[];
  /** Saves it; undefined if there is nothing to save. */
  readonly change: Change | undefined;
};

type Card<Kind> = Extract<ReadCard, { kind: Kind }>;

/** What saving these cards would do, one for each card. `groups`: those that are there. */
export async function taking(
  store: StoreClient,
  account: { readonly name: string; readonly stream: string },
  cards: readonly ReadCard[],
  groups: readonly { readonly id: string; readonly group: Group }[],
): Promise<Taken[]> {
  const contacts = cards.filter((card) => card.kind === 'contact');
  const idOf = (uid: string) => ownIdIn(uid) ?? idFrom(account.name, uid, 'vcard uid');
  const holders = new Map(
    await holdersOf(
      store,
      account.stream,
      contacts.flatMap(({ fields }) => fields.addresses),
    ),
  );
  const named = contacts.flatMap(({ fields }) => (fields.uid === '' ? [] : [idOf(fields.uid)]));
  const there = await contactsById(store, account.stream, [...new Set([...named, ...holders.values()])]);
  const before = new Map(there.map(({ id, contact }) => [id, contact]));
  const after = new Map(before);
  const idOfUid = new Map<string, string>();
  const taken = new Map<ReadCard, Taken>();

  for (const card of contacts) takeContact(card);
  for (const card of cards.filter(({ kind }) => kind === 'group')) takeGroup(card as Card<'group'>);
  return cards.map((card) => taken.get(card) ?? problemOf(card as Card<'problem'>));

  function takeContact(card: Card<'contact'>): void {
    const { fields, line } = card;
    const keys = fields.addresses.map(addressKey);
    const byUid = fields.uid === '' ? undefined : idOf(fields.uid);
    const holder = keys.map((key) => holders.get(key)).find((id) => id !== undefined);
    const id =
      (byUid !== undefined && after.has(byUid) ? byUid : undefined) ??
      holder ??
      byUid ??
      idFrom(account.name, JSON.stringify(fields), 'vcard');
    const isFree = (address: string) => (holders.get(addressKey(address)) ?? id) === id;
    const notes = [...card.left, ...fields.addresses.filter((one) => !isFree(one)).map(heldElsewhere)];
    const uid = ownIdIn(fields.uid) === undefined ? fields.uid : '';
    const own = makeContact({ ...fields, uid, addresses: fields.addresses.filter(isFree) });
    const was = after.get(id);
    const is = was === undefined ? own : filledIn(was, own);
    if (fields.uid !== '') idOfUid.set(fields.uid, id);
    const name = nameOf(own);
    if (own.name === '' && own.addresses.length === 0) {
      taken.set(card, { line, name, outcome: 'not taken', notes, change: undefined });
      return;
    }
    after.set(id, is);
    for (const address of is.addresses) holders.set(addressKey(address), id);
    const isSame = was !== undefined && Buffer.compare(encodeContact(was), encodeContact(is)) === 0;
    const outcome = was === undefined ? 'added' : isSame ? 'already there' : 'filled in';
    const change = isSame ? undefined : contactChange(id, was, is);
    taken.set(card, { line, name, outcome, notes, change });
  }

  function takeGroup(card: Card<'group'>): void {
    const known = card.members.map((uid) => idOfUid.get(uid)).filter((id) => id !== undefined);
    const notes = [...card.left];
    if (known.length < card.members.length)
      notes.push(`${card.members.length - known.length} members that are in no card`);
    const folded = foldedName(card.name) || card.name;
    const mine = groups.find(({ group }) => group.folded === folded);
    const all = [...new Set([...(mine?.group.members ?? []), ...known])];
    if (all.length > GROUP_MEMBERS_MAX) notes.push(`members beyond the first ${GROUP_MEMBERS_MAX}`);
    const is = makeGroup(mine?.group.name ?? card.name, all.slice(0, GROUP_MEMBERS_MAX));
    const isSame = mine !== undefined && mine.group.members.length === is.members.length;
    const id = mine?.id ?? idOf(card.uid || `group ${folded}`);
    const outcome = mine === undefined ? 'added' : isSame ? 'already there' : 'filled in';
    const change = isSame ? undefined : groupChange(id, mine?.group, is);
    taken.set(card, { line: card.line, name: card.name, outcome, notes, change });
  }
}

function heldElsewhere(address: string): string {
  return `${address}, which belongs to another contact`;
}

function problemOf({ line, name, problem }: Card<'problem'>): Taken {
  return { line, name, outcome: 'not taken', notes: [problem], change: undefined };
}

/** What is there stays; what it lacks is added. */
function filledIn(was: Contact, more: Contact): Contact {
  const { note, uid } = was;
  const keys = new Set(was.addresses.map(addressKey));
  return makeContact({
    name: was.name || more.name,
    organisation: was.organisation || more.organisation,
    note: note || more.note,
    uid: uid || more.uid,
    addresses: [...was.addresses, ...more.addresses.filter((one) => !keys.has(addressKey(one)))].slice(
      0,
      ADDRESSES_PER_CONTACT_MAX,
    ),
    phones: [...new Set([...was.phones, ...more.phones])].slice(0, PHONES_PER_CONTACT_MAX),
  });
}
