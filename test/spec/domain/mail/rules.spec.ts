/** Rules: what becomes of a message on its arrival, and how the list of them is changed. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MessageReceived } from '../../../../domain/mail/events.ts';
import {
  encodeRules,
  RULE_CLAUSES_MAX,
  RULES_BYTES_MAX,
  RULES_MAX,
} from '../../../../domain/mail/rules/rule-list.ts';
import type { Rule } from '../../../../domain/mail/rules/rules.ts';
import { encodeWords, NO_WORDS, type Words } from '../../../../domain/mail/message/words.ts';
import { accountStream } from '../../../../domain/streams.ts';
import { readMessageMeta } from '../../../../projections/message.ts';
import { metaCell } from '../../../../projections/keys.ts';
import { ALICE, BOB, id, RAW, summary } from '../../given.ts';
import type { Outcome } from '../../in-memory-shell.ts';
import { codeOf, eventsOf, Mailbox, rule } from '../../mailbox.ts';

const seed = Number(process.env['PENNCLOUD_SEED'] ?? Date.now() % 2 ** 31);
const words = (more: Partial<Words> = {}) => [
  RAW,
  summary(),
  encodeWords({ ...NO_WORDS, from: ['bob', 'bob@penncloud.test'], body: ['lunch', 'at', 'noon'], ...more }),
];
const receive = (mailbox: Mailbox, number: number, more: Partial<Words> = {}) =>
  mailbox.receive(number, [], { parts: words(more) });
const eventOf = (outcome: Outcome) =>
  'events' in outcome ? (outcome.events[0] as unknown as MessageReceived).data : undefined;
const fromBob = { field: 'from', word: 'bob@penncloud.test' } as const;
const lunch = { field: 'body', word: 'lunch' } as const;

function mailboxWith(...rules: Rule[]): Mailbox {
  const mailbox = new Mailbox();
  expect(eventsOf(mailbox.setRules(rules))).toEqual(['mail.RulesChanged']);
  return mailbox;
}

describe('a message that comes in', () => {
  it('is moved, starred and marked as read by the rule that holds for it, which the event names', () => {
    const mailbox = mailboxWith(rule(70, fromBob, { folder: 'archive', starred: true, read: true }));
    expect(eventOf(receive(mailbox, 1))).toMatchObject({ folder: 'archive', rules: [id(70)] });
    expect(mailbox.message(id(1))).toMatchObject({ folder: 'archive', starred: true, read: true });
    expect(mailbox.counts('archive')).toEqual({ total: 1, unread: 0 });
    expect(mailbox.lines('inbox')).toEqual([]);
  });

  it('is left alone by rules that do not hold, or that are switched off', () => {
    const other = rule(70, { field: 'subject', word: 'lunch' }, { folder: 'trash' });
    const off = { ...rule(71, fromBob, { folder: 'trash' }), on: false };
    const data = eventOf(receive(mailboxWith(other, off), 1))!;
    expect([data.folder, data.rules]).toEqual(['inbox', undefined]);
  });

  it('must be as all clauses of a rule say', () => {
    const both = { ...rule(70, fromBob, { folder: 'archive' }) };
    const clauses = [...both.clauses, { terms: [{ text: 'noon', prefix: false }], not: true as const }];
    const mailbox = mailboxWith({ ...both, clauses });
    receive(mailbox, 1);
    receive(mailbox, 2, { body: ['later'] });
    expect([mailbox.folderOf(id(1)), mailbox.folderOf(id(2))]).toEqual(['inbox', 'archive']);
  });

  it('lies where the first of several rules puts it, with the marks of all of them', () => {
    const mailbox = mailboxWith(
      rule(70, lunch, { starred: true }),
      rule(71, fromBob, { folder: 'archive' }),
      rule(72, lunch, { folder: 'trash', read: true }),
    );
    expect(eventOf(receive(mailbox, 1))).toMatchObject({
      folder: 'archive',
      starred: true,
      read: true,
      rules: [id(70), id(71), id(72)],
    });
  });

  it('is not looked at by the rules behind one that stops', () => {
    const mailbox = mailboxWith(
      rule(70, lunch, { starred: true, stop: true }),
      rule(71, fromBob, { folder: 'archive' }),
    );
    expect(eventOf(receive(mailbox, 1))).toMatchObject({ folder: 'inbox', rules: [id(70)] });
  });

  it('without words is known to no rule, not even to one that only says what must not be there', () => {
    const not = rule(70, lunch, { folder: 'trash' });
    const mailbox = mailboxWith({ ...not, clauses: [{ ...not.clauses[0]!, not: true }] });
    mailbox.receive(1);
    mailbox.receive(2, [], { parts: [RAW, summary(), ''] });
    expect([mailbox.folderOf(id(1)), mailbox.folderOf(id(2))]).toEqual(['inbox', 'inbox']);
  });

  it('is counted in a folder of one’s own, and stays in the inbox once that is deleted', () => {
    const mailbox = mailboxWith(rule(70, fromBob, { folder: id(20) }));
    receive(mailbox, 1);
    expect(mailbox.folderOf(id(1))).toBe('inbox');
    mailbox.makeFolder(20, 'Bob');
    receive(mailbox, 2);
    expect([mailbox.folderOf(id(2)), mailbox.folders()[id(20)]?.messages]).toEqual([id(20), 1]);
    mailbox.do('DeleteFolder', { folderId: id(20), bulkId: id(60), messages: 1 }, [id(2)]);
    mailbox.shell.settleAll();
    receive(mailbox, 3);
    expect([mailbox.folderOf(id(2)), mailbox.folderOf(id(3))]).toEqual(['trash', 'inbox']);
  });

  it('is moved by the next rule when the folder of the first is gone', () => {
    const mailbox = mailboxWith(rule(70, lunch, { folder: id(20) }), rule(71, lunch, { folder: 'archive' }));
    receive(mailbox, 1);
    expect(mailbox.folderOf(id(1))).toBe('archive');
  });
});

describe('forwarding', () => {
  it('gives the others a copy of the same bytes, in one conversation with the answers to it', () => {
    const mailbox = mailboxWith(rule(70, lunch, { forward: ['bob', 'carol', 'nobody'] }));
    receive(mailbox, 1);
    mailbox.shell.settleAll();
    for (const name of ['bob', 'carol']) {
      expect(mailbox.shell.slice(accountStream(name), `message/${id(1)}`)).toEqual({ thread: id(1) });
    }
    expect(mailbox.folderOf(id(1))).toBe('inbox');
    expect(mailbox.shell.pending()).toEqual([]);
  });

  it('ends by itself when accounts forward to each other', () => {
    const mailbox = mailboxWith(rule(70, lunch, { forward: ['bob', 'alice'] }));
    const back = encodeRules([rule(71, lunch, { forward: ['alice', 'carol'] })]);
    mailbox.do('ChangeRules', {}, [back, '[]'], { stream: BOB });
    receive(mailbox, 1);
    mailbox.shell.settleAll();
    const received = mailbox.shell.log.flatMap(({ stream, events }) =>
      events.filter(({ type }) => type === 'mail.MessageReceived').map(() => stream),
    );
    expect(received).toEqual([ALICE, BOB, accountStream('carol')]);
  });

  it('of what one sent to oneself is no delivery of that message', () => {
    const mailbox = mailboxWith(rule(70, lunch, { forward: ['bob'] }));
    mailbox.send(1, { recipients: ['alice'] }, [RAW, summary(), summary(), words()[2]!, words()[2]!]);
    mailbox.shell.settleAll();
    const meta = readMessageMeta(mailbox.shell.bytes(metaCell(ALICE, id(1)))!);
    expect(meta.delivery).toEqual({ alice: 'delivered' });
  });
});

describe('the list of rules', () => {
  it('is shown as it was set, and is changed back by its parts turned round', () => {
    const first = [rule(70, lunch, { starred: true })];
    const mailbox = mailboxWith(...first);
    expect(mailbox.rules()).toEqual(first);
    mailbox.setRules([]);
    expect(mailbox.rules()).toEqual([]);
    mailbox.setRules(first);
    expect(mailbox.rules()).toEqual(first);
  });

  it('is not changed by one who saw another list, nor by one who changes nothing', () => {
    const rules = [rule(70, lunch, { starred: true })];
    const mailbox = mailboxWith(...rules);
    expect(codeOf(mailbox.setRules([], []))).toBe('ChangedSince');
    expect(codeOf(new Mailbox().setRules(rules, rules))).toBe('ChangedSince');
    expect(eventsOf(mailbox.setRules(rules))).toEqual([]);
  });

  it('that was erased does nothing, and any list may follow it', () => {
    const mailbox = new Mailbox();
    const events = [{ type: 'mail.RulesChanged', version: 1, data: {} }];
    mailbox.shell.append({ stream: ALICE, time: 0, events, parts: [{ erased: 500 }, { erased: 2 }] });
    receive(mailbox, 1);
    expect([mailbox.rules(), mailbox.folderOf(id(1))]).toEqual([[], 'inbox']);
    expect(eventsOf(mailbox.setRules([rule(70, lunch, { read: true })]))).toEqual(['mail.RulesChanged']);
  });

  const good = rule(70, lunch, { starred: true });
  const clause = good.clauses[0]!;
  const many = (n: number) => Array.from({ length: n }, (_, i) => ({ ...good, id: id(100 + i) }));
  it.each<[string, unknown, RegExp]>([
    ['no JSON', 'rules', /JSON/],
    ['no list', '{}', /must be a list of 0 to 100/],
    ['too many rules', many(RULES_MAX + 1), /0 to 100 rules/],
    ['two of one id', [good, good], /an id each/],
    [
      'too many words',
      [{ ...good, clauses: Array(RULE_CLAUSES_MAX).fill(clause) }, ...many(1)],
      /at most 200 words/,
    ],
    [
      'too many to forward to',
      many(5).map((one, i) => ({
        ...one,
        actions: { forward: Array.from({ length: 5 }, (_, n) => `friend-${i}-${n}`) },
      })),
      /at most 20 addresses; these forward to 25/,
    ],
    ['no clause', [{ ...good, clauses: [] }], /1 to 200 clauses/],
    ['an empty word', [{ ...good, clauses: [{ terms: [{ text: '', prefix: true }] }] }], /not be empty/],
    ['an unknown field', [{ ...good, clauses: [{ ...clause, field: 'date' }] }], /one of from, to/],
    ['no action', [{ ...good, actions: {} }], /must do something/],
    ['a folder that fills by itself', [{ ...good, actions: { folder: 'sent' } }], /fills by itself/],
    ['a folder for deletions', [{ ...good, actions: { folder: 'gone' } }], /no folder "gone"/],
    ['an address outside', [{ ...good, actions: { forward: ['a@b.example'] } }], /./],
    ['an action that is not known', [{ ...good, actions: { run: 'rm' } }], /"run" is unknown/],
    ['a name too long', [{ ...good, name: 'x'.repeat(201) }], /at most 200 bytes/],
    ['properties in another order', [Object.fromEntries(Object.entries(good).reverse())], /one order/],
  ])('with %s is refused', (_what, rules, message) => {
    const bytes = typeof rules === 'string' ? rules : JSON.stringify(rules);
    const outcome = new Mailbox().do('ChangeRules', {}, [bytes, '[]']);
    expect('rejection' in outcome && outcome.rejection.message).toMatch(message);
  });

  it('larger than its limit is refused', () => {
    const outcome = new Mailbox().do('ChangeRules', {}, ['x'.repeat(RULES_BYTES_MAX + 1), '[]']);
    expect(codeOf(outcome)).toBe('TooLarge');
  });

  it(`is never lost or changed on its way through bytes (PENNCLOUD_SEED=${seed})`, () => {
    const anyText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    const anyRule = fc.record({
      name: anyText,
      on: fc.boolean(),
      typed: fc.record({ from: anyText, any: anyText }, { requiredKeys: [] }),
      clauses: fc.array(
        fc.record(
          {
            field: fc.constantFrom('from' as const, 'body' as const),
            terms: fc.array(fc.record({ text: anyText, prefix: fc.boolean() }), {
              minLength: 1,
              maxLength: 3,
            }),
          },
          { requiredKeys: ['terms'] },
        ),
        { minLength: 1, maxLength: 3 },
      ),
      actions: fc.record(
        {
          folder: fc.constantFrom('trash', id(20)),
          forward: fc.constant(['bob']),
          read: fc.constant(true as const),
        },
        { requiredKeys: ['read'] },
      ),
    });
    fc.assert(
      fc.property(fc.array(anyRule, { maxLength: 5 }), (drawn) => {
        const rules = drawn.map((one, i) => ({ ...one, id: id(i) })) as Rule[];
        const mailbox = new Mailbox();
        mailbox.setRules(rules);
        expect(mailbox.rules()).toEqual(rules);
      }),
      { seed, numRuns: 50 },
    );
  });
});
