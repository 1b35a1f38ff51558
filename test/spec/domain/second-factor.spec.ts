import { describe, it } from 'vitest';
import { BOB, domain, given, hash, PASSWORD_HASH, signedUp, type Said } from '../given.ts';
import { START } from '../in-memory-shell.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const alice = signedUp('alice');
const codeHashes = Array.from('0123456789', hash);
const on: Said = {
  type: 'account.SecondFactorTurnedOn',
  data: { factorVersion: 1, step: 100 },
  parts: ['1.sealed'],
};
const off: Said = { type: 'account.SecondFactorTurnedOff', data: { factorVersion: 1 } };
const codes: Said = { type: 'account.RecoveryCodesMade', data: { codeHashes } };
const newPassword: Said = {
  type: 'account.PasswordChanged',
  data: { passwordVersion: 2 },
  parts: [PASSWORD_HASH],
};
const opened = { type: 'account.SessionOpened', data: { sessionHash: hash('a'), expiresAt: START + DAY } };
const log = (more: object = {}, time = START) => ({
  type: 'account.OpenSession',
  data: { sessionHash: hash('a'), expiresAt: START + DAY, passwordVersion: 1, ...more },
  parts: ['Firefox'],
  time,
});

describe('turning two-step log-in on', () => {
  const turnOn = (more: object = {}, parts: Said['parts'] = ['1.sealed']) => ({
    type: 'account.TurnOnSecondFactor',
    data: { factorVersion: 0, step: 100, passwordVersion: 1, codeHashes, ...more },
    parts,
  });

  it('keeps the sealed secret, the step of the code that was shown, and new recovery codes', () => {
    given(domain, [alice]).when(turnOn()).then([on, codes]);
  });

  it('counts its versions up, also past one that was turned off', () => {
    given(domain, [alice, on, off])
      .when(turnOn({ factorVersion: 1 }))
      .then([{ ...on, data: { factorVersion: 2, step: 100 } }, codes]);
    given(domain, [alice, on, off]).when(turnOn()).thenRejected('Stale', { field: 'factorVersion' });
  });

  it('is refused while it is on, with another password, and without an account', () => {
    given(domain, [alice, on])
      .when(turnOn({ factorVersion: 1 }))
      .thenRejected('Stale');
    given(domain, [alice, newPassword]).when(turnOn()).thenRejected('WrongPassword');
    given(domain, []).when(turnOn()).thenRejected('NoSuchAccount');
  });

  it.each([
    ['codeHashes', { codeHashes: codeHashes.slice(1) }, ['x']],
    ['codeHashes', { codeHashes: [...codeHashes.slice(1), hash('9')] }, ['x']],
    ['codeHashes', { codeHashes: 'all' }, ['x']],
    ['step', { step: -1 }, ['x']],
    ['factorVersion', { factorVersion: 0.5 }, ['x']],
    ['sealed secret', {}, ['']],
    ['sealed secret', {}, ['x'.repeat(513)]],
    ['parts', {}, []],
    ['secret', { secret: 'GEZDGNBVGY3TQOJQ' }, ['x']],
  ])('is refused with a wrong %s', (field, more, parts) => {
    given(domain, [alice]).when(turnOn(more, parts)).thenRejected('Malformed', { field });
  });
});

describe('turning it off', () => {
  const turnOff = (more: object = {}) => ({
    type: 'account.TurnOffSecondFactor',
    data: { factorVersion: 1, passwordVersion: 1, ...more },
  });

  it('is done once, and changes nothing when it is off', () => {
    given(domain, [alice, on]).when(turnOff()).then([off]);
    given(domain, [alice]).when(turnOff()).then([]);
    given(domain, [alice, on, off]).when(turnOff()).then([]);
  });

  it('is refused for one that was replaced, and with another password', () => {
    const second = { ...on, data: { factorVersion: 2, step: 7 } };
    given(domain, [alice, on, off, second]).when(turnOff()).thenRejected('Stale');
    given(domain, [alice, newPassword, on]).when(turnOff()).thenRejected('WrongPassword');
  });
});

describe('logging in with two-step log-in on', () => {
  const used = (step: number): Said => ({ type: 'account.OneTimeCodeUsed', data: { step } });

  it('needs a code beside the password', () => {
    given(domain, [alice, on]).when(log()).thenRejected('CodeNeeded', { field: 'code' });
    given(domain, [alice, on, off]).when(log()).then([opened]);
  });

  it('takes a code of a later step than the last one used, and no other', () => {
    given(domain, [alice, on])
      .when(log({ factorVersion: 1, step: 101 }))
      .then([used(101), opened]);
    for (const step of [100, 99, 0]) {
      given(domain, [alice, on])
        .when(log({ factorVersion: 1, step }))
        .thenRejected('WrongCode');
    }
    given(domain, [alice, on, used(101)])
      .when(log({ factorVersion: 1, step: 101 }))
      .thenRejected('WrongCode', { field: 'code' });
  });

  it('takes no code that was checked against an earlier secret', () => {
    const second = { ...on, data: { factorVersion: 2, step: 7 } };
    given(domain, [alice, on, off, second])
      .when(log({ factorVersion: 1, step: 101 }))
      .thenRejected('WrongCode');
  });

  it('takes a recovery code once', () => {
    const codeUsed: Said = { type: 'account.RecoveryCodeUsed', data: { codeHash: hash('3') } };
    given(domain, [alice, on, codes])
      .when(log({ codeHash: hash('3') }))
      .then([codeUsed, opened]);
    given(domain, [alice, on, codes, codeUsed])
      .when(log({ codeHash: hash('3') }))
      .thenRejected('WrongCode');
    given(domain, [alice, on])
      .when(log({ codeHash: hash('3') }))
      .thenRejected('WrongCode');
  });

  it('uses up no code where none is needed', () => {
    given(domain, [alice, codes])
      .when(log({ codeHash: hash('3') }))
      .then([opened]);
  });

  it('is refused with both kinds of code, or with half of one', () => {
    given(domain, [alice, on])
      .when(log({ factorVersion: 1, step: 101, codeHash: hash('3') }))
      .thenRejected('Malformed', { field: 'codeHash' });
    given(domain, [alice, on])
      .when(log({ step: 101 }))
      .thenRejected('Malformed', { field: 'factorVersion' });
    given(domain, [alice, on])
      .when(log({ factorVersion: 1 }))
      .thenRejected('Malformed', { field: 'step' });
  });
});

describe('recovery codes', () => {
  const make = (more: object = {}) => ({
    type: 'account.MakeRecoveryCodes',
    data: { passwordVersion: 1, codeHashes, ...more },
  });
  const reset = (codeHash: unknown, parts: Said['parts'] = [PASSWORD_HASH]) => ({
    type: 'account.ResetPassword',
    data: { codeHash },
    parts,
  });

  it('are replaced by new ones', () => {
    const others = Array.from('abcdef', hash).concat(Array.from('6789', hash));
    given(domain, [alice, codes])
      .when(make({ codeHashes: others }))
      .then([{ type: 'account.RecoveryCodesMade', data: { codeHashes: others } }]);
    given(domain, [alice, newPassword]).when(make()).thenRejected('WrongPassword');
  });

  it('stand for a lost password, which ends every session', () => {
    given(domain, [alice, codes])
      .when(reset(hash('5')))
      .then([
        { type: 'account.RecoveryCodeUsed', data: { codeHash: hash('5') } },
        newPassword,
        { type: 'account.OtherSessionsEnded', data: { keeps: '' } },
      ]);
  });

  it('do so once, and only those that were made for this account', () => {
    const used: Said = { type: 'account.RecoveryCodeUsed', data: { codeHash: hash('5') } };
    given(domain, [alice, codes, used])
      .when(reset(hash('5')))
      .thenRejected('WrongCode');
    given(domain, [alice, codes])
      .when(reset(hash('f')))
      .thenRejected('WrongCode', { field: 'code' });
    given(domain, [alice])
      .when(reset(hash('5')))
      .thenRejected('WrongCode');
    given(domain, [alice, codes, signedUp('bob')])
      .when({ ...reset(hash('5')), stream: BOB })
      .thenRejected('WrongCode');
    given(domain, [])
      .when(reset(hash('5')))
      .thenRejected('NoSuchAccount');
    given(domain, [alice, codes]).when(reset('5')).thenRejected('Malformed', { field: 'codeHash' });
    given(domain, [alice, codes])
      .when(reset(hash('5'), ['a password in clear']))
      .thenRejected('Malformed', { field: 'password hash' });
  });
});

describe('log-ins that fail', () => {
  const count = (failures: unknown, time = START, kind: unknown = 'password') => ({
    type: 'account.CountFailures',
    data: { kind, failures },
    time,
  });
  const failed = (total: number, locks: number, lockedUntil: number, time = START): Said => ({
    type: 'account.LogInsFailed',
    data: { kind: 'password', failures: 5, total, locks, lockedUntil },
    time,
  });

  it('are added up, and lock at twenty', () => {
    given(domain, [alice])
      .when(count(5))
      .then([failed(5, 0, 0)]);
    given(domain, [alice, failed(10, 0, 0)])
      .when(count(5))
      .then([failed(15, 0, 0)]);
    given(domain, [alice, failed(15, 0, 0)])
      .when(count(5))
      .then([failed(0, 1, START + 5 * MINUTE)]);
  });

  it('of codes lock at ten', () => {
    given(domain, [alice])
      .when(count(10, START, 'code'))
      .then([
        {
          type: 'account.LogInsFailed',
          data: { kind: 'code', failures: 10, total: 0, locks: 1, lockedUntil: START + 5 * MINUTE },
        },
      ]);
  });

  it('are not counted while it is locked: an attack that goes on costs no events', () => {
    given(domain, [alice, failed(0, 1, START + 5 * MINUTE)])
      .when(count(5, START + MINUTE))
      .then([]);
  });

  it.each([
    [1, 10],
    [2, 20],
    [3, 40],
    [4, 60],
    [50, 60],
  ])('lock for longer each time: after %i locks for %i minutes', (locks, minutes) => {
    const at = START + 6 * MINUTE;
    given(domain, [alice, failed(15, locks, 0)])
      .when(count(5, at))
      .then([failed(0, locks + 1, at + minutes * MINUTE)]);
  });

  it('are forgotten after a day without any', () => {
    given(domain, [alice, failed(15, 3, 0)])
      .when(count(5, START + DAY + 1))
      .then([failed(5, 0, 0)]);
  });

  it('are forgiven by a log-in that succeeds, and by a password that was reset', () => {
    const forgiven = { type: 'account.FailuresForgiven', data: { kinds: ['password'] } };
    given(domain, [alice, failed(10, 0, 0)])
      .when(log())
      .then([forgiven, opened]);
    given(domain, [alice, codes, failed(10, 0, 0)])
      .when({ type: 'account.ResetPassword', data: { codeHash: hash('1') }, parts: [PASSWORD_HASH] })
      .then([
        { type: 'account.RecoveryCodeUsed', data: { codeHash: hash('1') } },
        forgiven,
        newPassword,
        { type: 'account.OtherSessionsEnded', data: { keeps: '' } },
      ]);
    given(domain, [alice, failed(10, 0, 0), { ...forgiven, type: 'account.FailuresForgiven' }])
      .when(count(5))
      .then([failed(5, 0, 0)]);
  });

  it('are not forgiven by the right password alone while a code is owed', () => {
    given(domain, [alice, on, failed(10, 0, 0)])
      .when(log())
      .thenRejected('CodeNeeded');
  });

  it.each([
    ['kind', { kind: 'guess', failures: 1 }],
    ['failures', { kind: 'code', failures: 0 }],
    ['failures', { kind: 'code', failures: 101 }],
    ['name', { kind: 'code', failures: 1, name: 'alice' }],
  ])('are refused with a wrong %s', (field, data) => {
    given(domain, [alice]).when({ type: 'account.CountFailures', data }).thenRejected('Malformed', { field });
  });

  it('of an account that does not exist leave nothing', () => {
    given(domain, []).when(count(5)).thenRejected('NoSuchAccount');
  });
});

describe('an account that was deleted', () => {
  const deleted: Said = { type: 'account.Deleted', data: {} };
  const remove = (more: object = {}) => ({ type: 'account.Delete', data: { passwordVersion: 1, ...more } });

  it('is deleted by the password, and a code where one is needed', () => {
    given(domain, [alice]).when(remove()).then([deleted]);
    given(domain, [alice, newPassword]).when(remove()).thenRejected('WrongPassword');
    given(domain, [alice, on]).when(remove()).thenRejected('CodeNeeded');
    given(domain, [alice, on])
      .when(remove({ factorVersion: 1, step: 101 }))
      .then([{ type: 'account.OneTimeCodeUsed', data: { step: 101 } }, deleted]);
  });

  it('is gone for every command, and its name stays taken', () => {
    const history = [alice, deleted];
    given(domain, history)
      .when({ type: 'account.SignUp', data: { name: 'alice', admin: false }, parts: [PASSWORD_HASH, ''] })
      .thenRejected('NameTaken');
    given(domain, history).when(log()).thenRejected('NoSuchAccount');
    given(domain, history).when(remove()).thenRejected('NoSuchAccount');
    given(domain, history)
      .when({ type: 'account.ChangePassword', data: { passwordVersion: 1 }, parts: [PASSWORD_HASH] })
      .thenRejected('NoSuchAccount');
    given(domain, history)
      .when({
        type: 'mail.ReceiveMessage',
        data: { messageId: 'a'.repeat(26), via: 'smtp' },
        parts: ['x', '{}'],
      })
      .thenRejected('NoSuchAccount');
    given(domain, history)
      .when({ type: 'account.CountFailures', data: { kind: 'code', failures: 1 } })
      .thenRejected('NoSuchAccount');
  });
});
