/**
 * Guessing passwords with a mail client: a hundred wrong ones from one address, then it waits (454, RFC 4954 §6), at
 * both ports together. Nobody else does.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SmtpClient } from '../../e2e/smtp-client.ts';
import { openDoors, PASSWORD, plainLogIn, type Doors } from './doors.ts';

let doors: Doors;
beforeEach(async () => {
  doors = await openDoors();
});
afterEach(() => doors.close());

const TOO_MANY = /^4\.7\.0 Too many wrong passwords/;
const logIn = (password: string, address: string, account = 'alice') =>
  doors.credentials.check(account, password, address).then(
    (found) => found.account,
    ({ message }: Error) => message,
  );
/** At an account whose hash is cheap to check; the store in memory keeps no lock for it. */
async function guesses(count: number, addressOf: (index: number) => string): Promise<void> {
  for (let index = 0; index < count; index++)
    expect(await logIn(`guess ${index}`, addressOf(index))).toMatch(/^5\.7\.8 /);
}

it('who guesses a hundred times waits, even with the right password; others do not', async () => {
  await guesses(100, () => '192.0.2.1');
  expect(await logIn('a guess', '192.0.2.1')).toMatch(TOO_MANY);
  expect(await logIn(PASSWORD, '192.0.2.1')).toMatch(TOO_MANY);
  expect(await logIn(PASSWORD, '192.0.2.2')).toBe('alice');
  expect(await logIn(PASSWORD, '192.0.2.2', 'carol')).toBe('carol');
});

it('ninety-nine guesses are not a hundred, and who logs in is not counted', async () => {
  await guesses(99, () => '192.0.2.1');
  for (let times = 0; times < 3; times++) expect(await logIn(PASSWORD, '192.0.2.1')).toBe('alice');
  expect(await logIn('the hundredth', '192.0.2.1')).toMatch(/^5\.7\.8 /);
  expect(await logIn(PASSWORD, '192.0.2.1')).toMatch(TOO_MANY);
});

it('an IPv6 network of 64 bits is one address', async () => {
  await guesses(100, (index) => `2001:db8::${index.toString(16)}`);
  expect(await logIn(PASSWORD, '2001:db8:0:0:ffff::1')).toMatch(TOO_MANY);
  expect(await logIn(PASSWORD, '2001:db8:0:1::1')).toBe('alice');
});

it('both ports count together', async () => {
  await guesses(98, () => '127.0.0.1');
  const implicit = async () => {
    const client = doors.with(await SmtpClient.secure(doors.submissionTls.port));
    await client.answer();
    return client;
  };
  const startTls = async () => {
    const plain = doors.with(await SmtpClient.connect(doors.submission.port));
    await plain.say('STARTTLS\r\n');
    return doors.with(await plain.startTls());
  };
  for (const [connect, password, expected] of [
    [implicit, 'wrong', /^535 5\.7\.8 /],
    [startTls, 'wrong', /^535 5\.7\.8 /],
    [implicit, PASSWORD, /^454 4\.7\.0 /],
    [startTls, PASSWORD, /^454 4\.7\.0 /],
  ] as const) {
    const client = await connect();
    await client.say('EHLO x\r\n');
    expect((await client.say(plainLogIn('alice', password))).text).toMatch(expected);
  }
});
