/** Which messages a program may answer (RFC 3834), and what it needs to know for that. */
import { describe, expect, it } from 'vitest';
import { accountsAddressed, answerableMessage } from '../../../gateways/message/answerable.ts';
import { readHeaderBlock } from '../../../gateways/message/header-block.ts';

const DOMAINS = ['penncloud.test'];

/** Of a message with these header fields, from this envelope sender. */
function answerable(fields: readonly string[] = [], sender = 'bob@elsewhere.example') {
  const raw = Buffer.from(`${['Subject: Hello', ...fields].join('\r\n')}\r\n\r\nText\r\n`);
  return answerableMessage(readHeaderBlock(raw), sender, DOMAINS);
}
const howOf = (found: ReturnType<typeof answerable>) =>
  JSON.parse(Buffer.from(found!.part).toString()) as unknown;

describe('a message that a person has written', () => {
  it('is answered to its envelope’s sender, with the ids that its header names', () => {
    const found = answerable([
      'From: Someone else <else@elsewhere.example>',
      'Reply-To: third@elsewhere.example',
      'Message-ID: <two@x>',
      'References: <zero@x>\r\n <one@x> not-an-id <bad\u0001@x>',
    ]);
    expect(howOf(found)).toEqual({
      address: 'bob@elsewhere.example',
      messageId: '<two@x>',
      references: ['<zero@x>', '<one@x>'],
    });
    expect(found!.answer).toEqual({ sender: expect.stringMatching(/^[\w-]{22}$/), account: null });
  });

  it('knows its sender again, however the address is written', () => {
    const hashes = ['Bob@Elsewhere.example', 'bob@elsewhere.example', 'bob2@elsewhere.example'].map(
      (sender) => answerable([], sender)!.answer.sender,
    );
    expect(hashes[0]).toBe(hashes[1]);
    expect(hashes[0]).not.toBe(hashes[2]);
  });

  it('knows an account here again, whichever of its addresses is named', () => {
    const hashes = ['bob@penncloud.test', 'Bob@localhost', 'bob+1@penncloud.test', 'bob+2@localhost'].map(
      (sender) => answerable([], sender)!.answer.sender,
    );
    expect(new Set(hashes).size).toBe(1);
  });

  it.each([
    ['bob@penncloud.test', 'bob'],
    ['Bob+shop@localhost', 'bob'],
    ['bob@other.example', null],
  ])('from %s is answered to the account %s', (sender, account) => {
    expect(answerable([], sender)!.answer.account).toBe(account);
  });

  it('names at most twenty of its references, the nearest', () => {
    const ids = Array.from({ length: 50 }, (_, n) => `<${n}@x>`);
    expect(howOf(answerable([`References: ${ids.join(' ')}`]))).toMatchObject({ references: ids.slice(-20) });
  });

  it.each([
    ['Auto-Submitted: no'],
    ['Auto-Submitted: No (a person wrote this)'],
    ['Precedence: first-class'],
    ['X-Auto-Response-Suppress: DR, RN'],
    ['Content-Type: multipart/mixed; boundary=b'],
    ['Subject: List-Id: x'],
    ['From: Norepl Yates <yates@elsewhere.example>'],
  ])('with %s may be answered', (field) => {
    expect(answerable([field])).toBeDefined();
  });
});

describe('a message that must not be answered', () => {
  it.each([
    ['Auto-Submitted: auto-generated'],
    ['Auto-Submitted: auto-replied; owner-email="a@b"'],
    ['auto-submitted: AUTO-NOTIFIED'],
    ['Auto-Submitted: no\r\nAuto-Submitted: auto-replied'],
    ['Auto-Submitted:'],
    ['List-Id: <talk.lists.example>'],
    ['List-Unsubscribe: <https://x.example/u>'],
    ['LIST-POST: NO'],
    ['Precedence: bulk'],
    ['Precedence: Junk'],
    ['Precedence:\r\n list'],
    ['X-Auto-Response-Suppress: DR, OOF, AutoReply'],
    ['X-Auto-Response-Suppress: All'],
    ['X-Autoreply: yes'],
    ['Content-Type: multipart/report; report-type=delivery-status; boundary=b'],
    ['From: MAILER-DAEMON@elsewhere.example'],
    ['From: Shop <no-reply@elsewhere.example>'],
  ])('has the field %s', (field) => {
    expect(answerable([field])).toBeUndefined();
  });

  it.each([
    [''],
    ['MAILER-DAEMON@elsewhere.example'],
    ['owner-talk@elsewhere.example'],
    ['talk-request@elsewhere.example'],
    ['talk-bounces@elsewhere.example'],
    ['bounces+alice=penncloud.test@elsewhere.example'],
    ['no-reply@elsewhere.example'],
    ['noreply-42@elsewhere.example'],
    ['do_not_reply@elsewhere.example'],
    ['postmaster@penncloud.test'],
    ['not an address'],
    ['"quoted part"@elsewhere.example'],
    ['a@b\r\nBcc: c@d'],
    [`${'x'.repeat(65)}@elsewhere.example`],
    // Served here, and nobody's name.
    ['x@penncloud.test'],
  ])('comes from <%s>', (sender) => {
    expect(answerable([], sender)).toBeUndefined();
  });
});

it('only accounts that To and Cc name are addressed', () => {
  const of = (...addresses: string[]) => addresses.map((address) => ({ name: '', address }));
  const to = of('Alice@PennCloud.test', 'bob@elsewhere.example', '');
  expect([...accountsAddressed({ to, cc: of('carol+tag@localhost') }, DOMAINS)]).toEqual(['alice', 'carol']);
});
