/**
 * Whatever is sent as a command of mail, by whomever: it is answered, a rejection changes nothing, and what is
 * accepted leaves a mailbox that still adds up.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDomain } from '../../../../domain/domain.ts';
import { GONE } from '../../../../domain/mail/folders.ts';
import { encodeAnswerable } from '../../../../domain/mail/message/answerable.ts';
import { encodeRules } from '../../../../domain/mail/rules/rule-list.ts';
import { encodeVacation } from '../../../../domain/mail/vacation/vacation-settings.ts';
import { accountStream } from '../../../../domain/streams.ts';
import { ALICE, id, RAW, summary } from '../../given.ts';
import { InMemoryShell, LIMITS, START } from '../../in-memory-shell.ts';
import { AWAY, HOUR, Mailbox, named, page, rule } from '../../mailbox.ts';

const seed = Number(process.env['PENNCLOUD_SEED'] ?? Date.now() % 2 ** 31);
const commands = Object.keys(createDomain(LIMITS).commands).filter((name) => name.startsWith('mail.'));

/** Values that mean something somewhere, and those that mean nothing anywhere. */
const anyId = fc.constantFrom(...[1, 2, 3, 7, 20, 21, 30].map(id), `${id(3)}-in`);
const anyFolder = fc.constantFrom(
  'inbox',
  'trash',
  'outbox',
  'drafts',
  'snoozed',
  'sent',
  GONE,
  id(20),
  id(21),
);
const anyTime = fc.constantFrom(
  0,
  START - 1,
  START + HOUR,
  99_999_999_999_999,
  1e14,
  Number.MAX_SAFE_INTEGER,
);
const junk = fc.oneof(
  fc.anything({ maxDepth: 2 }),
  fc.constantFrom('__proto__', 'constructor', '', '\0', `${id(1)}\n`, -0, 1e308, Number.NaN),
);
const anyMarks = fc.record(
  {
    folder: fc.oneof(anyFolder, junk),
    read: fc.oneof(fc.boolean(), junk),
    starred: fc.boolean(),
    top: anyTime,
    until: fc.oneof(anyTime, fc.constant(null)),
  },
  { requiredKeys: [] },
);
const anyChange = fc.record(
  { id: anyId, thread: anyId, from: fc.oneof(anyMarks, junk), to: anyMarks },
  { requiredKeys: ['id', 'thread'] },
);
const or = <Value>(arbitrary: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 14, arbitrary: arbitrary as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: junk });
const anyAnswering = fc.record(
  {
    sender: or(fc.nat({ max: 3 }).map(named)),
    account: or(fc.constantFrom('bob', 'alice', null)),
    addressed: or(fc.constant(['alice'])),
  },
  { requiredKeys: ['sender'] },
);
const FIELDS = {
  answer: or(anyAnswering),
  messageId: or(anyId),
  earlier: or(anyId),
  via: or(fc.constantFrom('smtp', 'local')),
  ids: or(fc.array(fc.nat({ max: 5 }).map(named), { maxLength: 4 })),
  recipients: or(fc.array(fc.constantFrom('bob', 'alice', 'nobody', 'BOB'), { maxLength: 3 })),
  outside: or(fc.nat({ max: 2 })),
  enveloped: or(fc.boolean()),
  nullSender: or(fc.boolean()),
  deliveredTo: or(fc.array(fc.constantFrom('alice', 'bob'), { maxLength: 2 })),
  origin: or(fc.constantFrom('sent', 'forward', 'answer')),
  dated: or(anyTime),
  dueAt: or(fc.oneof(anyTime, fc.constant(null))),
  draftId: or(anyId),
  revision: or(fc.nat({ max: 3 })),
  messages: or(fc.array(anyId, { maxLength: 4 })),
  conversations: or(fc.array(anyId, { maxLength: 4 })),
  in: or(fc.oneof(anyFolder, fc.array(anyFolder, { maxLength: 3 }))),
  folder: or(anyFolder),
  read: or(fc.boolean()),
  starred: or(fc.boolean()),
  snoozeUntil: or(anyTime),
  changes: or(fc.array(anyChange, { maxLength: 3 })),
  undoes: or(fc.constant('command-1')),
  time: or(anyTime),
  bulkId: or(anyId),
  page: or(fc.nat({ max: 3 })),
  to: or(anyMarks),
  folderId: or(anyId),
  teaches: or(fc.constantFrom('spam', 'ham')),
  parent: or(fc.oneof(anyId, fc.constant(null))),
  folders: or(fc.array(anyId, { maxLength: 3 })),
  accepted: or(fc.boolean()),
};
/** What each command takes; one of them may be missing, and there may be one too many. */
const TAKEN: { readonly [command: string]: readonly (keyof typeof FIELDS)[] } = {
  'mail.ReceiveMessage': ['messageId', 'via', 'ids', 'answer', 'nullSender', 'deliveredTo', 'earlier'],
  'mail.SendMessage': [
    'messageId',
    'recipients',
    'outside',
    'ids',
    'dueAt',
    'draftId',
    'answer',
    'enveloped',
    'earlier',
  ],
  'mail.ImportMessage': ['messageId', 'ids', 'folder', 'read', 'starred', 'dated'],
  'mail.ReleaseMessage': ['messageId'],
  'mail.CancelSending': ['messageId'],
  'mail.SendOutside': ['messageId', 'outside'],
  'mail.SaveDraft': ['draftId', 'revision'],
  'mail.ChangeMessages': [
    'messages',
    'folder',
    'read',
    'starred',
    'snoozeUntil',
    'conversations',
    'in',
    'teaches',
  ],
  'mail.DeleteMessages': ['messages', 'conversations', 'in'],
  'mail.UndoChange': ['changes', 'undoes'],
  'mail.WakeMessages': ['messages', 'time'],
  'mail.FinishDeletion': ['messages', 'time'],
  'mail.StartBulk': ['bulkId', 'in', 'to'],
  'mail.CarryOutBulk': ['bulkId', 'page'],
  'mail.UndoBulk': ['bulkId'],
  'mail.UndoBulkStep': ['bulkId', 'page'],
  'mail.CreateFolder': ['folderId', 'parent'],
  'mail.ChangeFolder': ['folderId', 'parent'],
  'mail.DeleteFolder': ['folderId', 'bulkId', 'messages'],
  'mail.RestoreFolder': ['folders', 'bulkId'],
  'mail.ChangeRules': [],
  'mail.ChangeVacation': [],
  'mail.RecordUnsubscribe': ['messageId', 'accepted'],
  'mail.RecordDelivery': ['messageId', 'origin', 'changes'],
};
const OPTIONAL = [
  'folder',
  'read',
  'starred',
  'snoozeUntil',
  'conversations',
  'in',
  'outside',
  'dueAt',
  'draftId',
  'ids',
  'teaches',
  'answer',
  'enveloped',
  'nullSender',
  'deliveredTo',
];
const anyPart = fc.oneof(
  fc.constantFrom<Uint8Array | string>(RAW, summary(), '', 'Work', 'work', page(id(1), id(3)), '\n', 'a\0b'),
  fc.uint8Array({ maxLength: 20 }),
  fc.constant({ erased: 12 }),
);
const ANSWERABLE = encodeAnswerable({ address: 'bob@penncloud.test', messageId: '', references: [] });
/** Where a command takes parts at all. */
const PARTS: { readonly [command: string]: readonly (Uint8Array | string)[] } = {
  'mail.ReceiveMessage': [RAW, summary()],
  'mail.ImportMessage': [RAW, summary(), ''],
  'mail.SendMessage': [RAW, summary(), summary()],
  'mail.SaveDraft': ['{}', summary()],
  'mail.StartBulk': [page(id(1), id(7)), page(id(3))],
  'mail.CarryOutBulk': [page(id(1))],
  'mail.CreateFolder': ['Rest', 'rest'],
  'mail.ChangeRules': [encodeRules([rule(70, { field: 'body', word: 'lunch' }, { read: true })]), '[]'],
  'mail.ChangeVacation': [encodeVacation(AWAY), ''],
  'mail.ChangeFolder': ['Play', 'play', 'Work', 'work'],
  'mail.RecordUnsubscribe': ['It has taken your wish.'],
};
/** With what an automatic answer needs. */
const ANSWERABLE_PARTS: typeof PARTS = {
  'mail.ReceiveMessage': [RAW, summary(), '', ANSWERABLE],
  'mail.SendMessage': [RAW, summary(), summary(), '', '', ANSWERABLE],
};
const anyCommand = fc.constantFrom(...commands).chain((type) => {
  const names = TAKEN[type]!;
  const required = names.filter((name) => !OPTIONAL.includes(name));
  const fields = Object.fromEntries(names.map((name) => [name, FIELDS[name]]));
  const data = fc.oneof(
    { weight: 8, arbitrary: fc.record(fields, { requiredKeys: required }) },
    { weight: 1, arbitrary: fc.record(FIELDS, { requiredKeys: [] }) },
    { weight: 1, arbitrary: junk },
  );
  return fc.record({
    type: fc.constant(type),
    data,
    parts: fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom(PARTS[type] ?? [], ANSWERABLE_PARTS[type] ?? PARTS[type] ?? []),
      },
      { weight: 1, arbitrary: fc.array(anyPart, { maxLength: 6 }) },
    ),
    stream: fc.oneof(
      { weight: 8, arbitrary: fc.constant(ALICE) },
      { weight: 1, arbitrary: fc.constantFrom(accountStream('nobody'), `${ALICE}/mail`, 'row', '') },
    ),
    causedBy: fc.constantFrom(undefined, 1),
  });
});

function aMailbox(): Mailbox {
  const mailbox = new Mailbox();
  mailbox.setVacation(AWAY);
  mailbox.receive(1, [named(1)]);
  mailbox.send(2, { dueAt: START + HOUR, ids: [named(2), named(1)] });
  mailbox.send(3, { recipients: ['alice'] });
  mailbox.do('SaveDraft', { draftId: id(7), revision: 0 }, ['{}', summary()]);
  mailbox.makeFolder(20, 'Work');
  mailbox.makeFolder(21, 'Plans', 20);
  mailbox.shell.settleAll();
  return mailbox;
}

describe(`any data at all (seed ${seed})`, () => {
  it(
    'is answered; a rejection changes nothing, and what is accepted can be replayed',
    { timeout: 60_000 },
    () => {
      const accepted = new Set<string>();
      const refused = new Set<string>();
      fc.assert(
        fc.property(fc.array(anyCommand, { maxLength: 12, size: 'max' }), (asked) => {
          const { shell } = aMailbox();
          for (const { type, data, parts, stream, causedBy } of asked) {
            const before = [shell.state(), shell.dump(), shell.log.length];
            const outcome = shell.execute({ type, data, parts, stream, ...(causedBy && { causedBy }) });
            if ('rejection' in outcome) {
              expect([shell.state(), shell.dump(), shell.log.length]).toEqual(before);
              expect(outcome.rejection.message).toMatch(/^[A-Z].*\.$/s);
              refused.add(type);
            } else if (outcome.events.length > 0) accepted.add(type);
          }
          shell.advance(shell.time + 400 * 24 * HOUR);
          const copy = new InMemoryShell();
          for (const entry of shell.log) copy.append(structuredClone(entry));
          expect(copy.dump()).toEqual(shell.dump());
          for (const cell of shell.dump()) expect(cell).not.toMatch(/-\d+,"unread"|"messages":-/);
        }),
        { seed, numRuns: 500 },
      );
      expect([...refused].sort()).toEqual(commands.toSorted());
      // Those that only a reaction can bring about, or that take much to be right, need not come by chance.
      expect(accepted.size).toBeGreaterThan(6);
    },
  );
});
