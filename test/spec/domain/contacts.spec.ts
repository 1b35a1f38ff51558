import { describe, it } from 'vitest';
import { contact, changes, group, type Asked } from '../contacts-book.ts';
import { ALICE, domain, given, id, signedUp, type Said } from '../given.ts';

const [BOB, CARL, TEAM, CHOIR] = [id(1), id(2), id(3), id(4)];
const type = 'contacts.ChangeBook';
const happened = (...asked: readonly Asked[]): Said => ({
  type: 'contacts.BookChanged',
  ...changes(...asked),
});
const book = (...history: readonly Said[]) => given(domain, [signedUp('alice'), ...history]);

describe('a change of the address book', () => {
  it('adds contacts and groups', () => {
    const asked = changes(
      { id: BOB, after: contact() },
      { id: TEAM, kind: 'group', after: group('Team', BOB) },
    );
    book()
      .when({ type, ...asked })
      .then([{ type: 'contacts.BookChanged', data: asked.data }]);
  });

  it('is made only to what its author saw', () => {
    const seen = contact();
    const meanwhile = contact({ note: 'Changed' });
    const history = [
      happened({ id: BOB, after: seen }),
      happened({ id: BOB, before: seen, after: meanwhile }),
    ];
    book(...history)
      .when({ type, ...changes({ id: BOB, before: seen, after: contact({ name: 'Robert' }) }) })
      .thenRejected('ChangedSince', { message: /look at it as it is now/ });
  });

  it('is refused when what it changes is gone, or what it adds is there', () => {
    book()
      .when({ type, ...changes({ id: BOB, before: contact() }) })
      .thenRejected('NoSuchContact');
    book(happened({ id: BOB, after: contact() }))
      .when({ type, ...changes({ id: BOB, after: contact({ name: 'Other' }) }) })
      .thenRejected('ChangedSince');
  });

  it('that changes nothing is accepted with no events', () => {
    book(happened({ id: BOB, after: contact() }))
      .when({ type, ...changes({ id: BOB, before: contact(), after: contact() }) })
      .then([]);
  });

  it('deletes, and turned round brings back', () => {
    const deleted = changes({ id: BOB, before: contact() });
    book(happened({ id: BOB, after: contact() }))
      .when({ type, ...deleted })
      .then([{ type: 'contacts.BookChanged', data: deleted.data }]);
    const restored = changes({ id: BOB, after: contact() });
    book(happened({ id: BOB, after: contact() }), happened({ id: BOB, before: contact() }))
      .when({ type, ...restored })
      .then([{ type: 'contacts.BookChanged', data: restored.data }]);
  });
});

describe('an address', () => {
  it('belongs to one contact, without regard to A to Z, and the refusal says to which', () => {
    book(happened({ id: BOB, after: contact() }))
      .when({ type, ...changes({ id: CARL, after: contact({ addresses: ['BOB@PennCloud.test'] }) }) })
      .thenRejected('NameTaken', {
        message: /bob@penncloud\.test belongs to another/,
        details: { holder: BOB },
      });
  });

  it('cannot be given to two contacts by one command', () => {
    book()
      .when({
        type,
        ...changes({ id: BOB, after: contact() }, { id: CARL, after: contact({ name: 'Carl' }) }),
      })
      .thenRejected('NameTaken', { details: { holder: BOB } });
  });

  it('moves from one contact to another in one command, and is free once its contact is deleted', () => {
    const moved = changes(
      { id: BOB, before: contact(), after: contact({ addresses: [] }) },
      { id: CARL, after: contact({ name: 'Carl' }) },
    );
    book(happened({ id: BOB, after: contact() }))
      .when({ type, ...moved })
      .then([{ type: 'contacts.BookChanged', data: moved.data }]);
    const again = changes({ id: CARL, after: contact() });
    book(happened({ id: BOB, after: contact() }), happened({ id: BOB, before: contact() }))
      .when({ type, ...again })
      .then([{ type: 'contacts.BookChanged', data: again.data }]);
  });
});

describe('the name of a group', () => {
  it('belongs to one group', () => {
    book(happened({ id: TEAM, kind: 'group', after: group('Team') }))
      .when({ type, ...changes({ id: CHOIR, kind: 'group', after: group('TEAM') }) })
      .thenRejected('NameTaken', { field: 'name', details: { holder: TEAM } });
  });
});

describe('what is no sound contact or group', () => {
  const unsound: Record<string, Uint8Array> = {
    'no text': Uint8Array.of(0xff),
    'no JSON': Buffer.from('{'),
    'another field': Buffer.from(Buffer.from(contact()).toString().replace('{', '{"admin":true,')),
    'another order': Buffer.from('{"addresses":[],"name":"Bob"}'),
    'no name and no address': contact({ name: '', addresses: [] }),
    'the same address twice': contact({ addresses: ['a@b.test', 'A@b.test'] }),
    'an address with a space': contact({ addresses: ['a b@c.test'] }),
    'an address with a line end': contact({ addresses: ['a@c.test\r\nBcc: x@y.test'] }),
    'a name over its limit': contact({ name: 'x'.repeat(201) }),
    'a name with a control character': contact({ name: 'Bob\u0007' }),
    'a lone surrogate': contact({ name: 'Bob \ud800' }),
    '21 addresses': contact({ addresses: Array.from({ length: 21 }, (_, i) => `a${i}@b.test`) }),
  };
  it.each(Object.entries(unsound))('is refused: %s', (_name, after) => {
    book()
      .when({ type, ...changes({ id: BOB, after }) })
      .thenRejected('Malformed', { field: 'contact' });
  });

  it('is refused: a group without a name, or with the same member twice', () => {
    for (const after of [group(''), group('Team', BOB, BOB)]) {
      book()
        .when({ type, ...changes({ id: TEAM, kind: 'group', after }) })
        .thenRejected('Malformed', { field: 'group' });
    }
  });

  it('is refused: more changes than a command takes, two of one contact, parts that do not fit', () => {
    const many = Array.from({ length: 31 }, (_, i) => ({
      id: id(i),
      after: contact({ addresses: [`a${i}@b.test`] }),
    }));
    book()
      .when({ type, ...changes(...many) })
      .thenRejected('Malformed', { limit: 30 });
    const twice = changes(
      { id: BOB, after: contact() },
      { id: BOB, after: contact({ addresses: ['c@d.test'] }) },
    );
    book()
      .when({ type, ...twice })
      .thenRejected('Malformed', { field: 'changes' });
    const { data } = changes({ id: BOB, after: contact() });
    book()
      .when({ type, data, parts: [contact()] })
      .thenRejected('Malformed', { field: 'parts' });
  });

  it('cannot stand in the stream of no account', () => {
    given(domain, [])
      .when({ type, stream: ALICE, ...changes({ id: BOB, after: contact() }) })
      .thenRejected('NoSuchAccount');
  });
});

describe('collecting addresses', () => {
  const set = (on: boolean) => ({ type: 'contacts.SetCollecting', data: { on } });
  const wasSet = (on: boolean, before: boolean) => ({ type: 'contacts.CollectingSet', data: { on, before } });

  it('is on until it is switched off, and says how it was before', () => {
    book().when(set(true)).then([]);
    book()
      .when(set(false))
      .then([wasSet(false, true)]);
    book(wasSet(false, true))
      .when(set(true))
      .then([wasSet(true, false)]);
  });

  it('forgets addresses by name, and refuses what is no list of them', () => {
    const forget = (part: string) => ({ type: 'contacts.ForgetAddresses', data: {}, parts: [part] });
    book()
      .when(forget('["bob@penncloud.test"]'))
      .then([{ type: 'contacts.AddressesForgotten', data: { count: 1 } }]);
    for (const part of ['', '[]', '{}', '[1]', '["\\u0000"]', JSON.stringify(Array(501).fill('a@b.test'))]) {
      book().when(forget(part)).thenRejected('Malformed', { field: 'addresses' });
    }
  });
});
