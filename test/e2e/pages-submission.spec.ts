/** Mail clients of our own users send (RFC 6409): swaks and nodemailer, over the real store; what they sent is looked at on the pages. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createTransport } from 'nodemailer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ownCertificate } from '../../gateways/smtp/session/own-certificate.ts';
import { Credentials } from '../../gateways/smtp/submission/credentials.ts';
import { createSubmission, type Submission } from '../../gateways/smtp/submission/submission.ts';
import { Authenticator } from './authenticator.ts';
import { arrived, openHouse, PASSWORD, type House } from './pages-house.ts';
import { SmtpClient } from './smtp-client.ts';
import { formOn, type Visitor } from './visitor.ts';

const run = promisify(execFile);
const silent = { debug() {}, info() {}, warn() {}, error() {} };
let house: House;
let alice: Visitor;
let bob: Visitor;
let startTls: Submission;
let implicitTls: Submission;

beforeAll(async () => {
  house = await openHouse();
  alice = await house.person('alice');
  bob = await house.person('bob');
  const tls = await ownCertificate('penncloud.test', Date.now());
  const shared = {
    store: house.store,
    domains: ['penncloud.test'],
    messageBytesMax: 100_000,
    logger: silent,
  };
  const credentials = new Credentials(house.store, shared.domains);
  const options = { ...shared, credentials, hostname: 'penncloud.test', tls, drainMs: 1_000 };
  startTls = createSubmission({ ...options, isImplicitTls: false });
  implicitTls = createSubmission({ ...options, isImplicitTls: true });
  await startTls.listen(0, '127.0.0.1');
  await implicitTls.listen(0, '127.0.0.1');
});
afterAll(async () => {
  await startTls?.close();
  await implicitTls?.close();
  await house?.close();
});

type Login = { user: string; pass: string };
const client = (secure: boolean, auth: Login, method = 'PLAIN', pool = false) =>
  createTransport({
    ...{ pool, maxConnections: 1 },
    ...{ host: '127.0.0.1', port: (secure ? implicitTls : startTls).port, secure, requireTLS: !secure },
    ...{ auth: { ...auth, method }, tls: { rejectUnauthorized: false } },
  } as Parameters<typeof createTransport>[0]);
const ALICE = { user: 'alice', pass: PASSWORD };
const RAW = (more: string) => `${more}To: bob@penncloud.test\r\nSubject: Raw\r\n\r\nText.\r\n`;
/** The reply to a message in these words, handed in as alice. */
const reply = async (
  raw: string,
  from = 'alice@penncloud.test',
  to = 'bob@penncloud.test',
): Promise<string> =>
  client(true, ALICE)
    .sendMail({ envelope: { from, to }, raw })
    .then(
      ({ response }) => response,
      (error: { response?: string; message: string }) => error.response ?? error.message,
    );

describe('a mail client that has logged in', () => {
  test.each([
    ['PLAIN', true, 'alice'],
    ['LOGIN', true, 'alice@penncloud.test'],
    ['PLAIN', false, 'Alice'],
    ['LOGIN', false, 'alice@localhost'],
  ] as const)('sends with AUTH %s, implicit TLS: %s, as %s', async (method, secure, user) => {
    const subject = `By ${method} ${secure} ${user}`;
    await client(secure, { user, pass: PASSWORD }, method).sendMail({
      ...{ from: 'Alice <alice+work@penncloud.test>', to: 'bob@penncloud.test, carl@elsewhere.example' },
      ...{ bcc: 'alice@penncloud.test', subject, text: 'Hello' },
    });
    const url = await arrived(bob, subject);
    const source = (await bob.get(`${url}/raw`)).body;
    expect(source).not.toMatch(/^bcc:/im);
    expect(source).toMatch(/^Received: from penncloud\.test by penncloud\.test with ESMTPSA id/);
    expect(source).not.toContain('127.0.0.1');
    const sent = (await alice.get(await arrived(alice, subject, 'sent'))).body;
    expect(sent).toContain('carl@elsewhere.example');
    await arrived(alice, subject);
  });

  test('is given a Date and a Message-ID where there is none (RFC 6409 §8.2, §8.3)', async () => {
    expect(await reply(RAW('From: alice@penncloud.test\r\nBcc: carl@elsewhere.example\r\n'))).toMatch(
      /^250 2\.0\.0/,
    );
    const source = (await bob.get(`${await arrived(bob, 'Raw')}/raw`)).body;
    expect(source).toMatch(/^Date: \w{3}, /m);
    expect(source).toMatch(/^Message-ID: <[a-z2-7]{26}@penncloud\.test>/m);
    expect(source).not.toContain('carl@');
  });

  test('sends with swaks, too', async () => {
    const to = ['--to', 'bob@penncloud.test', '--from', 'alice@penncloud.test', '--h-Subject', 'By swaks'];
    const login = ['--auth', 'LOGIN', '--auth-user', 'alice', '--auth-password', PASSWORD, '--tls'];
    const server = ['--server', '127.0.0.1', '--port', String(startTls.port)];
    await run('swaks', [...server, ...login, ...to]);
    await arrived(bob, 'By swaks');
  });

  test.each([
    [
      'RFC 6409 §6.1: a sender that is somebody else',
      'From: alice@penncloud.test\r\n',
      'bob@penncloud.test',
      /^550 5\.7\.1/,
    ],
    [
      'RFC 6409 §6.1: a sender elsewhere',
      'From: alice@penncloud.test\r\n',
      'alice@elsewhere.example',
      /^550 5\.7\.1/,
    ],
    ['a From that is somebody else', 'From: bob@penncloud.test\r\n', undefined, /^550 5\.7\.1/],
    [
      'a From with somebody else in it',
      'From: alice@penncloud.test, bob@penncloud.test\r\n',
      undefined,
      /^550 5\.7\.1/,
    ],
    [
      'a Sender that is somebody else',
      'From: alice@penncloud.test\r\nSender: bob@penncloud.test\r\n',
      undefined,
      /^550 5\.7\.1/,
    ],
    [
      'somebody else who sends it anew (RFC 5322 §3.6.6)',
      'From: alice@penncloud.test\r\nResent-From: bob@penncloud.test\r\n',
      undefined,
      /^550 5\.7\.1/,
    ],
    ['a group with somebody else in it', 'From: Us: bob@penncloud.test;\r\n', undefined, /^550 5\.7\.1/],
    [
      'a second From behind what is read of a header',
      `From: alice@penncloud.test\r\n${'X: y\r\n'.repeat(2_500)}From: bob@penncloud.test\r\n`,
      undefined,
      /^554 5\.6\.0/,
    ],
    [
      'a From with somebody else far behind',
      `From: alice@penncloud.test,${`\r\n${' '.repeat(900)},`.repeat(80)} bob@penncloud.test\r\n`,
      undefined,
      /^55/,
    ],
    ['RFC 5322 §3.6: no From', '', undefined, /^554 5\.6\.0/],
    [
      'RFC 5322 §3.6: two of them',
      'From: alice@penncloud.test\r\nFrom: alice@penncloud.test\r\n',
      undefined,
      /^554 5\.6\.0/,
    ],
  ])('is refused %s', async (_what, more, from, expected) => {
    expect(await reply(RAW(more), from)).toMatch(expected);
  });

  test('is refused a recipient who is not here (RFC 5321 §3.3)', async () => {
    expect(await reply(RAW('From: alice@penncloud.test\r\n'), undefined, 'nobody@penncloud.test')).toMatch(
      /^550 5\.1\.1/,
    );
  });
});

describe('a log-in', () => {
  test('is not offered, and refused, before TLS (RFC 4954 §4, RFC 3207 §4)', async () => {
    const plain = SmtpClient.raw(startTls.port);
    await plain.answer();
    plain.write('EHLO x\r\n');
    expect((await plain.answer()).text).not.toContain('AUTH');
    plain.write(`AUTH PLAIN ${Buffer.from(`\0alice\0${PASSWORD}`).toString('base64')}\r\n`);
    expect((await plain.answer()).code).toBe(538);
    plain.write('MAIL FROM:<alice@penncloud.test>\r\n');
    expect((await plain.answer()).code).toBe(530);
    plain.destroy();
  });

  test('fails alike for a wrong password and for nobody (RFC 4954 §6)', async () => {
    const failed = (login: Login) =>
      client(true, login)
        .verify()
        .then(
          () => 'in',
          (error: { response?: string }) => error.response,
        );
    expect(await failed({ user: 'bob', pass: 'wrong' })).toMatch(/^535 5\.7\.8/);
    expect(await failed({ user: 'nobody', pass: PASSWORD })).toBe(
      await failed({ user: 'bob', pass: 'wrong' }),
    );
  });

  test('with an app password works until that is removed, or the password is another one', async () => {
    const carol = await house.person('carol');
    const page = '/account/app-passwords';
    const make = async (name: string): Promise<string> => {
      const answer = await carol.submit(page, page, { name, current: PASSWORD });
      expect(answer.body).toContain('It is shown only now');
      expect((await carol.get(page)).body).not.toContain('It is shown only now');
      return /<p class="mono">([a-z2-7-]{30})<\/p>/.exec(answer.body)![1]!;
    };
    const into = (pass: string) =>
      client(true, { user: 'carol', pass })
        .verify()
        .then(
          () => 'in',
          (error: { responseCode?: number }) => error.responseCode,
        );
    const [phone, desk] = [await make('Phone'), await make('Desk')];
    expect([await into(phone), await into(desk.replaceAll('-', '').toUpperCase())]).toEqual(['in', 'in']);
    // Sending is all that it is good for.
    expect((await house.visitor().logIn('carol', desk)).statusCode).toBe(401);
    const [, id] = /<b>Phone<\/b>(?:(?!<\/li>)[^])*?app-passwords\/([a-z2-7]{26})\/remove/.exec(
      (await carol.get(page)).body,
    )!;
    // Also for a connection that was opened with it, and stays open.
    const open = client(true, { user: 'carol', pass: phone }, 'PLAIN', true);
    const say = () => open.sendMail({ from: 'carol@localhost', to: 'carol@localhost', text: 'Hello.' });
    expect((await say()).response).toMatch(/^250/);
    await carol.submit(page, `${page}/${id}/remove`);
    // It is hung up on, and logs in anew.
    await expect(say()).rejects.toMatchObject({ responseCode: 535 });
    open.close();
    expect([await into(phone), await into(desk)]).toEqual([535, 'in']);
    expect((await carol.submit(page, page, { name: 'x', current: 'wrong' })).statusCode).toBe(401);
    await carol.submit('/account/password', '/account/password', {
      current: PASSWORD,
      password: 'another horse battery',
    });
    expect(await into(desk)).toBe(535);
    expect(await into('another horse battery')).toBe('in');
  });

  test('of an account with two-step log-in needs an app password (decision 0018)', async () => {
    const erin = await house.person('erin');
    const app = '/account/app-passwords';
    const made = await erin.submit(app, app, { name: 'Phone', current: PASSWORD });
    const [, secret] = /<p class="mono">([a-z2-7-]{30})<\/p>/.exec(made.body)!;
    const setUp = '/account/two-step/set-up';
    const page = await erin.get(setUp);
    const phone = new Authenticator(page);
    const on = await erin.post(setUp, { ...formOn(page, setUp), code: phone.next(), current: PASSWORD });
    expect(on.statusCode).toBe(200);
    const into = (pass: string) =>
      client(true, { user: 'erin', pass })
        .verify()
        .then(
          () => 'in',
          (error: { response?: string }) => error.response,
        );
    expect(await into(PASSWORD)).toMatch(
      /^535 5\.7\.8 Two-step log-in is on for this account: mail clients need/,
    );
    expect(await into(`${PASSWORD}${phone.next()}`)).toMatch(
      /^535 5\.7\.8 The username or the password is wrong/,
    );
    expect(await into(secret!)).toBe('in');
  });

  test('is locked after many wrong passwords, also on the page', async () => {
    await house.person('dora');
    const failed = async (): Promise<string> =>
      client(true, { user: 'dora', pass: 'wrong' })
        .verify()
        .then(
          () => 'in',
          (error: { response?: string }) => error.response ?? '',
        );
    for (let tries = 0; tries < 20; tries++) expect(await failed()).toMatch(/^535/);
    expect(await failed()).toMatch(/^454 4\.7\.0/);
    const page = await house.visitor().logIn('dora', PASSWORD);
    expect(page.statusCode).toBe(429);
  });
});
