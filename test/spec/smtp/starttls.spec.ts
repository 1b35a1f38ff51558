/**
 * STARTTLS: what came in plain text behind it is thrown away (CVE-2011-0411; Poddebniak et al., "Why TLS is better without STARTTLS",
 * USENIX Security 2021, have it), what was known before it is forgotten, and nobody logs in without it. At both doors.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SmtpClient } from '../../e2e/smtp-client.ts';
import { openDoors, PASSWORD, plainLogIn, type Doors } from './doors.ts';

let doors: Doors;
beforeEach(async () => {
  doors = await openDoors();
});
afterEach(() => doors.close());

const DOORS = [
  ['intake', () => doors.intake.port],
  ['submission', () => doors.submission.port],
] as const;

async function greeted(port: number): Promise<SmtpClient> {
  const client = doors.with(SmtpClient.raw(port));
  await client.answer();
  return client;
}

const MAIL = 'MAIL FROM:<alice@penncloud.test>\r\n';
const INJECTED: readonly [string, string][] = [
  ['a whole transaction', `EHLO evil\r\n${MAIL}RCPT TO:<alice@penncloud.test>\r\nDATA\r\nx\r\n.\r\n`],
  ['a log-in', `EHLO evil\r\n${plainLogIn('alice', PASSWORD)}`],
  ['half a command', 'EHLO evil\r\nRCPT TO:<alice@'],
  ['a thousand of them', `EHLO evil\r\n${'NOOP\r\n'.repeat(1000)}${MAIL}`],
];

describe.each(DOORS)('STARTTLS at the %s', (door, port) => {
  it.each(INJECTED)('throws away what was piped in behind it: %s', async (_what, injected) => {
    const plain = await greeted(port());
    await plain.say('EHLO client.example\r\n');
    const { code } = await plain.say(`STARTTLS\r\n${injected}`);
    expect(code).toBe(220);
    const client = doors.with(await plain.startTls());
    // Were anything of it carried out, its reply would come first, or it would be known here.
    expect((await client.say('NOOP\r\n')).text).toBe('250 2.0.0 OK');
    expect((await client.say(MAIL)).text).toMatch(/^503 /);
    expect((await client.say('EHLO client.example\r\n')).text).toMatch(/^250-/);
    expect((await client.say(MAIL)).code).toBe(door === 'intake' ? 250 : 530);
    expect([doors.store.kept, doors.store.sent]).toEqual([[], []]);
  });

  it('forgets the name, the transaction and whatever else was said before (RFC 3207 §4.2)', async () => {
    const plain = await greeted(port());
    expect((await plain.say('EHLO before.example\r\n')).text).toContain('STARTTLS');
    await plain.say(MAIL);
    await plain.say('RCPT TO:<alice@penncloud.test>\r\n');
    await plain.say('STARTTLS\r\n');
    const client = doors.with(await plain.startTls());
    for (const command of [MAIL, 'RCPT TO:<alice@penncloud.test>\r\n', 'DATA\r\n'])
      expect((await client.say(command)).code).toBe(503);
    expect((await client.say('EHLO after.example\r\n')).text).not.toContain('STARTTLS');
    expect((await client.say('STARTTLS\r\n')).text).toMatch(/^503 /);
  });

  it('takes no parameter (RFC 3207 §4), and ends with a client that speaks no TLS', async () => {
    const plain = await greeted(port());
    await plain.say('EHLO client.example\r\n');
    expect((await plain.say('STARTTLS now\r\n')).code).toBe(501);
    expect((await plain.say('STARTTLS\r\n')).code).toBe(220);
    plain.write('EHLO client.example\r\n'.repeat(20));
    await expect(plain.answer()).rejects.toThrow();
    expect((await (await greeted(port())).say('NOOP\r\n')).code).toBe(250);
  });
});

describe('a log-in before TLS (RFC 4954 §4, §6)', () => {
  it('is refused with 538 where there are log-ins, the password being right, and nothing is sent without', async () => {
    const plain = await greeted(doors.submission.port);
    expect((await plain.say('EHLO client.example\r\n')).text).not.toContain('AUTH');
    expect((await plain.say(plainLogIn('alice', PASSWORD))).text).toMatch(/^538 5\.7\.0 /);
    expect((await plain.say('AUTH LOGIN\r\n')).text).toMatch(/^538 /);
    for (const command of [MAIL, 'RCPT TO:<alice@penncloud.test>\r\n', 'DATA\r\n'])
      expect((await plain.say(command)).text).toMatch(/^530 5\.7\.0 /);
  });

  it('is no command of the intake, with TLS or without', async () => {
    const plain = await greeted(doors.intake.port);
    await plain.say('EHLO client.example\r\n');
    expect((await plain.say(plainLogIn('alice', PASSWORD))).text).toMatch(/^500 5\.5\.2 /);
  });
});
