import { describe, expect, it } from 'vitest';
import { accountStream } from '../../../domain/streams.ts';
import { ALICE, domain, given, hash, PASSWORD_HASH, signedUp, type Said } from '../given.ts';
import { START } from '../in-memory-shell.ts';

const DAY = 24 * 60 * 60 * 1000;
const alice = signedUp('alice');
const opened: Said = {
  type: 'account.SessionOpened',
  data: { sessionHash: hash('a'), expiresAt: START + DAY },
  parts: [''],
};
const changed: Said = {
  type: 'account.PasswordChanged',
  data: { passwordVersion: 2 },
  parts: [PASSWORD_HASH],
};

describe('signing up', () => {
  const signUp = (name: unknown, more: object = {}) => ({
    type: 'account.SignUp',
    data: { name, admin: false },
    stream: typeof name === 'string' ? accountStream(name) : ALICE,
    parts: [PASSWORD_HASH, 'Alice Example'],
    ...more,
  });

  it.each(['alice', 'a1', '0x', 'a.b-c_d', 'x'.repeat(32), 'root', 'constructor'])(
    'makes the account %s',
    (name) => {
      given(domain, [])
        .when(signUp(name))
        .then([{ type: 'account.SignedUp', data: { name, admin: false } }]);
    },
  );

  it('makes an admin, and takes an empty display name', () => {
    given(domain, [])
      .when(signUp('alice', { data: { name: 'alice', admin: true }, parts: [PASSWORD_HASH, ''] }))
      .then([{ type: 'account.SignedUp', data: { name: 'alice', admin: true } }]);
  });

  it.each([
    '',
    'a',
    'x'.repeat(33),
    'Alice',
    '.alice',
    '-alice',
    'al ice',
    'al/ice',
    'alice\n',
    'älice',
    '~alice',
    7,
    null,
  ])('is refused as %j', (name) => {
    given(domain, []).when(signUp(name)).thenRejected('Malformed', {
      field: 'username',
      message:
        'Username must be 2 to 32 characters: lower-case letters, digits, dot, dash, underscore; it must start with a letter or digit.',
    });
  });

  it('is refused when the name is taken', () => {
    given(domain, [alice])
      .when(signUp('alice'))
      .thenRejected('NameTaken', { field: 'username', message: /alice is taken/ });
  });

  it.each(['postmaster', 'abuse', 'mailer-daemon'])('keeps the name %s for the mail system', (name) => {
    given(domain, [])
      .when(signUp(name))
      .thenRejected('NameTaken', { field: 'username', message: /kept for the mail system/ });
  });

  it('is refused in another account’s stream', () => {
    given(domain, [])
      .when(signUp('alice', { stream: accountStream('bob') }))
      .thenRejected('Malformed', { field: 'stream' });
  });

  it.each([
    ['password hash', ['hunter2hunter2', 'Alice']],
    ['password hash', ['', 'Alice']],
    ['password hash', [`$argon2id$${'x'.repeat(600)}`, 'Alice']],
    ['display name', [PASSWORD_HASH, 'Alice\r\nBcc: all']],
    ['display name', [PASSWORD_HASH, 'x'.repeat(256)]],
    ['display name', [PASSWORD_HASH, new Uint8Array([0xc3])]],
    ['parts', [PASSWORD_HASH]],
  ])('is refused with a wrong %s', (field, parts) => {
    given(domain, []).when(signUp('alice', { parts })).thenRejected('Malformed', { field });
  });

  it('is refused with a wrong or an unknown field', () => {
    given(domain, [])
      .when(signUp('alice', { data: { name: 'alice' } }))
      .thenRejected('Malformed', { field: 'admin' });
    given(domain, [])
      .when(signUp('alice', { data: { name: 'alice', admin: false, quota: 1 } }))
      .thenRejected('Malformed', {
        field: 'quota',
        message: 'The field "quota" is unknown here: expected the fields name, admin.',
      });
  });
});

describe('opening a session', () => {
  const data = { sessionHash: hash('a'), expiresAt: START + DAY, passwordVersion: 1 };
  const open = (more: object = {}, parts: Said['parts'] = ['Firefox']) => ({
    type: 'account.OpenSession',
    data: { ...data, ...more },
    parts,
  });

  it('lets someone in who knew the current password', () => {
    given(domain, [alice]).when(open()).then([opened]);
    given(domain, [alice, changed])
      .when(open({ passwordVersion: 2 }, ['']))
      .then([opened]);
  });

  it('lasts at most 90 days', () => {
    const expiresAt = START + 90 * DAY;
    given(domain, [alice])
      .when(open({ expiresAt }))
      .then([{ type: 'account.SessionOpened', data: { sessionHash: hash('a'), expiresAt } }]);
    for (const wrong of [START + 90 * DAY + 1, START, 0]) {
      given(domain, [alice])
        .when(open({ expiresAt: wrong }))
        .thenRejected('Malformed', { field: 'expiresAt', limit: '90 days' });
    }
  });

  it('is refused with a password that has been changed meanwhile', () => {
    given(domain, [alice, changed]).when(open()).thenRejected('WrongPassword', { field: 'password' });
  });

  it('is refused when there is no such account', () => {
    given(domain, []).when(open()).thenRejected('NoSuchAccount');
  });

  it('is refused with a secret that is in use', () => {
    given(domain, [alice, opened]).when(open()).thenRejected('Malformed', { field: 'sessionHash' });
  });

  it.each([
    ['sessionHash', { sessionHash: 'secret' }, ['']],
    ['expiresAt', { expiresAt: '2030' }, ['']],
    ['passwordVersion', { passwordVersion: 0 }, ['']],
    ['user agent', {}, ['x'.repeat(1025)]],
    ['parts', {}, []],
    ['remember', { remember: true }, ['']],
  ])('is refused with a wrong %s', (field, more, parts) => {
    given(domain, [alice]).when(open(more, parts)).thenRejected('Malformed', { field });
  });
});

describe('closing a session', () => {
  const close = { type: 'account.CloseSession', data: { sessionHash: hash('a') } };
  const closed = { type: 'account.SessionClosed', data: { sessionHash: hash('a') } };

  it('ends it', () => {
    given(domain, [alice, opened]).when(close).then([closed]);
  });

  it('is refused for one that is unknown or closed', () => {
    given(domain, [alice]).when(close).thenRejected('SessionEnded', { field: 'sessionHash' });
    given(domain, [alice, opened, closed]).when(close).thenRejected('SessionEnded');
  });

  it('is refused without an account, and with a malformed hash', () => {
    given(domain, []).when(close).thenRejected('NoSuchAccount');
    given(domain, [alice])
      .when({ ...close, data: { sessionHash: 1 } })
      .thenRejected('Malformed', { field: 'sessionHash' });
  });
});

describe('changing the password', () => {
  const change = (passwordVersion: unknown, parts: Said['parts'] = [PASSWORD_HASH]) => ({
    type: 'account.ChangePassword',
    data: { passwordVersion },
    parts,
  });

  it('counts the versions up', () => {
    given(domain, [alice]).when(change(1)).then([changed]);
    given(domain, [alice, changed])
      .when(change(2))
      .then([{ type: 'account.PasswordChanged', data: { passwordVersion: 3 } }]);
  });

  it('is refused when someone else was first', () => {
    given(domain, [alice, changed]).when(change(1)).thenRejected('WrongPassword');
  });

  it('is refused without an account, or with wrong fields', () => {
    given(domain, []).when(change(1)).thenRejected('NoSuchAccount');
    given(domain, [alice]).when(change('1')).thenRejected('Malformed', { field: 'passwordVersion' });
    given(domain, [alice])
      .when(change(1, ['secret']))
      .thenRejected('Malformed', { field: 'password hash' });
  });
});

describe('the domain as a whole', () => {
  it('knows no command by a name that every object has', () => {
    expect(domain.commands['constructor']).toBeUndefined();
    expect(domain.events['toString']).toBeUndefined();
  });

  it('stops at an event of a version that it does not know', () => {
    const event = { type: 'account.SignedUp', version: 2, data: {} };
    const content = { count: 0, length: () => 0, digest: () => undefined, bytes: () => undefined };
    const handler = domain.events['account.SignedUp'];
    expect(() => handler?.touches(event, content)).toThrow(/version 2.*upgrade this node/);
    expect(() => handler?.evolve('account', undefined, event, content, START)).toThrow(/version 2/);
  });
});
