/** Who is away answers what comes in: whom, how often, and whom never. */
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../../domain/decider.ts';
import { encodeAnswerable } from '../../../../domain/mail/message/answerable.ts';
import type { VacationReplied } from '../../../../domain/mail/events.ts';
import type { VacationSettings } from '../../../../domain/mail/vacation/vacation-settings.ts';
import { REPLIES_A_DAY_MAX, TOLD_MAX } from '../../../../domain/mail/vacation/vacation.ts';
import { decodeWords, encodeWords, NO_WORDS } from '../../../../domain/mail/message/words.ts';
import { accountStream } from '../../../../domain/streams.ts';
import { metaCell } from '../../../../projections/keys.ts';
import { readMessageMeta } from '../../../../projections/message.ts';
import { away, comes, hashOf, isAnswered, stranger } from '../../absence.ts';
import { ALICE, BOB, id, RAW, summary } from '../../given.ts';
import { InMemoryShell, START, type Outcome, type Part } from '../../in-memory-shell.ts';
import { AWAY, codeOf, DAY, eventsOf, HOUR, type Mailbox, named, rule } from '../../mailbox.ts';

const CAROL = accountStream('carol');

const replyOf = (outcome: Outcome) =>
  'events' in outcome
    ? (outcome.events.find(({ type }) => type === 'mail.VacationReplied') as VacationReplied | undefined)
        ?.data
    : undefined;
/** All messages that this account has. */
function messagesOf(mailbox: Mailbox, owner: string) {
  const rows = mailbox.shell.rows(`${owner}/mail/message/`);
  return rows.map((row) => {
    const messageId = row.slice(row.lastIndexOf('/') + 1);
    return readMessageMeta(mailbox.shell.bytes(metaCell(owner, messageId))!);
  });
}
const toldOf = (mailbox: Mailbox) =>
  (mailbox.shell.slice(ALICE, 'vacation-told') as { told: readonly unknown[] } | undefined)?.told.length ?? 0;

describe('a message that comes in while its recipient is away', () => {
  it('is answered in its own entry, and the answer arrives once with its sender', () => {
    const mailbox = away();
    const outcome = comes(mailbox, 1);
    expect(eventsOf(outcome)).toEqual(['mail.MessageReceived', 'mail.VacationReplied']);
    expect(replyOf(outcome)).toMatchObject({ messageId: id(1), account: 'bob', part: 4 });
    const seq = mailbox.shell.log.length;
    mailbox.shell.settleAll();
    mailbox.shell.settleReactions(seq);
    const [answer, ...more] = messagesOf(mailbox, BOB);
    expect(more).toEqual([]);
    expect(answer).toMatchObject({
      from: { name: 'Alice', address: 'alice@penncloud.test' },
      to: [{ name: '', address: 'bob@penncloud.test' }],
      subject: 'Auto: Lunch',
      snippet: 'I am away. Back soon.',
      via: 'local',
    });
    expect(answer!.id).toMatch(/^[a-z2-7]{26}$/);
    expect(mailbox.lines('sent')).toEqual([]);
  });

  it('says on its page that it was answered, and that an answer elsewhere waits', () => {
    const mailbox = away();
    comes(mailbox, 1);
    comes(mailbox, 2, stranger(2));
    const replies = [1, 2].map(
      (number) => readMessageMeta(mailbox.shell.bytes(metaCell(ALICE, id(number)))!).reply,
    );
    expect(replies).toEqual([
      { to: 'bob@penncloud.test', state: 'sent' },
      { to: 'stranger2@elsewhere.example', state: 'queued' },
    ]);
    expect(mailbox.shell.pending().map(({ reaction }) => reaction.stream)).toEqual([
      BOB,
      expect.stringMatching(/^~outbound\/[0-9a-f]$/),
    ]);
  });

  it('joins the conversation of what it answers, and is found by its words', () => {
    const mailbox = away();
    mailbox.do(
      'SendMessage',
      { messageId: id(50), recipients: ['alice'], ids: [named(1)] },
      [RAW, summary(), summary()],
      { stream: BOB },
    );
    const words = encodeWords({ ...NO_WORDS, from: ['bob'], subject: ['lunch'] });
    const outcome = comes(mailbox, 1, { words });
    const { part } = replyOf(outcome)!;
    const entry = mailbox.shell.log.findLast(({ events }) => events.length === 2)!;
    expect(decodeWords(entry.parts[part + 2] as Uint8Array)).toEqual({
      from: ['alice'],
      to: ['bob'],
      subject: ['auto', 'lunch'],
      names: [],
      body: ['i', 'am', 'away', 'back', 'soon'],
    });
    mailbox.shell.settleAll();
    const answer = messagesOf(mailbox, BOB).find(({ subject }) => subject === 'Auto: Lunch');
    expect(answer?.thread).toBe(id(50));
  });

  it('has the subject that was set, if one was', () => {
    const mailbox = away({ subject: 'On holiday' });
    comes(mailbox, 1);
    mailbox.shell.settleAll();
    expect(messagesOf(mailbox, BOB)[0]?.subject).toBe('On holiday');
  });

  it('is answered also if a rule keeps it in another folder, or marks it', () => {
    const mailbox = away();
    mailbox.setRules([rule(70, { field: 'body', word: 'lunch' }, { folder: 'archive', read: true })]);
    expect(isAnswered(comes(mailbox, 1, { words: encodeWords({ ...NO_WORDS, body: ['lunch'] }) }))).toBe(
      true,
    );
  });

  it.each<[string, Partial<VacationSettings>]>([
    ['nothing is switched on', { on: false }],
    ['the first day has not come', { first: '2023-11-16', from: START + HOUR }],
    ['the last day is over', { last: '2023-11-13', until: START }],
  ])('is not answered while %s', (_when, settings) => {
    expect(isAnswered(comes(away(settings), 1))).toBe(false);
  });

  it('is answered from the first moment on, and until the last', () => {
    const mailbox = away({ from: START + HOUR, until: START + 2 * HOUR });
    expect(isAnswered(comes(mailbox, 1, stranger(1), START + HOUR - 1))).toBe(false);
    expect(isAnswered(comes(mailbox, 2, stranger(1), START + HOUR))).toBe(true);
    expect(isAnswered(comes(mailbox, 3, stranger(2), START + 2 * HOUR - 1))).toBe(true);
    expect(isAnswered(comes(mailbox, 4, stranger(3), START + 2 * HOUR))).toBe(false);
  });

  it('is not answered if its gateway does not say that it may be, nor if that was erased', () => {
    const mailbox = away();
    expect(isAnswered(mailbox.receive(1, [named(1)]))).toBe(false);
    expect(isAnswered(mailbox.receive(2, [], { parts: [RAW, summary(), ''] }))).toBe(false);
    const erased = { messageId: id(3), via: 'smtp', answer: { sender: named(9), account: 'bob' } };
    for (const part of ['', { erased: 40 }]) {
      const parts = [RAW, summary(), '', part];
      expect(
        isAnswered(
          mailbox.do('ReceiveMessage', { ...erased, messageId: id(typeof part === 'string' ? 3 : 4) }, parts),
        ),
      ).toBe(false);
    }
  });

  it('is not answered if it is one’s own, or goes to spam or the trash', () => {
    const mailbox = away();
    expect(isAnswered(comes(mailbox, 1, { address: 'alice@penncloud.test', account: 'alice' }))).toBe(false);
    for (const [number, folder] of [
      [2, 'spam'],
      [3, 'trash'],
    ] as const) {
      mailbox.setRules([rule(70, { field: 'body', word: 'pills' }, { folder })]);
      const words = encodeWords({ ...NO_WORDS, body: ['pills'] });
      expect(isAnswered(comes(mailbox, number, { ...stranger(number), words }))).toBe(false);
    }
  });

  it('that comes from nobody in the contacts is not answered if only they are to be told', () => {
    const mailbox = away({ contactsOnly: true });
    expect(isAnswered(comes(mailbox, 1))).toBe(false);
    mailbox.shell.append({
      stream: ALICE,
      time: START,
      events: [
        {
          type: 'contacts.BookChanged',
          version: 1,
          data: { changes: [{ id: id(90), kind: 'contact', was: false, is: true }] },
        },
      ],
      parts: [
        JSON.stringify({
          ...{ name: 'Bob', addresses: ['Bob@penncloud.test'], phones: [], organisation: '', note: '' },
          ...{ uid: '', folded: { name: 'bob', organisation: '' } },
        }),
        '',
      ],
    });
    expect(isAnswered(comes(mailbox, 2))).toBe(true);
    expect(isAnswered(comes(mailbox, 3, stranger(1)))).toBe(false);
  });
});

describe('people who write again', () => {
  it('are told once within the interval, and again after it', () => {
    const mailbox = away({ everyDays: 3 });
    expect(isAnswered(comes(mailbox, 1))).toBe(true);
    expect(isAnswered(comes(mailbox, 2))).toBe(false);
    expect(isAnswered(comes(mailbox, 3, {}, START + 3 * DAY - 1))).toBe(false);
    expect(isAnswered(comes(mailbox, 4, {}, START + 3 * DAY))).toBe(true);
    expect(isAnswered(comes(mailbox, 5, {}, START + 4 * DAY))).toBe(false);
    expect(toldOf(mailbox)).toBe(1);
  });

  it('are told anew once the text is another one, but not because it was switched off and on', () => {
    const mailbox = away();
    expect(isAnswered(comes(mailbox, 1))).toBe(true);
    mailbox.setVacation({ ...AWAY, on: false });
    mailbox.setVacation(AWAY);
    expect(isAnswered(comes(mailbox, 2, {}, START + HOUR))).toBe(false);
    mailbox.setVacation({ ...AWAY, text: 'Two days more.' });
    expect(isAnswered(comes(mailbox, 3, {}, START + 2 * HOUR))).toBe(true);
    expect(isAnswered(comes(mailbox, 4, {}, START + 3 * HOUR))).toBe(false);
  });

  it('who are both away tell each other once, and no more', () => {
    const mailbox = away();
    mailbox.do(
      'ChangeVacation',
      {},
      [JSON.stringify({ ...AWAY, name: 'Bob', address: 'bob@penncloud.test' }), ''],
      { stream: BOB },
    );
    for (const number of [1, 2, 3]) comes(mailbox, number);
    mailbox.shell.settleAll();
    expect(messagesOf(mailbox, BOB).map(({ subject }) => subject)).toEqual(['Auto: Lunch']);
    expect(messagesOf(mailbox, ALICE)).toHaveLength(3);
    expect(mailbox.shell.pending()).toEqual([]);
  });
});

describe('a storm of forged senders', () => {
  it('gets so many answers a day and no more, whatever the text says meanwhile', () => {
    const mailbox = away();
    let number = 0;
    const answered = (from: number, count: number, time: number) =>
      Array.from({ length: count }, (_, n) => comes(mailbox, ++number, stranger(from + n), time)).filter(
        isAnswered,
      ).length;
    expect(answered(1, 210, START)).toBe(REPLIES_A_DAY_MAX);
    mailbox.setVacation({ ...AWAY, text: 'Away.' });
    expect(answered(1, 20, START + HOUR)).toBe(0);
    expect(answered(301, 210, START + DAY)).toBe(REPLIES_A_DAY_MAX);
  });

  it('does not make what is remembered grow without end; the oldest are forgotten, and all after a month', () => {
    const mailbox = away({ everyDays: 31 });
    const answer = (n: number, time: number) => {
      const data = {
        messageId: id(n),
        sender: hashOf(stranger(n).address!),
        account: null,
        named: [],
        part: 4,
      };
      const events = [{ type: 'mail.VacationReplied', version: 1, data }];
      mailbox.shell.append({ stream: ALICE, time, events, parts: [] });
    };
    for (let n = 1; n <= TOLD_MAX + 100; n++) answer(n, START + Math.floor(n / 100) * DAY);
    expect(toldOf(mailbox)).toBe(TOLD_MAX);
    expect(isAnswered(comes(mailbox, 5001, stranger(500), START + 12 * DAY))).toBe(false);
    expect(isAnswered(comes(mailbox, 5002, stranger(99), START + 12 * DAY))).toBe(true);
    answer(9000, START + 60 * DAY);
    expect(toldOf(mailbox)).toBe(1);
  });
});

describe('a message that is written here', () => {
  const answer = { sender: named(7), account: 'bob', addressed: ['alice'] };
  const how = encodeAnswerable({
    address: 'bob@penncloud.test',
    messageId: '<out@penncloud.test>',
    references: [],
  });
  const write = (mailbox: Mailbox, data: { readonly [name: string]: Json }, parts: readonly Part[]) =>
    mailbox.do('SendMessage', { messageId: id(50), answer, ...data }, parts, { stream: BOB });
  const five = [RAW, summary(), summary(), '', ''];

  it('carries along what an answer needs, to those whom To and Cc name', () => {
    const mailbox = away();
    mailbox.do('ChangeVacation', {}, [JSON.stringify({ ...AWAY, address: 'carol@penncloud.test' }), ''], {
      stream: CAROL,
    });
    eventsOf(write(mailbox, { recipients: ['alice', 'carol'] }, [...five, how]));
    mailbox.shell.settleAll();
    const answers = messagesOf(mailbox, BOB).filter(({ via }) => via === 'local');
    expect(answers.map(({ from }) => from.address)).toEqual(['alice@penncloud.test']);
  });

  it('does so at its time, too, and beside addresses elsewhere', () => {
    const mailbox = away();
    const data = { recipients: ['alice'], outside: 1, dueAt: START + HOUR };
    eventsOf(write(mailbox, data, [...five, '["x@far.example"]', how]));
    mailbox.shell.advance(START + 2 * HOUR);
    expect(messagesOf(mailbox, BOB).map(({ subject, via }) => [subject, via])).toContainEqual([
      'Auto: Lunch',
      'local',
    ]);
    const own = readMessageMeta(mailbox.shell.bytes(metaCell(BOB, id(50)))!);
    expect(own.delivery).toEqual({ alice: 'delivered', 'x@far.example': 'queued' });
  });

  it('shows no addresses elsewhere where the answer’s part stands in their place', () => {
    const mailbox = away();
    eventsOf(write(mailbox, { recipients: ['alice'] }, [...five, how]));
    expect(readMessageMeta(mailbox.shell.bytes(metaCell(BOB, id(50)))!).delivery).toEqual({
      alice: 'pending',
    });
  });

  it.each<[string, Json, readonly Part[]]>([
    ['without its part', answer, five],
    ['with a part that is no JSON', answer, [...five, 'x']],
    [
      'with an address of two lines',
      answer,
      [...five, '{"address":"a@b\\nBcc: c","messageId":"","references":[]}'],
    ],
    [
      'with an id of two lines',
      answer,
      [...five, '{"address":"a@b","messageId":"<a\\r\\nb>","references":[]}'],
    ],
    ['with a sender that is no hash', { ...answer, sender: 'bob' }, [...five, how]],
    ['with an account that is none', { ...answer, account: 'B' }, [...five, how]],
    [
      'with too many ids',
      answer,
      [...five, JSON.stringify({ address: 'a@b', messageId: '', references: Array(21).fill('<a>') })],
    ],
  ])('is refused %s', (_what, given, parts) => {
    expect(codeOf(write(away(), { recipients: ['alice'], answer: given }, parts))).toBe('Malformed');
  });
});

it('a log with answers gives the same cells and the same state in a replay', () => {
  const mailbox = away();
  for (const number of [1, 2, 3]) comes(mailbox, number, number === 2 ? stranger(2) : {});
  mailbox.shell.settleAll();
  const copy = new InMemoryShell();
  for (const entry of mailbox.shell.log) copy.append(structuredClone(entry));
  expect([copy.dump(), copy.state()]).toEqual([mailbox.shell.dump(), mailbox.shell.state()]);
});
