/** Messages are deleted for good: from the trash, from spam, or drafts; undone for ten minutes, then over. */
import { describe, expect, it } from 'vitest';
import { GONE, GONE_MS } from '../../../../domain/mail/folders.ts';
import { metaCell, rawCell } from '../../../../projections/keys.ts';
import { ALICE, id, summary } from '../../given.ts';
import { START } from '../../in-memory-shell.ts';
import { codeOf, eventsOf, Mailbox, MINUTE, named, replyOf } from '../../mailbox.ts';

const one = { messages: [id(1)] };

function inTrash(folder = 'trash'): Mailbox {
  const mailbox = new Mailbox();
  mailbox.receive(1);
  mailbox.change(one, { folder });
  return mailbox;
}

describe('deleting for good', () => {
  it.each(['trash', 'spam'])(
    'takes a message in %s out of every list, and leaves it where undo finds it',
    (folder) => {
      const mailbox = inTrash(folder);
      expect(replyOf(mailbox.delete(one))).toEqual({ changed: 1 });
      expect(mailbox.folderOf(id(1))).toBe(GONE);
      expect(mailbox.lines(folder)).toEqual([]);
      expect(mailbox.counts(folder)).toEqual({ total: 0, unread: 0 });
    },
  );

  it('takes a draft', () => {
    const mailbox = new Mailbox();
    mailbox.do('SaveDraft', { draftId: id(1), revision: 0 }, ['{}', summary()]);
    expect(replyOf(mailbox.delete({ conversations: [id(1)], in: 'drafts' }))).toEqual({ changed: 1 });
    expect(mailbox.lines('drafts')).toEqual([]);
  });

  it.each(['inbox', 'archive'])('takes nothing that lies in %s: that goes to the trash first', (folder) => {
    const mailbox = inTrash(folder);
    expect(eventsOf(mailbox.delete(one))).toEqual([]);
    expect(mailbox.folderOf(id(1))).toBe(folder);
  });

  it('is undone within ten minutes, and is not finished then', () => {
    const mailbox = inTrash();
    const before = mailbox.shell.state();
    const outcome = mailbox.delete(one);
    mailbox.shell.advance(START + GONE_MS - 1);
    mailbox.undo(outcome);
    expect(mailbox.shell.state()).toEqual(before);
    mailbox.shell.advance(START + 3 * GONE_MS);
    expect(mailbox.shell.state()).toEqual(before);
  });

  it('is finished after them: nothing of the message is left, and nothing brings it back', () => {
    const mailbox = inTrash();
    const outcome = mailbox.delete(one);
    mailbox.shell.advance(START + GONE_MS);
    expect(mailbox.threadOf(id(1))).toBeUndefined();
    expect(mailbox.stateOf(id(1))).toEqual([]);
    expect(mailbox.conversation(id(1))).toBeUndefined();
    expect(mailbox.shell.bytes(metaCell(ALICE, id(1)))).toBeUndefined();
    expect(mailbox.shell.bytes(rawCell(ALICE, id(1)))).toBeUndefined();
    expect(codeOf(mailbox.undo(outcome))).toBe('ChangedSince');
    expect(codeOf(mailbox.change(one, { folder: 'inbox' }))).toBe('NoSuchMessage');
    expect(mailbox.shell.pending()).toEqual([]);
  });

  it('has its ten minutes also when an earlier deletion of the same message was undone', () => {
    const mailbox = inTrash();
    mailbox.undo(mailbox.delete(one));
    mailbox.shell.advance(START + 8 * MINUTE);
    const again = mailbox.delete(one);
    mailbox.shell.advance(START + 12 * MINUTE);
    expect(mailbox.folderOf(id(1))).toBe(GONE);
    expect(replyOf(mailbox.undo(again))).toEqual({ undone: 1, blocked: 0 });
    mailbox.delete(one);
    mailbox.shell.advance(START + 30 * MINUTE);
    expect(mailbox.folderOf(id(1))).toBeUndefined();
  });

  it('leaves the others of a conversation as they are', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1, [named(1)]);
    mailbox.receive(2, [named(2), named(1)]);
    mailbox.change(one, { folder: 'trash' });
    mailbox.delete(one);
    mailbox.shell.advance(START + GONE_MS);
    expect(mailbox.stateOf(id(1)).map((message) => message.id)).toEqual([id(2)]);
    expect(mailbox.lines('inbox')).toMatchObject([{ thread: id(1), newest: id(2), count: 1 }]);
  });

  it('that is finished by someone who is not its reaction ends nothing', () => {
    const mailbox = inTrash();
    mailbox.delete(one);
    expect(eventsOf(mailbox.do('FinishDeletion', { messages: [id(1)], time: START }))).toEqual([]);
    expect(mailbox.folderOf(id(1))).toBe(GONE);
  });
});
