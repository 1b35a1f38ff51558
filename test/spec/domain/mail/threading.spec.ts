/** Which conversation a message joins. */
import { describe, expect, it } from 'vitest';
import { MESSAGES_MAX } from '../../../../domain/mail/conversation.ts';
import { id } from '../../given.ts';
import { eventsOf, HOUR, Mailbox, named } from '../../mailbox.ts';
import { START } from '../../in-memory-shell.ts';

describe('a message joins', () => {
  it('the conversation of the message that it answers', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1, [named(1)]);
    mailbox.receive(2, [named(2), named(1)]);
    expect(mailbox.threadOf(id(2))).toBe(id(1));
    expect(mailbox.stateOf(id(1)).map((message) => message.id)).toEqual([id(1), id(2)]);
  });

  it('a conversation of its own when it names nothing that is known, or nothing at all', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1);
    mailbox.receive(2, [named(2), named(7)]);
    mailbox.receive(3, [named(3)]);
    expect([1, 2, 3].map((n) => mailbox.threadOf(id(n)))).toEqual([id(1), id(2), id(3)]);
  });

  it('the nearest one of those that it names', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1, [named(1)]);
    mailbox.receive(2, [named(2)]);
    mailbox.receive(3, [named(3), named(2), named(1)]);
    expect(mailbox.threadOf(id(3))).toBe(id(2));
    mailbox.receive(4, [named(4), named(9), named(1)]);
    expect(mailbox.threadOf(id(4))).toBe(id(1));
  });

  it('those that answer the same message, though that one has not come yet; and so does that one', () => {
    const mailbox = new Mailbox();
    mailbox.receive(2, [named(2), named(1)]);
    mailbox.receive(3, [named(3), named(1)]);
    mailbox.receive(1, [named(1)]);
    expect([1, 2, 3].map((n) => mailbox.threadOf(id(n)))).toEqual([id(2), id(2), id(2)]);
  });

  it('one of two conversations that it connects: they stay two', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1, [named(1)]);
    mailbox.receive(2, [named(2)]);
    mailbox.receive(3, [named(3), named(1), named(2)]);
    mailbox.receive(4, [named(4), named(2)]);
    expect(mailbox.threadOf(id(3))).toBe(id(1));
    expect(mailbox.threadOf(id(4))).toBe(id(2));
  });

  it('its conversation once, though it names one id again and again', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1, [named(1), named(1), named(1)]);
    expect(mailbox.stateOf(id(1))).toHaveLength(1);
    mailbox.receive(2, [named(2), named(1), named(1)]);
    expect(mailbox.stateOf(id(1))).toHaveLength(2);
  });

  it('the conversation of its namesake, when two messages bear one Message-ID', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1, [named(1)]);
    mailbox.receive(2, [named(1)]);
    expect(mailbox.threadOf(id(2))).toBe(id(1));
  });

  it('the conversation of what one wrote, and so does what one answers', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, { ids: [named(1)] });
    mailbox.receive(2, [named(2), named(1)]);
    mailbox.send(3, { ids: [named(3), named(2), named(1)] });
    expect(mailbox.stateOf(id(1)).map(({ folder }) => folder)).toEqual(['sent', 'inbox', 'sent']);
  });

  it('a conversation whose messages were deleted for good: it begins anew under its name', () => {
    const mailbox = new Mailbox();
    mailbox.receive(1, [named(1)]);
    mailbox.change({ messages: [id(1)] }, { folder: 'trash' });
    mailbox.delete({ messages: [id(1)] });
    mailbox.shell.advance(START + HOUR);
    mailbox.receive(2, [named(2), named(1)]);
    expect(mailbox.conversation(id(1))?.messages.map((message) => message.id)).toEqual([id(2)]);
  });
});

describe('a conversation that is full', () => {
  const full = (): Mailbox => {
    const mailbox = new Mailbox();
    mailbox.receive(1, [named(1)]);
    for (let n = 2; n <= MESSAGES_MAX; n++) mailbox.receive(n, [named(n), named(1)]);
    return mailbox;
  };

  it('has 100 messages; the next one begins a new one', () => {
    const mailbox = full();
    expect(mailbox.stateOf(id(1))).toHaveLength(100);
    mailbox.receive(101, [named(101), named(1)]);
    expect(mailbox.threadOf(id(101))).toBe(id(101));
    expect(mailbox.stateOf(id(1))).toHaveLength(100);
  });

  it('does not hold together what answers the first message of the new one', () => {
    const mailbox = full();
    mailbox.receive(101, [named(101), named(1)]);
    mailbox.receive(102, [named(102), named(101), named(1)]);
    expect(mailbox.threadOf(id(102))).toBe(id(101));
  });

  it('has room again when some of it was deleted for good', () => {
    const mailbox = full();
    mailbox.change({ messages: [id(50)] }, { folder: 'trash' });
    mailbox.delete({ messages: [id(50)] });
    mailbox.shell.advance(START + HOUR);
    expect(eventsOf(mailbox.receive(101, [named(101), named(1)]))).toEqual(['mail.MessageReceived']);
    expect(mailbox.threadOf(id(101))).toBe(id(1));
  });
});
