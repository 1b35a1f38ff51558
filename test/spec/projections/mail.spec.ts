import { describe, expect, it } from 'vitest';
import type { Folder } from '../../../domain/mail/events.ts';
import { accountStream } from '../../../domain/streams.ts';
import { readFolderCounts } from '../../../projections/folder.ts';
import { readInboxRow, type InboxRow } from '../../../projections/inbox.ts';
import {
  folderCountsCell,
  folderRow,
  inboxCell,
  metaCell,
  orderOf,
  rawCell,
} from '../../../projections/keys.ts';
import { readMessageMeta, type MessageMeta } from '../../../projections/message.ts';
import { ALICE, BOB, id, projected, RAW, received, signedUp, summary, type Said } from '../given.ts';
import { InMemoryShell, START } from '../in-memory-shell.ts';

const bytesOf = (bytes: Uint8Array | undefined): Uint8Array => {
  if (bytes === undefined) throw new Error('the cell does not exist');
  return bytes;
};
const rowsOf = (cells: InMemoryShell, folder: Folder, owner = ALICE): InboxRow[] =>
  cells
    .columns(folderRow(owner, folder))
    .map((order) => readInboxRow(bytesOf(cells.bytes(inboxCell(owner, folder, order)))));
const metaOf = (cells: InMemoryShell, messageId: string, owner = ALICE): MessageMeta =>
  readMessageMeta(bytesOf(cells.bytes(metaCell(owner, messageId))));
const countsOf = (cells: InMemoryShell, folder: Folder) =>
  readFolderCounts(bytesOf(cells.bytes(folderCountsCell(ALICE, folder))));

const sent = (recipients: readonly string[], more: Partial<Said> = {}): Said => ({
  type: 'mail.MessageSent',
  data: { messageId: id(1), recipients },
  parts: [RAW, summary({ bcc: [{ name: '', address: 'carol@penncloud.test' }] }), summary()],
  ...more,
});
const marked = (read: boolean): Said => ({
  type: 'mail.MessageMarked',
  data: { messageId: id(1), read, before: !read, folder: 'inbox', at: START },
});
const moved = (from: Folder, to: Folder, read = false): Said => ({
  type: 'mail.MessageMoved',
  data: { messageId: id(1), from, to, read, at: START },
});
const deleted: Said = {
  type: 'mail.MessageDeleted',
  data: { messageId: id(1), from: 'trash', read: false, at: START },
};
const settled = (recipient: string, outcome: object): Said => ({
  type: 'platform.ReactionSettled',
  data: {
    originSeq: 1,
    reaction: 0,
    command: 'mail.ReceiveMessage',
    stream: accountStream(recipient),
    data: { messageId: `${id(1)}-in`, via: 'local' },
    ...outcome,
  },
});

describe('a message that arrived', () => {
  const cells = projected([received(id(1))]);

  it('is an unread row of the inbox', () => {
    expect(rowsOf(cells, 'inbox')).toEqual([
      {
        id: id(1),
        from: { name: 'Bob', address: 'bob@penncloud.test' },
        to: { first: { name: 'Alice', address: 'alice@penncloud.test' }, count: 1 },
        subject: 'Lunch',
        snippet: 'At noon?',
        at: START,
        read: false,
        size: RAW.length,
        attachments: 0,
      },
    ]);
  });

  it('counts as one, unread', () => {
    expect(countsOf(cells, 'inbox')).toEqual({ total: 1, unread: 1 });
  });

  it('has its summary and its bytes as they came', () => {
    expect(metaOf(cells, id(1))).toEqual({
      id: id(1),
      folder: 'inbox',
      read: false,
      at: START,
      size: RAW.length,
      order: orderOf(START, id(1)),
      via: 'smtp',
      from: { name: 'Bob', address: 'bob@penncloud.test' },
      to: [{ name: 'Alice', address: 'alice@penncloud.test' }],
      cc: [],
      subject: 'Lunch',
      date: START,
      snippet: 'At noon?',
      attachments: [],
    });
    expect(Buffer.from(bytesOf(cells.bytes(rawCell(ALICE, id(1))))).toString()).toBe(RAW);
  });

  it.each([
    ['erased', { erased: 300 }],
    ['not JSON', 'Lunch?'],
    ['not text', new Uint8Array([0xff])],
  ])('with a summary that is %s is shown with the problem', (_what, part) => {
    const shown = projected([received(id(1), { parts: [RAW, part] })]);
    const problem = expect.stringMatching(/^The summary of this message /) as string;
    expect(rowsOf(shown, 'inbox')).toMatchObject([{ id: id(1), subject: '', size: RAW.length, problem }]);
    expect(metaOf(shown, id(1))).toMatchObject({ problem, size: RAW.length, folder: 'inbox' });
    expect(countsOf(shown, 'inbox')).toEqual({ total: 1, unread: 1 });
  });

  it('that could not be parsed is shown with the problem that the gateway found', () => {
    const problem = 'This message is nested too deeply to be read.';
    const shown = projected([received(id(1), { parts: [RAW, summary({ problem })] })]);
    expect(rowsOf(shown, 'inbox')).toMatchObject([{ problem }]);
    expect(metaOf(shown, id(1))).toMatchObject({ problem });
  });

  it('keeps the row short whatever the sender wrote', () => {
    const long = summary({ subject: '€'.repeat(900), to: Array(50).fill({ name: '', address: 'a@b' }) });
    const [row] = rowsOf(projected([received(id(1), { parts: [RAW, long] })]), 'inbox');
    expect(row?.subject).toBe('€'.repeat(200));
    expect(row?.to).toEqual({ first: { name: '', address: 'a@b' }, count: 50 });
  });

  it('stands above all that arrived before it', () => {
    const times = [START, START + 1, START + 1000, START + 3_000_000_000];
    const list = projected(times.map((time, number) => received(id(number), { time })));
    expect(rowsOf(list, 'inbox').map(({ at }) => at)).toEqual(times.toReversed());
  });
});

describe('a message that was sent', () => {
  it('is a read row of the sent ones that names the first recipient and how many there are', () => {
    const cells = projected([sent(['alice', 'carol'])]);
    expect(rowsOf(cells, 'sent')).toMatchObject([
      { read: true, to: { first: { name: 'Alice', address: 'alice@penncloud.test' }, count: 2 } },
    ]);
    expect(countsOf(cells, 'sent')).toEqual({ total: 1, unread: 0 });
  });

  it('shows its Bcc and that its deliveries are pending', () => {
    expect(metaOf(projected([sent(['bob', 'carol'])]), id(1))).toMatchObject({
      via: 'sent',
      folder: 'sent',
      bcc: [{ name: '', address: 'carol@penncloud.test' }],
      delivery: { bob: 'pending', carol: 'pending' },
    });
  });

  it('shows how each delivery went', () => {
    const cells = projected([
      sent(['bob', 'carol', 'dave', '42']),
      settled('bob', { outcome: 'accepted' }),
      settled('carol', { outcome: 'refused', code: 'NoSuchAccount' }),
      settled('42', { outcome: 'refused' }),
    ]);
    const delivery = { bob: 'delivered', carol: 'NoSuchAccount', dave: 'pending', '42': 'refused' };
    expect(metaOf(cells, id(1)).delivery).toEqual(delivery);
  });

  it('stays deleted when a delivery ends later', () => {
    const history = [sent(['bob']), moved('sent', 'trash', true), deleted];
    const before = projected(history).dump();
    expect(projected([...history, settled('bob', { outcome: 'accepted' })]).dump()).toEqual(before);
  });

  it('is not touched by the outcome of a reaction that was no delivery', () => {
    const other: Said = { ...settled('bob', { outcome: 'accepted' }) };
    const shown = projected([sent(['bob']), { ...other, data: { ...other.data, data: null } }]);
    expect(metaOf(shown, id(1)).delivery).toEqual({ bob: 'pending' });
  });

  it('arrives without its Bcc, also at oneself', () => {
    const shell = new InMemoryShell();
    for (const { type, data, stream = ALICE, parts = [] } of [signedUp('alice'), signedUp('bob')]) {
      shell.append({ stream, time: START, events: [{ type, version: 1, data }], parts });
    }
    const bcc = [{ name: '', address: 'bob@penncloud.test' }];
    const data = { messageId: id(1), recipients: ['bob', 'alice', 'nobody'] };
    const parts = [RAW, summary({ bcc }), summary()];
    shell.execute({ type: 'mail.SendMessage', data, stream: ALICE, parts });
    shell.settleReactions(shell.log.length);

    expect(metaOf(shell, id(1)).delivery).toEqual({
      bob: 'delivered',
      alice: 'delivered',
      nobody: 'NoSuchAccount',
    });
    for (const owner of [ALICE, BOB]) {
      const copy = metaOf(shell, `${id(1)}-in`, owner);
      expect(copy).toMatchObject({ via: 'local', folder: 'inbox', read: false, subject: 'Lunch' });
      expect(copy.bcc).toBeUndefined();
      expect(Buffer.from(bytesOf(shell.bytes(rawCell(owner, `${id(1)}-in`)))).toString()).toBe(RAW);
    }
    const once = shell.dump();
    shell.settleReactions(3);
    expect(shell.dump()).toEqual(once);
  });
});

describe('a message that is marked, moved or deleted', () => {
  it('is read in the list, in its own cell and in the counts', () => {
    const cells = projected([received(id(1)), received(id(2)), marked(true)]);
    expect(rowsOf(cells, 'inbox').map(({ id: messageId, read }) => [messageId, read])).toEqual([
      [id(1), true],
      [id(2), false],
    ]);
    expect(metaOf(cells, id(1)).read).toBe(true);
    expect(countsOf(cells, 'inbox')).toEqual({ total: 2, unread: 1 });
    expect(projected([received(id(1)), marked(true), marked(false)]).dump()).toEqual(
      projected([received(id(1))]).dump(),
    );
  });

  it('goes to the other folder with its place in time and its read mark', () => {
    const cells = projected([
      received(id(1)),
      received(id(2)),
      marked(true),
      { ...moved('inbox', 'archive', true), time: START + 9 },
    ]);
    expect(rowsOf(cells, 'inbox').map((row) => row.id)).toEqual([id(2)]);
    expect(rowsOf(cells, 'archive')).toMatchObject([{ id: id(1), read: true, at: START }]);
    expect(metaOf(cells, id(1))).toMatchObject({ folder: 'archive', order: orderOf(START, id(1)) });
    expect(countsOf(cells, 'inbox')).toEqual({ total: 1, unread: 1 });
    expect(countsOf(cells, 'archive')).toEqual({ total: 1, unread: 0 });
  });

  it('leaves nothing but counts when it is deleted', () => {
    const cells = projected([received(id(1)), moved('inbox', 'trash'), deleted]);
    expect(cells.dump()).toEqual([
      `${ALICE}/mail/folders\0inbox = {"total":0,"unread":0}`,
      `${ALICE}/mail/folders\0trash = {"total":0,"unread":0}`,
    ]);
  });

  it('takes no unread one from the counts when it was read', () => {
    const readInTrash: Said = { ...deleted, data: { ...deleted.data, read: true } };
    const other: Said = {
      ...moved('inbox', 'trash'),
      data: { ...moved('inbox', 'trash').data, messageId: id(2) },
    };
    const history = [received(id(1)), received(id(2)), marked(true), moved('inbox', 'trash', true), other];
    expect(countsOf(projected(history), 'trash')).toEqual({ total: 2, unread: 1 });
    expect(countsOf(projected([...history, readInTrash]), 'trash')).toEqual({ total: 1, unread: 1 });
  });

  it('never makes a count negative, nor a row out of nothing', () => {
    const cells = projected([marked(true), moved('inbox', 'spam'), deleted]);
    expect(countsOf(cells, 'inbox')).toEqual({ total: 0, unread: 0 });
    expect(countsOf(cells, 'trash')).toEqual({ total: 0, unread: 0 });
    expect(rowsOf(cells, 'spam')).toEqual([]);
  });
});
