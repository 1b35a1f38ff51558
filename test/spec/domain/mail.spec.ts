import { describe, expect, it } from 'vitest';
import { FOLDERS } from '../../../domain/mail/events.ts';
import { deliveries, settledDelivery } from '../../../domain/mail/reactions.ts';
import { SUMMARY_BYTES_MAX } from '../../../domain/mail/summary.ts';
import { accountStream } from '../../../domain/streams.ts';
import { ALICE, BOB, domain, given, id, RAW, received, signedUp, summary, type Said } from '../given.ts';
import { LIMITS, START } from '../in-memory-shell.ts';

const alice = signedUp('alice');
const receive = (more: Partial<Said> = {}): Said => ({
  type: 'mail.ReceiveMessage',
  data: { messageId: id(1), via: 'smtp' },
  parts: [RAW, summary()],
  ...more,
});
const send = (more: Partial<Said> = {}): Said => ({
  type: 'mail.SendMessage',
  data: { messageId: id(1), recipients: ['bob'] },
  parts: [RAW, summary(), summary()],
  ...more,
});
const moved = (from: string, to: string, read = false): Said => ({
  type: 'mail.MessageMoved',
  data: { messageId: id(1), from, to, read, at: START },
});
const marked = (read: boolean): Said => ({
  type: 'mail.MessageMarked',
  data: { messageId: id(1), read, before: !read, folder: 'inbox', at: START },
});
const tooLong = 'x'.repeat(LIMITS.messageBytesMax + 1);

describe('receiving a message', () => {
  it('puts it in the inbox', () => {
    given(domain, [alice])
      .when(receive())
      .then([{ type: 'mail.MessageReceived', data: { messageId: id(1), folder: 'inbox', via: 'smtp' } }]);
  });

  it('takes the copy of a message sent to oneself beside the sent one', () => {
    const sent = {
      type: 'mail.MessageSent',
      data: { messageId: id(1), recipients: ['alice'] },
      parts: [RAW, '', ''],
    };
    const data = { messageId: `${id(1)}-in`, via: 'local' };
    given(domain, [alice, sent])
      .when(receive({ data }))
      .then([
        { type: 'mail.MessageReceived', data: { messageId: `${id(1)}-in`, folder: 'inbox', via: 'local' } },
      ]);
  });

  it('changes nothing when the message is there already, wherever it was moved', () => {
    given(domain, [alice, received(id(1))])
      .when(receive())
      .then([]);
    given(domain, [alice, received(id(1)), moved('inbox', 'archive')])
      .when(receive())
      .then([]);
  });

  it('takes a message of no bytes, and one of exactly the limit', () => {
    const event = { type: 'mail.MessageReceived', data: { messageId: id(1), folder: 'inbox', via: 'smtp' } };
    given(domain, [alice])
      .when(receive({ parts: ['', summary()] }))
      .then([event]);
    given(domain, [alice])
      .when(receive({ parts: [tooLong.slice(1), summary()] }))
      .then([event]);
  });

  it('is refused when there is no such account', () => {
    given(domain, [signedUp('bob')])
      .when(receive())
      .thenRejected('NoSuchAccount', { field: 'username' });
  });

  it('is refused in a stream that is not an account’s, even one below it', () => {
    for (const stream of [`${ALICE}/mail`, '~user/00/alice', 'alice', '~console']) {
      given(domain, [alice]).when(receive({ stream })).thenRejected('Malformed', { field: 'stream' });
    }
  });

  it('is refused when the message or its summary is over its limit', () => {
    given(domain, [alice])
      .when(receive({ parts: [tooLong, summary()] }))
      .thenRejected('TooLarge', {
        field: 'message',
        limit: LIMITS.messageBytesMax,
        message: 'Message must be at most 4 KiB; this one has 4097 bytes.',
      });
    given(domain, [alice])
      .when(receive({ parts: [RAW, 'x'.repeat(SUMMARY_BYTES_MAX + 1)] }))
      .thenRejected('TooLarge', { field: 'summary', limit: SUMMARY_BYTES_MAX });
  });

  it.each([
    ['no data', undefined, 'data'],
    ['a list for data', [], 'data'],
    ['an unknown field', { messageId: id(1), via: 'smtp', folder: 'spam' }, 'folder'],
    [
      'a field named __proto__',
      JSON.parse(`{"messageId":"${id(1)}","via":"smtp","__proto__":{}}`),
      '__proto__',
    ],
    ['no message id', { via: 'smtp' }, 'messageId'],
    ['a message id that is too short', { messageId: 'abc', via: 'smtp' }, 'messageId'],
    ['a message id with a line break after it', { messageId: `${id(1)}\n`, via: 'smtp' }, 'messageId'],
    ['an unknown way in', { messageId: id(1), via: 'pigeon' }, 'via'],
  ])('is refused with %s', (_what, data, field) => {
    given(domain, [alice])
      .when({ ...receive(), data })
      .thenRejected('Malformed', { field });
  });

  it('is refused without its parts', () => {
    given(domain, [alice])
      .when(receive({ parts: [RAW] }))
      .thenRejected('Malformed', { field: 'parts', limit: 2 });
  });
});

describe('sending a message', () => {
  it('keeps it among the sent ones and names each recipient once', () => {
    given(domain, [alice])
      .when(send({ data: { messageId: id(1), recipients: ['bob', 'carol', 'bob'], size: RAW.length } }))
      .then([{ type: 'mail.MessageSent', data: { messageId: id(1), recipients: ['bob', 'carol'] } }]);
  });

  it('sends nothing a second time', () => {
    const sent = {
      type: 'mail.MessageSent',
      data: { messageId: id(1), recipients: ['bob'] },
      parts: [RAW, '', ''],
    };
    given(domain, [alice, sent]).when(send()).then([]);
  });

  it('asks for one delivery per recipient, of the message and the summary without Bcc', () => {
    const data = { messageId: id(1), recipients: ['bob', 'alice'] };
    const asked = deliveries({ type: 'mail.MessageSent', version: 1, data });
    const delivery = {
      command: 'mail.ReceiveMessage',
      data: { messageId: `${id(1)}-in`, via: 'local' },
      parts: [0, 2],
    };
    expect(asked).toEqual([
      { stream: BOB, ...delivery },
      { stream: ALICE, ...delivery },
    ]);
  });

  it('is refused when the sender has no account', () => {
    given(domain, []).when(send()).thenRejected('NoSuchAccount');
  });

  it('is refused when it is too large', () => {
    given(domain, [alice])
      .when(send({ parts: [tooLong, summary(), summary()] }))
      .thenRejected('TooLarge', { field: 'message' });
    const long = 'x'.repeat(SUMMARY_BYTES_MAX + 1);
    given(domain, [alice])
      .when(send({ parts: [RAW, long, summary()] }))
      .thenRejected('TooLarge', { field: 'summary' });
    given(domain, [alice])
      .when(send({ parts: [RAW, summary(), long] }))
      .thenRejected('TooLarge', { field: 'summary' });
  });

  it.each([
    ['nobody', []],
    ['101 people', Array.from({ length: 101 }, (_, n) => `user${n}`)],
    ['something that is no list', 'bob'],
    ['an address instead of a name', ['bob@penncloud.test']],
    ['a number', [7]],
  ])('is refused to %s', (_what, recipients) => {
    given(domain, [alice])
      .when(send({ data: { messageId: id(1), recipients } }))
      .thenRejected('Malformed', { field: 'recipients' });
  });

  it('is refused with an id of an arrived copy, or with a size that is not the message’s', () => {
    given(domain, [alice])
      .when(send({ data: { messageId: `${id(1)}-in`, recipients: ['bob'] } }))
      .thenRejected('Malformed', { field: 'messageId' });
    given(domain, [alice])
      .when(send({ data: { messageId: id(1), recipients: ['bob'], size: 1 } }))
      .thenRejected('Malformed', { field: 'size', limit: RAW.length });
  });
});

describe('the outcome of a delivery', () => {
  const settled = {
    originSeq: 1,
    reaction: 0,
    command: 'mail.ReceiveMessage',
    stream: BOB,
    outcome: 'accepted',
  } as const;
  const event = (more: object) =>
    ({
      type: 'platform.ReactionSettled',
      version: 1,
      data: { ...settled, data: { messageId: `${id(1)}-in` }, ...more },
    }) as const;

  it('names the sent message and the recipient', () => {
    expect(settledDelivery(event({}))).toEqual({ messageId: id(1), recipient: 'bob' });
  });

  it('is none for any other reaction', () => {
    expect(settledDelivery(event({ command: 'drive.AddFile' }))).toBeUndefined();
    expect(settledDelivery(event({ stream: '~console' }))).toBeUndefined();
    for (const data of [null, 'text', { messageId: 7 }, { messageId: id(1) }, {}]) {
      expect(settledDelivery(event({ data }))).toBeUndefined();
    }
  });
});

describe('marking a message', () => {
  const mark = (read: unknown, messageId = id(1)) => ({
    type: 'mail.MarkMessage',
    data: { messageId, read },
  });

  it('says what it was before and where the message lies', () => {
    given(domain, [alice, received(id(1))])
      .when(mark(true))
      .then([marked(true)]);
    given(domain, [alice, received(id(1)), marked(true)])
      .when(mark(false))
      .then([marked(false)]);
  });

  it('changes nothing when it is so already', () => {
    given(domain, [alice, received(id(1))])
      .when(mark(false))
      .then([]);
    given(domain, [alice, received(id(1)), marked(true)])
      .when(mark(true))
      .then([]);
  });

  it('is refused for an unknown message, and for a mark that is not true or false', () => {
    given(domain, [alice, received(id(1))])
      .when(mark(true, id(2)))
      .thenRejected('NoSuchMessage', { field: 'messageId' });
    given(domain, [alice, received(id(1))])
      .when(mark('yes'))
      .thenRejected('Malformed', { field: 'read' });
  });

  it('is refused with parts', () => {
    given(domain, [alice])
      .when({ ...mark(true), parts: ['x'] })
      .thenRejected('Malformed', { field: 'parts', limit: 0 });
  });
});

describe('moving a message', () => {
  const move = (folder: unknown, messageId = id(1)) => ({
    type: 'mail.MoveMessage',
    data: { messageId, folder },
  });

  it.each(FOLDERS.filter((folder) => folder !== 'inbox'))('puts it in %s', (folder) => {
    given(domain, [alice, received(id(1))])
      .when(move(folder))
      .then([moved('inbox', folder)]);
  });

  it('keeps its read mark and its time', () => {
    given(domain, [alice, received(id(1)), marked(true)])
      .when({ ...move('archive'), time: START + 5000 })
      .then([moved('inbox', 'archive', true)]);
  });

  it('brings it back from the trash', () => {
    given(domain, [alice, received(id(1)), moved('inbox', 'trash')])
      .when(move('inbox'))
      .then([moved('trash', 'inbox')]);
  });

  it('changes nothing when the message lies there already', () => {
    given(domain, [alice, received(id(1))])
      .when(move('inbox'))
      .then([]);
  });

  it('is refused to a folder that does not exist', () => {
    const message = 'There is no folder "Attic": choose one of inbox, sent, archive, spam, trash.';
    given(domain, [alice, received(id(1))])
      .when(move('Attic'))
      .thenRejected('NoSuchFolder', { field: 'folder', message });
    given(domain, [alice, received(id(1))])
      .when(move(undefined))
      .thenRejected('Malformed', { field: 'folder' });
  });

  it('is refused for an unknown message and an unknown account', () => {
    given(domain, [alice]).when(move('spam')).thenRejected('NoSuchMessage');
    given(domain, []).when(move('spam')).thenRejected('NoSuchAccount');
  });
});

describe('deleting a message', () => {
  const remove = { type: 'mail.DeleteMessage', data: { messageId: id(1) } };
  const deleted = {
    type: 'mail.MessageDeleted',
    data: { messageId: id(1), from: 'trash', read: false, at: START },
  };

  it('moves it to the trash first, and from there for good', () => {
    given(domain, [alice, received(id(1))])
      .when(remove)
      .then([moved('inbox', 'trash')]);
    given(domain, [alice, received(id(1)), moved('inbox', 'trash')])
      .when(remove)
      .then([deleted]);
  });

  it('is refused once it is gone', () => {
    given(domain, [alice, received(id(1)), moved('inbox', 'trash'), deleted])
      .when(remove)
      .thenRejected('NoSuchMessage');
  });

  it('is refused with a malformed id or an unknown field', () => {
    given(domain, [alice])
      .when({ ...remove, data: { messageId: '../x' } })
      .thenRejected('Malformed', { field: 'messageId' });
    given(domain, [alice])
      .when({ ...remove, data: { messageId: id(1), forever: true } })
      .thenRejected('Malformed', { field: 'forever' });
  });

  it('touches only the account it is sent to', () => {
    given(domain, [alice, signedUp('bob'), received(id(1), { stream: accountStream('bob') })])
      .when(remove)
      .thenRejected('NoSuchMessage');
  });
});
