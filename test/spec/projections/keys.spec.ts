import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAccountName } from '../../../domain/account/names.ts';
import { SYSTEM_FOLDERS } from '../../../domain/mail/folders.ts';
import { accountStream, chunkStream, CONSOLE_STREAM } from '../../../domain/streams.ts';
import { readAccountProfile } from '../../../projections/account.ts';
import * as keys from '../../../projections/keys.ts';
import { readFolderCounts } from '../../../projections/mailbox-cells.ts';
import { id } from '../given.ts';

const anyName = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{1,31}$/);
const anyId = fc.stringMatching(/^[a-z2-7]{26}$/);
const anyTime = fc.nat({ max: 99_999_999_999_999 });

describe('the names of rows', () => {
  it('are read as they were built, for any account', () => {
    fc.assert(
      fc.property(
        anyName,
        anyId,
        fc.oneof(fc.constantFrom(...SYSTEM_FOLDERS), anyId),
        (account, anId, folder) => {
          expect(isAccountName(account)).toBe(true);
          const owner = accountStream(account);
          expect(keys.parseRow(keys.accountRow(owner))).toEqual({ kind: 'account', account });
          expect(keys.parseRow(keys.sessionsRow(owner))).toEqual({ kind: 'sessions', account });
          expect(keys.parseRow(keys.identitiesRow(owner))).toEqual({ kind: 'identities', account });
          expect(keys.parseRow(keys.folderCountsRow(owner))).toEqual({ kind: 'folder counts', account });
          expect(keys.parseRow(keys.folderRow(owner, folder))).toEqual({ kind: 'folder', account, folder });
          expect(keys.parseRow(keys.ownFoldersRow(owner))).toEqual({ kind: 'own folders', account });
          expect(keys.parseRow(keys.bulksRow(owner))).toEqual({ kind: 'bulks', account });
          expect(keys.parseRow(keys.rulesCell(owner).row)).toEqual({ kind: 'rules', account });
          expect(keys.parseRow(keys.threadCell(owner, anId).row)).toEqual({
            kind: 'thread',
            account,
            thread: anId,
          });
          expect(keys.parseRow(keys.messageRow(owner, anId))).toEqual({
            kind: 'message',
            account,
            messageId: anId,
          });
          expect(keys.parseRow(keys.draftContentCell(owner, anId).row)).toEqual({
            kind: 'draft',
            account,
            messageId: anId,
          });
          expect(keys.parseRow(keys.driveFolderRow(owner, anId))).toEqual({
            kind: 'drive folder',
            account,
            folderId: anId,
          });
          expect(keys.parseRow(keys.manifestCell(owner, anId).row)).toEqual({
            kind: 'drive file',
            account,
            fileId: anId,
          });
          expect(keys.parseRow(keys.usageCell(owner).row)).toEqual({ kind: 'drive usage', account });
        },
      ),
    );
  });

  it('of chunks and the console are read as they were built', () => {
    fc.assert(
      fc.property(anyId, fc.nat({ max: 1_048_575 }), (fileId, chunk) => {
        expect(keys.parseRow(keys.chunkCell(fileId, chunk).row)).toEqual({ kind: 'chunk', fileId, chunk });
      }),
    );
    expect(keys.parseRow(keys.CONSOLE_SESSIONS_ROW)).toEqual({ kind: 'console sessions' });
  });

  it('that nothing here can have built are nobody’s', () => {
    const alice = accountStream('alice');
    const strangers = [
      '',
      'row',
      alice,
      `${alice}/`,
      `${alice}/mail`,
      `${alice}/mail/folder/`,
      `${alice}/mail/folder/attic`,
      `${alice}/mail/thread/`,
      `${alice}/mail/draft/`,
      `${alice}/mail/bulks/x`,
      `${alice}/mail/message/`,
      `${alice}/mail/message/a/b`,
      `${alice}/account/x/y`,
      `${alice}/drive/file/`,
      '~user/00/alice/account',
      `${chunkStream(id(1), 1)}/x`,
      `~chunk/00/${id(1)}/1`,
      '~chunk',
      CONSOLE_STREAM,
    ];
    for (const row of strangers) expect(keys.parseRow(row)).toBeUndefined();
    fc.assert(fc.property(fc.string(), (row) => void keys.parseRow(`${alice}/${row}`)));
  });
});

describe('the order of conversations', () => {
  it('is newest first, and by id within a millisecond', () => {
    fc.assert(
      fc.property(anyTime, anyId, anyTime, anyId, (a, idA, b, idB) => {
        const expected = a === b ? idA < idB : a > b;
        expect(keys.orderOf(a, idA) < keys.orderOf(b, idB)).toBe(expected);
      }),
    );
  });

  it('is read as it was built, and nothing else is', () => {
    fc.assert(
      fc.property(anyTime, anyId, fc.boolean(), (at, anId, arrived) => {
        const thread = arrived ? `${anId}-in` : anId;
        expect(keys.parseOrder(keys.orderOf(at, thread))).toEqual({ at, thread });
      }),
    );
    for (const order of ['', '1-x', `${'0'.repeat(13)}-${id(1)}`, `${'0'.repeat(14)}-${id(1)}-out`]) {
      expect(keys.parseOrder(order)).toBeUndefined();
    }
  });

  it('has no place for a time that it cannot order', () => {
    for (const at of [-1, 100_000_000_000_000, 1.5, Number.NaN])
      expect(() => keys.orderOf(at, id(1))).toThrow(/defect/);
  });
});

describe('reading a cell', () => {
  const read = (text: string) => readFolderCounts(new TextEncoder().encode(text));

  it('gives what was written', () => {
    expect(read('{"total":2,"unread":1}')).toEqual({ total: 2, unread: 1 });
  });

  it.each([
    '',
    'null',
    '[]',
    '{}',
    '{"total":2}',
    '{"total":2,"unread":-1}',
    '{"total":2,"unread":1.5}',
    '{"total":"2","unread":1}',
    '{"unread":1,"total":2}',
    '{"total":2, "unread":1}',
    '{"total":2,"total":2,"unread":1}',
    '{"total":2,"unread":1,"starred":0}',
  ])('throws on bytes that no projection writes: %s', (text) => {
    expect(() => read(text)).toThrow();
  });

  it('says what is wrong and where', () => {
    expect(() => readAccountProfile(new TextEncoder().encode('{"name":7}'))).toThrow(
      /an account profile\.name should be a string/,
    );
    expect(() => readFolderCounts(new Uint8Array([0xff]))).toThrow();
  });
});
