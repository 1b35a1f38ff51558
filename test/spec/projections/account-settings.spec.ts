import { describe, expect, it } from 'vitest';
import { readAccountProfile, readSessionRow, sessionCounts } from '../../../projections/account.ts';
import { readIdentity, senders, type Identity } from '../../../projections/identities.ts';
import {
  credentialsCell,
  identityCell,
  lockCell,
  profileCell,
  recoveryCodesCell,
  secondFactorCell,
  sessionCell,
} from '../../../projections/keys.ts';
import { readLock, readRecoveryCodes, readSecondFactor } from '../../../projections/second-factor.ts';
import type { CellKey } from '../../../projections/projection.ts';
import { ALICE, hash, id, PASSWORD_HASH, projected, signedUp, type Said } from '../given.ts';
import { START } from '../in-memory-shell.ts';

const alice: Said = { ...signedUp('alice'), parts: [PASSWORD_HASH, 'Alice'] };
const said = (type: string, data: Said['data'], more: Partial<Said> = {}): Said => ({ type, data, ...more });
const opened = (digit: string, time: number): Said =>
  said('account.SessionOpened', { sessionHash: hash(digit), expiresAt: START + 1000 }, { parts: [''], time });

function read<Model>(history: readonly Said[], cell: CellKey, reader: (bytes: Uint8Array) => Model) {
  const bytes = projected([alice, ...history]).bytes(cell);
  return bytes && reader(bytes);
}

describe('the profile', () => {
  const profile = (...history: Said[]) => read(history, profileCell(ALICE), readAccountProfile);
  const changed = (parts: Said['parts'], version = 1) =>
    said('account.ProfileChanged', { version }, { parts: parts ?? [] });

  it('leaves, for those who never changed it, the bytes it always left', () => {
    const text = new TextDecoder().decode(projected([alice]).bytes(profileCell(ALICE)));
    expect(text).toBe(`{"name":"alice","displayName":"Alice","admin":false,"createdAt":${START}}`);
    const session = projected([alice, opened('a', START)]).bytes(sessionCell(ALICE, hash('a')));
    expect(new TextDecoder().decode(session)).toBe(
      `{"openedAt":${START},"expiresAt":${START + 1000},"agent":""}`,
    );
  });

  it('has the words last given, and the account’s name in place of none', () => {
    const words = { displayName: 'Al', signature: 'Bye\nnow', version: 1 };
    expect(profile(changed(['Al', 'Bye\nnow', 'Alice', '']))).toMatchObject(words);
    expect(profile(changed(['', '', 'Alice', '']))).toMatchObject({ displayName: 'alice', signature: '' });
  });

  it('goes on without words that were erased', () => {
    const parts = [{ erased: 2 }, { erased: 3 }, { erased: 5 }, { erased: 0 }];
    expect(profile(changed(parts))).toMatchObject({ displayName: 'alice', signature: '', version: 1 });
  });

  it('has the zone and language last chosen, beside the rest', () => {
    const dates = said('account.DatesChanged', {
      zone: 'Asia/Tokyo',
      locale: 'ja-JP',
      before: { zone: '', locale: '' },
    });
    const both = profile(changed(['Al', '', 'Alice', '']), dates);
    expect(both).toMatchObject({ displayName: 'Al', zone: 'Asia/Tokyo', locale: 'ja-JP' });
  });
});

describe('a session', () => {
  const ended = (keeps: string, time: number) => said('account.OtherSessionsEnded', { keeps }, { time });
  function counts(digit: string, now: number, ...history: Said[]): boolean {
    const shell = projected([alice, ...history]);
    const row = readSessionRow(shell.bytes(sessionCell(ALICE, hash(digit)))!);
    return sessionCounts(hash(digit), row, readAccountProfile(shell.bytes(profileCell(ALICE))!), now);
  }

  it('counts until its end', () => {
    expect(counts('a', START + 999, opened('a', START))).toBe(true);
    expect(counts('a', START + 1000, opened('a', START))).toBe(false);
  });

  it('is over when the others were ended after it was opened, unless it was the one kept', () => {
    const history = [opened('a', START), opened('b', START + 1), ended(hash('a'), START + 5)];
    expect(counts('a', START + 6, ...history)).toBe(true);
    expect(counts('b', START + 6, ...history)).toBe(false);
    expect(counts('c', START + 8, ...history, opened('c', START + 7))).toBe(true);
    expect(counts('a', START + 9, ...history, ended('', START + 8))).toBe(false);
  });

  it('tells when it was seen, and nothing else of it changes', () => {
    const seen = said('account.SessionSeen', { sessionHash: hash('a') }, { time: START + 7 });
    const row = read([opened('a', START), seen], sessionCell(ALICE, hash('a')), readSessionRow);
    expect(row).toEqual({ openedAt: START, expiresAt: START + 1000, agent: '', seenAt: START + 7 });
    expect(projected([alice, seen]).bytes(sessionCell(ALICE, hash('a')))).toBeUndefined();
  });
});

describe('the second factor', () => {
  const on = said(
    'account.SecondFactorTurnedOn',
    { factorVersion: 1, step: 9 },
    { parts: ['1.sealed'], time: START + 3 },
  );
  const codes = said('account.RecoveryCodesMade', { codeHashes: Array.from('0123456789', hash) });
  const used = said('account.RecoveryCodeUsed', { codeHash: hash('0') });
  const failed = said('account.LogInsFailed', {
    kind: 'code',
    failures: 2,
    total: 0,
    locks: 1,
    lockedUntil: START + 9,
  });

  it('has its sealed secret while it is on', () => {
    const factor = (...history: Said[]) => read(history, secondFactorCell(ALICE), readSecondFactor);
    expect(factor(on)).toEqual({ on: true, version: 1, since: START + 3, sealed: '1.sealed' });
    const off = said('account.SecondFactorTurnedOff', { factorVersion: 1 }, { time: START + 4 });
    expect(factor(on, off)).toEqual({ on: false, version: 1, since: START + 4, sealed: '' });
    expect(factor({ ...on, parts: [{ erased: 8 }] })).toMatchObject({ on: true, sealed: '' });
  });

  it('tells how many recovery codes are left, and never which', () => {
    expect(read([codes, used], recoveryCodesCell(ALICE), readRecoveryCodes)).toEqual({
      left: 9,
      madeAt: START,
    });
    expect(projected([alice, codes]).dump().join()).not.toContain(hash('0'));
  });

  it('tells until when tries are locked, until they are forgiven', () => {
    expect(read([failed], lockCell(ALICE, 'code'), readLock)).toEqual({ until: START + 9 });
    const forgiven = said('account.FailuresForgiven', { kinds: ['code'] });
    expect(read([failed, forgiven], lockCell(ALICE, 'code'), readLock)).toBeUndefined();
  });

  it('leaves nothing that a log-in could be checked against once the account is deleted', () => {
    const shell = projected([alice, on, codes, failed, said('account.Deleted', {})]);
    const cells = [profileCell, credentialsCell, secondFactorCell, recoveryCodesCell].map((cell) =>
      cell(ALICE),
    );
    for (const cell of [...cells, lockCell(ALICE, 'code')]) expect(shell.bytes(cell)).toBeUndefined();
    expect(shell.dump()).toEqual([]);
  });
});

describe('identities', () => {
  const words = ['alice+shop@penncloud.test', 'The Shop', 'Thanks'];
  const added = said('account.IdentityAdded', { identityId: id(1) }, { parts: words });
  const identity = (...history: Said[]) => read(history, identityCell(ALICE, id(1)), readIdentity);

  it('are read as they were last saved, until they are removed', () => {
    const [address, displayName, signature] = words;
    const model = { id: id(1), address, displayName, signature, version: 1, at: START };
    expect(identity(added)).toEqual(model);
    const data = { identityId: id(1), version: 2 };
    const changed = said('account.IdentityChanged', data, {
      parts: ['alice@penncloud.test', '', '', ...words],
      time: START + 5,
    });
    expect(identity(added, changed)).toEqual({
      ...model,
      address: 'alice@penncloud.test',
      displayName: '',
      signature: '',
      version: 2,
      at: START + 5,
    });
    expect(identity(added, said('account.IdentityRemoved', data, { parts: words }))).toBeUndefined();
    expect(identity({ ...added, parts: words.map(({ length }) => ({ erased: length })) })).toMatchObject({
      address: '',
    });
  });

  it('are offered after the account’s own address, by address, and only under domains that are served', () => {
    const profile = { name: 'alice', displayName: 'alice', admin: false, createdAt: START, signature: 'A.' };
    const one = (number: number, address: string): Identity => ({
      id: id(number),
      address,
      displayName: 'N',
      signature: '',
      version: 1,
      at: START,
    });
    const identities = [
      one(1, 'alice+z@penncloud.test'),
      one(2, 'alice+a@penncloud.test'),
      one(3, 'alice@gone.example'),
      one(4, ''),
    ];
    const offered = senders(profile, identities, ['penncloud.test', 'example.org']);
    expect(offered[0]).toEqual({ id: '', address: 'alice@penncloud.test', displayName: '', signature: 'A.' });
    expect(offered.map(({ address }) => address)).toEqual([
      'alice@penncloud.test',
      'alice+a@penncloud.test',
      'alice+z@penncloud.test',
    ]);
  });
});
