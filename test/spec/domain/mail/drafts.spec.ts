/** Drafts: saved as one types, by two windows, and never over anything else. */
import { describe, expect, it } from 'vitest';
import { DRAFT_BYTES_MAX } from '../../../../domain/mail/sending/draft.ts';
import { draftContentCell, draftRevisionCell, metaCell } from '../../../../projections/keys.ts';
import { readDraftRevision, readMessageMeta } from '../../../../projections/message.ts';
import { ALICE, id, summary } from '../../given.ts';
import { START } from '../../in-memory-shell.ts';
import { codeOf, eventsOf, HOUR, Mailbox, replyOf } from '../../mailbox.ts';

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
