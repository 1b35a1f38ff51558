/**
 * What holds of a mailbox after any sequence of actions, each of them followed by all that it asks for or by
 * some of it: state, conversations, lines and counts agree, a replay gives the same, and undo leads back.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MESSAGES_MAX, type MessageState } from '../../../domain/mail/conversation.ts';
import { GONE, isOwnFolder, isSystemFolder, type Folder } from '../../../domain/mail/folders.ts';
import { DOC, folderHash, stateAt } from '../../../projections/doc-states.ts';
import {
  docCell,
  docsRow,
  docStatesCell,
  folderRow,
  metaCell,
  parseOrder,
  parseRow,
} from '../../../projections/keys.ts';
import { readIndexedMessage } from '../../../projections/search.ts';
import { InMemoryShell } from '../in-memory-shell.ts';
import { changesOf, DAY, eventsOf, Mailbox } from '../mailbox.ts';
import { act, anyAction, type Action } from '../random-mail.ts';

const seed = Number(process.env['PENNCLOUD_SEED'] ?? Date.now() % 2 ** 31);
const sequences = fc.array(anyAction, { maxLength: 60, size: 'max' });
const HIDDEN = ['trash', 'spam', 'drafts', 'outbox', GONE];

function threadsOf(mailbox: Mailbox): string[] {
  return [...mailbox.shell.slices(mailbox.owner, 'thread/').keys()].map((key) => key.slice('thread/'.length));
}

/** Each message lies in one conversation, which knows it, and in one folder that can be. */
function checkState(mailbox: Mailbox): void {
  const found: string[] = [];
  for (const thread of threadsOf(mailbox)) {
    const messages = mailbox.stateOf(thread);
    expect(messages.length).toBeGreaterThan(0);
    expect(messages.length).toBeLessThanOrEqual(MESSAGES_MAX);
    for (const message of messages) {
      expect(mailbox.threadOf(message.id)).toBe(thread);
      expect(isSystemFolder(message.folder) || isOwnFolder(message.folder) || message.folder === GONE).toBe(
        true,
      );
      if (message.folder === 'snoozed') expect(message.until).toBeGreaterThan(0);
      found.push(message.id);
    }
  }
  const known = [...mailbox.shell.slices(mailbox.owner, 'message/').keys()].map((key) => key.slice(8));
  expect(found.toSorted()).toEqual(known.toSorted());
  expect(new Set(found).size).toBe(found.length);
}

/** What one knows of a message, the other knows too, in the same order. */
function checkConversations(mailbox: Mailbox): void {
  const cells = mailbox.shell.rows(`${mailbox.owner}/mail/thread/`).map((row) => {
    const name = parseRow(row);
    return name?.kind === 'thread' ? name.thread : '';
  });
  expect(cells).toEqual(threadsOf(mailbox).toSorted());
  for (const thread of cells) {
    const marks = mailbox
      .conversation(thread)!
      .messages.map(({ id, folder, read, starred, top, until, doc }): MessageState => ({
        id,
        folder,
        read,
        starred,
        top,
        until,
        doc,
      }));
    expect(marks).toEqual(mailbox.stateOf(thread));
    for (const { id } of marks) expect(mailbox.shell.bytes(metaCell(mailbox.owner, id))).toBeDefined();
  }
}

/** The lines of each folder follow from the conversations, and the counts from the lines. */
function checkLists(mailbox: Mailbox): void {
  const expected = new Map<Folder, Map<string, object>>();
  for (const thread of threadsOf(mailbox)) {
    const { messages } = mailbox.conversation(thread)!;
    for (const folder of new Set(messages.map((message) => message.folder))) {
      if (folder === GONE) continue;
      const here = messages.filter((message) => message.folder === folder);
      const shown = messages.filter(
        (message) => message.folder === folder || !HIDDEN.includes(message.folder),
      );
      const line = {
        thread,
        newest: here.at(-1)!.id,
        count: shown.length,
        unread: here.filter(({ read }) => !read).length,
        starred: here.some(({ starred }) => starred),
        until: here.at(-1)!.until,
        at: here.at(-1)!.at,
        top: Math.max(...here.map(({ top }) => top)),
      };
      expected.set(folder, (expected.get(folder) ?? new Map<string, object>()).set(thread, line));
    }
  }
  const listed = mailbox.shell.rows(`${mailbox.owner}/mail/folder/`).map((row) => row.split('/').at(-1)!);
  const counted = mailbox.shell.columns(`${mailbox.owner}/mail/folders`);
  for (const folder of new Set([...expected.keys(), ...listed, ...counted])) {
    const orders = mailbox.shell.columns(folderRow(mailbox.owner, folder));
    const lines = mailbox.lines(folder).map((line, i) => {
      const { thread, newest, count, unread, starred, until, at } = line;
      return [
        thread,
        { thread, newest, count, unread, starred, until, at, top: parseOrder(orders[i]!)!.at },
      ] as const;
    });
    expect(new Map(lines)).toEqual(expected.get(folder) ?? new Map());
    expect(lines).toHaveLength(expected.get(folder)?.size ?? 0);
    const unread = lines.filter(([, line]) => line.unread > 0).length;
    expect(mailbox.counts(folder)).toEqual({ total: lines.length, unread });
  }
}

/** A folder of one's own knows how many messages lie in it; what lies in a deleted one is on its way out of it. */
function checkOwnFolders(mailbox: Mailbox): void {
  const messages = threadsOf(mailbox).flatMap((thread) => mailbox.stateOf(thread));
  for (const [folder, { messages: count }] of Object.entries(mailbox.folders())) {
    expect(count).toBe(messages.filter((message) => message.folder === folder).length);
  }
}

/** The search index knows of each message with a number where it lies and how it is marked, and of no others. */
function checkIndex(mailbox: Mailbox): void {
  const { shell, owner } = mailbox;
  const messages = threadsOf(mailbox).flatMap((thread) => mailbox.stateOf(thread));
  const indexed = messages.filter(({ doc }) => doc !== null);
  expect(shell.columns(docsRow(owner))).toHaveLength(indexed.length);
  for (const { id, doc, folder, read, starred } of indexed) {
    const known = readIndexedMessage(shell.bytes(docCell(owner, doc!))!);
    expect(known).toMatchObject({ id, thread: mailbox.threadOf(id) });
    const state = stateAt(shell.bytes(docStatesCell(owner, 0))!, doc!);
    expect(state.folder).toBe(folderHash(folder));
    expect(state.flags & (DOC.present | DOC.read | DOC.starred)).toBe(
      DOC.present | (read ? DOC.read : 0) | (starred ? DOC.starred : 0),
    );
  }
}

function check(mailbox: Mailbox): void {
  checkIndex(mailbox);
  checkState(mailbox);
  checkConversations(mailbox);
  checkLists(mailbox);
  checkOwnFolders(mailbox);
}

function after(actions: readonly Action[]): Mailbox {
  const mailbox = new Mailbox();
  for (const action of actions) act(mailbox, action);
  return mailbox;
}

function marksOf(mailbox: Mailbox): unknown {
  return threadsOf(mailbox).map((thread) => [thread, mailbox.stateOf(thread)]);
}

describe(`for any sequence of actions (seed ${seed})`, () => {
  it('state, conversations, lines and counts agree after each of them', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(sequences, (actions) => {
        const mailbox = new Mailbox();
        for (const action of actions) {
          const before = mailbox.shell.log.length;
          const outcome = act(mailbox, action);
          if (outcome !== undefined && 'rejection' in outcome && action.do !== 'carry out')
            expect(mailbox.shell.log).toHaveLength(before);
          check(mailbox);
        }
      }),
      { seed, numRuns: 120 },
    );
  });

  // A mailbox in which nothing happens would agree with itself as well.
  it('the actions lead to every event of a mailbox', () => {
    const some = fc.sample(sequences, { seed: 1, numRuns: 200 });
    const seen = new Set(
      some.flatMap((actions) =>
        after(actions).shell.log.flatMap(({ events }) => events.map(({ type }) => type)),
      ),
    );
    const mail = [...seen].filter((type) => type.startsWith('mail.')).sort();
    expect(mail).toEqual([
      'mail.BulkStarted',
      'mail.BulkUndone',
      'mail.DraftSaved',
      'mail.FolderCreated',
      'mail.FolderDeleted',
      'mail.FolderRestored',
      'mail.MessageReceived',
      'mail.MessageReleased',
      'mail.MessageScheduled',
      'mail.MessageSent',
      'mail.MessagesChanged',
      'mail.MessagesDeleted',
      'mail.RulesChanged',
      'mail.SendingCancelled',
    ]);
  });

  it('a replay of the log gives the same state, the same cells and the same pending work', () => {
    fc.assert(
      fc.property(sequences, (actions) => {
        const { shell } = after(actions);
        const copy = new InMemoryShell();
        for (const entry of shell.log) copy.append(structuredClone(entry));
        expect(copy.state()).toEqual(shell.state());
        expect(copy.dump()).toEqual(shell.dump());
        expect(copy.pending()).toEqual(shell.pending());
      }),
      { seed, numRuns: 100 },
    );
  });

  it('a change that is undone at once leaves every mark as it was', () => {
    let undone = 0;
    fc.assert(
      fc.property(sequences, fc.array(anyAction, { minLength: 1, maxLength: 10 }), (actions, more) => {
        const mailbox = after(actions);
        for (const action of more) {
          if (!['mark', 'move', 'snooze', 'delete'].includes(action.do)) continue;
          const before = marksOf(mailbox);
          const outcome = act(mailbox, action)!;
          // A folder that was deleted, and not emptied yet, takes nothing back.
          const isFinal = (one: string | undefined) =>
            one !== undefined && mailbox.folders()[one]?.deleted === true;
          if ('rejection' in outcome || outcome.events.length === 0) continue;
          if (changesOf(outcome).some(({ from }) => isFinal(from.folder))) continue;
          expect(eventsOf(mailbox.undo(outcome))).toEqual(['mail.MessagesChanged']);
          expect(marksOf(mailbox)).toEqual(before);
          check(mailbox);
          undone++;
        }
      }),
      { seed, numRuns: 150 },
    );
    expect(undone).toBeGreaterThan(20);
  });

  it('everything that was to happen later has happened in the end, and nothing lies in a deleted folder', () => {
    fc.assert(
      fc.property(sequences, (actions) => {
        const mailbox = after(actions);
        mailbox.shell.advance(mailbox.shell.time + 10 * DAY);
        check(mailbox);
        expect(mailbox.shell.pending()).toEqual([]);
        const folders = threadsOf(mailbox).flatMap((thread) =>
          mailbox.stateOf(thread).map(({ folder }) => folder),
        );
        for (const folder of folders) {
          expect(['outbox', 'snoozed', GONE]).not.toContain(folder);
          expect(mailbox.folders()[folder]?.deleted).toBeUndefined();
        }
      }),
      { seed, numRuns: 100 },
    );
  });

  it('with every part erased a replay has the same state and the same counts, and never stops', () => {
    fc.assert(
      fc.property(sequences, (actions) => {
        const { shell } = after(actions);
        const copy = new InMemoryShell();
        for (const entry of shell.log) {
          copy.append({ ...entry, parts: entry.parts.map(() => ({ erased: 10 })) });
        }
        // Addresses that were written to are named after what the summary held: erased with it, they are not there.
        const mail = (one: InMemoryShell) => one.dump().filter((cell) => !cell.includes('/contacts/'));
        const names = (one: InMemoryShell) => mail(one).map((cell) => cell.slice(0, cell.indexOf(' = ')));
        const counts = (one: InMemoryShell) => one.dump().filter((cell) => cell.includes('/mail/folders'));
        expect(names(copy)).toEqual(names(shell));
        expect(counts(copy)).toEqual(counts(shell));
      }),
      { seed, numRuns: 100 },
    );
  });
});
