/** A change is undone: each message to what it was, if it still is what the change made of it. */
import { describe, expect, it } from 'vitest';
import { GONE } from '../../../../domain/mail/folders.ts';
import { id } from '../../given.ts';
import { START } from '../../in-memory-shell.ts';
import { changesOf, codeOf, eventsOf, HOUR, Mailbox, MINUTE, replyOf } from '../../mailbox.ts';

const three = { messages: [id(1), id(2), id(3)] };

function aMailbox(): Mailbox {
  const mailbox = new Mailbox();
  for (const n of [1, 2, 3]) mailbox.receive(n);
  return mailbox;
}

describe('undoing a change', () => {
  it('brings back what was, and names the command whose change it was', () => {
    const mailbox = aMailbox();
    mailbox.change({ messages: [id(2)] }, { read: true });
    const before = mailbox.shell.state();
    const outcome = mailbox.change(three, { folder: 'archive', read: true, starred: true });
    const undone = mailbox.undo(outcome);
    expect(replyOf(undone)).toEqual({ undone: 3, blocked: 0 });
    expect('events' in undone && undone.events[0]?.data['undoes']).toBe('command-1');
    expect(mailbox.shell.state()).toEqual(before);
  });

  it('leaves alone what was changed again since, or is gone, and says how many', () => {
    const mailbox = aMailbox();
    const outcome = mailbox.change(three, { folder: 'trash' });
    mailbox.change({ messages: [id(1)] }, { folder: 'archive' });
    mailbox.delete({ messages: [id(2)] });
    expect(replyOf(mailbox.undo(outcome))).toEqual({ undone: 1, blocked: 2 });
    expect([1, 2, 3].map((n) => mailbox.folderOf(id(n)))).toEqual(['archive', GONE, 'inbox']);
  });

  it('goes past changes of other marks', () => {
    const mailbox = aMailbox();
    const outcome = mailbox.change(three, { folder: 'archive' });
    mailbox.change({ messages: [id(1)] }, { starred: true });
    expect(replyOf(mailbox.undo(outcome))).toEqual({ undone: 3, blocked: 0 });
    expect(mailbox.message(id(1))).toMatchObject({ folder: 'inbox', starred: true });
  });

  it('is refused when nothing is left to undo, so also a second time', () => {
    const mailbox = aMailbox();
    const outcome = mailbox.change(three, { folder: 'archive' });
    mailbox.undo(outcome);
    expect(codeOf(mailbox.undo(outcome))).toBe('ChangedSince');
  });

  it('can be undone: that is the change again', () => {
    const mailbox = aMailbox();
    const outcome = mailbox.change(three, { folder: 'archive' });
    const after = mailbox.shell.state();
    mailbox.undo(mailbox.undo(outcome));
    expect(mailbox.shell.state()).toEqual(after);
  });

  it('is refused when the folder they were in was deleted meanwhile, and works when it is back', () => {
    const mailbox = aMailbox();
    mailbox.makeFolder(20, 'Attic');
    mailbox.change(three, { folder: id(20) });
    const outcome = mailbox.change(three, { folder: 'archive' });
    mailbox.do('DeleteFolder', { folderId: id(20), bulkId: id(30), messages: 0 });
    expect(codeOf(mailbox.undo(outcome))).toBe('ChangedSince');
    expect(mailbox.folderOf(id(1))).toBe('archive');
    mailbox.do('RestoreFolder', { folders: [id(20)], bulkId: null });
    expect(replyOf(mailbox.undo(outcome))).toEqual({ undone: 3, blocked: 0 });
    expect(mailbox.folders()[id(20)]?.messages).toBe(3);
  });

  it('of a deletion for good begins it anew when that undo is undone', () => {
    const mailbox = aMailbox();
    mailbox.change(three, { folder: 'trash' });
    const undone = mailbox.undo(mailbox.delete(three));
    mailbox.shell.advance(START + MINUTE);
    mailbox.undo(undone);
    expect(mailbox.folderOf(id(1))).toBe(GONE);
    mailbox.shell.advance(START + HOUR);
    expect(mailbox.folderOf(id(1))).toBeUndefined();
  });

  it('of a snooze brings them back, and nothing wakes at its time', () => {
    const mailbox = aMailbox();
    const outcome = mailbox.change(three, { snoozeUntil: START + HOUR });
    mailbox.undo(outcome);
    mailbox.change(three, { read: true, folder: 'archive' });
    const before = mailbox.shell.state();
    mailbox.shell.advance(START + 2 * HOUR);
    expect(mailbox.shell.state()).toEqual(before);
  });
});

describe('an undo that no change can have led to', () => {
  const [sound] = changesOf(aMailbox().change({ messages: [id(1)] }, { folder: 'archive' }));
  const folder = (from: unknown, to: unknown) => ({ ...sound, from, to });

  it.each([
    ['names a message twice', [sound, sound]],
    ['says nothing of how it was', [folder({}, {})]],
    ['says more of how it is than of how it was', [folder({ read: true }, { read: false, starred: false })]],
    ['puts a message into the outbox', [folder({ folder: 'outbox' }, { folder: 'archive' })]],
    ['makes a draft of a message', [folder({ folder: 'drafts' }, { folder: 'archive' })]],
    ['snoozes without an end', [folder({ folder: 'snoozed' }, { folder: 'archive' })]],
    ['snoozes until never', [folder({ folder: 'snoozed', until: null }, { folder: 'archive', until: 1 })]],
    ['deletes without an end', [folder({ folder: GONE }, { folder: 'trash' })]],
    [
      'deletes for good what lay elsewhere',
      [folder({ folder: GONE, until: 1 }, { folder: 'archive', until: null })],
    ],
    ['puts a message at a time that no list can order', [folder({ top: 1e14 }, { top: START })]],
    ['names a time that is none', [folder({ top: 'now' }, { top: START })]],
    ['names an unknown mark', [folder({ pinned: true }, { pinned: false })]],
    ['is empty', []],
  ])('is refused: it %s', (_what, changes) => {
    const mailbox = aMailbox();
    mailbox.change({ messages: [id(1)] }, { folder: 'archive' });
    const outcome = mailbox.do('UndoChange', { changes: changes as never, undoes: 'x' });
    expect(codeOf(outcome)).toBe('Malformed');
  });

  it('is refused for a conversation that the message is not of', () => {
    const mailbox = aMailbox();
    mailbox.change({ messages: [id(1)] }, { folder: 'archive' });
    const changes = [{ ...sound!, thread: id(2) }];
    expect(codeOf(mailbox.do('UndoChange', { changes: changes as never, undoes: 'x' }))).toBe('ChangedSince');
    expect(eventsOf(mailbox.do('UndoChange', { changes: [sound!] as never, undoes: 'x' }))).toHaveLength(1);
  });
});
