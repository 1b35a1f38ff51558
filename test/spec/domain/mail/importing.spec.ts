/** A message of earlier years is filed where it lay, and nothing else happens to it. */
import { describe, expect, it } from 'vitest';
import { encodeWords, NO_WORDS } from '../../../../domain/mail/message/words.ts';
import { readMessageMeta } from '../../../../projections/message.ts';
import { metaCell } from '../../../../projections/keys.ts';
import { id, RAW, summary } from '../../given.ts';
import { START } from '../../in-memory-shell.ts';
import { codeOf, DAY, Mailbox, named, rule } from '../../mailbox.ts';

const words = encodeWords({ ...NO_WORDS, subject: ['offer'] });
const parts = [RAW, summary(), words];
const file = (number: number, more: object = {}) => ({
  messageId: id(number),
  ids: [named(number)],
  folder: 'archive',
  read: true,
  starred: false,
  dated: START - 3 * DAY,
  ...more,
});
const lies = (mailbox: Mailbox, number: number) =>
  readMessageMeta(mailbox.shell.bytes(metaCell(mailbox.owner, id(number)))!);

describe('importing a message', () => {
  it('stands where its date says, not where the import does', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1);
    mailbox.do('ImportMessage', file(2, { folder: 'inbox' }), parts);
    expect(mailbox.lines('inbox').map((line) => line.thread)).toEqual([id(1), id(2)]);
    expect(lies(mailbox, 2)).toMatchObject({ at: START - 3 * DAY, via: 'import' });
  });

  it('never stands in the future', () => {
    const mailbox = new Mailbox();
    mailbox.do('ImportMessage', file(1, { dated: START + 1000 * DAY }), parts);
    expect(lies(mailbox, 1).at).toBeLessThan(START + DAY);
  });

  it('is no business of rules', () => {
    const mailbox = new Mailbox();
    mailbox.setRules([rule(1, { field: 'subject', word: 'offer' }, { folder: 'trash' })]);
    mailbox.do('ImportMessage', file(1), parts);
    expect(mailbox.lines('archive')).toHaveLength(1);
    expect(mailbox.lines('trash')).toHaveLength(0);
  });

  it('is taken once', () => {
    const mailbox = new Mailbox();
    mailbox.do('ImportMessage', file(1), parts);
    mailbox.do('ImportMessage', file(1, { folder: 'inbox' }), parts);
    expect(mailbox.lines('inbox')).toHaveLength(0);
    expect(mailbox.counts('archive')).toEqual({ total: 1, unread: 0 });
  });

  it('joins the conversation that it answers', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1, [named(1)]);
    mailbox.do('ImportMessage', file(2, { ids: [named(2), named(1)] }), parts);
    expect(mailbox.lines('archive')).toMatchObject([{ thread: id(1) }]);
  });

  it.each(['drafts', 'outbox', 'snoozed', 'gone', id(77)])('refuses %s as its place', (folder) => {
    expect(codeOf(new Mailbox().do('ImportMessage', file(1, { folder }), parts))).toBe('NoSuchFolder');
  });
});
