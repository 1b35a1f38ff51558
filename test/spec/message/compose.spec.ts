import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isServed,
  isValidAddress,
  parseAddressList,
  recipientAccount,
} from '../../../gateways/message/addresses.ts';
import { composeMessage, UncomposableMessage, type NewMessage } from '../../../gateways/message/compose.ts';
import { readMessage } from '../../../gateways/message/read-message.ts';

const message: NewMessage = {
  from: { name: 'Zoë, of "Ops"', address: 'zoe@penncloud.test' },
  to: [{ name: 'Bob', address: 'bob@far.example' }],
  cc: [{ name: '', address: 'carol@penncloud.test' }],
  bcc: [{ name: '', address: 'secret@penncloud.test' }],
  subject: 'Grüße — 日本',
  text: 'Hello\n.\nFrom here\r\nto there',
  date: Date.UTC(2024, 1, 29, 12, 0, 0),
  messageIdHeader: '<abc@penncloud.test>',
  inReplyTo: '<first@far.example>',
  references: ['<zero@far.example>', '<first@far.example>'],
};

describe('composing', () => {
  it('writes what is read back, with CRLF line ends and without Bcc', async () => {
    const raw = await composeMessage(message);
    expect(raw.toString('latin1')).not.toMatch(/(?<!\r)\n|\r(?!\n)/);
    expect(raw.toString()).not.toMatch(/secret|bcc/i);
    const { headers, text } = await readMessage(raw);
    expect(headers).toMatchObject({
      from: message.from,
      to: message.to,
      cc: message.cc,
      subject: message.subject,
      date: message.date,
      messageId: message.messageIdHeader,
      references: message.references,
    });
    expect(text?.trimEnd()).toBe('Hello\n.\nFrom here\nto there');
  });

  it('refuses a field that could start another one, naming it', async () => {
    const injected = 'x\r\nBcc: everyone@far.example';
    const attempts: [string, Partial<NewMessage>][] = [
      ['subject', { subject: injected }],
      ['name in from', { from: { ...message.from, name: injected } }],
      ['address in to', { to: [{ name: '', address: `a@b.example${injected}` }] }],
      ['message id', { messageIdHeader: `<a@b>${injected}` }],
      ['in-reply-to', { inReplyTo: `<a@b\r\n>` }],
      ['references', { references: ['<a@b>\n'] }],
      ['subject', { subject: 's'.repeat(999) }],
      ['recipients', { to: Array.from({ length: 101 }, () => ({ name: '', address: 'a@b.example' })) }],
    ];
    for (const [field, change] of attempts) {
      await expect(composeMessage({ ...message, ...change })).rejects.toMatchObject({ field });
      await expect(composeMessage({ ...message, ...change })).rejects.toBeInstanceOf(UncomposableMessage);
    }
  });

  it('reads back any subject, name and text that it takes: property', async () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 120 });
    await fc.assert(
      fc.asyncProperty(line, line, line, async (name, subject, text) => {
        const raw = await composeMessage({
          ...message,
          from: { ...message.from, name },
          subject,
          text,
        }).catch((error: unknown) => error);
        if (raw instanceof UncomposableMessage) return;
        const lines = (raw as Buffer).toString('latin1').split('\r\n');
        expect(lines.filter((one) => /^(bcc|to|from|subject):/i.test(one)).length).toBeLessThanOrEqual(
          3 + text.length,
        );
        const { headers } = await readMessage(raw as Buffer);
        const squeezed = (value: string) => value.replace(/\s+/g, ' ').trim();
        expect(headers.subject).toBe(squeezed(subject));
        expect(headers.from.address).toBe(message.from.address);
      }),
      { numRuns: 300 },
    );
  });
});

describe('an address list as typed', () => {
  it('is split at commas, semicolons and line ends, with names and groups', () => {
    const { ok, bad } = parseAddressList(
      '"Doe, J." <j@x.example>; bob@y.example\nteam: a@z.example, b@z.example',
    );
    expect(ok).toEqual([
      { name: 'Doe, J.', address: 'j@x.example' },
      { name: '', address: 'bob@y.example' },
      { name: '', address: 'a@z.example' },
      { name: '', address: 'b@z.example' },
    ]);
    expect(bad).toEqual([]);
  });

  it('quotes what is no address', () => {
    const { ok, bad } = parseAddressList('alice, bob@, @x.example, c@x.example, "d e"@x.example, f@x..y');
    expect(ok.map(({ address }) => address)).toContain('c@x.example');
    expect(bad.join(' | ')).toMatch(/alice/);
    expect(ok.length + bad.length).toBe(6);
    expect(parseAddressList('')).toEqual({ ok: [], bad: [] });
  });

  it.each([
    ['a@b.example', true],
    ['a@localhost', true],
    ["o'neil+tag@b.example", true],
    ['"a b"@b.example', true],
    ['zoë@bücher.example', true],
    ['a@[192.0.2.1]', true],
    ['a@[IPv6:2001:db8::1]', true],
    [`${'l'.repeat(64)}@b.example`, true],
    [`${'l'.repeat(65)}@b.example`, false],
    [`a@${'d'.repeat(63)}.example`, true],
    [`a@${'d'.repeat(64)}.example`, false],
    [`a@${'d.'.repeat(126)}d`, false],
    ['.a@b.example', false],
    ['a..b@b.example', false],
    ['a b@b.example', false],
    ['a@b_c.example', false],
    ['a@[300.0.0.1]', false],
    ['a@-b.example', false],
    ['a@b@c.example', false],
    ['@b.example', false],
    ['a\r\n@b.example', false],
  ])('%s is valid: %s (RFC 5321 4.1.2, 4.5.3.1)', (address, valid) => {
    expect(isValidAddress(address)).toBe(valid);
  });
});

describe('the account that an address means', () => {
  it.each([
    ['alice@penncloud.test', 'alice'],
    ['ALICE@PENNCLOUD.TEST', 'alice'],
    ['alice+news+x@localhost', 'alice'],
    ['alice@penncloud.test.', 'alice'],
    ['al@bücher.example', 'al'],
    ['al@xn--bcher-kva.example', 'al'],
    ['postmaster', 'postmaster'],
    ['alice@far.example', undefined],
    ['alice@sub.penncloud.test', undefined],
    ['+tag@penncloud.test', undefined],
    ['a/b@penncloud.test', undefined],
    ['a@penncloud.test', undefined],
    ['alice', undefined],
  ])('%s: %s', (address, account) => {
    expect(recipientAccount(address, ['penncloud.test', 'bücher.example'])).toBe(account);
  });

  it('is asked for only where the domain is served', () => {
    expect(isServed('a/b@penncloud.test', ['penncloud.test'])).toBe(true);
    expect(isServed('a@far.example', ['penncloud.test'])).toBe(false);
  });
});
