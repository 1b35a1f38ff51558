/** What the worker of outbound mail makes of replies, when it tries again, and what it writes to senders. */
import { simpleParser } from 'mailparser';
import { describe, expect, it } from 'vitest';
import { deliveryNotice, type Notice } from '../../../gateways/smtp/outbound/queue/delivery-notice.ts';
import { afterTry } from '../../../gateways/smtp/outbound/queue/retry-times.ts';
import { isNamedIn } from '../../../gateways/smtp/outbound/transport/sts-policies.ts';
import { impossible, unanswered, verdictOfReply } from '../../../gateways/smtp/outbound/transport/verdict.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TIMES = { first: MINUTE, most: 4 * HOUR, giveUp: 5 * DAY, tellDelay: 4 * HOUR };

describe('a reply', () => {
  it.each([
    ['250 2.0.0 kept', 'delivered', 250, '2.0.0'],
    ['250 kept', 'delivered', 250, '2.0.0'],
    ['451 4.7.1 later', 'deferred', 451, '4.7.1'],
    ['550-5.1.1 no\n550 5.1.1 such user', 'failed', 550, '5.1.1'],
    ['550 2.1.1 a class that is not the code’s', 'failed', 550, '5.0.0'],
    ['354 go on', 'deferred', null, '4.4.2'],
    ['2lots', 'deferred', null, '4.4.2'],
    ['', 'deferred', null, '4.4.2'],
  ])('%j is %s', (reply, outcome, code, status) => {
    expect(verdictOfReply(reply, 'mx.test')).toMatchObject({ outcome, code, status });
  });

  it('is kept as one bounded line', () => {
    const { text } = verdictOfReply(`550 a\u0000b\n550 ${'c'.repeat(5000)}`, 'mx.test');
    expect(text).toMatch(/^550 a b c+$/);
    expect(text.length).toBe(1000);
  });
});

describe('the next try', () => {
  const later = unanswered('mx.test', 'no answer');
  const at = (tries: number, waited: number, random = 0.5) =>
    afterTry(later, { tries, isDelayTold: false }, { queuedAt: 0, now: waited, times: TIMES, random });

  it('comes after a minute, then after twice as long, up to four hours, more or less a fifth', () => {
    expect([0, 1, 2, 7, 8, 40].map((tries) => at(tries, 0).retryAt! / MINUTE)).toEqual([
      1, 2, 4, 128, 240, 240,
    ]);
    expect([0, 1].map((random) => at(0, 0, random).retryAt! / MINUTE)).toEqual([0.8, 1.2]);
  });

  it('is the last one after five days; then the message is given up, with the last answer', () => {
    expect(at(40, 5 * DAY - MINUTE).retryAt).toBe(5 * DAY);
    expect(at(40, 5 * DAY)).toMatchObject({
      verdict: {
        outcome: 'failed',
        status: '4.4.7',
        text: 'Given up after 5 days. The last answer: no answer',
      },
      retryAt: null,
    });
  });

  it('tells of a delay once, after four hours', () => {
    expect(at(5, 4 * HOUR - 1).isDelayTold).toBe(false);
    expect(at(5, 4 * HOUR).isDelayTold).toBe(true);
    const told = { tries: 5, isDelayTold: true };
    expect(afterTry(later, told, { queuedAt: 0, now: DAY, times: TIMES, random: 0 }).isDelayTold).toBe(false);
  });
});

describe('a wildcard of a policy (RFC 8461 §4.1)', () => {
  const policy = { id: '1', mode: 'enforce', mx: ['*.one.test', 'mx.two.test'], until: 0 } as const;
  it('stands for one label', () => {
    const names = ['mx.one.test', 'a.mx.one.test', 'one.test', 'mx.two.test', 'x.two.test'];
    expect(names.filter((name) => isNamedIn(policy, name))).toEqual(['mx.one.test', 'mx.two.test']);
  });
});

describe('a notice to the sender', () => {
  const notice = (more: Partial<Notice> = {}): Notice => ({
    kind: 'failed',
    to: 'ann@penncloud.test',
    recipients: [
      {
        address: 'bob@one.test',
        verdict: verdictOfReply('550 5.1.1 no such user', 'mx.one.test'),
        retryUntil: DAY,
      },
      {
        address: 'eve@two.test',
        verdict: impossible('There is no domain two.test.', '5.1.2'),
        retryUntil: DAY,
      },
    ],
    head: Buffer.from(
      'From: ann@penncloud.test\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@penncloud.test>\r\n\r\nSecret\r\n',
    ),
    queuedAt: 0,
    now: HOUR,
    ownName: 'penncloud.test',
    id: 'failed.one',
    ...more,
  });

  it('says who was not reached and why, to people and to programs (RFC 3464)', async () => {
    const raw = deliveryNotice(notice()).toString();
    const read = await simpleParser(raw);
    expect(read.subject).toBe('Not delivered: Grüße');
    expect(read.inReplyTo).toBe('<1@penncloud.test>');
    expect(read.headers.get('auto-submitted')).toBe('auto-replied');
    expect(read.text).toContain('mx.one.test answered: 550 5.1.1 no such user');
    expect(raw).toContain('Content-Type: multipart/report; report-type=delivery-status;');
    expect(raw).toContain(
      'Final-Recipient: rfc822; bob@one.test\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.one.test\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n',
    );
    expect(raw).toContain('Content-Type: text/rfc822-headers');
    expect(raw).not.toContain('Secret');
  });

  it('says of a delay until when it is tried', async () => {
    const read = await simpleParser(deliveryNotice(notice({ kind: 'delayed' })));
    expect(read.subject).toBe('Delayed: Grüße');
    expect(read.text).toContain('It is tried again until Fri, 02 Jan 1970 00:00:00 +0000.');
  });

  it('keeps strangers’ words within their lines', () => {
    const raw = deliveryNotice(
      notice({
        head: Buffer.from('Subject: a\r\n\tb =?utf-8?Q?=0D=0ABcc:_all?=\r\nMessage-ID: not one\r\n\r\n'),
        recipients: [
          {
            address: 'bøb@one.test',
            verdict: verdictOfReply('550 x\r\nAction: delivered\r\n550 y', 'mx'),
            retryUntil: DAY,
          },
        ],
      }),
    ).toString();
    expect(raw).toContain('Final-Recipient: utf-8; bøb@one.test');
    expect(raw).not.toMatch(/^(Bcc|Action: delivered|In-Reply-To)/m);
    expect(raw.split('\n').every((line) => line === '' || line.endsWith('\r'))).toBe(true);
  });
});
