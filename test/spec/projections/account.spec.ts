import { describe, expect, it } from 'vitest';
import { CONSOLE_STREAM } from '../../../domain/streams.ts';
import { readAccountCredentials, readAccountProfile, readSessionRow } from '../../../projections/account.ts';
import { readConsoleSession } from '../../../projections/console.ts';
import { consoleSessionCell, credentialsCell, profileCell, sessionCell } from '../../../projections/keys.ts';
import type { CellKey } from '../../../projections/projection.ts';
import { ALICE, hash, PASSWORD_HASH, projected, signedUp, type Said } from '../given.ts';
import { START } from '../in-memory-shell.ts';

function read<Model>(
  history: readonly Said[],
  cell: CellKey,
  reader: (bytes: Uint8Array) => Model,
): Model | undefined {
  const bytes = projected(history).bytes(cell);
  return bytes && reader(bytes);
}

const opened: Said = {
  type: 'account.SessionOpened',
  data: { sessionHash: hash('a'), expiresAt: START + 1000 },
  parts: ['Firefox on Linux'],
};

describe('an account', () => {
  it('has a profile', () => {
    const named: Said = { ...signedUp('alice', true), parts: [PASSWORD_HASH, 'Alice Example'] };
    const profile = { name: 'alice', displayName: 'Alice Example', admin: true, createdAt: START };
    expect(read([named], profileCell(ALICE), readAccountProfile)).toEqual(profile);
  });

  it.each([
    ['empty', ''],
    ['erased', { erased: 5 }],
  ])('is shown by its name when the display name is %s', (_what, part) => {
    const nameless: Said = { ...signedUp('alice'), parts: [PASSWORD_HASH, part] };
    expect(read([nameless], profileCell(ALICE), readAccountProfile)).toMatchObject({ displayName: 'alice' });
  });

  it('has the credentials of its current password', () => {
    const changed: Said = {
      type: 'account.PasswordChanged',
      data: { passwordVersion: 2 },
      parts: ['$new$hash'],
    };
    const first = { passwordHash: PASSWORD_HASH, passwordVersion: 1 };
    expect(read([signedUp('alice')], credentialsCell(ALICE), readAccountCredentials)).toEqual(first);
    const second = { passwordHash: '$new$hash', passwordVersion: 2 };
    expect(read([signedUp('alice'), changed], credentialsCell(ALICE), readAccountCredentials)).toEqual(
      second,
    );
    const erased: Said = { ...changed, parts: [{ erased: 90 }] };
    expect(read([signedUp('alice'), erased], credentialsCell(ALICE), readAccountCredentials)).toEqual({
      ...second,
      passwordHash: '',
    });
  });

  it('lists its sessions until they are closed', () => {
    const closed: Said = { type: 'account.SessionClosed', data: { sessionHash: hash('a') } };
    const cell = sessionCell(ALICE, hash('a'));
    const row = { openedAt: START + 5, expiresAt: START + 1000, agent: 'Firefox on Linux' };
    const later = { ...opened, time: START + 5 };
    expect(read([signedUp('alice'), later], cell, readSessionRow)).toEqual(row);
    expect(read([signedUp('alice'), { ...later, parts: [{ erased: 9 }] }], cell, readSessionRow)).toEqual({
      ...row,
      agent: '',
    });
    expect(read([signedUp('alice'), later, closed], cell, readSessionRow)).toBeUndefined();
  });
});

describe('the console', () => {
  it('lists its sessions until they are closed', () => {
    const data = { linkHash: hash('1'), sessionHash: hash('a'), expiresAt: START + 1000 };
    const session: Said = { type: 'console.SessionOpened', data, stream: CONSOLE_STREAM };
    const closed: Said = {
      type: 'console.SessionClosed',
      data: { sessionHash: hash('a') },
      stream: CONSOLE_STREAM,
    };
    const link: Said = {
      type: 'console.LinkIssued',
      data: { linkHash: hash('1'), expiresAt: START + 1000 },
      stream: CONSOLE_STREAM,
    };
    const cell = consoleSessionCell(hash('a'));
    expect(read([link, session], cell, readConsoleSession)).toEqual({
      openedAt: START,
      expiresAt: START + 1000,
    });
    expect(projected([link, session, closed]).dump()).toEqual([]);
  });
});
