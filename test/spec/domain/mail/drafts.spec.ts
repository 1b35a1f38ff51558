/** Drafts: saved as one types, by two windows, and never over anything else. */
import { describe, expect, it } from 'vitest';
import { DRAFT_BYTES_MAX } from '../../../../domain/mail/sending/draft.ts';
import { draftContentCell, draftRevisionCell, metaCell } from '../../../../projections/keys.ts';
import { readDraftRevision, readMessageMeta } from '../../../../projections/message.ts';
import { ALICE, id, summary } from '../../given.ts';
import { START } from '../../in-memory-shell.ts';
import { codeOf, eventsOf, HOUR, Mailbox, named, replyOf } from '../../mailbox.ts';

const save = (mailbox: Mailbox, revision: number, text = '{}', subject = 'Lunch') =>
  mailbox.do('SaveDraft', { draftId: id(1), revision }, [text, summary({ subject })]);

describe('a draft', () => {
  it('is saved from revision to revision, and shown as it is now', () => {
    const mailbox = new Mailbox();
    expect(replyOf(save(mailbox, 0, 'first'))).toEqual({ revision: 1 });
    mailbox.shell.advance(START + HOUR);
    expect(replyOf(save(mailbox, 1, 'second', 'Dinner'))).toEqual({ revision: 2 });
    expect(mailbox.lines('drafts')).toMatchObject([
      { thread: id(1), subject: 'Dinner', own: true, unread: 0, at: START + HOUR, count: 1 },
    ]);
    expect(mailbox.counts('drafts')).toEqual({ total: 1, unread: 0 });
    expect(Buffer.from(mailbox.shell.bytes(draftContentCell(ALICE, id(1)))!).toString()).toBe('second');
    expect(readDraftRevision(mailbox.shell.bytes(draftRevisionCell(ALICE, id(1)))!)).toEqual({
      revision: 2,
      savedAt: START + HOUR,
    });
    expect(readMessageMeta(mailbox.shell.bytes(metaCell(ALICE, id(1)))!).subject).toBe('Dinner');
  });

  it('tells the window that is behind, with the revision that there is', () => {
    const mailbox = new Mailbox();
    save(mailbox, 0);
    save(mailbox, 1);
    const behind = save(mailbox, 1);
    expect(behind).toMatchObject({ rejection: { code: 'ChangedSince', field: 'revision', limit: 2 } });
    expect(codeOf(save(mailbox, 0))).toBe('ChangedSince');
    expect(codeOf(save(mailbox, 3))).toBe('ChangedSince');
  });

  it('keeps its star', () => {
    const mailbox = new Mailbox();
    save(mailbox, 0);
    mailbox.change({ messages: [id(1)] }, { starred: true });
    save(mailbox, 1);
    expect(mailbox.message(id(1))).toMatchObject({ folder: 'drafts', starred: true, read: true });
    expect(mailbox.lines('drafts')).toMatchObject([{ starred: true }]);
  });

  it('that was deleted is not saved any more, until that is undone', () => {
    const mailbox = new Mailbox();
    save(mailbox, 0);
    const deleted = mailbox.delete({ messages: [id(1)] });
    expect(codeOf(save(mailbox, 1))).toBe('NoSuchMessage');
    mailbox.undo(deleted);
    expect(eventsOf(save(mailbox, 1))).toEqual(['mail.DraftSaved']);
    mailbox.delete({ messages: [id(1)] });
    mailbox.shell.advance(START + HOUR);
    expect(codeOf(save(mailbox, 2))).toBe('NoSuchMessage');
    expect(codeOf(save(mailbox, 0))).toBe('NoSuchMessage');
    expect(mailbox.shell.bytes(draftContentCell(ALICE, id(1)))).toBeUndefined();
  });

  it('takes the place of no message', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1);
    expect(codeOf(save(mailbox, 0))).toBe('NoSuchMessage');
    expect(mailbox.folderOf(id(1))).toBe('inbox');
  });

  it('is never made by a later revision, or without an account', () => {
    const mailbox = new Mailbox();
    expect(codeOf(save(mailbox, 1))).toBe('NoSuchMessage');
    const elsewhere = mailbox.do('SaveDraft', { draftId: id(1), revision: 0 }, ['{}', summary()], {
      stream: 'alice',
    });
    expect(codeOf(elsewhere)).toBe('Malformed');
  });

  it('has at most 4 MiB', () => {
    const mailbox = new Mailbox();
    const large = new Uint8Array(DRAFT_BYTES_MAX + 1);
    expect(codeOf(mailbox.do('SaveDraft', { draftId: id(1), revision: 0 }, [large, summary()]))).toBe(
      'TooLarge',
    );
  });
});

describe('a draft with the id of a message that was deleted for good', () => {
  /** Such as one that was imported as a message before, by its bytes, and whose Message-IDs are known still. */
  const comesAgain = (): Mailbox => {
    const mailbox = new Mailbox();
    mailbox.receive(1, [named(1)]);
    mailbox.change({ messages: [id(1)] }, { folder: 'trash' });
    mailbox.delete({ messages: [id(1)] });
    mailbox.shell.advance(START + HOUR);
    expect(eventsOf(save(mailbox, 0))).toEqual(['mail.DraftSaved']);
    return mailbox;
  };

  it('is alone in its conversation: what answers that message begins another, and it is saved on', () => {
    const mailbox = comesAgain();
    mailbox.receive(2, [named(2), named(1)]);
    expect(mailbox.threadOf(id(2))).toBe(id(2));
    expect(replyOf(save(mailbox, 1))).toEqual({ revision: 2 });
    expect([mailbox.folderOf(id(1)), mailbox.folderOf(id(2))]).toEqual(['drafts', 'inbox']);
  });

  it('is sent as a message that lies where it can be found, also if that answers what it bears the name of', () => {
    const mailbox = comesAgain();
    mailbox.send(2, { ids: [named(2), named(1)], draftId: id(1) });
    expect(mailbox.folderOf(id(2))).toBe('sent');
    mailbox.receive(1, [named(1)]);
    expect([mailbox.folderOf(id(1)), mailbox.counts('sent').total]).toEqual(['inbox', 1]);
    expect(mailbox.conversation(id(2))?.messages.map((message) => message.id)).toEqual([id(2)]);
  });

  it('is sent later, and is gone with that', () => {
    const mailbox = comesAgain();
    const dueAt = mailbox.shell.time + HOUR;
    mailbox.send(2, { ids: [named(2), named(1)], draftId: id(1), dueAt });
    mailbox.shell.advance(dueAt);
    expect([mailbox.folderOf(id(1)), mailbox.folderOf(id(2))]).toEqual([undefined, 'sent']);
    expect(mailbox.stateOf(id(1))).toEqual([]);
    expect(mailbox.stateOf(id(2)).map((message) => message.id)).toEqual([id(2)]);
    expect([mailbox.counts('drafts').total, mailbox.counts('sent').total]).toEqual([0, 1]);
  });

  it('leaves what has joined it while it was out of sight', () => {
    const mailbox = comesAgain();
    mailbox.send(2, { draftId: id(1), dueAt: mailbox.shell.time + HOUR });
    mailbox.receive(3, [named(3), named(1)]);
    expect(mailbox.threadOf(id(3))).toBe(id(1));
    mailbox.do('CancelSending', { messageId: id(2) });
    expect(replyOf(save(mailbox, 1))).toEqual({ revision: 2 });
    expect(mailbox.stateOf(id(1)).map(({ folder }) => folder)).toEqual(['drafts', 'inbox']);
    expect(mailbox.conversation(id(1))?.messages.map(({ folder }) => folder)).toEqual(['drafts', 'inbox']);
    expect(mailbox.counts('inbox')).toEqual({ total: 1, unread: 1 });
  });
});
