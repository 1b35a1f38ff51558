/** A change to all conversations of a folder: named by one event, carried out page by page, undone the same way. */
import { describe, expect, it } from 'vitest';
import { PAGE_MAX } from '../../../../domain/mail/changes/bulk.ts';
import { GONE, GONE_MS } from '../../../../domain/mail/folders.ts';
import { readBulkProgress } from '../../../../projections/bulk.ts';
import { bulkCell } from '../../../../projections/keys.ts';
import { ALICE, domain, given, id, signedUp, summary } from '../../given.ts';
import { START } from '../../in-memory-shell.ts';
import { codeOf, eventsOf, Mailbox, named, page } from '../../mailbox.ts';

const alice = signedUp('alice');
const BULK = id(500);
const start = (
  mailbox: Mailbox,
  to: object,
  pages: readonly string[],
  places: readonly string[] = ['inbox'],
) => mailbox.do('StartBulk', { bulkId: BULK, in: places, to: to as never }, pages);
const undo = (mailbox: Mailbox) => mailbox.do('UndoBulk', { bulkId: BULK });
const progress = (mailbox: Mailbox) =>
  readBulkProgress(mailbox.shell.bytes(bulkCell(ALICE, BULK)) ?? new Uint8Array());
const foldersOf = (mailbox: Mailbox, count: number) =>
  Array.from({ length: count }, (_, n) => mailbox.folderOf(id(n + 1)));

function aMailbox(count = 6): Mailbox {
  const mailbox = new Mailbox();
  for (let n = 1; n <= count; n++) mailbox.receive(n, [named(n)]);
  return mailbox;
}
const twoEach = [page(id(1), id(2)), page(id(3), id(4)), page(id(5), id(6))];

/** Carries out the next step of the bulk. */
function step(mailbox: Mailbox): void {
  const [next] = mailbox.shell.pending();
  mailbox.shell.settle(next!);
}

describe('a bulk', () => {
  it('names everyone in one event, and asks for a step for each page, one when the one before is settled', () => {
    given(domain, [alice])
      .when({
        type: 'mail.StartBulk',
        data: { bulkId: BULK, in: ['inbox'], to: { read: true } },
        parts: twoEach,
      })
      .then(
        [
          {
            type: 'mail.BulkStarted',
            data: {
              bulkId: BULK,
              in: ['inbox'],
              to: { read: true },
              pages: 3,
              conversations: 6,
              inTurn: true,
            },
          },
        ],
        { bulkId: BULK },
      );
    const mailbox = aMailbox();
    start(mailbox, { read: true }, twoEach);
    const asked = { stream: ALICE, command: 'mail.CarryOutBulk', lane: 'bulk' };
    const entry = mailbox.shell.log.length;
    const data = { bulkId: BULK, pages: 3 };
    for (const [page, from] of [0, entry, entry].entries()) {
      expect(mailbox.shell.pending().map(({ reaction }) => reaction)).toEqual([
        {
          ...asked,
          data: { ...data, page, entry: from },
          parts: [page],
          ...(page > 0 && { partsOf: entry }),
        },
      ]);
      step(mailbox);
    }
    expect(mailbox.shell.pending()).toEqual([]);
  });

  it('of an early log asks for all its steps at once', () => {
    const mailbox = aMailbox();
    const data = { bulkId: BULK, in: ['inbox'], to: { read: true }, pages: 3, conversations: 6 };
    const event = { type: 'mail.BulkStarted', version: 1, data };
    mailbox.shell.append({ stream: ALICE, time: START, events: [event], parts: twoEach });
    expect(mailbox.shell.pending().map(({ reaction }) => reaction.parts)).toEqual([[0], [1], [2]]);
    mailbox.shell.settleAll();
    expect(progress(mailbox)).toMatchObject({ pages: 3, done: 3 });
    expect(mailbox.counts('inbox')).toEqual({ total: 6, unread: 0 });
  });

  it('is carried out page by page, and says how far it is', () => {
    const mailbox = aMailbox();
    start(mailbox, { folder: 'archive', read: true }, twoEach);
    expect(progress(mailbox)).toMatchObject({ pages: 3, conversations: 6, done: 0, undone: false });
    step(mailbox);
    expect(foldersOf(mailbox, 6)).toEqual(['archive', 'archive', 'inbox', 'inbox', 'inbox', 'inbox']);
    expect(progress(mailbox)).toMatchObject({ done: 1 });
    expect(mailbox.counts('inbox')).toEqual({ total: 4, unread: 4 });
    mailbox.shell.settleAll();
    expect(progress(mailbox)).toMatchObject({ done: 3 });
    expect(mailbox.counts('archive')).toEqual({ total: 6, unread: 0 });
    expect(mailbox.lines('inbox')).toEqual([]);
  });

  it('changes only what lies in its folders when the step comes', () => {
    const mailbox = aMailbox();
    mailbox.send(7, { ids: [named(7), named(3)] });
    start(mailbox, { folder: 'archive' }, twoEach);
    mailbox.change({ messages: [id(2)] }, { folder: 'spam' });
    mailbox.shell.settleAll();
    expect(foldersOf(mailbox, 7)).toEqual([
      'archive',
      'spam',
      'archive',
      'archive',
      'archive',
      'archive',
      'sent',
    ]);
  });

  it('leaves what came after it was asked for, though it came to a conversation that is named', () => {
    const mailbox = aMailbox();
    start(mailbox, { folder: 'archive' }, twoEach);
    mailbox.shell.advance(START);
    const later = new Mailbox();
    later.receive(1, [named(1)]);
    start(later, { folder: 'archive' }, [page(id(1))]);
    later.do(
      'ReceiveMessage',
      { messageId: id(2), via: 'smtp', ids: [named(2), named(1)] },
      ['', summary()],
      {
        time: START + 1,
      },
    );
    later.shell.settleAll();
    expect(foldersOf(later, 2)).toEqual(['archive', 'inbox']);
  });

  it('leaves drafts, and what waits to be sent', () => {
    const mailbox = new Mailbox();
    mailbox.do('SaveDraft', { draftId: id(1), revision: 0 }, ['{}', summary()]);
    mailbox.send(2, { dueAt: START + 1000 });
    start(mailbox, { folder: 'trash' }, [page(id(1), id(2))], ['drafts', 'outbox']);
    mailbox.shell.settleAll();
    expect(foldersOf(mailbox, 2)).toEqual(['drafts', 'outbox']);
  });

  it('empties the trash: undone within ten minutes, finished after them', () => {
    const emptied = (): Mailbox => {
      const mailbox = aMailbox(2);
      mailbox.change({ messages: [id(1), id(2)] }, { folder: 'trash' });
      start(mailbox, { folder: GONE }, [page(id(1), id(2))], ['trash']);
      mailbox.shell.settleAll();
      return mailbox;
    };
    const undone = emptied();
    expect(foldersOf(undone, 2)).toEqual([GONE, GONE]);
    undo(undone);
    undone.shell.advance(START + 2 * GONE_MS);
    expect(foldersOf(undone, 2)).toEqual(['trash', 'trash']);
    const over = emptied();
    over.shell.advance(START + GONE_MS);
    expect(foldersOf(over, 2)).toEqual([undefined, undefined]);
  });

  it('deletes nothing for good that lies in the inbox', () => {
    const mailbox = aMailbox(1);
    start(mailbox, { folder: GONE }, [page(id(1))]);
    mailbox.shell.settleAll();
    expect(mailbox.folderOf(id(1))).toBe('inbox');
  });

  it('is begun once, though it is asked for again', () => {
    const mailbox = aMailbox();
    start(mailbox, { folder: 'archive' }, twoEach);
    expect(eventsOf(start(mailbox, { folder: 'archive' }, twoEach))).toEqual([]);
  });

  it('changes nothing by a step that comes a second time, or of a bulk that there is not', () => {
    const mailbox = aMailbox();
    start(mailbox, { folder: 'archive' }, twoEach);
    const [first] = mailbox.shell.pending();
    mailbox.shell.settleAll();
    const before = mailbox.shell.state();
    expect(eventsOf(mailbox.shell.settle(first!))).toEqual([]);
    expect(eventsOf(mailbox.do('CarryOutBulk', { bulkId: id(501), page: 0 }, [page(id(1))]))).toEqual([]);
    expect(mailbox.shell.state()).toEqual(before);
  });

  it('of a page that was erased changes nothing', () => {
    const mailbox = aMailbox();
    start(mailbox, { folder: 'archive' }, [page(id(1))]);
    const entry = mailbox.shell.log.at(-1)!;
    mailbox.shell.log[mailbox.shell.log.length - 1] = { ...entry, parts: [{ erased: 26 }] };
    mailbox.shell.settleAll();
    expect(mailbox.folderOf(id(1))).toBe('inbox');
    expect(progress(mailbox)).toMatchObject({ done: 1 });
  });

  it('stops moving to a folder that is deleted on the way: nothing gets out of sight', () => {
    const mailbox = aMailbox();
    mailbox.makeFolder(20, 'Attic');
    start(mailbox, { folder: id(20) }, twoEach);
    step(mailbox);
    mailbox.do('DeleteFolder', { folderId: id(20), bulkId: id(501), messages: 2 }, [page(id(1), id(2))]);
    mailbox.shell.settleAll();
    expect(foldersOf(mailbox, 6)).toEqual(['trash', 'trash', 'inbox', 'inbox', 'inbox', 'inbox']);
    expect(mailbox.folders()[id(20)]?.messages).toBe(0);
  });

  it('counts a conversation once that a page names twice', () => {
    const mailbox = aMailbox(1);
    mailbox.makeFolder(20, 'Attic');
    start(mailbox, { folder: id(20) }, [page(id(1), id(1))]);
    mailbox.shell.settleAll();
    expect(mailbox.folders()[id(20)]?.messages).toBe(1);
  });

  it('in a thousand steps reaches everyone', () => {
    const mailbox = aMailbox(1000);
    const pages = Array.from({ length: 1000 }, (_, n) => page(id(n + 1)));
    start(mailbox, { folder: 'archive' }, pages);
    mailbox.shell.settleAll();
    expect(mailbox.counts('archive')).toEqual({ total: 1000, unread: 1000 });
    expect(progress(mailbox)).toMatchObject({ done: 1000 });
  });
});

describe('undoing a bulk', () => {
  it('brings everything back, and says how far it is', () => {
    const mailbox = aMailbox();
    mailbox.change({ messages: [id(4)] }, { read: true, starred: true });
    const before = mailbox.shell.dump().filter((cell) => cell.includes('/mail/folder/'));
    start(mailbox, { folder: 'archive', read: true, starred: false }, twoEach);
    mailbox.shell.settleAll();
    undo(mailbox);
    step(mailbox);
    expect(progress(mailbox)).toMatchObject({ undone: true, unmade: 1 });
    mailbox.shell.settleAll();
    expect(progress(mailbox)).toMatchObject({ done: 3, undone: true, unmade: 3 });
    expect(mailbox.shell.dump().filter((cell) => cell.includes('/mail/folder/'))).toEqual(before);
  });

  it('in the middle of it unmakes the steps that were made and lets the others fall', () => {
    const mailbox = aMailbox();
    start(mailbox, { folder: 'archive' }, twoEach);
    step(mailbox);
    undo(mailbox);
    mailbox.shell.settleAll();
    expect(foldersOf(mailbox, 6)).toEqual(Array(6).fill('inbox'));
    expect(mailbox.shell.log.filter(({ events }) => events[0]?.type === 'mail.MessagesChanged')).toHaveLength(
      2,
    );
    expect(mailbox.shell.pending()).toEqual([]);
  });

  it('leaves what was changed again since', () => {
    const mailbox = aMailbox();
    start(mailbox, { folder: 'archive' }, twoEach);
    mailbox.shell.settleAll();
    mailbox.change({ messages: [id(3)] }, { folder: 'trash' });
    undo(mailbox);
    mailbox.shell.settleAll();
    expect(foldersOf(mailbox, 6)).toEqual(['inbox', 'inbox', 'trash', 'inbox', 'inbox', 'inbox']);
  });

  it('brings nothing back into a folder that was deleted meanwhile: it stays in sight', () => {
    const mailbox = aMailbox(2);
    mailbox.makeFolder(20, 'Attic');
    mailbox.change({ messages: [id(1)] }, { folder: id(20) });
    start(mailbox, { folder: 'archive' }, [page(id(1), id(2))], ['inbox', id(20)]);
    mailbox.shell.settleAll();
    mailbox.do('DeleteFolder', { folderId: id(20), bulkId: id(501), messages: 0 });
    undo(mailbox);
    mailbox.shell.settleAll();
    expect(foldersOf(mailbox, 2)).toEqual(['archive', 'inbox']);
  });

  it('a second time changes nothing, also by its steps', () => {
    const mailbox = aMailbox();
    start(mailbox, { folder: 'archive' }, twoEach);
    mailbox.shell.settleAll();
    undo(mailbox);
    const [first] = mailbox.shell.pending();
    mailbox.shell.settleAll();
    mailbox.change({ messages: [id(1)] }, { folder: 'archive' });
    expect(eventsOf(undo(mailbox))).toEqual([]);
    expect(eventsOf(mailbox.shell.settle(first!))).toEqual([]);
    expect(mailbox.folderOf(id(1))).toBe('archive');
  });

  it('is refused when there is no such bulk', () => {
    expect(codeOf(undo(aMailbox()))).toBe('ChangedSince');
  });
});

describe('a bulk is refused', () => {
  const asked = (data: object, parts: readonly string[] = [page(id(1))]) =>
    given(domain, [alice]).when({
      type: 'mail.StartBulk',
      data: { bulkId: BULK, in: ['inbox'], to: {}, ...data },
      parts,
    });

  it.each([
    ['to a folder that fills by itself', { to: { folder: 'sent' } }, 'NoSuchFolder', 'folder'],
    ['to a folder that is not there', { to: { folder: id(20) } }, 'NoSuchFolder', 'folder'],
    ['in a folder that no one can have', { in: ['Attic'] }, 'NoSuchFolder', 'in'],
    ['in no folder', { in: [] }, 'Malformed', 'in'],
    ['with an unknown change', { to: { snoozeUntil: 7 } }, 'Malformed', 'snoozeUntil'],
    ['with a mark that is none', { to: { read: 1 } }, 'Malformed', 'read'],
    ['with an id that is none', { bulkId: '7' }, 'Malformed', 'bulkId'],
  ] as const)('%s', (_what, data, code, field) => {
    asked(data).thenRejected(code, { field });
  });

  it.each([
    ['without pages', []],
    ['with a page that names nobody', [page(id(1)), '\n\n']],
    ['with a page of too many', [page(...Array.from({ length: PAGE_MAX + 1 }, (_, n) => id(n)))]],
    ['with a page of something else', ['inbox']],
  ])('%s', (_what, parts) => {
    asked({}, parts).thenRejected('Malformed', { field: 'parts' });
  });

  it('with a page of more bytes than its ids can have', () => {
    asked({}, ['\n'.repeat(5000)]).thenRejected('TooLarge', { field: 'page' });
  });
});
