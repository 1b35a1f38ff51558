/** What has happened to a message since it came. */
import { describe, expect, it } from 'vitest';
import { historyCell } from '../../../projections/keys.ts';
import {
  HAPPENINGS_MAX,
  readMessageHistory,
  type MessageHistory,
} from '../../../projections/message-history.ts';
import { id, projected, RAW, received, signedUp, summary } from '../given.ts';
import { START, type InMemoryShell } from '../in-memory-shell.ts';
import { DAY, HOUR, Mailbox, page } from '../mailbox.ts';

function historyOf(shell: InMemoryShell, messageId: string, owner?: string): MessageHistory | undefined {
  const bytes = shell.bytes(historyCell(owner ?? new Mailbox().owner, messageId));
  return bytes && readMessageHistory(bytes);
}
/** Without the entries and times, which are told apart below. */
const told = (mailbox: Mailbox, messageId: string) =>
  historyOf(mailbox.shell, messageId)?.happenings.map(({ seq: _seq, at: _at, ...rest }) => rest);

describe('a message that nobody has touched', () => {
  it('has no history', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1);
    expect(historyOf(mailbox.shell, id(1))).toBeUndefined();
  });
});

describe('what is done with a message', () => {
  it('is told with its entry and its time, by whom it was done', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1);
    const starred = mailbox.change({ messages: [id(1)] }, { starred: true, read: true });
    const entry = mailbox.shell.log.length;
    mailbox.undo(starred);
    mailbox.change({ messages: [id(1)] }, { snoozeUntil: START + HOUR });
    mailbox.shell.advance(START + DAY);
    const place = (from: string, folder = from) => ({ what: 'changed', from, folder });
    expect(told(mailbox, id(1))).toEqual([
      { ...place('inbox'), how: 'hand', read: true, starred: true },
      { ...place('inbox'), how: 'undo', read: false, starred: false },
      { ...place('inbox', 'snoozed'), how: 'hand', until: START + HOUR },
      { ...place('snoozed', 'inbox'), how: 'time', until: null },
    ]);
    expect(historyOf(mailbox.shell, id(1))?.happenings).toMatchObject([
      { seq: entry, at: START },
      {},
      {},
      { at: START + HOUR },
    ]);
  });

  it('with many at once is told as that, its undoing too', () => {
    const mailbox = new Mailbox();
    for (const number of [1, 2]) mailbox.receive(number);
    const bulk = { bulkId: id(9), in: ['inbox'], to: { folder: 'archive' } };
    mailbox.do('StartBulk', bulk, [page(id(1), id(2))]);
    mailbox.shell.settleAll();
    mailbox.do('UndoBulk', { bulkId: id(9) });
    mailbox.shell.settleAll();
    expect(told(mailbox, id(2))).toMatchObject([
      { how: 'bulk', from: 'inbox', folder: 'archive' },
      { how: 'undo', from: 'archive', folder: 'inbox' },
    ]);
  });

  it('is let go of, the oldest first, once there is too much', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1);
    for (let i = 0; i < HAPPENINGS_MAX + 3; i++) {
      mailbox.change({ messages: [id(1)] }, { starred: i % 2 === 0 });
    }
    const { happenings = [], left } = historyOf(mailbox.shell, id(1)) ?? {};
    expect([happenings.length, left]).toEqual([HAPPENINGS_MAX, 3]);
    expect(happenings.at(-1)?.seq).toBe(mailbox.shell.log.length);
  });

  it('goes with the message', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1);
    mailbox.change({ messages: [id(1)] }, { folder: 'trash' });
    mailbox.delete({ messages: [id(1)] });
    expect(told(mailbox, id(1))).toHaveLength(2);
    mailbox.shell.advance(START + DAY);
    expect(historyOf(mailbox.shell, id(1))).toBeUndefined();
  });

  it('was told in early releases too', () => {
    const moved = { messageId: id(1), from: 'inbox', to: 'archive' };
    const shell = projected([signedUp('alice'), received(id(1)), { type: 'mail.MessageMoved', data: moved }]);
    expect(historyOf(shell, id(1))?.happenings).toEqual([
      { seq: 3, at: START, what: 'changed', how: 'hand', from: 'inbox', folder: 'archive' },
    ]);
  });
});

describe('a message of one’s own', () => {
  it('tells when it was written, when it went out, and whom it reached', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, { dueAt: START + HOUR, recipients: ['bob', 'nobody'] });
    mailbox.shell.advance(START + DAY);
    expect(told(mailbox, id(1))).toEqual([
      { what: 'scheduled', how: 'hand', until: START + HOUR },
      { what: 'released', how: 'time' },
      { what: 'delivered', how: 'time', to: 'bob' },
      { what: 'delivered', how: 'time', to: 'nobody', code: 'NoSuchAccount' },
    ]);
  });

  it('that is taken back has none, and its draft goes on with its own', () => {
    const mailbox = new Mailbox();
    mailbox.do('SaveDraft', { draftId: id(5), revision: 0 }, ['{}', summary()]);
    mailbox.send(1, { dueAt: START + HOUR, draftId: id(5) });
    mailbox.do('CancelSending', { messageId: id(1) });
    expect(historyOf(mailbox.shell, id(1))).toBeUndefined();
  });
});

describe('what a rule sends on', () => {
  it('is no delivery of a message of one’s own', () => {
    const mailbox = new Mailbox();
    const forwarded = { messageId: `${id(1)}-in`, folder: 'inbox', via: 'local', forward: ['bob'] };
    mailbox.shell.append({
      stream: mailbox.owner,
      time: START,
      events: [{ type: 'mail.MessageReceived', version: 1, data: forwarded }],
      parts: [RAW, summary()],
    });
    mailbox.shell.settleAll();
    expect([historyOf(mailbox.shell, id(1)), historyOf(mailbox.shell, `${id(1)}-in`)]).toEqual([
      undefined,
      undefined,
    ]);
  });
});

describe('leaving a mailing list', () => {
  const ask = (mailbox: Mailbox, accepted: boolean, words: string) =>
    mailbox.do('RecordUnsubscribe', { messageId: id(1), accepted }, [words]);

  it('is told with what came of it, and once it was taken, no more', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1);
    ask(mailbox, false, 'It refused (500).');
    ask(mailbox, true, 'It has taken your wish.');
    ask(mailbox, true, 'It has taken your wish.');
    expect(told(mailbox, id(1))).toEqual([
      { what: 'unsubscribed', how: 'hand', outcome: 'It refused (500).' },
      { what: 'unsubscribed', how: 'hand', outcome: 'It has taken your wish.' },
    ]);
  });

  it('leaves its words erased where they are erased', () => {
    const asked = { type: 'mail.Unsubscribed', data: { messageId: id(1), accepted: true } };
    const shell = projected([received(id(1)), { ...asked, parts: [{ erased: 20 }] }]);
    expect(historyOf(shell, id(1))?.happenings).toMatchObject([{ what: 'unsubscribed', outcome: '' }]);
  });
});
