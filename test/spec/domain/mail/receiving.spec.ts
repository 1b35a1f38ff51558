/** A message comes in: what is kept, what is refused. */
import { describe, expect, it } from 'vitest';
import { settledDelivery } from '../../../../domain/mail/settled.ts';
import { SUMMARY_BYTES_MAX } from '../../../../domain/mail/message/summary.ts';
import { WORDS_BYTES_MAX } from '../../../../domain/mail/fields.ts';
import { ALICE, BOB, domain, given, id, RAW, received, signedUp, summary, type Said } from '../../given.ts';
import { LIMITS } from '../../in-memory-shell.ts';
import { named } from '../../mailbox.ts';

const alice = signedUp('alice');
const receive = (more: Partial<Said> = {}): Said => ({
  type: 'mail.ReceiveMessage',
  data: { messageId: id(1), via: 'smtp' },
  parts: [RAW, summary()],
  ...more,
});
const event = (more: Said['data'] = {}) => ({
  type: 'mail.MessageReceived',
  data: { messageId: id(1), thread: id(1), ids: [], folder: 'inbox', via: 'smtp', ...more },
});
const begun = (more: Said['data'] = {}) => event({ begins: true, ...more });
const moved = (to: string): Said => ({
  type: 'mail.MessagesChanged',
  data: {
    members: [
      { id: id(1), thread: id(1), doc: null, folder: 'inbox', from: { folder: 'inbox' }, to: { folder: to } },
    ],
  },
});
const tooLong = 'x'.repeat(LIMITS.messageBytesMax + 1);

describe('receiving a message', () => {
  it('puts it in the inbox, a conversation of its own', () => {
    given(domain, [alice]).when(receive()).then([begun()]);
  });

  it('takes a message once, also where its second try has another id (decision 0030)', () => {
    const again = { messageId: id(2), via: 'smtp', earlier: id(1) };
    given(domain, [alice, received(id(1))])
      .when(receive({ data: again }))
      .then([]);
    given(domain, [alice])
      .when(receive({ data: { ...again, messageId: id(1), earlier: id(2) } }))
      .then([begun()]);
  });

  it('sets aside what its sender\u2019s domain disowns, whatever the rules say (RFC 7489 §6.3)', () => {
    given(domain, [alice])
      .when(receive({ data: { messageId: id(1), via: 'smtp', verdict: 'quarantine' } }))
      .then([begun({ folder: 'spam', quarantined: true })]);
    given(domain, [alice])
      .when(receive({ data: { messageId: id(1), via: 'smtp', verdict: 'reject' } }))
      .thenRejected('Malformed');
  });

  it('gives it a number for search when its words come with it', () => {
    const parts = [RAW, summary(), 'lunch noon'];
    given(domain, [alice])
      .when(receive({ parts }))
      .then([begun({ doc: 0 })]);
    const first = received(id(9), { data: { ...event({ doc: 0 }).data, messageId: id(9), thread: id(9) } });
    given(domain, [alice, first])
      .when(receive({ parts }))
      .then([begun({ doc: 1 })]);
  });

  it('does not say that a conversation begins which has messages left, though its first one is gone', () => {
    const answer = received(id(2), {
      data: { ...event({ doc: null }).data, messageId: id(2), thread: id(1) },
    });
    given(domain, [alice, answer]).when(receive()).then([event()]);
  });

  it('takes the copy of a message sent to oneself beside the sent one', () => {
    const sent = {
      type: 'mail.MessageSent',
      data: { messageId: id(1), thread: id(1), ids: [named(1)], recipients: ['alice'] },
      parts: [RAW, '', ''],
    };
    const data = { messageId: `${id(1)}-in`, via: 'local', ids: [named(1)] };
    given(domain, [alice, sent])
      .when(receive({ data }))
      .then([event({ messageId: `${id(1)}-in`, via: 'local' })]);
  });

  it('changes nothing when the message is there already, wherever it was moved', () => {
    given(domain, [alice, received(id(1))])
      .when(receive())
      .then([]);
    given(domain, [alice, received(id(1)), moved('archive')])
      .when(receive())
      .then([]);
  });

  it('takes a message of no bytes, and one of exactly the limit', () => {
    given(domain, [alice])
      .when(receive({ parts: ['', summary()] }))
      .then([begun()]);
    given(domain, [alice])
      .when(receive({ parts: [tooLong.slice(1), summary()] }))
      .then([begun()]);
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

  it('is refused when the message, its summary or its words are over their limit', () => {
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
    given(domain, [alice])
      .when(receive({ parts: [RAW, summary(), 'x'.repeat(WORDS_BYTES_MAX + 1)] }))
      .thenRejected('TooLarge', { field: 'words', limit: WORDS_BYTES_MAX });
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
    ['a Message-ID that is not hashed', { messageId: id(1), via: 'smtp', ids: ['<a@b>'] }, 'ids'],
    [
      'more Message-IDs than are looked at',
      { messageId: id(1), via: 'smtp', ids: Array.from({ length: 13 }, (_, n) => named(n)) },
      'ids',
    ],
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

describe('the outcome of a delivery', () => {
  const settled = {
    originSeq: 1,
    reaction: 0,
    command: 'mail.ReceiveMessage',
    stream: BOB,
    outcome: 'accepted',
  } as const;
  const told = (more: object) =>
    ({
      type: 'platform.ReactionSettled',
      version: 1,
      data: { ...settled, data: { messageId: `${id(1)}-in` }, ...more },
    }) as const;

  it('names the sent message and the recipient', () => {
    expect(settledDelivery(told({}))).toEqual({ messageId: id(1), recipient: 'bob' });
  });

  it('is none for any other reaction', () => {
    expect(settledDelivery(told({ command: 'drive.AddFile' }))).toBeUndefined();
    expect(settledDelivery(told({ stream: '~console' }))).toBeUndefined();
    for (const data of [null, 'text', { messageId: 7 }, { messageId: id(1) }, {}]) {
      expect(settledDelivery(told({ data }))).toBeUndefined();
    }
  });
});
