import { describe, it } from 'vitest';
import { BOB, domain, given, hash, id, PASSWORD_HASH, signedUp, type Said } from '../given.ts';
import { START } from '../in-memory-shell.ts';

const HOUR = 60 * 60_000;
const alice = signedUp('alice');

describe('the profile', () => {
  const change = (version: unknown, parts: Said['parts']) => ({
    type: 'account.ChangeProfile',
    data: { version },
    parts,
  });
  const changed = (version: number): Said => ({
    type: 'account.ProfileChanged',
    data: { version },
    parts: ['Alice', 'Bye', '', ''],
  });

  it('is changed on the version that it is based on, with the words before beside those after', () => {
    given(domain, [alice])
      .when(change(0, ['Alice', 'Bye', '', '']))
      .then([changed(1)]);
    given(domain, [alice, changed(1)])
      .when(change(1, ['Al', 'Bye\nnow', 'Alice', 'Bye']))
      .then([changed(2)]);
  });

  it('is refused on an older or a made-up version', () => {
    for (const version of [0, 2]) {
      given(domain, [alice, changed(1)])
        .when(change(version, ['Al', '', 'Alice', 'Bye']))
        .thenRejected('Stale', { field: 'version' });
    }
  });

  it('is left alone when nothing is changed', () => {
    given(domain, [alice])
      .when(change(0, ['Alice', '', 'Alice', '']))
      .then([]);
  });

  it.each([
    ['display name', ['A\nB', '', '', '']],
    ['display name', ['x'.repeat(256), '', '', '']],
    ['display name', ['', '', 'A\u0000', '']],
    ['signature', ['', 'x'.repeat(2001), '', '']],
    ['signature', ['', 'a\rb', '', '']],
    ['signature', ['', '', '', 'a\u0007b']],
    ['parts', ['Alice', 'Bye']],
  ])('is refused with a wrong %s', (field, parts) => {
    given(domain, [alice]).when(change(0, parts)).thenRejected('Malformed', { field });
  });

  it('needs an account', () => {
    given(domain, [])
      .when(change(0, ['Alice', '', '', '']))
      .thenRejected('NoSuchAccount');
  });
});

describe('how dates are written', () => {
  const change = (zone: unknown, locale: unknown) => ({
    type: 'account.ChangeDates',
    data: { zone, locale },
  });
  const berlin: Said = {
    type: 'account.DatesChanged',
    data: { zone: 'Europe/Berlin', locale: 'de-DE', before: { zone: '', locale: '' } },
  };

  it('is changed, and says what it was before', () => {
    given(domain, [alice]).when(change('Europe/Berlin', 'de-DE')).then([berlin]);
    given(domain, [alice, berlin])
      .when(change('', ''))
      .then([
        {
          type: 'account.DatesChanged',
          data: { zone: '', locale: '', before: { zone: 'Europe/Berlin', locale: 'de-DE' } },
        },
      ]);
  });

  it('is left alone when nothing is changed', () => {
    given(domain, [alice]).when(change('', '')).then([]);
    given(domain, [alice, berlin]).when(change('Europe/Berlin', 'de-DE')).then([]);
  });

  it.each([
    ['time zone', '../etc', 'de'],
    ['time zone', 'x'.repeat(65), 'de'],
    ['time zone', 7, 'de'],
    ['language', 'UTC', 'de_DE'],
    ['language', 'UTC', '<b>'],
  ])('is refused with a wrong %s', (field, zone, locale) => {
    given(domain, [alice]).when(change(zone, locale)).thenRejected('Malformed', { field });
  });
});

describe('identities', () => {
  const words = ['alice+shop@penncloud.test', 'The Shop', 'Thanks'];
  const add = (parts: Said['parts'] = words, identityId: unknown = id(1)) => ({
    type: 'account.AddIdentity',
    data: { identityId },
    parts,
  });
  const added = (number: number): Said => ({
    type: 'account.IdentityAdded',
    data: { identityId: id(number) },
    parts: words,
  });
  const changed: Said = {
    type: 'account.IdentityChanged',
    data: { identityId: id(1), version: 2 },
    parts: [...words, ...words],
  };
  const removed: Said = {
    type: 'account.IdentityRemoved',
    data: { identityId: id(1), version: 1 },
    parts: words,
  };
  const change = (version: unknown, parts: Said['parts']) => ({
    type: 'account.ChangeIdentity',
    data: { identityId: id(1), version },
    parts,
  });
  const remove = (version: number) => ({
    type: 'account.RemoveIdentity',
    data: { identityId: id(1), version },
    parts: words,
  });

  it('are added, changed and removed', () => {
    given(domain, [alice])
      .when(add())
      .then([added(1)]);
    given(domain, [alice, added(1)])
      .when(change(1, ['alice@penncloud.test', '', '', ...words]))
      .then([changed]);
    given(domain, [alice, added(1)])
      .when(remove(1))
      .then([removed]);
  });

  it('come back under the same id, as an undo of their removal does', () => {
    given(domain, [alice, added(1), removed])
      .when(add())
      .then([added(1)]);
  });

  it('are changed and removed on the version that is there', () => {
    given(domain, [alice, added(1), changed])
      .when(change(1, [...words, ...words]))
      .thenRejected('Stale');
    given(domain, [alice, added(1), changed])
      .when(remove(1))
      .thenRejected('Stale');
    given(domain, [alice]).when(remove(1)).thenRejected('NoSuchIdentity');
    given(domain, [alice, added(1), removed])
      .when(change(1, [...words, ...words]))
      .thenRejected('NoSuchIdentity', { field: 'identityId' });
  });

  it('are left alone when nothing is changed', () => {
    given(domain, [alice, added(1)])
      .when(change(1, [...words, ...words]))
      .then([]);
  });

  it.each([
    'bob@penncloud.test',
    'alicex@penncloud.test',
    'alice+@penncloud.test',
    'alice+a b@penncloud.test',
    'alice+x@y@penncloud.test',
    'Alice@penncloud.test',
    'alice@penncloud.test\r\nBcc: all',
    'alice@',
    `alice+${'x'.repeat(65)}@penncloud.test`,
  ])('are the account’s own addresses, not %j', (address) => {
    given(domain, [alice])
      .when(add([address, '', '']))
      .thenRejected('Malformed', { field: 'address' });
  });

  it('are refused with a wrong id, in another stream, and beyond twenty', () => {
    given(domain, [alice]).when(add(words, 'x')).thenRejected('Malformed', { field: 'identityId' });
    given(domain, [alice, added(1)])
      .when(add())
      .thenRejected('Malformed', { field: 'identityId' });
    given(domain, [signedUp('bob')])
      .when({ ...add(), stream: BOB })
      .thenRejected('Malformed', { field: 'address' });
    const twenty = Array.from({ length: 20 }, (_, number) => added(number + 2));
    given(domain, [alice, ...twenty])
      .when(add())
      .thenRejected('TooMany', { limit: 20 });
  });
});

describe('sessions', () => {
  const session: Said = {
    type: 'account.SessionOpened',
    data: { sessionHash: hash('a'), expiresAt: START + 24 * HOUR },
    parts: [''],
  };
  const seen = (time: number): Said => ({
    type: 'account.SessionSeen',
    data: { sessionHash: hash('a') },
    time,
  });
  const see = (time: number) => ({ type: 'account.SeeSession', data: { sessionHash: hash('a') }, time });

  it('say at most hourly that they are in use', () => {
    given(domain, [alice, session])
      .when(see(START + HOUR))
      .then([seen(0)]);
    given(domain, [alice, session, seen(START + HOUR)])
      .when(see(START + 2 * HOUR - 1))
      .then([]);
    given(domain, [alice, session, seen(START + HOUR)])
      .when(see(START + 2 * HOUR))
      .then([seen(0)]);
    given(domain, [alice]).when(see(START)).thenRejected('SessionEnded');
  });

  it('end together with the password, where that is wished', () => {
    const change = (more: object) => ({
      type: 'account.ChangePassword',
      data: { passwordVersion: 1, ...more },
      parts: [PASSWORD_HASH],
    });
    const newPassword = { type: 'account.PasswordChanged', data: { passwordVersion: 2 } };
    const ended = (keeps: string) => ({ type: 'account.OtherSessionsEnded', data: { keeps } });
    given(domain, [alice]).when(change({})).then([newPassword]);
    given(domain, [alice])
      .when(change({ keeps: hash('a') }))
      .then([newPassword, ended(hash('a'))]);
    given(domain, [alice])
      .when(change({ keeps: '' }))
      .then([newPassword, ended('')]);
    given(domain, [alice])
      .when(change({ keeps: 'all' }))
      .thenRejected('Malformed', { field: 'keeps' });
  });

  it('end with one that is opened, as far as they are open', () => {
    const open = {
      type: 'account.OpenSession',
      data: {
        sessionHash: hash('b'),
        expiresAt: START + HOUR,
        passwordVersion: 1,
        ends: [hash('a'), hash('c'), hash('a')],
      },
      parts: [''],
    };
    given(domain, [alice, session])
      .when(open)
      .then([
        { type: 'account.SessionClosed', data: { sessionHash: hash('a') } },
        { type: 'account.SessionOpened', data: { sessionHash: hash('b'), expiresAt: START + HOUR } },
      ]);
    given(domain, [alice])
      .when({ ...open, data: { ...open.data, ends: Array.from({ length: 201 }, () => hash('a')) } })
      .thenRejected('Malformed', { field: 'ends', limit: 200 });
  });
});
