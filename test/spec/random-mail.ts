/**
 * What a person might do with a small mailbox, at random: few messages, few folders, few times, so that things
 * meet. Actions are data, so that a failing sequence can be printed and shrunk; what an action needs to know of
 * the mailbox (which change to undo, what lies in a folder) it looks up when it comes.
 */
import fc from 'fast-check';
import type { MessageState } from '../../domain/mail/conversation.ts';
import type { BulkStarted, FolderDeleted, MessagesChanged } from '../../domain/mail/events.ts';
import { GONE, isOwnFolder, type Folder } from '../../domain/mail/folders.ts';
import { encodeWords, NO_WORDS } from '../../domain/mail/message/words.ts';
import { id, RAW, summary } from './given.ts';
import type { Outcome } from './in-memory-shell.ts';
import { HOUR, type Mailbox, MINUTE, named, page, rule, type Selected } from './mailbox.ts';

const MESSAGES = 5;
const FOLDERS = [20, 21];
const number = fc.integer({ min: 1, max: MESSAGES });
/** The first is a message's, too: what was imported as a message, and deleted for good, may come again as a draft. */
const draftNumber = fc.constantFrom(MESSAGES, MESSAGES + 6);
const ownFolder = fc.constantFrom(...FOLDERS);
const folder: fc.Arbitrary<Folder> = fc.oneof(
  fc.constantFrom('inbox', 'archive', 'spam', 'trash'),
  ownFolder.map(id),
);
const place: fc.Arbitrary<Folder> = fc.oneof(folder, fc.constantFrom('sent', 'snoozed', 'drafts', 'outbox'));
const ids = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }).map((list) => list.map(named));
const later = fc.constantFrom(MINUTE, 5 * MINUTE, HOUR);
const anyMessage = fc.oneof(
  number.map(id),
  number.map((n) => `${id(n)}-in`),
  draftNumber.map(id),
);
const marks = fc.record({ read: fc.boolean(), starred: fc.boolean() }, { requiredKeys: [] });
/** By number, of those that there are; `whole`: their conversations, in the folder where they lie. */
const selection = fc.record({
  which: fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 3 }),
  whole: fc.boolean(),
});
type Picked = { readonly which: readonly number[]; readonly whole: boolean };

export const anyAction = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('receive'), number, ids }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('import'),
      number,
      ids,
      folder: fc.oneof(folder, fc.constant('sent')),
      earlier: later,
      marks,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('send'),
      number,
      ids,
      after: fc.option(later),
      draft: fc.option(draftNumber),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('take back'), which: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('save draft'), draft: draftNumber, revision: fc.nat({ max: 3 }) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('mark'), selection, marks }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('move'), selection, folder, marks }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('snooze'), selection, after: later }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete'), selection }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('undo'), which: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('start bulk'),
      number: fc.integer({ min: 50, max: 53 }),
      in: fc.array(place, { minLength: 1, maxLength: 3 }),
      pages: fc.array(fc.array(anyMessage, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 }),
      folder: fc.option(fc.oneof(folder, fc.constant(GONE)), { nil: undefined }),
      marks,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('undo bulk'), number: fc.integer({ min: 50, max: 53 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('make folder'),
      folder: ownFolder,
      parent: fc.option(ownFolder),
      name: fc.constantFrom('A', 'B'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('delete folder'),
      folder: ownFolder,
      off: fc.constantFrom(0, 0, 0, 1),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restore folder'), which: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('set rules'),
      rules: fc.array(
        fc.record({
          word: fc.constantFrom('lunch', 'word1', 'word3'),
          folder: fc.option(folder, { nil: undefined }),
          starred: fc.boolean(),
          forward: fc.constantFrom([], ['alice'], ['bob', 'nobody']),
        }),
        { maxLength: 3 },
      ),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('carry out'), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait'), after: later }) },
);

export type Action = typeof anyAction extends fc.Arbitrary<infer One> ? One : never;

/** Undefined: there was nothing that it could be done with. */
export function act(mailbox: Mailbox, action: Action): Outcome | undefined {
  const { shell } = mailbox;
  switch (action.do) {
    case 'receive':
      return mailbox.receive(action.number, action.ids, {
        parts: [RAW, summary(), ...wordsOf(action.number)],
      });
    case 'import':
      return mailbox.do(
        'ImportMessage',
        {
          messageId: id(action.number),
          ids: action.ids,
          folder: action.folder,
          read: action.marks.read ?? false,
          starred: action.marks.starred ?? false,
          dated: shell.time - action.earlier,
        },
        [RAW, summary(), wordsOf(action.number)[0] ?? encodeWords(NO_WORDS)],
      );
    case 'send':
      return mailbox.send(
        action.number,
        {
          ids: action.ids,
          recipients: ['alice', 'bob', 'nobody'],
          dueAt: action.after === null ? null : shell.time + action.after,
          draftId: action.draft === null ? null : id(action.draft),
        },
        [RAW, summary(), summary(), ...wordsOf(action.number), ...wordsOf(action.number)],
      );
    case 'take back': {
      const waiting = lying(mailbox).filter(({ folder }) => folder === 'outbox');
      const message = waiting[action.which % waiting.length];
      return message && mailbox.do('CancelSending', { messageId: message.id });
    }
    case 'save draft': {
      const { draft, revision } = action;
      return mailbox.do('SaveDraft', { draftId: id(draft), revision }, ['{}', summary()]);
    }
    case 'mark':
      return mailbox.change(picked(mailbox, action.selection), action.marks);
    case 'move':
      return mailbox.change(picked(mailbox, action.selection), { folder: action.folder, ...action.marks });
    case 'snooze':
      return mailbox.change(picked(mailbox, action.selection), { snoozeUntil: shell.time + action.after });
    case 'delete':
      return mailbox.delete(picked(mailbox, action.selection));
    case 'undo':
      return undo(mailbox, action.which);
    case 'start bulk': {
      const { number: bulk, in: places, marks: to } = action;
      const change = { ...to, ...(action.folder !== undefined && { folder: action.folder }) };
      const pages = action.pages.map((threads) => page(...threads));
      return mailbox.do('StartBulk', { bulkId: id(bulk), in: places, to: change }, pages);
    }
    case 'undo bulk':
      return mailbox.do('UndoBulk', { bulkId: id(action.number) });
    case 'make folder':
      return mailbox.makeFolder(action.folder, action.name, action.parent);
    case 'delete folder':
      return deleteFolder(mailbox, id(action.folder), action.off);
    case 'restore folder':
      return restoreFolder(mailbox, action.which);
    case 'set rules':
      return mailbox.setRules(
        action.rules.map(({ word, folder: to, starred, forward }, i) =>
          rule(
            70 + i,
            { field: 'body', word },
            {
              ...(to !== undefined && { folder: to }),
              ...(starred && { starred }),
              ...(forward.length > 0 && { forward }),
              stop: true,
            },
          ),
        ),
      );
    case 'carry out': {
      const now = shell.pending().filter(({ reaction }) => reaction.notBefore === undefined);
      return now.length === 0 ? undefined : shell.settle(now[action.which % now.length]!);
    }
    case 'wait':
      shell.advance(shell.time + action.after);
      return undefined;
  }
}

/** Every second message can be found by its words. */
function wordsOf(number: number): Uint8Array[] {
  return number % 2 === 0 ? [] : [encodeWords({ ...NO_WORDS, body: ['lunch', `word${number}`] })];
}

function lying(mailbox: Mailbox): readonly MessageState[] {
  const threads = [...mailbox.shell.slices(mailbox.owner, 'thread/').keys()];
  return threads.flatMap((key) => mailbox.stateOf(key.slice('thread/'.length)));
}

function picked(mailbox: Mailbox, { which, whole }: Picked): Selected {
  const all = lying(mailbox);
  const messages = which.flatMap((number) => all[number % all.length] ?? []);
  const [first] = messages;
  if (first === undefined) return { messages: [id(1)] };
  const isHere = first.folder !== GONE;
  if (!whole || !isHere) return { messages: messages.map((message) => message.id) };
  return { conversations: messages.map((message) => mailbox.threadOf(message.id)!), in: first.folder };
}

function undo(mailbox: Mailbox, which: number): Outcome | undefined {
  const changes = mailbox.shell.log
    .filter(({ stream }) => stream === mailbox.owner)
    .flatMap(({ events }) => events)
    .filter(({ type }) => type === 'mail.MessagesChanged');
  const event = changes[which % changes.length];
  return event && mailbox.undo({ events: [event as MessagesChanged] });
}

/** As a page would: with all that lies there, or (`off`) with a count that is not true any more. */
function deleteFolder(mailbox: Mailbox, folderId: string, off: number): Outcome {
  const folders = mailbox.folders();
  const branch = [folderId];
  for (const at of branch) {
    for (const [child, { parent, deleted }] of Object.entries(folders))
      if (parent === at && deleted !== true) branch.push(child);
  }
  const threads = [...mailbox.shell.slices(mailbox.owner, 'thread/').keys()].map((key) => key.slice(7));
  const there = threads.filter((thread) =>
    mailbox.stateOf(thread).some((one) => branch.includes(one.folder)),
  );
  const messages = there.flatMap((thread) =>
    mailbox.stateOf(thread).filter((one) => branch.includes(one.folder)),
  );
  const data = { folderId, bulkId: id(60 + mailbox.shell.log.length), messages: messages.length + off };
  return mailbox.do('DeleteFolder', data, there.length === 0 ? [] : [page(...there)]);
}

function restoreFolder(mailbox: Mailbox, which: number): Outcome | undefined {
  const deletions = mailbox.shell.log.filter(({ events }) => events[0]?.type === 'mail.FolderDeleted');
  const entry = deletions[which % deletions.length];
  if (entry === undefined) return undefined;
  const [deleted, bulk] = entry.events as unknown as [FolderDeleted, BulkStarted | undefined];
  const { folders } = deleted.data;
  if (!folders.every(isOwnFolder)) throw new Error('a folder of the system was deleted');
  return mailbox.do('RestoreFolder', { folders, bulkId: bulk?.data.bulkId ?? null });
}
