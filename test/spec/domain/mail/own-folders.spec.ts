/** Folders of one's own: made, renamed, moved, deleted with what lies in them, and brought back. */
import { describe, expect, it } from 'vitest';
import { FOLDER_DEPTH_MAX, FOLDERS_MAX } from '../../../../domain/mail/folders.ts';
import { readOwnFolder } from '../../../../projections/own-folders.ts';
import { ownFolderCell } from '../../../../projections/keys.ts';
import { ALICE, domain, given, id, signedUp } from '../../given.ts';
import { codeOf, eventsOf, Mailbox, named, page } from '../../mailbox.ts';

const alice = signedUp('alice');
const rowOf = (mailbox: Mailbox, number: number) =>
  readOwnFolder(mailbox.shell.bytes(ownFolderCell(ALICE, id(number))) ?? new Uint8Array());
const rename = (
  mailbox: Mailbox,
  number: number,
  before: string,
  name: string,
  parent: number | null = null,
) =>
  mailbox.do('ChangeFolder', { folderId: id(number), parent: parent === null ? null : id(parent) }, [
    name,
    name.toLowerCase(),
    before,
    before.toLowerCase(),
  ]);
const remove = (mailbox: Mailbox, number: number, messages = 0, pages: readonly string[] = []) =>
  mailbox.do('DeleteFolder', { folderId: id(number), bulkId: id(500 + number), messages }, pages);
const restore = (mailbox: Mailbox, numbers: readonly number[], bulk: number | null = null) =>
  mailbox.do('RestoreFolder', { folders: numbers.map(id), bulkId: bulk === null ? null : id(500 + bulk) });

describe('making a folder', () => {
  it('says which and where; its name is a part', () => {
    given(domain, [alice])
      .when({ type: 'mail.CreateFolder', data: { folderId: id(1), parent: null }, parts: ['Work', 'work'] })
      .then([{ type: 'mail.FolderCreated', data: { folderId: id(1), parent: null } }]);
    const mailbox = new Mailbox();
    mailbox.makeFolder(1, 'Work');
    mailbox.makeFolder(2, 'Plans', 1);
    expect(rowOf(mailbox, 1)).toEqual({ name: 'Work', parent: null, deleted: false });
    expect(rowOf(mailbox, 2)).toEqual({ name: 'Plans', parent: id(1), deleted: false });
  });

  it('again changes nothing', () => {
    const mailbox = new Mailbox();
    mailbox.makeFolder(1, 'Work');
    expect(eventsOf(mailbox.makeFolder(1, 'Work'))).toEqual([]);
  });

  it('is refused under a name that is taken there, however it is spelt, and allowed elsewhere', () => {
    const mailbox = new Mailbox();
    mailbox.makeFolder(1, 'Work');
    expect(codeOf(mailbox.makeFolder(2, 'WORK'))).toBe('NameTaken');
    expect(eventsOf(mailbox.makeFolder(2, 'WORK', 1))).toEqual(['mail.FolderCreated']);
  });

  it('takes the name of a deleted one', () => {
    const mailbox = new Mailbox();
    mailbox.makeFolder(1, 'Work');
    remove(mailbox, 1);
    expect(eventsOf(mailbox.makeFolder(2, 'Work'))).toEqual(['mail.FolderCreated']);
  });

  it(`is refused deeper than ${FOLDER_DEPTH_MAX}, and in a folder that is not there`, () => {
    const mailbox = new Mailbox();
    for (let n = 1; n <= FOLDER_DEPTH_MAX; n++) mailbox.makeFolder(n, `F${n}`, n === 1 ? null : n - 1);
    expect(codeOf(mailbox.makeFolder(20, 'Too deep', FOLDER_DEPTH_MAX))).toBe('TooLarge');
    expect(codeOf(mailbox.makeFolder(20, 'Nowhere', 30))).toBe('NoSuchFolder');
    mailbox.makeFolder(21, 'Gone');
    remove(mailbox, 21);
    expect(codeOf(mailbox.makeFolder(20, 'Under it', 21))).toBe('NoSuchFolder');
  });

  it(`is refused beyond ${FOLDERS_MAX}`, () => {
    const mailbox = new Mailbox();
    for (let n = 1; n <= FOLDERS_MAX; n++) mailbox.makeFolder(n, `F${n}`);
    expect(codeOf(mailbox.makeFolder(FOLDERS_MAX + 1, 'One more'))).toBe('TooLarge');
    remove(mailbox, 1);
    expect(eventsOf(mailbox.makeFolder(FOLDERS_MAX + 1, 'One more'))).toEqual(['mail.FolderCreated']);
    expect(codeOf(restore(mailbox, [1]))).toBe('TooLarge');
  });

  it.each([
    ['no name', ['', ''], 'name'],
    ['a name of 256 bytes', ['x'.repeat(256), 'x'], 'name'],
    ['a line break in its name', ['a\nb', 'a b'], 'name'],
    ['a name that is no text', [new Uint8Array([0xff]), 'x'], 'name'],
    ['one name only', ['Work'], 'parts'],
  ])('is refused with %s', (_what, parts, field) => {
    given(domain, [alice])
      .when({ type: 'mail.CreateFolder', data: { folderId: id(1), parent: null }, parts })
      .thenRejected('Malformed', { field });
  });
});

describe('renaming and moving a folder', () => {
  it('says where it was, and gives it its new name', () => {
    const mailbox = new Mailbox();
    mailbox.makeFolder(1, 'Work');
    mailbox.makeFolder(2, 'Plans');
    const outcome = rename(mailbox, 2, 'Plans', 'Old plans', 1);
    expect('events' in outcome && outcome.events[0]?.data).toEqual({
      folderId: id(2),
      parent: id(1),
      parentBefore: null,
    });
    expect(rowOf(mailbox, 2)).toEqual({ name: 'Old plans', parent: id(1), deleted: false });
    expect(eventsOf(rename(mailbox, 2, 'Old plans', 'OLD plans', 1))).toEqual(['mail.FolderChanged']);
    expect(eventsOf(rename(mailbox, 2, 'OLD plans', 'OLD plans', 1))).toEqual([]);
  });

  it('keeps count of what lies in it', () => {
    const mailbox = new Mailbox();
    mailbox.makeFolder(1, 'Work');
    mailbox.receive(5);
    mailbox.change({ messages: [id(5)] }, { folder: id(1) });
    rename(mailbox, 1, 'Work', 'Play');
    expect(mailbox.folders()[id(1)]?.messages).toBe(1);
  });

  it('is refused into itself or a folder below it', () => {
    const mailbox = new Mailbox();
    mailbox.makeFolder(1, 'A');
    mailbox.makeFolder(2, 'B', 1);
    mailbox.makeFolder(3, 'C', 2);
    for (const parent of [1, 2, 3]) expect(codeOf(rename(mailbox, 1, 'A', 'A', parent))).toBe('Malformed');
  });

  it('is refused where its own branch would lie too deep', () => {
    const mailbox = new Mailbox();
    for (let n = 1; n <= 4; n++) mailbox.makeFolder(n, `F${n}`, n === 1 ? null : n - 1);
    mailbox.makeFolder(10, 'A');
    mailbox.makeFolder(11, 'B', 10);
    mailbox.makeFolder(12, 'C', 11);
    expect(codeOf(rename(mailbox, 10, 'A', 'A', 4))).toBe('TooLarge');
    expect(eventsOf(rename(mailbox, 10, 'A', 'A', 3))).toEqual(['mail.FolderChanged']);
  });

  it('is refused to a name that is taken there', () => {
    const mailbox = new Mailbox();
    mailbox.makeFolder(1, 'Work');
    mailbox.makeFolder(2, 'Plans');
    expect(codeOf(rename(mailbox, 2, 'Plans', 'work'))).toBe('NameTaken');
  });

  it('is refused when another window renamed it meanwhile, and when it is not there', () => {
    const mailbox = new Mailbox();
    mailbox.makeFolder(1, 'Work');
    rename(mailbox, 1, 'Work', 'Play');
    expect(codeOf(rename(mailbox, 1, 'Work', 'Rest'))).toBe('ChangedSince');
    expect(codeOf(rename(mailbox, 2, 'Work', 'Rest'))).toBe('NoSuchFolder');
    remove(mailbox, 1);
    expect(codeOf(rename(mailbox, 1, 'Play', 'Rest'))).toBe('NoSuchFolder');
  });
});

describe('deleting a folder', () => {
  const filled = (): Mailbox => {
    const mailbox = new Mailbox();
    mailbox.makeFolder(1, 'Work');
    mailbox.makeFolder(2, 'Plans', 1);
    for (const n of [5, 6, 7]) mailbox.receive(n, [named(n)]);
    mailbox.change({ messages: [id(5), id(6)] }, { folder: id(1) });
    mailbox.change({ messages: [id(7)] }, { folder: id(2) });
    return mailbox;
  };
  const all = [page(id(5), id(6)), page(id(7))];

  it('takes it and all below it out of sight, and moves what lies in them to the trash', () => {
    const mailbox = filled();
    expect(eventsOf(remove(mailbox, 1, 3, all))).toEqual(['mail.FolderDeleted', 'mail.BulkStarted']);
    mailbox.shell.settleAll();
    expect([5, 6, 7].map((n) => mailbox.folderOf(id(n)))).toEqual(['trash', 'trash', 'trash']);
    expect(rowOf(mailbox, 1).deleted).toBe(true);
    expect(rowOf(mailbox, 2).deleted).toBe(true);
    expect(mailbox.folders()).toMatchObject({ [id(1)]: { messages: 0 }, [id(2)]: { messages: 0 } });
  });

  it('is refused when it does not name as many messages as lie there', () => {
    const mailbox = filled();
    expect(codeOf(remove(mailbox, 1, 2, all))).toBe('ChangedSince');
    expect(codeOf(remove(mailbox, 1))).toBe('ChangedSince');
    expect(rowOf(mailbox, 1).deleted).toBe(false);
  });

  it('again changes nothing; one that never was is refused', () => {
    const mailbox = filled();
    remove(mailbox, 1, 3, all);
    expect(eventsOf(remove(mailbox, 1, 3, all))).toEqual([]);
    expect(codeOf(remove(mailbox, 9))).toBe('NoSuchFolder');
  });

  it('leaves a folder below it that was deleted before to its own deletion', () => {
    const mailbox = filled();
    remove(mailbox, 2, 1, [page(id(7))]);
    mailbox.shell.settleAll();
    const outcome = remove(mailbox, 1, 2, [page(id(5), id(6))]);
    expect('events' in outcome && outcome.events[0]?.data).toEqual({ folders: [id(1)] });
  });

  it('is undone with all that lay there, also in the middle of the moving', () => {
    for (const steps of [0, 1, 2]) {
      const mailbox = filled();
      const before = mailbox.shell.dump().filter((cell) => /\/mail\/(folder\/|own-folders)/.test(cell));
      remove(mailbox, 1, 3, all);
      for (let n = 0; n < steps; n++) mailbox.shell.settle(mailbox.shell.pending()[0]!);
      expect(eventsOf(restore(mailbox, [1, 2], 1))).toEqual(['mail.FolderRestored', 'mail.BulkUndone']);
      mailbox.shell.settleAll();
      expect(mailbox.shell.dump().filter((cell) => /\/mail\/(folder\/|own-folders)/.test(cell))).toEqual(
        before,
      );
      expect(mailbox.folders()).toMatchObject({ [id(1)]: { messages: 2 }, [id(2)]: { messages: 1 } });
    }
  });

  it('is undone once', () => {
    const mailbox = filled();
    remove(mailbox, 1, 3, all);
    restore(mailbox, [1, 2], 1);
    expect(eventsOf(restore(mailbox, [1, 2], 1))).toEqual([]);
    expect(codeOf(restore(mailbox, [9]))).toBe('NoSuchFolder');
  });

  it('is not undone when its name was given away, its place is gone, or has become too deep', () => {
    const mailbox = new Mailbox();
    mailbox.makeFolder(1, 'Work');
    remove(mailbox, 1);
    mailbox.makeFolder(2, 'work');
    expect(codeOf(restore(mailbox, [1]))).toBe('NameTaken');
    mailbox.makeFolder(3, 'Below', 2);
    remove(mailbox, 3);
    remove(mailbox, 2);
    expect(codeOf(restore(mailbox, [3]))).toBe('NoSuchFolder');

    const deep = new Mailbox();
    deep.makeFolder(1, 'Top');
    deep.makeFolder(2, 'A', 1);
    deep.makeFolder(3, 'B', 2);
    remove(deep, 2);
    for (let n = 10; n < 14; n++) deep.makeFolder(n, `F${n}`, n === 10 ? null : n - 1);
    expect(eventsOf(rename(deep, 1, 'Top', 'Top', 13))).toEqual(['mail.FolderChanged']);
    expect(codeOf(restore(deep, [2, 3]))).toBe('TooLarge');
  });

  it('is forgotten once a hundred others were deleted after it, if nothing lies in it', () => {
    const mailbox = new Mailbox();
    for (let n = 1; n <= 102; n++) {
      mailbox.makeFolder(n, `F${n}`);
      if (n === 1) mailbox.receive(1, [named(1)]);
      if (n === 1) mailbox.change({ messages: [id(1)] }, { folder: id(1) });
      remove(mailbox, n, n === 1 ? 1 : 0);
    }
    const there = (n: number) => mailbox.shell.bytes(ownFolderCell(ALICE, id(n))) !== undefined;
    mailbox.makeFolder(103, 'Last');
    remove(mailbox, 103);
    expect([1, 2, 3, 4].map(there)).toEqual([true, false, true, true]);
    expect(Object.keys(mailbox.folders())).toHaveLength(102);
    expect(codeOf(restore(mailbox, [2]))).toBe('NoSuchFolder');
    expect(eventsOf(restore(mailbox, [3]))).toEqual(['mail.FolderRestored']);
  });

  it('is not undone for folders that do not hang together', () => {
    const mailbox = new Mailbox();
    mailbox.makeFolder(1, 'A');
    mailbox.makeFolder(2, 'B', 1);
    mailbox.makeFolder(3, 'C');
    remove(mailbox, 1);
    remove(mailbox, 3);
    expect(codeOf(restore(mailbox, [3, 2]))).toBe('NoSuchFolder');
    expect(mailbox.folders()[id(2)]?.deleted).toBe(true);
  });
});
