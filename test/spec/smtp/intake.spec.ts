import { X509Certificate } from 'node:crypto';
import { createTransport } from 'nodemailer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createSmtpIntake,
  type SmtpIntake,
  type SmtpIntakeOptions,
} from '../../../gateways/smtp/inbound/intake.ts';
import { Authentication } from '../../../gateways/smtp/inbound/authentication.ts';
import { ownCertificate } from '../../../gateways/smtp/session/own-certificate.ts';
import { rejection } from '../../../domain/errors.ts';
import { Rejected } from '../../../storage-nodes/client/client.ts';
import { SmtpClient } from '../../e2e/smtp-client.ts';
import { AccountsInMemory } from './accounts-in-memory.ts';
import { play, readDialogues } from './dialogue.ts';
import { serveNames } from './names-served.ts';

const HOSTNAME = 'mx.penncloud.test';
const tls = await ownCertificate(HOSTNAME, Date.now());
const silent = { debug() {}, info() {}, warn() {}, error() {} };

let store: AccountsInMemory;
let intake: SmtpIntake;
let clients: SmtpClient[];

async function start(more: Partial<SmtpIntakeOptions> = {}): Promise<void> {
  intake = createSmtpIntake({
    store,
    domains: ['penncloud.test'],
    messageBytesMax: 200_000,
    logger: silent,
    hostname: HOSTNAME,
    tls,
    drainMs: 5_000,
    ...more,
  });
  await intake.listen(0, '127.0.0.1');
}

async function connected(): Promise<SmtpClient> {
  const client = await SmtpClient.connect(intake.port);
  clients.push(client);
  return client;
}

beforeEach(() => {
  store = new AccountsInMemory('alice', 'carol');
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await intake.close();
});

describe('SMTP intake: dialogues', () => {
  const scenes: Record<string, () => void> = {
    'the store is out of reach': () => (store.reachable = false),
    'the store is back': () => (store.reachable = true),
    'alice is gone': () => store.failing.set('alice', new Rejected(rejection('NoSuchAccount', 'gone'))),
    'the tablet of carol is out of reach': () => store.failing.set('carol', new Error('no primary')),
  };

  for (const dialogue of readDialogues(new URL('./dialogues', import.meta.url).pathname)) {
    it(dialogue.title, async () => {
      await start();
      const client = SmtpClient.raw(intake.port);
      clients.push(client);
      const { said, expected } = await play(dialogue, client, (scene) => {
        const set = scenes[scene];
        if (!set) throw new Error(`no such scene: ${scene}`);
        set();
      });
      expect(said).toEqual(expected);
      const promised = said.filter((line) => line.startsWith('250 2.0.0 Kept as')).length;
      expect(intake.stats()).toMatchObject({ accepted: promised, bufferedBytes: 0 });
      expect(new Set(store.kept.map(({ messageId }) => messageId)).size).toBeGreaterThanOrEqual(promised);
    });
  }
});

describe('SMTP intake: where a message comes from', () => {
  it('is said by us alone (RFC 8601 §5)', async () => {
    await start();
    const forged = ['penncloud.test', 'mx.penncloud.test', '"MX.penncloud.test"', '(a) mx.penncloud.test 1'];
    const lines = forged.map(
      (name) => `Authentication-Results: ${name};\r\n dkim=pass header.d=bank.example`,
    );
    const raw = Buffer.from(
      `${lines.join('\r\n')}\r\nSubject: x\r\n\r\nAuthentication-Results: mx.penncloud.test\r\n`,
    );
    expect((await (await connected()).send('a@b.example', ['alice@penncloud.test'], raw)).code).toBe(250);
    const kept = store.kept[0]!.raw.toString();
    expect(kept.match(/Authentication-Results: .*/g)).toEqual([
      'Authentication-Results: penncloud.test;',
      'Authentication-Results: mx.penncloud.test',
    ]);
  });

  it('refuses what the sender\u2019s domain refuses, and marks what it distrusts (RFC 7489 §6.3)', async () => {
    const dns = await serveNames({
      'TXT _dmarc.strict.example': ['v=DMARC1; p=reject'],
      'TXT _dmarc.aside.example': ['v=DMARC1; p=quarantine'],
    });
    const authentication = new Authentication({
      ...{ resolvers: [dns.address], hostname: HOSTNAME, isLocal: () => false },
    });
    await start({ authentication });
    const client = await connected();
    const sent = (domain: string) =>
      client.send(`a@${domain}`, ['alice@penncloud.test'], Buffer.from(`From: a@${domain}\r\n\r\nx\r\n`));
    try {
      expect((await sent('strict.example')).text).toMatch(/^550 5\.7\.1 strict\.example asks to refuse/);
      expect((await sent('aside.example')).code).toBe(250);
      expect(store.kept.map(({ command }) => (command.data as { verdict?: string }).verdict)).toEqual([
        'quarantine',
      ]);
      expect(store.kept[0]!.raw.toString()).toMatch(
        /^Return-Path: .*\r\nAuthentication-Results: mx\.penncloud\.test;/,
      );
    } finally {
      await dns.close();
    }
  });
});

describe('SMTP intake: what is kept', () => {
  it('keeps the bytes as they came, behind a Return-Path and a Received field', async () => {
    await start();
    const client = await connected();
    const message = Buffer.from('Subject: caf\xe9\r\nTo: x\r\n\r\n.dot\r\n..two\r\n\0\xff end\r\n', 'latin1');
    const answer = await client.send('bob@far.example', ['alice@penncloud.test'], message);
    const [kept] = store.kept;
    expect(answer.text).toBe(`250 2.0.0 Kept as ${kept?.messageId}`);
    const raw = kept?.raw.toString('latin1') ?? '';
    expect(raw.endsWith(message.toString('latin1'))).toBe(true);
    const trace = raw.slice(0, -message.length);
    expect(trace).toMatch(
      /^Return-Path: <bob@far\.example>\r\nReceived: from import\.example \(\[127\.0\.0\.1\]\)\r\n\tby mx\.penncloud\.test with ESMTP id [a-z2-7]{26}\r\n\tfor <alice@penncloud\.test>;\r\n\t\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000\r\n$/,
    );
    expect(kept?.summary).toMatchObject({ subject: 'café', date: null });
    expect(kept?.command).toMatchObject({
      type: 'mail.ReceiveMessage',
      actor: 'smtp',
      data: { via: 'smtp' },
    });
  });

  it('gives every account one command of its own, and names no recipient to another', async () => {
    await start();
    const client = await connected();
    const recipients = ['alice@penncloud.test', 'carol@localhost', 'alice+again@penncloud.test'];
    await client.send('bob@far.example', recipients, Buffer.from('Subject: x\r\n\r\n'));
    expect(store.kept.map(({ account }) => account).sort()).toEqual(['alice', 'carol']);
    expect(new Set(store.kept.map(({ command }) => command.id)).size).toBe(2);
    expect(store.kept[0]?.raw.toString()).not.toContain('carol');
  });

  it('takes a hundred recipients and asks to send the rest later', async () => {
    await start();
    const client = await connected();
    const recipients = Array.from({ length: 101 }, (_, n) => `alice+${n}@penncloud.test`);
    client.write(`MAIL FROM:<>\r\n${recipients.map((to) => `RCPT TO:<${to}>\r\n`).join('')}`);
    await client.answer();
    for (let n = 0; n < 100; n++) expect((await client.answer()).code).toBe(250);
    expect((await client.answer()).text).toMatch(/^452 4\.5\.3 /);
  });

  it('does not let a client write the rest of the Received field by its name', async () => {
    await start();
    const client = await connected();
    client.write('EHLO a;(b)\r\n');
    await client.answer();
    await client.send('bob@far.example', ['alice@penncloud.test'], Buffer.from('\r\n'));
    expect(store.kept[0]?.raw.toString()).toContain('Received: from unknown ([127.0.0.1])');
  });

  it('marks a message with internationalised addresses as UTF8SMTP', async () => {
    await start();
    const client = await connected();
    client.write('MAIL FROM:<zoë@far.example> SMTPUTF8\r\nRCPT TO:<alice@penncloud.test>\r\nDATA\r\n');
    for (const code of [250, 250, 354]) expect((await client.answer()).code).toBe(code);
    client.write('Subject: x\r\n\r\n.\r\n');
    expect((await client.answer()).code).toBe(250);
    expect(store.kept[0]?.raw.toString('utf8')).toMatch(
      /^Return-Path: <zoë@far\.example>[^]* with UTF8SMTP id/,
    );
  });
});

describe('SMTP intake: STARTTLS', () => {
  it('has a certificate of its own, for its own name, signed by its own key', async () => {
    const { cert } = await ownCertificate('mx.penncloud.test', Date.UTC(2026, 0, 2));
    const certificate = new X509Certificate(cert);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.checkHost('mx.penncloud.test')).toBe('mx.penncloud.test');
    expect(certificate.subject).toBe('CN=mx.penncloud.test');
    expect(certificate.validFrom).toBe('Jan  1 00:00:00 2026 GMT');
    expect((await ownCertificate('mx.penncloud.test', 0)).cert).not.toBe(cert);
  });

  it('takes mail over TLS from another mail program, and says so in Received', async () => {
    await start();
    const transport = createTransport({
      host: '127.0.0.1',
      port: intake.port,
      requireTLS: true,
      tls: { rejectUnauthorized: false },
    });
    const sent = await transport.sendMail({
      from: 'Bob <bob@far.example>',
      to: 'alice@penncloud.test',
      subject: 'over TLS',
      text: 'hello',
    });
    transport.close();
    expect(sent.response).toMatch(/^250 2\.0\.0 Kept as /);
    expect(store.kept[0]?.raw.toString()).toContain(' with ESMTPS id ');
    expect(store.kept[0]?.summary).toMatchObject({ subject: 'over TLS', snippet: 'hello' });
  });
});

describe('SMTP intake: limits', () => {
  it('asks to try again when all sessions together hold too many bytes, and forgets what it held', async () => {
    await start({ bufferedBytesMax: 50_000 });
    const client = await connected();
    const large = Buffer.from(`Subject: x\r\n\r\n${'a line\r\n'.repeat(8_000)}`);
    const refused = await client.send('bob@far.example', ['alice@penncloud.test'], large);
    expect(refused.text).toMatch(/^451 4\.3\.1 /);
    const small = await client.send('bob@far.example', ['alice@penncloud.test'], large.subarray(0, 16));
    expect(small.code).toBe(250);
    expect(intake.stats().bufferedBytes).toBe(0);
  });

  it('forgets a message whose sender hangs up in the middle of it', async () => {
    await start();
    const client = await connected();
    client.write('MAIL FROM:<bob@far.example>\r\nRCPT TO:<alice@penncloud.test>\r\nDATA\r\n');
    for (const code of [250, 250, 354]) expect((await client.answer()).code).toBe(code);
    client.write(`Subject: half\r\n\r\n${'a line\r\n'.repeat(10_000)}`);
    await expect.poll(() => intake.stats().bufferedBytes).toBeGreaterThan(0);
    client.destroy();
    await expect.poll(() => intake.stats()).toMatchObject({ bufferedBytes: 0, connections: 0, accepted: 0 });
    expect(store.kept).toEqual([]);
  });

  it(
    'hangs up on a client that goes on sending long after its message was too large',
    { timeout: 60_000 },
    async () => {
      await start({ messageBytesMax: 1_000 });
      const client = await connected();
      client.write('MAIL FROM:<bob@far.example>\r\nRCPT TO:<alice@penncloud.test>\r\nDATA\r\n');
      for (const code of [250, 250, 354]) expect((await client.answer()).code).toBe(code);
      const piece = Buffer.from(`${'a'.repeat(998)}\r\n`.repeat(1024));
      for (let n = 0; n < 70; n++) client.write(piece);
      expect((await client.answer()).text).toBe(
        '552 5.3.4 The message is larger than the limit of 1000 bytes',
      );
      await expect(client.answer()).rejects.toThrow();
    },
  );

  it('says why a port cannot be had', async () => {
    await start();
    const second = createSmtpIntake({
      store,
      domains: [],
      messageBytesMax: 1,
      logger: silent,
      hostname: 'x',
      tls,
    });
    await expect(second.listen(intake.port, '127.0.0.1')).rejects.toThrow(
      `Port ${intake.port} on 127.0.0.1 is in use: stop the program that listens there, or choose another port.`,
    );
  });
});

describe('SMTP intake: closing', () => {
  it('lets a message on its way be kept and answered, and tells idle clients to come back', async () => {
    await start();
    const [busy, idle] = [await connected(), await connected()];
    let open = () => {};
    store.gate = new Promise((resolve) => (open = resolve));
    const answer = busy.send('bob@far.example', ['alice@penncloud.test'], Buffer.from('Subject: x\r\n\r\n'));
    await expect.poll(() => intake.stats().bufferedBytes).toBeGreaterThan(0);
    const closed = intake.close();
    expect((await idle.answer()).text).toMatch(/^421 4\.3\.2 /);
    open();
    expect((await answer).code).toBe(250);
    expect((await busy.answer()).text).toMatch(/^421 4\.3\.2 /);
    busy.destroy();
    idle.destroy();
    await closed;
    expect(store.kept).toHaveLength(1);
  });
});
