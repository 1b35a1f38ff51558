/** Messages are moved, starred and marked: one by one, or conversations as far as they lie in a folder. */
import { describe, expect, it } from 'vitest';
import { CONVERSATIONS_MAX, MEMBERS_MAX } from '../../../../domain/mail/changes/change.ts';
import { SYSTEM_FOLDERS, takesMoves } from '../../../../domain/mail/folders.ts';
import { BOB, domain, given, id, RAW, received, signedUp, summary } from '../../given.ts';
import { START } from '../../in-memory-shell.ts';
import { codeOf, eventsOf, HOUR, Mailbox, named, replyOf } from '../../mailbox.ts';

const alice = signedUp('alice');
const change = (data: unknown) => ({ type: 'mail.ChangeMessages', data });
const one = { messages: [id(1)] };
const everywhere = (folder: string) => ({ conversations: [id(1)], in: folder });

/** A conversation: two messages in the inbox, one's own answer, and one in the trash. */
function aConversation(): Mailbox {
  const mailbox = new Mailbox();
  mailbox.receive(1, [named(1)]);
  mailbox.receive(2, [named(2), named(1)]);
  mailbox.send(3, { ids: [named(3), named(1)] });
  mailbox.receive(4, [named(4), named(1)]);
  mailbox.change({ messages: [id(4)] }, { folder: 'trash' });
  return mailbox;
}

describe('changing messages', () => {
  it('says of each what is different, before and after', () => {
    given(domain, [alice, received(id(1))])
      .when(change({ ...one, read: true, starred: true }))
      .then(
        [
          {
            type: 'mail.MessagesChanged',
            data: {
              members: [
                {
                  id: id(1),
                  thread: id(1),
                  doc: null,
                  folder: 'inbox',
                  from: { read: false, starred: false },
                  to: { read: true, starred: true },
                },
              ],
            },
          },
        ],
        { changed: 1 },
      );
  });

  it.each(SYSTEM_FOLDERS.filter((folder) => takesMoves(folder) && folder !== 'inbox'))(
    'moves them to %s',
    (folder) => {
      const mailbox = new Mailbox();
      mailbox.receive(1);
      mailbox.change(one, { folder });
      expect(mailbox.lines(folder)).toMatchObject([{ newest: id(1), unread: 1 }]);
      expect(mailbox.lines('inbox')).toEqual([]);
      expect(mailbox.counts(folder)).toEqual({ total: 1, unread: 1 });
      expect(mailbox.counts('inbox')).toEqual({ total: 0, unread: 0 });
    },
  );

  it.each(['sent', 'drafts', 'outbox', 'snoozed', 'gone', 'Attic', '', '../inbox'])(
    'moves nothing to "%s"',
    (folder) => {
      const mailbox = new Mailbox();
      mailbox.receive(1);
      expect(codeOf(mailbox.change(one, { folder }))).toBe('NoSuchFolder');
    },
  );

  it('keeps their place in time and their marks when they are moved', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1);
    mailbox.change(one, { read: true, starred: true });
    mailbox.shell.advance(START + HOUR);
    mailbox.change(one, { folder: 'archive' });
    expect(mailbox.message(id(1))).toMatchObject({
      folder: 'archive',
      read: true,
      starred: true,
      top: START,
    });
  });

  it('changes nothing, and says so with no event, when all is so already', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1);
    expect(eventsOf(mailbox.change(one, { folder: 'inbox', read: false, starred: false }))).toEqual([]);
    expect(eventsOf(mailbox.change(one, {}))).toEqual([]);
  });

  it('changes those of a selection that are there and different', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1);
    mailbox.receive(2);
    mailbox.change(one, { read: true });
    const outcome = mailbox.change({ messages: [id(1), id(2), id(3)] }, { read: true });
    expect(replyOf(outcome)).toEqual({ changed: 1 });
  });

  it('is refused when none of them is there, and for the messages of another account', () => {
    const mailbox = new Mailbox();
    mailbox.do('ReceiveMessage', { messageId: id(1), via: 'smtp' }, [RAW, summary()], { stream: BOB });
    expect(codeOf(mailbox.change(one, { read: true }))).toBe('NoSuchMessage');
    expect(codeOf(mailbox.change(everywhere('inbox'), { read: true }))).toBe('NoSuchMessage');
    expect(codeOf(mailbox.delete(one))).toBe('NoSuchMessage');
  });

  it('of a conversation changes those in the folder that is named, and no others', () => {
    const mailbox = aConversation();
    mailbox.change(everywhere('inbox'), { folder: 'archive' });
    expect([1, 2, 3, 4].map((n) => mailbox.folderOf(id(n)))).toEqual(['archive', 'archive', 'sent', 'trash']);
    mailbox.change(everywhere('trash'), { folder: 'inbox' });
    expect(mailbox.folderOf(id(4))).toBe('inbox');
    expect(codeOf(mailbox.change(everywhere('spam'), { folder: 'inbox' }))).toBe('NoSuchMessage');
  });

  it('leaves drafts where they are', () => {
    const mailbox = new Mailbox();
    mailbox.do('SaveDraft', { draftId: id(1), revision: 0 }, ['{}', summary()]);
    expect(eventsOf(mailbox.change(one, { folder: 'trash' }))).toEqual([]);
    expect(eventsOf(mailbox.change(one, { snoozeUntil: START + HOUR }))).toEqual([]);
    expect(eventsOf(mailbox.change(one, { starred: true }))).toEqual(['mail.MessagesChanged']);
    expect(mailbox.folderOf(id(1))).toBe('drafts');
  });

  it('is refused to a folder that is not there, or not any more', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1);
    expect(codeOf(mailbox.change(one, { folder: id(20) }))).toBe('NoSuchFolder');
    mailbox.makeFolder(20, 'Attic');
    mailbox.do('DeleteFolder', { folderId: id(20), bulkId: id(30), messages: 0 });
    expect(codeOf(mailbox.change(one, { folder: id(20) }))).toBe('NoSuchFolder');
    expect(mailbox.folderOf(id(1))).toBe('inbox');
  });

  it('counts what lies in a folder of one’s own', () => {
    const mailbox = aConversation();
    mailbox.makeFolder(20, 'Attic');
    mailbox.makeFolder(21, 'Cellar');
    mailbox.change({ messages: [id(1), id(2), id(4)] }, { folder: id(20) });
    expect(mailbox.folders()[id(20)]?.messages).toBe(3);
    mailbox.change({ conversations: [id(1)], in: id(20) }, { folder: id(21) });
    mailbox.change(one, { folder: 'spam' });
    expect(mailbox.folders()).toMatchObject({ [id(20)]: { messages: 0 }, [id(21)]: { messages: 2 } });
  });

  it('is refused beyond a thousand messages: that is a bulk', () => {
    const mailbox = new Mailbox();
    for (let n = 1; n <= MEMBERS_MAX + 1; n++)
      mailbox.receive(n, [named(n), named(Math.ceil(n / 100) * 100)]);
    const threads = [...new Set([...Array(MEMBERS_MAX + 1).keys()].map((n) => mailbox.threadOf(id(n + 1))!))];
    const all = { conversations: threads, in: 'inbox' };
    expect(threads.length).toBeLessThanOrEqual(CONVERSATIONS_MAX);
    expect(codeOf(mailbox.change(all, { read: true }))).toBe('TooLarge');
    mailbox.change(one, { read: true });
    expect(replyOf(mailbox.change(all, { read: true }))).toEqual({ changed: MEMBERS_MAX });
  });

  it.each([
    ['no selection', { read: true }, 'conversations'],
    ['messages and conversations at once', { ...one, conversations: [id(1)], in: 'inbox' }, 'messages'],
    ['conversations of no folder', { conversations: [id(1)] }, 'in'],
    ['no messages', { messages: [] }, 'messages'],
    [
      'more conversations than are read at once',
      { conversations: Array(101).fill(id(1)), in: 'inbox' },
      'conversations',
    ],
    ['an id that is none', { messages: ['../x'] }, 'messages'],
    ['a mark that is not true or false', { ...one, read: 'yes' }, 'read'],
    ['a move and a snooze at once', { ...one, folder: 'trash', snoozeUntil: START + HOUR }, 'folder'],
    ['an unknown field', { ...one, forever: true }, 'forever'],
  ])('is refused with %s', (_what, data, field) => {
    given(domain, [alice, received(id(1))])
      .when(change(data))
      .thenRejected('Malformed', { field });
  });

  it('is refused with parts', () => {
    given(domain, [alice])
      .when({ ...change({ ...one, read: true }), parts: ['x'] })
      .thenRejected('Malformed', { field: 'parts', limit: 0 });
  });
});
