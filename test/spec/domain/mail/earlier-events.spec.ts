/** Logs of early releases: their events are read as those of today, and give sound state and sound cells. */
import { describe, expect, it } from 'vitest';
import { ALICE, id, projected, RAW, received, signedUp, summary, type Said } from '../../given.ts';
import { START } from '../../in-memory-shell.ts';
import { Mailbox, named } from '../../mailbox.ts';

const moved = (number: number, from: string, to: string): Said => ({
  type: 'mail.MessageMoved',
  data: { messageId: id(number), from, to, read: false, at: START },
});
const marked = (number: number, read: boolean, folder = 'inbox'): Said => ({
  type: 'mail.MessageMarked',
  data: { messageId: id(number), read, before: !read, folder, at: START },
});
const deleted = (number: number, from = 'trash'): Said => ({
  type: 'mail.MessageDeleted',
  data: { messageId: id(number), from, read: false, at: START },
});
const sent: Said = {
  type: 'mail.MessageSent',
  data: { messageId: id(7), recipients: ['bob'] },
  parts: [RAW, summary(), summary()],
};
const history = [
  signedUp('alice'),
  received(id(1)),
  received(id(2)),
  received(id(3)),
  sent,
  marked(1, true),
  moved(2, 'inbox', 'trash'),
  moved(3, 'inbox', 'archive'),
  marked(3, true, 'archive'),
  marked(3, false, 'archive'),
];

/** A mailbox with that behind it. */
function grown(more: readonly Said[] = []): Mailbox {
  const mailbox = new Mailbox();
  for (const { type, data, parts = [] } of [...history.slice(1), ...more]) {
    const events = [{ type, version: 1, data }];
    mailbox.shell.append({ stream: ALICE, time: START, events, parts });
  }
  return mailbox;
}

describe('an early log', () => {
  it('makes each message a conversation of its own, where it was moved and as it was marked', () => {
    const mailbox = grown();
    expect([1, 2, 3, 7].map((n) => mailbox.threadOf(id(n)))).toEqual([1, 2, 3, 7].map(id));
    expect(mailbox.lines('inbox')).toMatchObject([{ newest: id(1), unread: 0 }]);
    expect(mailbox.lines('trash')).toMatchObject([{ newest: id(2), unread: 1 }]);
    expect(mailbox.lines('archive')).toMatchObject([{ newest: id(3), unread: 1 }]);
    expect(mailbox.lines('sent')).toMatchObject([{ newest: id(7), own: true, unread: 0 }]);
    expect(mailbox.counts('inbox')).toEqual({ total: 1, unread: 0 });
    expect(mailbox.counts('archive')).toEqual({ total: 1, unread: 1 });
  });

  it('leaves nothing of a message but counts once it was deleted', () => {
    const cells = projected([received(id(1)), moved(1, 'inbox', 'trash'), deleted(1)]);
    expect(cells.dump()).toEqual([
      `${ALICE}/mail/folders\0inbox = {"total":0,"unread":0}`,
      `${ALICE}/mail/folders\0trash = {"total":0,"unread":0}`,
    ]);
    expect(cells.state()).toEqual([]);
  });

  it('never makes a count negative, nor a line or a message out of nothing', () => {
    const cells = projected([marked(1, true), moved(1, 'inbox', 'spam'), deleted(1, 'spam')]);
    expect(cells.dump()).toEqual([]);
    expect(cells.state()).toEqual([]);
  });

  it('asks for the deliveries that it asked for then', () => {
    const mailbox = grown();
    expect(mailbox.shell.pending().map(({ reaction }) => reaction)).toMatchObject([
      { command: 'mail.ReceiveMessage', data: { messageId: `${id(7)}-in`, via: 'local' }, parts: [0, 2] },
    ]);
  });

  it('is gone on from: its messages are moved, deleted for good and undone as all others', () => {
    const mailbox = grown();
    const outcome = mailbox.change({ messages: [id(1), id(3)] }, { folder: 'trash', starred: true });
    mailbox.undo(outcome);
    expect([1, 3].map((n) => mailbox.folderOf(id(n)))).toEqual(['inbox', 'archive']);
    mailbox.delete({ messages: [id(2)] });
    mailbox.shell.advance(START + 3_600_000);
    expect(mailbox.folderOf(id(2))).toBeUndefined();
    mailbox.receive(8, [named(8), named(1)]);
    expect(mailbox.threadOf(id(8))).toBe(id(8));
  });

  it.each(['mail.MessageMarked', 'mail.MessageMoved', 'mail.MessageDeleted'])(
    'with %s of a version that is not known stops whoever applies it',
    (type) => {
      const event = { type, version: 2, data: { messageId: id(1), from: 'trash', to: 'inbox' } };
      expect(() => grown().shell.append({ stream: ALICE, time: START, events: [event], parts: [] })).toThrow(
        /version 2/,
      );
    },
  );
});
