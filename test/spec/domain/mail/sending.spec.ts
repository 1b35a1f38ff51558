/** A message is sent: at once, or at its time, until which it can be taken back. */
import { describe, expect, it } from 'vitest';
import { GONE } from '../../../../domain/mail/folders.ts';
import { encodeAnswerable } from '../../../../domain/mail/message/answerable.ts';
import { SUMMARY_BYTES_MAX } from '../../../../domain/mail/message/summary.ts';
import { WRITTEN_TO_BYTES_MAX } from '../../../../domain/mail/message/written-to.ts';
import { readMessageMeta } from '../../../../projections/message.ts';
import { metaCell, rawCell } from '../../../../projections/keys.ts';
import { ALICE, BOB, domain, given, id, RAW, signedUp, summary, type Said } from '../../given.ts';
import { LIMITS, START } from '../../in-memory-shell.ts';
import { codeOf, DAY, eventsOf, HOUR, Mailbox, MINUTE, named } from '../../mailbox.ts';

const alice = signedUp('alice');
const send = (more: Partial<Said> = {}): Said => ({
  type: 'mail.SendMessage',
  data: { messageId: id(1), recipients: ['bob'] },
  parts: [RAW, summary(), summary()],
  ...more,
});
const tooLong = 'x'.repeat(LIMITS.messageBytesMax + 1);
const draft = (mailbox: Mailbox, number = 7) =>
  mailbox.do('SaveDraft', { draftId: id(number), revision: 0 }, ['{}', summary()]);
const cancel = (mailbox: Mailbox, number = 1) => mailbox.do('CancelSending', { messageId: id(number) });
const deliveryOf = (mailbox: Mailbox) =>
  readMessageMeta(mailbox.shell.bytes(metaCell(ALICE, id(1))) ?? new Uint8Array()).delivery;

describe('sending a message at once', () => {
  it('keeps it among the sent ones and names each recipient once', () => {
    given(domain, [alice])
      .when(send({ data: { messageId: id(1), recipients: ['bob', 'carol', 'bob'], size: RAW.length } }))
      .then([
        {
          type: 'mail.MessageSent',
          data: { messageId: id(1), thread: id(1), ids: [], named: [], recipients: ['bob', 'carol'] },
        },
      ]);
  });

  it('sends nothing a second time', () => {
    const mailbox = new Mailbox();
    mailbox.send(1);
    expect(eventsOf(mailbox.send(1))).toEqual([]);
  });

  it('sends nothing that was sent under the id of the hour before (decision 0030)', () => {
    const mailbox = new Mailbox();
    mailbox.send(1);
    expect(eventsOf(mailbox.send(2, { earlier: id(1) }))).toEqual([]);
    expect(eventsOf(mailbox.send(2, { earlier: id(3) }))).toEqual(['mail.MessageSent']);
    expect(codeOf(mailbox.send(4, { earlier: 'x' }))).toBe('Malformed');
  });

  it('delivers to each recipient the message, the summary without Bcc, and the words without Bcc', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, { recipients: ['bob', 'alice'] }, [RAW, summary(), 'without', 'words and bcc', 'words']);
    const delivery = {
      command: 'mail.ReceiveMessage',
      data: { messageId: `${id(1)}-in`, via: 'local', ids: [] },
    };
    expect(mailbox.shell.pending().map(({ reaction }) => reaction)).toEqual([
      { stream: BOB, ...delivery, parts: [0, 2, 4] },
      { stream: ALICE, ...delivery, parts: [0, 2, 4] },
    ]);
  });

  it('joins the copies to the conversations of those who get them', () => {
    const mailbox = new Mailbox();
    mailbox.do('ReceiveMessage', { messageId: id(9), via: 'smtp', ids: [named(1)] }, [RAW, summary()], {
      stream: BOB,
    });
    mailbox.send(1, { recipients: ['bob', 'alice'], ids: [named(2), named(1)] });
    mailbox.shell.settleAll();
    expect(mailbox.shell.slice(BOB, `message/${id(1)}-in`)).toEqual({ thread: id(9) });
    expect(mailbox.threadOf(`${id(1)}-in`)).toBe(id(1));
  });

  it('counts the addresses outside, which come as a part', () => {
    const parts = [RAW, summary(), summary(), '', '', '["dora@far.example"]'];
    given(domain, [alice])
      .when(send({ data: { messageId: id(1), recipients: [], outside: 1 }, parts }))
      .then([
        {
          type: 'mail.MessageSent',
          data: {
            messageId: id(1),
            thread: id(1),
            ids: [],
            doc: 0,
            named: [],
            recipients: [],
            outside: 1,
          },
        },
      ]);
    given(domain, [alice])
      .when(send({ data: { messageId: id(1), recipients: ['bob'], outside: 1 } }))
      .thenRejected('Malformed', { field: 'parts', limit: 6 });
  });

  it('is refused when the sender has no account', () => {
    given(domain, []).when(send()).thenRejected('NoSuchAccount');
  });

  it('takes the addresses that are collected as a part more, of bounded length', () => {
    const parts = [RAW, summary(), summary(), '', '', '[]'];
    const data = { messageId: id(1), recipients: ['bob'] };
    const sent = { ...data, thread: id(1), ids: [], doc: 0, named: [] };
    for (const collected of [5, 6]) {
      given(domain, [alice])
        .when(send({ data: { ...data, collects: true }, parts: [...parts.slice(0, collected), '[]'] }))
        .then([{ type: 'mail.MessageSent', data: { ...sent, collected } }]);
    }
    const answerable = encodeAnswerable({ address: 'a@penncloud.test', messageId: '', references: [] });
    const answer = { sender: named(7), account: 'alice', addressed: ['bob'] };
    given(domain, [alice])
      .when(send({ data: { ...data, collects: true, answer }, parts: [...parts, '[]', answerable] }))
      .then([{ type: 'mail.MessageSent', data: { ...sent, collected: 6, answer: { ...answer, part: 7 } } }]);
    given(domain, [alice])
      .when(
        send({ data: { ...data, collects: true }, parts: [...parts, 'x'.repeat(WRITTEN_TO_BYTES_MAX + 1)] }),
      )
      .thenRejected('TooLarge', { field: 'addresses written to' });
  });

  it('is refused when it is too large', () => {
    given(domain, [alice])
      .when(send({ parts: [tooLong, summary(), summary()] }))
      .thenRejected('TooLarge', { field: 'message' });
    const long = 'x'.repeat(SUMMARY_BYTES_MAX + 1);
    given(domain, [alice])
      .when(send({ parts: [RAW, long, summary()] }))
      .thenRejected('TooLarge', { field: 'summary' });
    given(domain, [alice])
      .when(send({ parts: [RAW, summary(), long] }))
      .thenRejected('TooLarge', { field: 'summary' });
  });

  it.each([
    ['nobody', []],
    ['101 people', Array.from({ length: 101 }, (_, n) => `user${n}`)],
    ['something that is no list', 'bob'],
    ['an address instead of a name', ['bob@penncloud.test']],
    ['a number', [7]],
  ])('is refused to %s', (_what, recipients) => {
    given(domain, [alice])
      .when(send({ data: { messageId: id(1), recipients } }))
      .thenRejected('Malformed', { field: 'recipients' });
  });

  it('is refused with an id of an arrived copy, or with a size that is not the message’s', () => {
    given(domain, [alice])
      .when(send({ data: { messageId: `${id(1)}-in`, recipients: ['bob'] } }))
      .thenRejected('Malformed', { field: 'messageId' });
    given(domain, [alice])
      .when(send({ data: { messageId: id(1), recipients: ['bob'], size: 1 } }))
      .thenRejected('Malformed', { field: 'size', limit: RAW.length });
  });
});

describe('a message that is to be sent later', () => {
  const dueAt = START + HOUR;

  it('lies in the outbox until its time, and is delivered to nobody', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, { dueAt });
    mailbox.shell.advance(dueAt - 1);
    expect(mailbox.folderOf(id(1))).toBe('outbox');
    expect(mailbox.lines('outbox')).toMatchObject([{ newest: id(1), until: dueAt }]);
    expect(mailbox.shell.slice(BOB, `message/${id(1)}-in`)).toBeUndefined();
    expect(deliveryOf(mailbox)).toEqual({ bob: 'scheduled' });
  });

  it('is sent at its time, to everyone, made of the bytes that its first entry holds', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, { dueAt, recipients: ['bob', 'carol', 'nobody'], ids: [named(1)] });
    mailbox.shell.advance(dueAt);
    expect(mailbox.folderOf(id(1))).toBe('sent');
    expect(mailbox.lines('outbox')).toEqual([]);
    expect(mailbox.lines('sent')).toMatchObject([{ newest: id(1), at: dueAt, until: null }]);
    expect(Buffer.from(mailbox.shell.bytes(rawCell(BOB, `${id(1)}-in`))!).toString()).toBe(RAW);
    expect(mailbox.shell.slice(BOB, `mid/${named(1)}`)).toEqual({ thread: `${id(1)}-in` });
    expect(deliveryOf(mailbox)).toEqual({ bob: 'delivered', carol: 'delivered', nobody: 'NoSuchAccount' });
  });

  it('is sent at once when its time is over already', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, { dueAt: START - DAY });
    mailbox.shell.advance(START);
    expect(mailbox.folderOf(id(1))).toBe('sent');
  });

  it('is refused more than a year ahead', () => {
    expect(codeOf(new Mailbox().send(1, { dueAt: START + 367 * DAY }))).toBe('Malformed');
  });

  it('is released by its time alone, not by whoever asks', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, { dueAt });
    expect(codeOf(mailbox.do('ReleaseMessage', { messageId: id(1) }))).toBe('Malformed');
    expect(mailbox.folderOf(id(1))).toBe('outbox');
  });

  it('is released once, however often the reaction comes', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, { dueAt });
    const [release] = mailbox.shell.pending();
    mailbox.shell.advance(dueAt);
    const before = mailbox.shell.log.length;
    expect(eventsOf(mailbox.shell.settle(release!))).toEqual([]);
    expect(mailbox.shell.log.slice(before).map(({ events }) => events[0]?.type)).toEqual([
      'platform.ReactionSettled',
    ]);
  });

  it('stays where it is until then: it is not moved, snoozed or deleted', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, { dueAt });
    const it = { messages: [id(1)] };
    expect(eventsOf(mailbox.change(it, { folder: 'trash' }))).toEqual([]);
    expect(eventsOf(mailbox.change(it, { snoozeUntil: dueAt }))).toEqual([]);
    expect(eventsOf(mailbox.delete(it))).toEqual([]);
    expect(eventsOf(mailbox.change(it, { starred: true }))).toEqual(['mail.MessagesChanged']);
  });
});

describe('taking a message back', () => {
  const dueAt = START + 10_000;

  it('before its time leaves nothing of it, and nothing is ever delivered', () => {
    const mailbox = new Mailbox();
    const before = mailbox.shell.state();
    mailbox.send(1, { dueAt, ids: [named(1)] });
    expect(eventsOf(cancel(mailbox))).toEqual(['mail.SendingCancelled']);
    expect(mailbox.shell.state()).toEqual(before);
    mailbox.shell.advance(dueAt + DAY);
    expect(mailbox.shell.state()).toEqual(before);
    expect(mailbox.lines('outbox')).toEqual([]);
    expect(mailbox.lines('sent')).toEqual([]);
    expect(mailbox.shell.bytes(metaCell(ALICE, id(1)))).toBeUndefined();
    expect(mailbox.shell.pending()).toEqual([]);
  });

  it('is refused once it was sent, a second time, and for what was never to be sent', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, { dueAt });
    mailbox.shell.advance(dueAt);
    expect(codeOf(cancel(mailbox))).toBe('ChangedSince');
    mailbox.send(2, { dueAt: dueAt + MINUTE });
    cancel(mailbox, 2);
    expect(codeOf(cancel(mailbox, 2))).toBe('ChangedSince');
    mailbox.receive(3);
    expect(codeOf(cancel(mailbox, 3))).toBe('ChangedSince');
    expect(codeOf(cancel(mailbox, 4))).toBe('ChangedSince');
    expect(mailbox.folderOf(id(1))).toBe('sent');
  });

  it('leaves the conversation that it answers as it was', () => {
    const mailbox = new Mailbox();
    mailbox.receive(2, [named(2)]);
    const before = mailbox.shell.dump();
    mailbox.send(1, { dueAt, ids: [named(1), named(2)] });
    cancel(mailbox);
    expect(mailbox.threadOf(id(2))).toBe(id(2));
    expect(
      mailbox.shell.dump().filter((cell) => cell.includes('/thread/') || cell.includes('/folder/')),
    ).toEqual(before.filter((cell) => cell.includes('/thread/') || cell.includes('/folder/')));
  });

  it('does not tear apart what joined its conversation meanwhile', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, { dueAt, ids: [named(1), named(9)] });
    mailbox.receive(2, [named(2), named(9)]);
    cancel(mailbox);
    mailbox.receive(3, [named(3), named(9)]);
    expect(mailbox.threadOf(id(3))).toBe(mailbox.threadOf(id(2)));
  });
});

describe('the draft of a message that is to be sent', () => {
  const dueAt = START + 10_000;
  const scheduled = (): Mailbox => {
    const mailbox = new Mailbox();
    draft(mailbox);
    mailbox.send(1, { dueAt, draftId: id(7) });
    return mailbox;
  };

  it('is out of sight meanwhile, and cannot be written on', () => {
    const mailbox = scheduled();
    expect(mailbox.lines('drafts')).toEqual([]);
    expect(mailbox.counts('drafts')).toEqual({ total: 0, unread: 0 });
    expect(mailbox.folderOf(id(7))).toBe(GONE);
    const again = mailbox.do('SaveDraft', { draftId: id(7), revision: 1 }, ['{}', summary()]);
    expect(codeOf(again)).toBe('NoSuchMessage');
  });

  it('is there again when the message is taken back, and can be written on', () => {
    const mailbox = scheduled();
    cancel(mailbox);
    expect(mailbox.lines('drafts')).toMatchObject([{ newest: id(7) }]);
    expect(mailbox.counts('drafts')).toEqual({ total: 1, unread: 0 });
    const again = mailbox.do('SaveDraft', { draftId: id(7), revision: 1 }, ['{}', summary()]);
    expect(eventsOf(again)).toEqual(['mail.DraftSaved']);
  });

  it('is gone when the message is sent', () => {
    const mailbox = scheduled();
    mailbox.shell.advance(dueAt);
    expect(mailbox.folderOf(id(7))).toBeUndefined();
    expect(mailbox.conversation(id(7))).toBeUndefined();
    expect(mailbox.shell.bytes(metaCell(ALICE, id(7)))).toBeUndefined();
  });

  it('is gone when the message is sent at once', () => {
    const mailbox = new Mailbox();
    draft(mailbox);
    mailbox.send(1, { draftId: id(7) });
    expect(mailbox.lines('sent')).toMatchObject([{ newest: id(1) }]);
    expect(mailbox.counts('drafts')).toEqual({ total: 0, unread: 0 });
    expect(mailbox.folderOf(id(7))).toBeUndefined();
    expect(mailbox.conversation(id(7))).toBeUndefined();
    expect(mailbox.shell.bytes(metaCell(ALICE, id(7)))).toBeUndefined();
  });

  it('goes out once, though another window has it open; taken back it can be sent again', () => {
    for (const due of [null, dueAt]) {
      const mailbox = new Mailbox();
      draft(mailbox);
      mailbox.send(1, { dueAt: due, draftId: id(7) });
      expect(codeOf(mailbox.send(2, { dueAt: due, draftId: id(7) }))).toBe('ChangedSince');
      mailbox.shell.advance(dueAt);
      expect(codeOf(mailbox.send(3, { dueAt: null, draftId: id(7) }))).toBe('ChangedSince');
    }
    const mailbox = scheduled();
    cancel(mailbox);
    expect(eventsOf(mailbox.send(2, { dueAt, draftId: id(7) }))).toEqual(['mail.MessageScheduled']);
  });

  it('is not the business of a message when it was deleted before', () => {
    const mailbox = new Mailbox();
    draft(mailbox);
    mailbox.delete({ messages: [id(7)] });
    mailbox.send(1, { dueAt, draftId: id(7) });
    cancel(mailbox);
    expect(mailbox.folderOf(id(7))).toBe(GONE);
    mailbox.shell.advance(START + HOUR);
    expect(mailbox.folderOf(id(7))).toBeUndefined();
  });

  it('is not lost to an earlier deletion that was undone, whose time comes while the message waits', () => {
    const mailbox = new Mailbox();
    draft(mailbox);
    mailbox.undo(mailbox.delete({ messages: [id(7)] }));
    mailbox.send(1, { dueAt: START + HOUR, draftId: id(7) });
    mailbox.shell.advance(START + 30 * MINUTE);
    cancel(mailbox);
    expect(mailbox.folderOf(id(7))).toBe('drafts');
  });

  it('does not come back by undoing an earlier deletion once more', () => {
    const mailbox = new Mailbox();
    draft(mailbox);
    const deleted = mailbox.delete({ messages: [id(7)] });
    mailbox.undo(deleted);
    mailbox.send(1, { dueAt, draftId: id(7) });
    expect(codeOf(mailbox.undo(deleted))).toBe('ChangedSince');
    mailbox.shell.advance(dueAt);
    expect(mailbox.folderOf(id(7))).toBeUndefined();
  });
});
