import { describe, expect, it } from 'vitest';
import { ClientLimits } from '../../../gateways/smtp/session/client-limits.ts';
import { SmtpReply } from '../../../gateways/smtp/session/smtp-reply.ts';

const settings = {
  connectionsPerAddressMax: 2,
  connectionsPerMinuteMax: 3,
  messagesPerMinuteMax: 2,
  recipientsPerMinuteMax: 3,
  refusalsPerSessionMax: 1,
};

describe('what one SMTP client may ask for', () => {
  it('refuses a connection too many at once, and takes the next when one has ended', () => {
    const limits = new ClientLimits(settings, () => 0);
    limits.connected('192.0.2.1');
    limits.connected('192.0.2.1');
    expect(() => limits.connected('192.0.2.1')).toThrow(
      /^4\.7\.0 Too many connections at once from 192\.0\.2\.1, the limit is 2/,
    );
    limits.connected('192.0.2.2');
    limits.disconnected('192.0.2.1');
    expect(() => limits.connected('192.0.2.1')).not.toThrow();
  });

  it('refuses a connection too many in a minute, until the minute is over', () => {
    let now = 0;
    const limits = new ClientLimits(settings, () => now);
    const visit = () => {
      limits.connected('192.0.2.1');
      limits.disconnected('192.0.2.1');
    };
    for (let n = 0; n < 3; n++) visit();
    expect(visit).toThrow(/connections a minute/);
    now = 60_000;
    expect(visit).not.toThrow();
  });

  it('exempts this machine', () => {
    const limits = new ClientLimits(settings, () => 0);
    for (let n = 0; n < 10; n++) {
      for (const address of ['127.0.0.1', '::1']) {
        limits.connected(address);
        limits.message(address);
        limits.recipient(address);
      }
    }
  });

  it('asks to come back with messages and recipients too many in a minute (RFC 5321 §4.3.2)', () => {
    let now = 0;
    const limits = new ClientLimits(settings, () => now);
    const asked = (work: () => void): string => {
      try {
        work();
        return 'yes';
      } catch (error) {
        return `${(error as SmtpReply).responseCode} ${(error as SmtpReply).message.slice(0, 5)}`;
      }
    };
    const messages = () => [1, 2, 3].map(() => asked(() => limits.message('192.0.2.1')));
    const recipients = () => [1, 2, 3, 4].map(() => asked(() => limits.recipient('192.0.2.1')));
    expect(messages()).toEqual(['yes', 'yes', '451 4.7.1']);
    expect(recipients()).toEqual(['yes', 'yes', 'yes', '450 4.7.1']);
    expect(asked(() => limits.recipient('192.0.2.2'))).toBe('yes');
    now = 60_000;
    expect([...messages(), ...recipients()].filter((answer) => answer === 'yes').length).toBe(5);
    const unbounded = new ClientLimits({ ...settings, recipientsPerMinuteMax: 0 }, () => 0);
    for (let n = 0; n < 1000; n++) unbounded.recipient('192.0.2.1');
  });

  it('takes a network of 64 bits for one client (RFC 6177)', () => {
    const limits = new ClientLimits(settings, () => 0);
    limits.connected('2001:db8:0:1::1');
    limits.connected('2001:db8:0:1:ffff:2:3:4');
    expect(() => limits.connected('2001:db8::1:0:0:0:9')).toThrow(/2001:db8:0:1::\/64/);
    expect(() => limits.connected('2001:db8:0:2::1')).not.toThrow();
    expect(() => limits.connected('2001:db8::1')).not.toThrow();
    limits.disconnected('2001:db8:0:1:5::');
    expect(() => limits.connected('2001:db8:0:1::7')).not.toThrow();
  });

  it('turns a refusal too many into the end of the session', () => {
    const limits = new ClientLimits(settings, () => 0);
    const refusal = new SmtpReply(550, '5.1.1', 'no');
    expect(limits.refused(refusal, 1)).toBe(refusal);
    expect(limits.refused(refusal, 2).responseCode).toBe(421);
  });
});
