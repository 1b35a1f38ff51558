/** Contacts and groups as specifications say them: only what matters to each. */
import { encodeContact, encodeGroup, type Contact, type Group } from '../../domain/contacts/book.ts';
import type { BookKind } from '../../domain/contacts/book.ts';
import type { Part } from './in-memory-shell.ts';

export function contact(more: Partial<Contact> = {}): Uint8Array {
  const name = more.name ?? 'Bob Berg';
  const organisation = more.organisation ?? '';
  return encodeContact({
    name,
    addresses: ['bob@penncloud.test'],
    phones: [],
    organisation,
    note: '',
    uid: '',
    ...more,
    folded: { name: name.toLowerCase(), organisation: organisation.toLowerCase() },
  });
}

export function group(name: string, ...members: string[]): Uint8Array {
  const one: Group = { name, members, folded: name.toLowerCase() };
  return encodeGroup(one);
}

export type Asked = { id: string; kind?: BookKind; before?: Uint8Array; after?: Uint8Array };

/** The data and parts of contacts.ChangeBook, and of the event that follows. */
export function changes(...asked: readonly Asked[]): {
  data: { changes: { id: string; kind: BookKind; was: boolean; is: boolean }[] };
  parts: Part[];
} {
  return {
    data: {
      changes: asked.map(({ id, kind = 'contact', before, after }) => ({
        id,
        kind,
        was: before !== undefined,
        is: after !== undefined,
      })),
    },
    parts: asked.flatMap(({ before, after }) => [after ?? '', before ?? '']),
  };
}
