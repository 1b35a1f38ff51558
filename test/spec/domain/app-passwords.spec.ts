/** App passwords: made, removed, and over with the password they were made under. */
import { describe, expect, test } from 'vitest';
import { APP_PASSWORDS_MAX } from '../../../domain/account/app-passwords.ts';
import { domain, given, id, signedUp, type Said } from '../given.ts';

const alice = signedUp('alice');
const hash = 'a'.repeat(64);
const add = (number: number, passwordVersion = 1): Said => ({
  type: 'account.AddAppPassword',
  data: { appPasswordId: id(number), hash, passwordVersion },
  parts: ['Phone'],
});
const added = (number: number, passwordVersion = 1): Said => ({
  type: 'account.AppPasswordAdded',
  data: { appPasswordId: id(number), hash, passwordVersion },
  parts: ['Phone'],
});
const removed = (number: number): Said => ({
  type: 'account.AppPasswordRemoved',
  data: { appPasswordId: id(number) },
});
const changed: Said = {
  type: 'account.PasswordChanged',
  data: { passwordVersion: 2 },
  parts: ['$argon2id$x'],
};

describe('app passwords', () => {
  test('are made by whoever knows the password that is current now', () => {
    given(domain, [alice])
      .when(add(1))
      .then([added(1)]);
    given(domain, [alice]).when(add(1, 2)).thenRejected('WrongPassword');
    given(domain, [alice, added(1)])
      .when(add(1))
      .thenRejected('Malformed');
    given(domain, []).when(add(1)).thenRejected('NoSuchAccount');
  });

  test('are removed once', () => {
    const remove = { type: 'account.RemoveAppPassword', data: { appPasswordId: id(1) } };
    given(domain, [alice, added(1)])
      .when(remove)
      .then([removed(1)]);
    given(domain, [alice]).when(remove).then([]);
  });

  test('are over with a new password, and forgotten with the next one made', () => {
    given(domain, [alice, added(1), changed])
      .when(add(2, 2))
      .then([removed(1), added(2, 2)]);
  });

  test('are a bounded number', () => {
    const all = Array.from({ length: APP_PASSWORDS_MAX }, (_, number) => added(number));
    given(domain, [alice, ...all])
      .when(add(99))
      .thenRejected('TooMany');
    expect(all.length).toBe(20);
  });

  test.each([
    ['no hash', { appPasswordId: id(1), passwordVersion: 1 }, ['Phone']],
    ['a secret in place of its hash', { appPasswordId: id(1), hash: 'abc', passwordVersion: 1 }, ['Phone']],
    ['no name', { appPasswordId: id(1), hash, passwordVersion: 1 }, ['']],
    ['a name too long', { appPasswordId: id(1), hash, passwordVersion: 1 }, ['x'.repeat(201)]],
    ['an unknown field', { appPasswordId: id(1), hash, passwordVersion: 1, secret: 'x' }, ['Phone']],
  ])('are refused with %s', (_what, data, parts) => {
    given(domain, [alice]).when({ type: 'account.AddAppPassword', data, parts }).thenRejected('Malformed');
  });
});
