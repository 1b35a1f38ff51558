/** The mailbox as pages show it: conversations, the lines of the folders, and their counts. */
import { describe, expect, it } from 'vitest';
import { ALICE, id, projected, RAW, received, summary, type Said } from '../given.ts';
import { START } from '../in-memory-shell.ts';
import { HOUR, Mailbox, named } from '../mailbox.ts';

const from = (name: string, more: Parameters<typeof summary>[0] = {}) => ({
  parts: [RAW, summary({ from: { name, address: `${name.toLowerCase()}@far.example` }, ...more })],
});

/** Bob wrote at START, Alice answered after an hour, Carol after two. */
function aConversation(): Mailbox {
  const mailbox = new Mailbox();
  mailbox.receive(1, [named(1)], from('Bob'));
  mailbox.shell.advance(START + HOUR);
  mailbox.send(2, { ids: [named(2), named(1)] }, [RAW, summary({ subject: 'Re: Lunch' }), summary()]);
  mailbox.shell.advance(START + 2 * HOUR);
  mailbox.receive(3, [named(3), named(1)], from('Carol', { subject: 'Re: Lunch', snippet: 'Me too' }));
  return mailbox;
}

describe('a message that arrived', () => {
  const mailbox = new Mailbox();
  mailbox.receive(1);

  it('is an unread line of the inbox', () => {
    expect(mailbox.lines('inbox')).toEqual([
      {
        thread: id(1),
        newest: id(1),
        subject: 'Lunch',
        snippet: 'At noon?',
        who: ['Bob'],
        own: false,
        others: 0,
        at: START,
        count: 1,
        unread: 1,
        starred: false,
        attachments: false,
        until: null,
      },
    ]);
    expect(mailbox.counts('inbox')).toEqual({ total: 1, unread: 1 });
  });

  it('is a message of its conversation, with what its line needs', () => {
    expect(mailbox.conversation(id(1))).toEqual({
      subject: 'Lunch',
      messages: [
        {
          id: id(1),
          folder: 'inbox',
          read: false,
          starred: false,
          top: START,
          until: null,
          at: START,
          own: false,
          who: 'Bob',
          others: 0,
          snippet: 'At noon?',
          attachments: 0,
          size: RAW.length,
          doc: null,
        },
      ],
    });
  });

  it.each([
    ['erased', { erased: 300 }],
    ['not JSON', 'Lunch?'],
    ['not text', new Uint8Array([0xff])],
  ])('with a summary that is %s is shown with the problem', (_what, part) => {
    const shown = new Mailbox();
    shown.shell.append({
      stream: ALICE,
      time: START,
      events: [{ ...received(id(1)), version: 1 }],
      parts: [RAW, part],
    });
    const problem = expect.stringMatching(/^The summary of this message /) as string;
    expect(shown.lines('inbox')).toMatchObject([{ newest: id(1), subject: '', problem }]);
    expect(shown.counts('inbox')).toEqual({ total: 1, unread: 1 });
  });

  it('keeps its line and its conversation short whatever the sender wrote', () => {
    const long = new Mailbox();
    for (let n = 1; n <= 100; n++) {
      long.receive(
        n,
        [named(n), named(1)],
        from('€'.repeat(200), { subject: '€'.repeat(900), snippet: '€'.repeat(200) }),
      );
    }
    const [line] = long.lines('inbox');
    expect(line).toMatchObject({ subject: '€'.repeat(200), snippet: '€'.repeat(140), who: ['€'.repeat(60)] });
    expect(JSON.stringify(long.conversation(id(1))).length).toBeLessThan(64 * 1024);
  });

  it('stands above all that arrived before it', () => {
    const times = [START, START + 1, START + 1000, START + 3_000_000_000];
    const list = new Mailbox();
    for (const [number, time] of times.entries()) {
      list.shell.advance(time);
      list.receive(number);
    }
    expect(list.lines('inbox').map(({ at }) => at)).toEqual(times.toReversed());
  });
});

describe('a conversation', () => {
  it('has a line in each folder where one of its messages lies', () => {
    const mailbox = aConversation();
    expect(mailbox.lines('inbox')).toMatchObject([
      { thread: id(1), newest: id(3), subject: 'Re: Lunch', snippet: 'Me too', count: 3, unread: 2 },
    ]);
    expect(mailbox.lines('sent')).toMatchObject([
      { thread: id(1), newest: id(2), own: true, count: 3, unread: 0 },
    ]);
    expect(mailbox.counts('inbox')).toEqual({ total: 1, unread: 1 });
    expect(mailbox.counts('sent')).toEqual({ total: 1, unread: 0 });
  });

  it('tells who wrote, oldest first, the owner as an empty name; of what one sent, to whom', () => {
    const mailbox = aConversation();
    expect(mailbox.lines('inbox')[0]?.who).toEqual(['Bob', '', 'Carol']);
    expect(mailbox.lines('sent')[0]?.who).toEqual(['Alice']);
  });

  it('tells the last four of many who wrote, each once', () => {
    const mailbox = new Mailbox();
    for (const [n, name] of ['A', 'B', 'A', 'C', 'D', 'E', 'C'].entries()) {
      mailbox.receive(n + 1, [named(n + 1), named(1)], from(name));
    }
    expect(mailbox.lines('inbox')[0]?.who).toEqual(['B', 'C', 'D', 'E']);
  });

  it('keeps its place by its newest message there, and goes up when another one comes', () => {
    const mailbox = aConversation();
    mailbox.receive(8, [named(8)]);
    expect(mailbox.lines('inbox').map(({ thread }) => thread)).toEqual([id(1), id(8)]);
    mailbox.shell.advance(START + 3 * HOUR);
    mailbox.receive(9, [named(9), named(8)]);
    expect(mailbox.lines('inbox').map(({ thread }) => thread)).toEqual([id(8), id(1)]);
    expect(mailbox.counts('inbox')).toEqual({ total: 2, unread: 2 });
  });

  it('counts what lies in the trash only where the line is of the trash', () => {
    const mailbox = aConversation();
    mailbox.change({ messages: [id(3)] }, { folder: 'trash' });
    expect(mailbox.lines('inbox')).toMatchObject([
      { newest: id(1), count: 2, unread: 1, snippet: 'At noon?' },
    ]);
    expect(mailbox.lines('trash')).toMatchObject([{ newest: id(3), count: 3, unread: 1 }]);
  });

  it('is unread while one of its messages there is, and counted once', () => {
    const mailbox = aConversation();
    mailbox.change({ messages: [id(3)] }, { read: true });
    expect(mailbox.lines('inbox')[0]?.unread).toBe(1);
    expect(mailbox.counts('inbox')).toEqual({ total: 1, unread: 1 });
    mailbox.change({ conversations: [id(1)], in: 'inbox' }, { read: true });
    expect(mailbox.counts('inbox')).toEqual({ total: 1, unread: 0 });
  });

  it('is starred by any of its messages there, and tells of attachments', () => {
    const mailbox = aConversation();
    const attachments = [{ name: 'menu.pdf', type: 'application/pdf', size: 7 }];
    mailbox.receive(4, [named(4), named(1)], from('Dora', { attachments }));
    mailbox.change({ messages: [id(1)] }, { starred: true });
    expect(mailbox.lines('inbox')).toMatchObject([{ starred: true, attachments: true }]);
    expect(mailbox.lines('sent')).toMatchObject([{ starred: false, attachments: false }]);
  });

  it('of which nothing is left leaves nothing but counts', () => {
    const mailbox = new Mailbox();
    const before = mailbox.shell.dump();
    mailbox.receive(1);
    mailbox.change({ messages: [id(1)] }, { folder: 'trash' });
    mailbox.delete({ messages: [id(1)] });
    mailbox.shell.advance(START + HOUR);
    expect(mailbox.shell.dump().filter((cell) => !cell.includes('/mail/folders\0'))).toEqual(before);
    expect(mailbox.counts('trash')).toEqual({ total: 0, unread: 0 });
  });
});

describe('a message to oneself', () => {
  it('is from its owner, once, in the list where it arrives', () => {
    const mailbox = new Mailbox();
    const own = summary({ from: { name: '', address: 'alice@penncloud.test' } });
    mailbox.send(1, { recipients: ['alice', 'bob'], ids: [named(1)] }, [RAW, own, own]);
    mailbox.shell.settleAll();
    expect(mailbox.lines('inbox').map(({ who, own: isOwn }) => [who, isOwn])).toEqual([[[''], false]]);
  });
});

describe('an event that tells of messages that are not there', () => {
  const changed = (more: object): Said => ({
    type: 'mail.MessagesChanged',
    data: {
      members: [
        {
          id: id(1),
          thread: id(1),
          doc: null,
          folder: 'inbox',
          from: { read: false },
          to: { read: true },
          ...more,
        },
      ],
    },
  });
  const deleted: Said = {
    type: 'mail.MessagesDeleted',
    data: { members: [{ id: id(1), thread: id(1), doc: null, from: 'gone' }] },
  };

  it('makes no line, no count and no message out of nothing', () => {
    const cells = projected([changed({}), deleted, changed({ to: { folder: 'spam' } })]);
    // What happened stays told until the message goes, and no message is there to go.
    expect(cells.dump().filter((cell) => !/\bhistory = /.test(cell))).toEqual([]);
    expect(cells.state()).toEqual([]);
  });
});
