/**
 * The state that decisions on an address book need:
 *
 *   contacts/<id>          the digest of the contact or group as it is, and what it claims
 *   contacts-claim/<key>   the id that has it: no address belongs to two contacts, no name to two groups
 *   contacts-count         how many of each there are
 *   contacts-collecting    false once collecting is switched off
 */
import type { Content, EventHandler, StateKey } from '../decider.ts';
import { addressKey, decodeContact, decodeGroup, type BookKind } from './book.ts';
import type { BookChanged, CollectingSet, ContactsEvent } from './events.ts';

export type EntrySlice = {
  readonly kind: BookKind;
  readonly digest: string;
  readonly claims: readonly string[];
};
export type CountSlice = { readonly contact: number; readonly group: number };

export const COUNT_KEY: StateKey = 'contacts-count';
export const COLLECTING_KEY: StateKey = 'contacts-collecting';
export const entryKey = (id: string): StateKey => `contacts/${id}`;
export const claimKey = (claim: string): StateKey => `contacts-claim/${claim}`;

/** What nobody else in the book may have: a contact's addresses, a group's name. None once it was erased. */
export function claimsIn(kind: BookKind, content: Content, part: number): readonly string[] {
  const bytes = content.bytes(part);
  if (kind === 'contact') {
    return (decodeContact(bytes)?.addresses ?? []).map((address) => `address/${addressKey(address)}`);
  }
  const group = decodeGroup(bytes);
  return group === undefined ? [] : [`group/${group.folded}`];
}

export const countOf = (slice: unknown): CountSlice =>
  (slice as CountSlice | undefined) ?? { contact: 0, group: 0 };

export const afterOf = (change: number): number => 2 * change;
export const beforeOf = (change: number): number => 2 * change + 1;

const bookChanged: EventHandler = {
  touches(event, content) {
    const { changes } = (event as BookChanged).data;
    const claims = changes.flatMap(({ kind }, i) => [
      ...claimsIn(kind, content, afterOf(i)),
      ...claimsIn(kind, content, beforeOf(i)),
    ]);
    return [
      ...new Set([
        COUNT_KEY,
        ...changes.map(({ id }) => entryKey(id)),
        ...claims.map((one) => claimKey(one)),
      ]),
    ];
  },
  evolve(key, slice, event, content) {
    const { changes } = (event as BookChanged).data;
    if (key === COUNT_KEY) {
      const count = { ...countOf(slice) };
      for (const { kind, was, is } of changes) count[kind] += Number(is) - Number(was);
      return count;
    }
    const own = changes.findIndex(({ id }) => entryKey(id) === key);
    if (own >= 0) {
      const { kind, is } = changes[own]!;
      const part = afterOf(own);
      return is
        ? ({ kind, digest: content.digest(part) ?? '', claims: claimsIn(kind, content, part) } as EntrySlice)
        : undefined;
    }
    const taker = changes.find(({ kind }, i) =>
      claimsIn(kind, content, afterOf(i)).some((claim) => claimKey(claim) === key),
    );
    return taker?.id;
  },
};

export const contactsEvents: { readonly [Type in ContactsEvent['type']]: EventHandler } = {
  'contacts.BookChanged': bookChanged,
  'contacts.AddressesForgotten': { touches: () => [], evolve: (_key, slice) => slice },
  'contacts.CollectingSet': {
    touches: () => [COLLECTING_KEY],
    evolve: (_key, _slice, event) => (event as CollectingSet).data.on,
  },
};
