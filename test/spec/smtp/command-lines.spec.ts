/**
 * Where a command ends: at CRLF, and nowhere else (RFC 5321 §2.3.8). A bare LF is refused with 500 (§4.2.2) and ends the
 * connection: whoever stands between, and takes it for a part of the line, must not carry another command in it.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SmtpClient } from '../../e2e/smtp-client.ts';
import { SmtpClient as Client } from '../../e2e/smtp-client.ts';
import { openDoors, plainLogIn, PASSWORD, type Doors } from './doors.ts';

let doors: Doors;
beforeAll(async () => {
  doors = await openDoors();
});
afterAll(() => doors?.close());
beforeEach(() => doors.store.kept.splice(0));

const BARE_LF = /^500 5\.5\.2 .*bare LF/;
const over = (client: SmtpClient) => expect(client.answer()).rejects.toThrow('closed the connection');
/** Read by the server apart, as a rule; the rule need not hold. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe.each([
  ['intake', () => doors.mx()],
  ['submission', () => doors.loggedIn('alice')],
] as const)('a command that ends in a bare LF, at the %s', (_door, client) => {
  it.each([
    ['alone', 'NOOP\n'],
    ['with another behind it (RFC 2920)', 'NOOP\nNOOP\r\n'],
    [
      'with a message behind it',
      'NOOP\nMAIL FROM:<alice@penncloud.test>\r\nRCPT TO:<carol@penncloud.test>\r\n',
    ],
    ['an empty one', '\n'],
    ['LF CR', 'NOOP\n\r'],
    ['an unknown one', 'XXXX\n'],
    ['DATA', 'DATA\nSubject: x\r\n\r\n.\r\n'],
  ])('%s: is refused, and nothing behind it is heard', async (_what, bytes) => {
    const one = await client();
    expect((await one.say(bytes)).text).toMatch(BARE_LF);
    await over(one);
    expect(doors.store.kept).toEqual([]);
  });

  it('is refused where the bytes come one by one, and not before its end', async () => {
    const one = await client();
    for (const byte of 'NOOP\r\nNOOP\n') {
      one.write(byte);
      await turn();
    }
    expect((await one.answer()).code).toBe(250);
    expect((await one.answer()).text).toMatch(BARE_LF);
    await over(one);
  });
});

it('in the exchange of a log-in too, whose bytes are no commands (RFC 4954 §4)', async () => {
  const one = doors.with(await Client.secure(doors.submissionTls.port));
  await one.answer();
  await one.say('EHLO x\r\n');
  expect((await one.say('AUTH LOGIN\r\n')).code).toBe(334);
  expect((await one.say(`${Buffer.from('alice').toString('base64')}\n`)).text).toMatch(BARE_LF);
  await over(one);
});

it('a bare CR ends nothing: it is a control character in a command (RFC 5321 §4.1.2)', async () => {
  const one = await doors.mx();
  expect((await one.say('NOOP\rNOOP\r\n')).text).toMatch(/^501 5\.5\.2 /);
  expect((await one.say('NOOP\r\r\n')).text).toMatch(/^501 5\.5\.2 /);
  expect((await one.say('NOOP\r\n')).code).toBe(250);
});

it('half a command at the end of a connection is none', async () => {
  const one = await doors.mx();
  await one.say('MAIL FROM:<a@b.example>\r\n');
  await one.say('RCPT TO:<alice@penncloud.test>\r\n');
  const before = doors.intake.stats().refused;
  one.write('RCPT TO:<nobody@penncloud.test>');
  one.end();
  await over(one);
  expect(doors.intake.stats().refused).toBe(before);
});

it('many pipelined commands are answered one by one, in their order (RFC 2920 §3.1)', async () => {
  const one = await doors.mx();
  const group = 'NOOP\r\nMAIL FROM:<a@b.example>\r\nRSET\r\nVRFY x\r\n';
  one.write(group.repeat(100));
  for (let times = 0; times < 100; times++)
    for (const code of [250, 250, 250, 252]) expect((await one.answer()).code).toBe(code);
});

it('a log-in may be pipelined behind EHLO, and a message behind DATA', async () => {
  const one = doors.with(await Client.secure(doors.submissionTls.port));
  await one.answer();
  one.write(`EHLO x\r\n${plainLogIn('alice', PASSWORD)}NOOP\r\n`);
  expect([(await one.answer()).code, (await one.answer()).code, (await one.answer()).code]).toEqual([
    ...[250, 235, 250],
  ]);
  const other = await doors.mx();
  other.write(
    'MAIL FROM:<a@b.example>\r\nRCPT TO:<alice@penncloud.test>\r\nDATA\r\n..a\r\n.b\r\n.\r\nNOOP\r\n',
  );
  for (const code of [250, 250, 354, 250, 250]) expect((await other.answer()).code).toBe(code);
  expect(doors.store.kept.at(-1)?.raw.toString()).toMatch(/\r\n\.a\r\nb\r\n$/);
});
