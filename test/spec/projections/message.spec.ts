/** One message: its summary, its bytes, and how its deliveries went. */
import { describe, expect, it } from 'vitest';
import { accountStream } from '../../../domain/streams.ts';
import { metaCell, rawCell } from '../../../projections/keys.ts';
import { readMessageMeta, type MessageMeta } from '../../../projections/message.ts';
import { ALICE, BOB, id, projected, RAW, received, summary, type Said } from '../given.ts';
import { START, type InMemoryShell } from '../in-memory-shell.ts';
import { HOUR, Mailbox } from '../mailbox.ts';

const bytesOf = (bytes: Uint8Array | undefined): Uint8Array => {
  if (bytes === undefined) throw new Error('the cell does not exist');
  return bytes;
};
const metaOf = (cells: InMemoryShell, messageId: string, owner = ALICE): MessageMeta =>
  readMessageMeta(bytesOf(cells.bytes(metaCell(owner, messageId))));
const rawOf = (cells: InMemoryShell, messageId: string, owner = ALICE): string =>
  Buffer.from(bytesOf(cells.bytes(rawCell(owner, messageId)))).toString();

const sent = (recipients: readonly string[], more: Partial<Said> = {}): Said => ({
  type: 'mail.MessageSent',
  data: { messageId: id(1), recipients },
  parts: [RAW, summary({ bcc: [{ name: '', address: 'carol@penncloud.test' }] }), summary()],
  ...more,
});
const deleted: Said = {
  type: 'mail.MessagesDeleted',
  data: { members: [{ id: id(1), thread: id(1), doc: null, from: 'sent' }] },
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
  it('has its summary and its bytes as they came', () => {
    const cells = projected([received(id(1))]);
    expect(metaOf(cells, id(1))).toEqual({
      id: id(1),
      thread: id(1),
      at: START,
      size: RAW.length,
      via: 'smtp',
      from: { name: 'Bob', address: 'bob@penncloud.test' },
      to: [{ name: 'Alice', address: 'alice@penncloud.test' }],
      cc: [],
      subject: 'Lunch',
      date: START,
      snippet: 'At noon?',
      attachments: [],
    });
    expect(rawOf(cells, id(1))).toBe(RAW);
  });

  it.each([
    ['erased', { erased: 300 }],
    ['not JSON', 'Lunch?'],
    ['not text', new Uint8Array([0xff])],
  ])('with a summary that is %s is shown with the problem', (_what, part) => {
    const shown = projected([received(id(1), { parts: [RAW, part] })]);
    const problem = expect.stringMatching(/^The summary of this message /) as string;
    expect(metaOf(shown, id(1))).toMatchObject({ problem, size: RAW.length });
  });

  it('that could not be parsed is shown with the problem that the gateway found', () => {
    const problem = 'This message is nested too deeply to be read.';
    const shown = projected([received(id(1), { parts: [RAW, summary({ problem })] })]);
    expect(metaOf(shown, id(1))).toMatchObject({ problem });
  });
});

describe('a message that was sent', () => {
  it('shows its Bcc and that its deliveries are pending', () => {
    expect(metaOf(projected([sent(['bob', 'carol'])]), id(1))).toMatchObject({
      via: 'sent',
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

  it('shows addresses outside as queued, and none if their list is gone or unreadable', () => {
    const withList = (list: string | { erased: number }) =>
      metaOf(projected([sent(['bob'], { parts: [RAW, summary(), summary(), '', '', list] })]), id(1))
        .delivery;
    expect(withList('["dora@far.example"]')).toEqual({ bob: 'pending', 'dora@far.example': 'queued' });
    for (const list of [{ erased: 9 }, 'dora', '{}', '[7]'])
      expect(withList(list)).toEqual({ bob: 'pending' });
  });

  it('stays deleted when a delivery ends later', () => {
    const history = [sent(['bob']), deleted];
    const before = projected(history).dump();
    expect(projected([...history, settled('bob', { outcome: 'accepted' })]).dump()).toEqual(before);
  });

  it('is not touched by the outcome of a reaction that was no delivery', () => {
    const other: Said = { ...settled('bob', { outcome: 'accepted' }) };
    const shown = projected([sent(['bob']), { ...other, data: { ...other.data, data: null } }]);
    expect(metaOf(shown, id(1)).delivery).toEqual({ bob: 'pending' });
  });

  it('arrives without its Bcc, also at oneself', () => {
    const { shell } = new Mailbox();
    const bcc = [{ name: '', address: 'bob@penncloud.test' }];
    const data = { messageId: id(1), recipients: ['bob', 'alice', 'nobody'] };
    const parts = [RAW, summary({ bcc }), summary()];
    shell.execute({ type: 'mail.SendMessage', data, stream: ALICE, parts });
    const seq = shell.log.length;
    shell.settleAll();

    expect(metaOf(shell, id(1)).delivery).toEqual({
      bob: 'delivered',
      alice: 'delivered',
      nobody: 'NoSuchAccount',
    });
    for (const owner of [ALICE, BOB]) {
      const copy = metaOf(shell, `${id(1)}-in`, owner);
      expect(copy).toMatchObject({ via: 'local', subject: 'Lunch' });
      expect(copy.bcc).toBeUndefined();
      expect(rawOf(shell, `${id(1)}-in`, owner)).toBe(RAW);
    }
    const once = shell.dump();
    shell.settleReactions(seq);
    expect(shell.dump()).toEqual(once);
  });
});

describe('a message that is sent later', () => {
  const dueAt = START + HOUR;
  const parts = [RAW, summary(), summary(), '', '', '["dora@far.example"]'];

  it('says when, and is scheduled for everyone; then it is on its way', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, { dueAt, outside: 1 }, parts);
    expect(metaOf(mailbox.shell, id(1))).toMatchObject({
      at: START,
      dueAt,
      delivery: { bob: 'scheduled', 'dora@far.example': 'scheduled' },
    });
    mailbox.shell.advance(dueAt);
    const released = metaOf(mailbox.shell, id(1));
    expect(released).toMatchObject({
      at: dueAt,
      delivery: { bob: 'delivered', 'dora@far.example': 'queued' },
    });
    expect(released.dueAt).toBeUndefined();
    expect(rawOf(mailbox.shell, id(1))).toBe(RAW);
  });
});
