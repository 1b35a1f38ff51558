/**
 * Records what this release writes, as more files of `histories/`:
 *
 *   npx tsx test/spec/ops/record-history.ts
 *
 * One of every command, and a year of a small mailbox at random. To be run when the domain has events that no
 * recorded history holds; extend `one-of-every.ts` or `random-mail.ts` by what leads to them first.
 */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { encodeLessons } from '../../../domain/mail/spam/lessons.ts';
import { featuresOf } from '../../../domain/mail/spam/spam.ts';
import { encodeWords, NO_WORDS } from '../../../domain/mail/message/words.ts';
import { changes, contact, group } from '../contacts-book.ts';
import { id, RAW, summary } from '../given.ts';
import { InMemoryShell } from '../in-memory-shell.ts';
import { Mailbox } from '../mailbox.ts';
import { oneOfEvery, run } from '../one-of-every.ts';
import { act, anyAction } from '../random-mail.ts';
import { asLines, HISTORIES, histories, recordsOf } from './recorded-history.ts';

const ACTIONS = 400;
const DAY = 24 * 60 * 60 * 1000;

const shell = new InMemoryShell();
run(shell, oneOfEvery({ name: 'zoe', text: 'Zoë', number: 7, fileName: 'Zoë’s notes.txt' }, 1));
shell.advance(shell.time + DAY);

const mailbox = new Mailbox();
for (const action of fc.sample(anyAction, { seed: 4, numRuns: ACTIONS })) act(mailbox, action);
mailbox.shell.advance(mailbox.shell.time + DAY);
for (const { type, data, parts } of [
  {
    type: 'contacts.ChangeBook',
    ...changes({ id: id(1), after: contact() }, { id: id(2), kind: 'group', after: group('Lunch', id(1)) }),
  },
  {
    type: 'contacts.ChangeBook',
    ...changes({ id: id(1), before: contact(), after: contact({ name: 'Robert Berg', note: 'By bus' }) }),
  },
  { type: 'contacts.SetCollecting', data: { on: false }, parts: [] },
  { type: 'contacts.ForgetAddresses', data: {}, parts: ['["bob@penncloud.test"]'] },
  { type: 'mail.CreateFolder', data: { folderId: id(30), parent: null }, parts: ['Trips', 'trips'] },
  {
    type: 'mail.ChangeFolder',
    data: { folderId: id(30), parent: null },
    parts: ['Journeys', 'journeys', 'Trips', 'trips'],
  },
]) {
  const outcome = mailbox.shell.execute({ type, data, stream: mailbox.owner, parts });
  if ('rejection' in outcome) throw new Error(`${type}: ${outcome.rejection.message}`);
}
const words = { ...NO_WORDS, subject: ['cheap'], body: ['pills', 'offer'] };
mailbox.receive(401);
mailbox.receive(400, [], { parts: [RAW, summary(), encodeWords(words)] });
const lesson = encodeLessons(new Map([[id(400), featuresOf(words)]]));
mailbox.do('ChangeMessages', { messages: [id(400)], folder: 'spam', teaches: 'spam' }, [lesson]);
mailbox.shell.settleAll();
// As the first releases wrote them; nothing leads to these events any more.
for (const [messageId, type, data] of [
  [id(401), 'mail.MessageMarked', { read: true, before: false, folder: 'inbox' }],
  [id(401), 'mail.MessageMoved', { from: 'inbox', to: 'trash', read: true }],
  [id(401), 'mail.MessageDeleted', { from: 'trash', read: true }],
] as const) {
  const event = { type, version: 1, data: { messageId, ...data, at: mailbox.shell.time } };
  mailbox.shell.append({ stream: mailbox.owner, time: mailbox.shell.time, events: [event], parts: [] });
}

for (const { log } of [shell, mailbox.shell]) {
  const last = Number(histories().at(-1)?.slice(0, 4) ?? 0);
  const name = `${String(last + 1).padStart(4, '0')}.log`;
  // Never one that is there already.
  writeFileSync(new URL(name, HISTORIES), asLines(recordsOf(log)), { flag: 'wx' });
  console.log(`${name}: ${log.length} entries`);
}
