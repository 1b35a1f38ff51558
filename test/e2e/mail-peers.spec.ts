/**
 * Mail programs that others wrote, against our three mail ports over the real store: Postfix relays into the intake, s-nail
 * and swaks submit with STARTTLS and with TLS from the first byte. What came is looked at on the pages.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { createTransport } from 'nodemailer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSmtpIntake, type SmtpIntake } from '../../gateways/smtp/inbound/intake.ts';
import { ownCertificate } from '../../gateways/smtp/session/own-certificate.ts';
import { Credentials } from '../../gateways/smtp/submission/credentials.ts';
import { createSubmission, type Submission } from '../../gateways/smtp/submission/submission.ts';
import type { StoreClient } from '../../storage-nodes/client/client.ts';
import { startPostfix, type Postfix } from '../mail-world/postfix.ts';
import { until } from './cluster.ts';
import { arrived, openHouse, PASSWORD, type House } from './pages-house.ts';
import type { Visitor } from './visitor.ts';

const run = promisify(execFile);
const logger = { debug() {}, info() {}, warn() {}, error() {} };

let house: House;
let alice: Visitor;
let intake: SmtpIntake;
let startTls: Submission;
let implicitTls: Submission;
let postfix: Postfix;
/** What the intake's store does instead of a command, the next time. */
let instead: ((carryOut: () => Promise<unknown>) => Promise<never>) | undefined;

beforeAll(async () => {
  house = await openHouse();
  alice = await house.person('alice');
  const unsure: StoreClient = {
    ...delegated(house.store),
    execute: (...command) => {
      const carryOut = () => house.store.execute(...command);
      const now = instead;
      instead = undefined;
      return now ? now(carryOut) : carryOut();
    },
  };
  const shared = {
    ...{ domains: ['penncloud.test'], hostname: 'penncloud.test', messageBytesMax: 1_000_000, logger },
    ...{ tls: await ownCertificate('penncloud.test', Date.now()), drainMs: 1_000 },
  };
  intake = createSmtpIntake({ ...shared, store: unsure });
  const credentials = new Credentials(house.store, shared.domains);
  const handIn = { ...shared, credentials, store: house.store };
  startTls = createSubmission({ ...handIn, isImplicitTls: false });
  implicitTls = createSubmission({ ...handIn, isImplicitTls: true });
  for (const door of [intake, startTls, implicitTls]) await door.listen(0, '127.0.0.1');
  postfix = await startPostfix({ relays: { domain: 'penncloud.test', port: intake.port } });
});
afterAll(async () => {
  await postfix?.stop();
  await Promise.all([intake, startTls, implicitTls].map((door) => door?.close()));
  await house?.close();
});

/** Methods of a class are no properties of its instances. */
function delegated(store: StoreClient): StoreClient {
  return {
    execute: (...given) => store.execute(...given),
    read: (...given) => store.read(...given),
    scanTable: (...given) => store.scanTable(...given),
    readPart: (...given) => store.readPart(...given),
    bytes: (...given) => store.bytes(...given),
    readLog: (...given) => store.readLog(...given),
    tablets: (...given) => store.tablets(...given),
    tabletStatus: (...given) => store.tabletStatus(...given),
    close: () => store.close(),
  };
}

async function copiesOf(subject: string): Promise<number> {
  return (await alice.get('/mail/inbox')).body.split(`>${subject}<`).length - 1;
}

describe('Postfix relaying into us', () => {
  const toPostfix = async (subject: string, more: object = {}): Promise<void> => {
    const transport = createTransport({ host: '127.0.0.1', port: postfix.port, ignoreTLS: true });
    await transport.sendMail({
      ...{
        from: 'Ann <ann@remote.test>',
        to: 'alice@penncloud.test',
        subject,
        text: `.\r\n.${subject}\r\n..`,
      },
      ...more,
    });
    transport.close();
  };

  it('delivers under TLS, the text as it was written', async () => {
    await toPostfix('By Postfix');
    const source = (await alice.get(`${await arrived(alice, 'By Postfix')}/raw`)).body;
    expect(source).toMatch(
      /^Received: from mx\.remote\.test \(\[127\.0\.0\.1\]\)\r\n\tby penncloud\.test with ESMTPS id/m,
    );
    expect(source).toContain('\r\n\r\n.\r\n.By Postfix\r\n..\r\n');
    expect(postfix.log()).toMatch(/status=sent \(250 2\.0\.0 Kept as/);
  });

  it.each([
    ['before it reached the store', async () => Promise.reject(new Error('no node answers'))],
    [
      'although the store has taken it',
      async (carryOut: () => Promise<unknown>) => {
        await carryOut();
        throw new Error('the answer was lost');
      },
    ],
  ])('tries again after a 451 that was given %s, and the message is there once', async (when, how) => {
    const subject = `Retried ${when.slice(0, 8)}`;
    const lines = (what: RegExp) =>
      postfix
        .log()
        .split('\n')
        .filter((line) => what.test(line)).length;
    const [deferred, sent] = [/status=deferred .*451 4\.3\.0/, /status=sent /];
    const before = [lines(deferred), lines(sent)] as const;
    instead = how;
    await toPostfix(subject);
    await until('Postfix has delivered it', async () => lines(sent) > before[1]).catch((error: unknown) => {
      throw new Error(`Postfix says:\n${postfix.log().slice(-6000)}`, { cause: error });
    });
    expect(lines(deferred)).toBe(before[0] + 1);
    await arrived(alice, subject);
    expect(await copiesOf(subject)).toBe(1);
  });

  it('is told for good of who is not here, and of relaying', async () => {
    await toPostfix('Nobody', { to: 'nobody@penncloud.test' });
    await until('Postfix has given up', async () =>
      /to=<nobody@penncloud\.test>.*status=bounced .*550 5\.1\.1/.test(postfix.log()),
    );
  });
});

describe('mail clients', () => {
  const secret = encodeURIComponent(PASSWORD);
  const snail = async (url: string, subject: string, more: readonly string[]): Promise<void> => {
    const settings = [
      'v15-compat',
      `mta=${url}`,
      'smtp-auth=plain',
      'tls-verify=ignore',
      'sendwait',
      ...more,
    ];
    const args = ['-:/', ...settings.map((one) => `-S${one}`), '-r', 'alice@penncloud.test'];
    const child = spawn('s-nail', [...args, '-s', subject, 'alice@penncloud.test'], {
      env: { ...process.env, HOME: '/nonexistent', MAILRC: '/dev/null' },
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (piece: Buffer) => (said += piece.toString()));
    child.stdin.end('A line.\n.\n. and another\n');
    const [code] = (await once(child, 'close')) as [number];
    expect(code, said).toBe(0);
  };
  const swaks = async (port: number, subject: string, tls: string): Promise<void> => {
    const login = ['--auth', 'PLAIN', '--auth-user', 'alice', '--auth-password', PASSWORD, tls];
    const letter = ['--from', 'alice@penncloud.test', '--to', 'alice@penncloud.test', '--h-Subject', subject];
    await run('swaks', ['--server', '127.0.0.1', '--port', String(port), ...login, ...letter]);
  };

  it.each([
    [
      's-nail',
      'STARTTLS',
      () =>
        snail(`submission://alice:${secret}@127.0.0.1:${startTls.port}`, 's-nail by STARTTLS', [
          'smtp-use-starttls',
        ]),
    ],
    [
      's-nail',
      'implicit TLS',
      () =>
        snail(`submissions://alice:${secret}@127.0.0.1:${implicitTls.port}`, 's-nail by implicit TLS', []),
    ],
    ['swaks', 'STARTTLS', () => swaks(startTls.port, 'swaks by STARTTLS', '--tls')],
    ['swaks', 'implicit TLS', () => swaks(implicitTls.port, 'swaks by implicit TLS', '--tlsc')],
  ] as const)(
    '%s sends by %s, and its message is there and among the sent ones',
    async (program, how, send) => {
      await send();
      const subject = `${program} by ${how}`;
      const source = (await alice.get(`${await arrived(alice, subject)}/raw`)).body;
      expect(source).toMatch(/^Received: from penncloud\.test by penncloud\.test with ESMTPSA id/);
      if (program === 's-nail') expect(source).toContain('A line.\r\n.\r\n. and another\r\n');
      await arrived(alice, subject, 'sent');
    },
  );
});
