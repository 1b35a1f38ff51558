/** Conversations are snoozed: out of the inbox until their time, then on top of it and unread. */
import { describe, expect, it } from 'vitest';
import { id } from '../../given.ts';
import { START } from '../../in-memory-shell.ts';
import { codeOf, DAY, eventsOf, HOUR, Mailbox, named, page } from '../../mailbox.ts';

const it1 = { conversations: [id(1)], in: 'inbox' };
const until = START + HOUR;

function snoozed(): Mailbox {
  const mailbox = new Mailbox();
  mailbox.receive(1);
  mailbox.change(it1, { read: true });
  mailbox.change(it1, { snoozeUntil: until });
  return mailbox;
}

describe('a snoozed conversation', () => {
  it('lies out of the inbox, and says until when', () => {
    const mailbox = snoozed();
    expect(mailbox.lines('inbox')).toEqual([]);
    expect(mailbox.lines('snoozed')).toMatchObject([{ thread: id(1), until }]);
  });

  it('comes back at its time, above what came meanwhile, unread', () => {
    const mailbox = snoozed();
    mailbox.shell.advance(until - 1);
    mailbox.receive(2);
    expect(mailbox.folderOf(id(1))).toBe('snoozed');
    mailbox.shell.advance(until);
    expect(mailbox.lines('inbox').map(({ thread, unread, until }) => [thread, unread, until])).toEqual([
      [id(1), 1, null],
      [id(2), 1, null],
    ]);
    expect(mailbox.counts('inbox')).toEqual({ total: 2, unread: 2 });
    expect(mailbox.counts('snoozed')).toEqual({ total: 0, unread: 0 });
  });

  it('stays where it was moved meanwhile', () => {
    const mailbox = snoozed();
    mailbox.change({ conversations: [id(1)], in: 'snoozed' }, { folder: 'archive' });
    mailbox.shell.advance(until + DAY);
    expect(mailbox.message(id(1))).toMatchObject({ folder: 'archive', until: null, read: true });
  });

  it('that is snoozed anew wakes at the new time, not at the old one', () => {
    const mailbox = snoozed();
    mailbox.change({ conversations: [id(1)], in: 'snoozed' }, { snoozeUntil: until + HOUR });
    mailbox.shell.advance(until);
    expect(mailbox.folderOf(id(1))).toBe('snoozed');
    mailbox.shell.advance(until + HOUR);
    expect(mailbox.folderOf(id(1))).toBe('inbox');
  });

  it('that is snoozed until the same time again is as it was', () => {
    const mailbox = snoozed();
    expect(eventsOf(mailbox.change({ messages: [id(1)] }, { snoozeUntil: until }))).toEqual([]);
  });

  it('gets its answer into the inbox, and wakes beside it', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1, [named(1)]);
    mailbox.change(it1, { snoozeUntil: until });
    mailbox.receive(2, [named(2), named(1)]);
    expect(mailbox.lines('inbox')).toMatchObject([{ newest: id(2), count: 2 }]);
    mailbox.shell.advance(until);
    expect(mailbox.lines('snoozed')).toEqual([]);
    expect(mailbox.lines('inbox')).toMatchObject([{ thread: id(1), count: 2, unread: 2 }]);
  });

  it('wakes though more lie asleep until that time than one command could put to sleep', () => {
    const mailbox = new Mailbox();
    const count = 1200;
    for (let n = 1; n <= count; n++) mailbox.receive(n, [named(n), named(10_000 + Math.floor(n / 90))]);
    const all = [...new Set(Array.from({ length: count }, (_, n) => mailbox.threadOf(id(n + 1))!))];
    for (const thread of all)
      mailbox.change({ conversations: [thread], in: 'inbox' }, { snoozeUntil: until });
    mailbox.do('StartBulk', { bulkId: id(5000), in: ['snoozed'], to: { folder: 'archive' } }, [page(...all)]);
    mailbox.shell.settleAll();
    mailbox.do('UndoBulk', { bulkId: id(5000) });
    mailbox.shell.settleAll();
    expect(mailbox.lines('snoozed')).toHaveLength(all.length);
    mailbox.shell.advance(until);
    expect(mailbox.lines('snoozed')).toEqual([]);
    expect(mailbox.lines('inbox')).toHaveLength(all.length);
  });
});

describe('snoozing', () => {
  it.each([
    ['now', START],
    ['in the past', START - 1],
    ['in two years', START + 2 * 366 * DAY],
    ['at no time', 'tomorrow'],
    ['at a fraction of a millisecond', until + 0.5],
  ])('until %s is refused', (_when, snoozeUntil) => {
    const mailbox = new Mailbox();
    mailbox.receive(1);
    expect(codeOf(mailbox.change(it1, { snoozeUntil }))).toBe('Malformed');
  });

  it('of some wakes none of those that were put to sleep until another time', () => {
    const mailbox = snoozed();
    mailbox.receive(2);
    mailbox.change({ messages: [id(2)] }, { snoozeUntil: until + 1 });
    mailbox.shell.advance(until);
    expect(mailbox.folderOf(id(2))).toBe('snoozed');
  });
});
