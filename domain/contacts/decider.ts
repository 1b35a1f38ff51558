/**
 * The decisions on an address book. What always holds:
 *
 *   a change is made to what its author saw: the part with what was before must be what is there
 *   an address belongs to at most one contact, a name to at most one group
 *   the changes of one command happen together or not at all; undo is the same command, turned round
 *
 * Which addresses are collected from sent mail, the read model sees for itself; here is decided only whether,
 * and what is forgotten.
 */
import { ACCOUNT_KEY, accountFault } from '../account/evolve.ts';
import type { CommandHandler, Content, Decision, DomainArea } from '../decider.ts';
import { rejection, type RejectionCode } from '../errors.ts';
import { fieldsOf, flag, parsed, partsAre, partText, randomId, refuse } from '../fields.ts';
import {
  BOOK_PART_BYTES_MAX,
  CONTACTS_MAX,
  decodeContact,
  decodeGroup,
  GROUPS_MAX,
  type BookKind,
} from './book.ts';
import type { BookChange, ContactsEvent } from './events.ts';
import {
  afterOf,
  beforeOf,
  claimKey,
  claimsIn,
  COLLECTING_KEY,
  contactsEvents,
  COUNT_KEY,
  countOf,
  entryKey,
  type EntrySlice,
} from './evolve.ts';

/** Two parts each; a command takes 64. */
export const CHANGES_PER_COMMAND_MAX = 30;
export const FORGOTTEN_PER_COMMAND_MAX = 500;

type ChangeBook = { readonly changes: readonly BookChange[] };

/** Parts, two for each change: as it shall be (empty: gone), as it was seen (empty: not there). */
const changeBook: CommandHandler<ChangeBook> = {
  parse: (data, content) =>
    parsed((): ChangeBook => {
      const { changes } = fieldsOf(data, ['changes']);
      if (!Array.isArray(changes) || changes.length < 1 || changes.length > CHANGES_PER_COMMAND_MAX) {
        refuse('Malformed', `Changes must be a list of 1 to ${CHANGES_PER_COMMAND_MAX} changes.`, {
          field: 'changes',
          limit: CHANGES_PER_COMMAND_MAX,
        });
      }
      partsAre(content, ...changes.flatMap(() => ['after', 'before']));
      const checked = changes.map((change, i) => checkChange(change, content, i));
      if (new Set(checked.map(({ id }) => id)).size < checked.length) {
        refuse('Malformed', 'Each change must be of another contact or group.', { field: 'changes' });
      }
      return { changes: checked };
    }),
  reads: ({ changes }, content) => [
    ...new Set([
      ACCOUNT_KEY,
      COUNT_KEY,
      ...changes.map(({ id }) => entryKey(id)),
      ...changes.flatMap(({ kind }, i) =>
        [...claimsIn(kind, content, afterOf(i)), ...claimsIn(kind, content, beforeOf(i))].map(claimKey),
      ),
    ]),
  ],
  decide({ changes }, slices, { stream, content }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const leaving = new Set(changes.map(({ id }) => id));
    const taken = new Map<string, string>();
    const count = { ...countOf(slices(COUNT_KEY)) };
    for (const [i, { id, kind, was, is }] of changes.entries()) {
      const there = slices(entryKey(id)) as EntrySlice | undefined;
      const isAsSeen = was
        ? there?.kind === kind && there.digest === content.digest(beforeOf(i))
        : there === undefined;
      if (!isAsSeen) return there === undefined ? gone : stale;
      count[kind] += Number(is) - Number(was);
      for (const claim of claimsIn(kind, content, afterOf(i))) {
        const holder = slices(claimKey(claim)) as string | undefined;
        const other = taken.get(claim) ?? (holder !== undefined && !leaving.has(holder) ? holder : undefined);
        if (other !== undefined) return claimed(kind, claim, other);
        taken.set(claim, id);
      }
    }
    if (count.contact > CONTACTS_MAX) return full('contacts', CONTACTS_MAX);
    if (count.group > GROUPS_MAX) return full('groups', GROUPS_MAX);
    const differs = changes.some(
      ({ was, is }, i) => was !== is || content.digest(afterOf(i)) !== content.digest(beforeOf(i)),
    );
    if (!differs) return { events: [] };
    return happened({ type: 'contacts.BookChanged', version: 1, data: { changes } });
  },
};

/** Part 0: the keys of the addresses, a JSON list. */
const forgetAddresses: CommandHandler<{ readonly count: number }> = {
  parse: (data, content) =>
    parsed(() => {
      fieldsOf(data, []);
      partsAre(content, 'addresses');
      const keys = decodeKeys(content.bytes(0));
      if (keys === undefined || keys.length === 0 || keys.length > FORGOTTEN_PER_COMMAND_MAX) {
        refuse('Malformed', `Addresses must be a JSON list of 1 to ${FORGOTTEN_PER_COMMAND_MAX} addresses.`, {
          field: 'addresses',
          limit: FORGOTTEN_PER_COMMAND_MAX,
        });
      }
      return { count: keys.length };
    }),
  reads: () => [ACCOUNT_KEY],
  decide({ count }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    return happened({ type: 'contacts.AddressesForgotten', version: 1, data: { count } });
  },
};

const setCollecting: CommandHandler<{ readonly on: boolean }> = {
  parse: (data, content) =>
    parsed(() => {
      const { on } = fieldsOf(data, ['on']);
      partsAre(content);
      return { on: flag(on, 'on') };
    }),
  reads: () => [ACCOUNT_KEY, COLLECTING_KEY],
  decide({ on }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const before = slices(COLLECTING_KEY) !== false;
    if (before === on) return { events: [] };
    return happened({ type: 'contacts.CollectingSet', version: 1, data: { on, before } });
  },
};

export function createContacts(): DomainArea {
  return {
    commands: {
      'contacts.ChangeBook': changeBook,
      'contacts.ForgetAddresses': forgetAddresses,
      'contacts.SetCollecting': setCollecting,
    },
    events: contactsEvents,
  };
}

/** The keys of a part of AddressesForgotten; undefined if it is no list of texts, or was erased. */
export function decodeKeys(bytes: Uint8Array | undefined): readonly string[] | undefined {
  if (bytes === undefined || bytes.length > 1024 * FORGOTTEN_PER_COMMAND_MAX) return undefined;
  try {
    const keys: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    const isKey = (key: unknown) =>
      typeof key === 'string' && key.length > 0 && key.length <= 320 && !/[\0-\x1f\ud800-\udfff]/u.test(key);
    return Array.isArray(keys) && keys.every(isKey) ? (keys as string[]) : undefined;
  } catch {
    return undefined;
  }
}

function checkChange(change: unknown, content: Content, i: number): BookChange {
  const { id, kind, was, is } = fieldsOf(change, ['id', 'kind', 'was', 'is']);
  if (kind !== 'contact' && kind !== 'group') {
    refuse('Malformed', 'Kind must be "contact" or "group".', { field: 'kind' });
  }
  const checked = { id: randomId(id, 'id'), kind, was: flag(was, 'was'), is: flag(is, 'is') } as const;
  checkPart(content, afterOf(i), kind, checked.is);
  checkPart(content, beforeOf(i), kind, checked.was);
  return checked;
}

function checkPart(content: Content, part: number, kind: BookKind, isThere: boolean): void {
  partText(content, part, kind, isThere ? 1 : 0, isThere ? BOOK_PART_BYTES_MAX : 0);
  const decode = kind === 'contact' ? decodeContact : decodeGroup;
  if (isThere && decode(content.bytes(part)) === undefined) {
    refuse('Malformed', `This is no sound ${kind}: a field is missing, unknown or over its limit.`, {
      field: kind,
    });
  }
}

function happened(event: ContactsEvent): Decision {
  return { events: [event] };
}

function refused(code: RejectionCode, message: string, more: object): Decision {
  return { rejection: rejection(code, message, more) };
}

function claimed(kind: BookKind, claim: string, holder: string): Decision {
  const name = claim.slice(claim.indexOf('/') + 1);
  return kind === 'contact'
    ? refused('NameTaken', `The address ${name} belongs to another contact already.`, {
        field: 'addresses',
        details: { holder },
      })
    : refused('NameTaken', 'There is a group of this name: choose another name.', {
        field: 'name',
        details: { holder },
      });
}

const gone = refused('NoSuchContact', 'This is not in your address book any more.', { field: 'id' });
const stale = refused(
  'ChangedSince',
  'This was changed elsewhere meanwhile: look at it as it is now, and save again.',
  { field: 'id' },
);
function full(what: string, limit: number): Decision {
  return refused('TooMany', `There can be at most ${limit} ${what}: delete some first.`, {
    field: what,
    limit,
  });
}
