/** A message to addresses elsewhere: it joins a queue, and its writer sees how it stands there. */
import { describe, expect, it } from 'vitest';
import { encodeEnvelope } from '../../../../domain/outbound/envelope.ts';
import { encodeSaid } from '../../../../domain/outbound/said.ts';
import { outboundStream } from '../../../../domain/streams.ts';
import { metaCell } from '../../../../projections/keys.ts';
import { readMessageMeta } from '../../../../projections/message.ts';
import { itemStateCell } from '../../../../projections/outbound-keys.ts';
import { id, RAW, summary } from '../../given.ts';
import { START } from '../../in-memory-shell.ts';
import { codeOf, eventsOf, HOUR, Mailbox } from '../../mailbox.ts';
import { ADDRESSES, ENVELOPE } from '../../outbound-queue.ts';

describe('a message to addresses outside', () => {
  const parts = [RAW, summary(), summary(), '', '', encodeEnvelope(ENVELOPE)];
  const data = { recipients: ['bob'], outside: 2, enveloped: true };
  const queued = (mailbox: Mailbox) =>
    mailbox.shell.pending().filter(({ reaction }) => reaction.command === 'outbound.QueueMessage');
  const states = (mailbox: Mailbox) =>
    readMessageMeta(mailbox.shell.bytes(metaCell(mailbox.owner, id(1)))!).outside?.map(({ to, state }) => [
      to,
      state,
    ]);

  it('joins a queue by its own entry, and shows how it stands', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, data, parts);
    expect(queued(mailbox).map(({ reaction }) => reaction)).toEqual([
      {
        stream: outboundStream(id(1)),
        command: 'outbound.QueueMessage',
        data: { id: id(1), account: 'alice', origin: 'sent', messageId: id(1), recipients: 2 },
        parts: [0, 5],
      },
    ]);
    mailbox.shell.settleAll();
    expect(mailbox.shell.bytes(itemStateCell(outboundStream(id(1)), id(1)))).toBeDefined();
    expect(states(mailbox)).toEqual(ADDRESSES.map((to) => [to, 'waiting']));
  });

  it('joins it when its time comes, with the bytes that were scheduled, and never when it was taken back', () => {
    for (const isTakenBack of [false, true]) {
      const mailbox = new Mailbox();
      mailbox.send(1, { ...data, dueAt: START + HOUR }, parts);
      expect(queued(mailbox)).toEqual([]);
      expect(states(mailbox)).toEqual(ADDRESSES.map((to) => [to, 'scheduled']));
      if (isTakenBack) mailbox.do('CancelSending', { messageId: id(1) });
      mailbox.shell.advance(START + HOUR);
      const item = mailbox.shell.bytes(itemStateCell(outboundStream(id(1)), id(1)));
      expect(item !== undefined).toBe(!isTakenBack);
      if (!isTakenBack) expect(states(mailbox)).toEqual(ADDRESSES.map((to) => [to, 'waiting']));
    }
  });

  it.each([
    ['nobody as its sender', { ...ENVELOPE, from: '' }],
    ['header lines', { ...ENVELOPE, prepend: 'X: y\r\n' }],
    ['another number of addresses', { ...ENVELOPE, to: ADDRESSES.slice(0, 1) }],
  ])('is refused with %s', (_what, envelope) => {
    const outcome = new Mailbox().send(1, data, [...parts.slice(0, 5), encodeEnvelope(envelope)]);
    expect(codeOf(outcome)).toBe('Malformed');
  });

  it('as earlier releases wrote it queues nothing', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, { recipients: ['bob'], outside: 1 }, [...parts.slice(0, 5), '["dora@far.example"]']);
    expect(queued(mailbox)).toEqual([]);
  });

  it('as earlier releases wrote it is sent once its writer asks for it, and only once', () => {
    const mailbox = new Mailbox();
    const list = JSON.stringify(ADDRESSES);
    mailbox.send(1, { recipients: ['bob'], outside: 2 }, [...parts.slice(0, 5), list]);
    mailbox.shell.settleAll();
    const meta = () => readMessageMeta(mailbox.shell.bytes(metaCell(mailbox.owner, id(1)))!);
    expect(meta().delivery).toMatchObject(Object.fromEntries(ADDRESSES.map((to) => [to, 'queued'])));
    const ask = (more: object = {}, envelope = encodeEnvelope(ENVELOPE)) =>
      mailbox.do('SendOutside', { messageId: id(1), outside: 2, ...more }, [RAW, envelope]);
    ask();
    expect(queued(mailbox).map(({ reaction }) => reaction)).toMatchObject([
      { stream: outboundStream(id(1)), data: { id: id(1), origin: 'sent', recipients: 2 }, parts: [0, 1] },
    ]);
    mailbox.shell.settleAll();
    expect(mailbox.shell.bytes(itemStateCell(outboundStream(id(1)), id(1)))).toBeDefined();
    expect(states(mailbox)).toEqual(ADDRESSES.map((to) => [to, 'waiting']));
    expect(Object.keys(meta().delivery!)).toEqual(['bob']);
    expect(eventsOf(ask())).toEqual([]);
    expect(states(mailbox)).toHaveLength(2);
    expect(codeOf(ask({ messageId: id(9) }))).toBe('NoSuchMessage');
    expect(codeOf(ask({ outside: 1 }))).toBe('Malformed');
    expect(codeOf(ask({}, encodeEnvelope({ ...ENVELOPE, from: '' })))).toBe('Malformed');
  });

  it('hears from its queue alone how that went, and nothing once it is gone', () => {
    const mailbox = new Mailbox();
    mailbox.send(1, data, parts);
    mailbox.shell.settleAll();
    const changes = [
      { to: 0, state: 'delivered', tries: 1, retryAt: null, code: 250 },
      { to: 1, state: 'waiting', tries: 1, retryAt: START + HOUR, code: 451 },
    ];
    const said = encodeSaid([
      { host: 'mx1.far.example', text: '250 OK' },
      { host: 'mx.else.example', text: '451 Later' },
    ]);
    const record = (messageId: string, askedBy: string) =>
      mailbox.do('RecordDelivery', { messageId, origin: 'sent', changes }, [said], { askedBy });
    expect(codeOf(record(id(1), mailbox.owner))).toBe('Malformed');
    expect(eventsOf(record(id(1), outboundStream(id(1))))).toEqual(['mail.DeliveryRecorded']);
    expect(eventsOf(record(id(2), outboundStream(id(2))))).toEqual([]);
    const meta = readMessageMeta(mailbox.shell.bytes(metaCell(mailbox.owner, id(1)))!);
    expect(meta.outside).toMatchObject([
      { to: ADDRESSES[0], state: 'delivered', host: 'mx1.far.example' },
      { to: ADDRESSES[1], state: 'waiting', retryAt: START + HOUR, code: 451, text: '451 Later' },
    ]);
  });
});
