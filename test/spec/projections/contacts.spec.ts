import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeContact } from '../../../domain/contacts/book.ts';
import {
  decodeWrittenTo,
  encodeWrittenTo,
  WRITTEN_TO_BYTES_MAX,
} from '../../../domain/mail/message/written-to.ts';
import {
  beginningWith,
  phrasesOf,
  readBookState,
  readContactLine,
  readFoundLine,
  readKnownAddress,
} from '../../../projections/contacts-cells.ts';
import * as keys from '../../../projections/keys.ts';
import { changes, contact, group, type Asked } from '../contacts-book.ts';
import { ALICE, id, projected, RAW, signedUp, summary, type Said } from '../given.ts';
import { InMemoryShell, START, type Part } from '../in-memory-shell.ts';

const [BOB, CARL, TEAM] = [id(1), id(2), id(3)];
const changed = (...asked: readonly Asked[]): Said => ({
  type: 'contacts.BookChanged',
  ...changes(...asked),
});
const sent = (to: readonly { name: string; address: string }[], time = START): Said => ({
  type: 'mail.MessageSent',
  data: { messageId: id(900 + to.length), recipients: [] },
  parts: [RAW, summary({ to, cc: [] }), summary({ to }), '', ''],
  time,
});
const stateOf = (shell: InMemoryShell) => readBookState(shell.bytes(keys.bookStateCell(ALICE))!);
const known = (shell: InMemoryShell, key: string) => {
  const bytes = shell.bytes(keys.bookAddressCell(ALICE, key));
  return bytes && readKnownAddress(bytes);
};
/** The names under the words that begin so. */
function found(shell: InMemoryShell, typed: string): string[] {
  const { after, before } = beginningWith(typed);
  return shell
    .columns(keys.contactWordsRow(ALICE))
    .filter((column) => column > after && column < before)
    .map((column) => readFoundLine(shell.bytes(keys.contactWordCell(ALICE, column))!))
    .map(({ name, addresses }) => name || addresses[0]!);
}

describe('the list of contacts', () => {
  it('stands in the order of folded names', () => {
    const shell = projected([
      changed(
        { id: BOB, after: contact({ name: 'zoe', addresses: [] }) },
        { id: CARL, after: contact({ name: 'Anna Lee', addresses: [] }) },
        { id: TEAM, after: contact({ name: 'Anna', addresses: [] }) },
      ),
    ]);
    const lines = shell
      .columns(keys.contactListRow(ALICE))
      .map((order) => readContactLine(shell.bytes(keys.contactLineCell(ALICE, order))!).name);
    expect(lines).toEqual(['Anna', 'Anna Lee', 'zoe']);
    expect(stateOf(shell)).toEqual({ contacts: 3, groups: 0, collected: 0, collecting: true });
  });

  it('is found by the beginning of each word, of words in a row, and of each address', () => {
    const shell = projected([
      changed({
        id: BOB,
        after: contact({ name: 'Anna van Berg', organisation: 'Oak Ltd', addresses: ['info@oak.test'] }),
      }),
      changed({ id: TEAM, kind: 'group', after: group('Anna’s team') }),
    ]);
    for (const typed of ['van b', 'berg', 'oak l', 'info@'])
      expect(found(shell, typed)).toEqual(['Anna van Berg']);
    expect(found(shell, 'ann')).toEqual(['Anna van Berg', 'Anna’s team']);
    expect(found(shell, 'erg')).toEqual([]);
  });
});

describe('an address that is written to', () => {
  const bob = { name: 'Bob', address: 'Bob@penncloud.test' };

  it('is collected with how often and when last, and found by name and address', () => {
    const shell = projected([signedUp('alice'), sent([bob]), sent([bob], START + 5)]);
    const expected = { contact: null, address: bob.address, name: 'Bob', count: 2, lastAt: START + 5 };
    expect(known(shell, 'bob@penncloud.test')).toEqual(expected);
    expect(shell.columns(keys.collectedRow(ALICE))).toEqual(['bob@penncloud.test']);
    expect(found(shell, 'bob')).toEqual(['Bob', 'Bob']);
    expect(stateOf(shell).collected).toBe(1);
  });

  it('is not listed as collected while it is in a contact, and is again when the contact is deleted', () => {
    const added = changed({ id: BOB, after: contact() });
    const inBook = projected([sent([bob]), added, sent([bob], START + 1)]);
    expect(inBook.columns(keys.collectedRow(ALICE))).toEqual([]);
    expect(known(inBook, 'bob@penncloud.test')).toMatchObject({ contact: BOB, count: 2 });
    expect(stateOf(inBook)).toMatchObject({ contacts: 1, collected: 0 });
    const after = projected([sent([bob]), added, changed({ id: BOB, before: contact() })]);
    expect(after.columns(keys.collectedRow(ALICE))).toEqual(['bob@penncloud.test']);
    expect(stateOf(after)).toMatchObject({ contacts: 0, collected: 1 });
  });

  it('is forgotten on request, with every word of it', () => {
    const forgotten = {
      type: 'contacts.AddressesForgotten',
      data: { count: 1 },
      parts: ['["bob@penncloud.test"]'],
    };
    const shell = projected([sent([bob]), forgotten]);
    expect(shell.rows(`${ALICE}/contacts/`)).toEqual([`${ALICE}/contacts/state`]);
  });

  it('is not collected once that is switched off', () => {
    const off = { type: 'contacts.CollectingSet', data: { on: false, before: true } };
    expect(stateOf(projected([off, sent([bob])]))).toMatchObject({ collected: 0, collecting: false });
  });

  it('is collected from a part of its own, which outlives the message', () => {
    const list = encodeWrittenTo([bob, { ...bob, name: 'Robert' }, { name: '', address: 'x@y.test' }]);
    const message = (part: Part) => ({
      ...sent([{ name: '', address: 'not@this.test' }]),
      data: { messageId: id(900), recipients: [], collected: 5 },
      parts: [{ erased: 9 }, { erased: 9 }, { erased: 9 }, '', '', part],
    });
    const shell = projected([message(list)]);
    expect(shell.columns(keys.collectedRow(ALICE))).toEqual(['bob@penncloud.test', 'x@y.test']);
    expect(known(shell, 'bob@penncloud.test')).toMatchObject({ name: 'Robert', count: 1 });
    for (const none of [{ erased: 50 }, 'no list', '{}', '[null, 7, {"name":1,"address":"a@b"}]', '[]']) {
      expect(stateOf(projected([message(none)])).collected).toBe(0);
    }
  });

  it('fits its part, however many there are', () => {
    const many = Array.from({ length: 2000 }, (_, i) => ({
      name: 'ß'.repeat(300),
      address: `${i}@${'ü'.repeat(200)}.test`,
    }));
    const bytes = encodeWrittenTo(many);
    expect(bytes.length).toBeLessThanOrEqual(WRITTEN_TO_BYTES_MAX);
    expect(decodeWrittenTo(bytes).length).toBeGreaterThan(50);
  });

  it('that could be no key is passed over', () => {
    const shell = projected([
      sent([
        { name: '', address: 'nobody' },
        { name: '', address: 'a\0@b' },
        { name: '\ud800', address: 'x@y.test' },
      ]),
    ]);
    expect(shell.columns(keys.collectedRow(ALICE))).toEqual(['x@y.test']);
  });
});

describe('an erased contact', () => {
  it('stops nothing', () => {
    const { data } = changes({ id: BOB, after: contact() });
    const shell = projected([
      { type: 'contacts.BookChanged', data, parts: [{ erased: 100 }, ''] },
      {
        type: 'contacts.BookChanged',
        data: changes({ id: BOB, before: contact() }).data,
        parts: ['', { erased: 100 }],
      },
    ]);
    expect(stateOf(shell).contacts).toBe(0);
  });
});

describe('phrases', () => {
  it('begin at each word', () => {
    expect(phrasesOf('anna van berg', '')).toEqual(['anna van berg', 'van berg', 'berg']);
  });
});

describe('whatever happens to the book', () => {
  const anyAddress = fc.constantFrom('a@x.test', 'B@x.test', 'b@X.test', 'c@y.test', 'ä@y.test');
  const anyContact = fc.record({
    name: fc.constantFrom('Anna', 'Anna Lee', 'Ben', 'Zoë Berg', ''),
    addresses: fc.uniqueArray(anyAddress, { maxLength: 3, selector: (address) => address.toLowerCase() }),
  });
  const step = fc.oneof(
    fc.record({ kind: fc.constant('save' as const), id: fc.nat({ max: 4 }).map(id), as: anyContact }),
    fc.record({ kind: fc.constant('delete' as const), id: fc.nat({ max: 4 }).map(id) }),
    fc.record({ kind: fc.constant('write' as const), to: fc.array(anyAddress, { maxLength: 3 }) }),
    fc.record({ kind: fc.constant('forget' as const), address: anyAddress }),
    fc.record({ kind: fc.constant('collect' as const), on: fc.boolean() }),
  );

  it('counts are those of the cells, a replay gives the same ones, and an undo gives back every cell', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const shell = new InMemoryShell();
        shell.append({
          stream: ALICE,
          time: START,
          parts: ['', ''],
          events: [{ version: 1, ...signedUp('alice') }],
        });
        for (const [i, one] of steps.entries()) {
          if (one.kind === 'write') {
            const { type, data, parts = [] } = sent(one.to.map((address) => ({ name: 'N', address })));
            shell.append({
              stream: ALICE,
              time: START + i,
              parts,
              events: [{ type, version: 1, data: { ...data, messageId: id(1000 + i) } }],
            });
          } else if (one.kind === 'forget') {
            shell.execute({
              type: 'contacts.ForgetAddresses',
              data: {},
              stream: ALICE,
              parts: [JSON.stringify([one.address.toLowerCase()])],
            });
          } else if (one.kind === 'collect') {
            shell.execute({ type: 'contacts.SetCollecting', data: { on: one.on }, stream: ALICE });
          } else {
            const before = shell.bytes(keys.contactCell(ALICE, one.id));
            const after = one.kind === 'save' ? contact(one.as) : undefined;
            const asked = { id: one.id, ...(before && { before }), ...(after && { after }) };
            const was = shell.dump().filter((cell) => cell.includes('/contacts/'));
            const outcome = shell.execute({ type: 'contacts.ChangeBook', stream: ALICE, ...changes(asked) });
            if ('events' in outcome && outcome.events.length > 0) {
              const undo = { id: one.id, ...(before && { after: before }), ...(after && { before: after }) };
              const undone = new InMemoryShell();
              for (const entry of shell.log) undone.append(structuredClone(entry));
              undone.execute({ type: 'contacts.ChangeBook', stream: ALICE, ...changes(undo) });
              const is = undone.dump().filter((cell) => cell.includes('/contacts/'));
              const known = (cells: string[]) => cells.filter((cell) => !cell.includes('/contacts/state'));
              expect(known(is).map(withoutSpelling)).toEqual(known(was).map(withoutSpelling));
            }
          }
        }
        const again = new InMemoryShell();
        for (const entry of shell.log) again.append(structuredClone(entry));
        expect(again.dump()).toEqual(shell.dump());
        const bytes = shell.bytes(keys.bookStateCell(ALICE));
        const cards = shell.columns(keys.contactsRow(ALICE));
        const counts = bytes === undefined ? { contacts: 0, collected: 0 } : readBookState(bytes);
        expect(counts).toMatchObject({
          contacts: cards.length,
          collected: shell.columns(keys.collectedRow(ALICE)).length,
        });
        expect(shell.columns(keys.contactListRow(ALICE))).toHaveLength(cards.length);
        for (const card of cards)
          expect(decodeContact(shell.bytes(keys.contactCell(ALICE, card)))).toBeDefined();
      }),
      { numRuns: 150 },
    );
  });

  /** An address is shown as it was last written: the spelling may differ in A to Z. */
  const withoutSpelling = (cell: string) => cell.toLowerCase();
});
