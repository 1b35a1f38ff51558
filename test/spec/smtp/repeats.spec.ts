/** A message that comes again after a connection that broke is kept once; one that is sent twice is kept twice (decision 0030). */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSmtpIntake, type SmtpIntake } from '../../../gateways/smtp/inbound/intake.ts';
import { Repeats } from '../../../gateways/smtp/session/repeats.ts';
import { ownCertificate } from '../../../gateways/smtp/session/own-certificate.ts';
import { SmtpClient, stuffed } from '../../e2e/smtp-client.ts';
import { until } from '../../e2e/cluster.ts';
import { AccountsInMemory } from './accounts-in-memory.ts';
import { openDoors, type Doors } from './doors.ts';

const MESSAGE = Buffer.from('From: a@b.example\r\nSubject: Once\r\n\r\nOnce.\r\n');
const TO = ['alice@penncloud.test'];
const HOUR_MS = 3_600_000;
const tls = await ownCertificate('mx.penncloud.test', Date.now());
const silent = { debug() {}, info() {}, warn() {}, error() {} };

let store: AccountsInMemory;
let intakes: SmtpIntake[];
let clients: SmtpClient[];
const start = async (): Promise<SmtpIntake> => {
  const intake = createSmtpIntake({
    ...{ store, domains: ['penncloud.test'], messageBytesMax: 200_000, logger: silent, tls },
    ...{ hostname: 'mx.penncloud.test', drainMs: 5_000 },
  });
  intakes.push(intake);
  await intake.listen(0, '127.0.0.1');
  return intake;
};
const connected = async (intake: SmtpIntake): Promise<SmtpClient> => {
  const client = await SmtpClient.connect(intake.port);
  clients.push(client);
  return client;
};
/** Sends it and is gone, before or after the 250 has come; resolves when the intake has seen that. */
const sendAndBreak = async (intake: SmtpIntake): Promise<void> => {
  const client = await connected(intake);
  const accepted = intake.stats().accepted;
  client.write(`MAIL FROM:<a@b.example>\r\nRCPT TO:<${TO[0]}>\r\nDATA\r\n`);
  for (const _ of [1, 2, 3]) await client.answer();
  client.write(stuffed(MESSAGE));
  await until('it is kept', async () => intake.stats().accepted > accepted);
  client.destroy();
  await until('the connection is over', async () => intake.stats().connections === 0);
};

beforeEach(() => {
  store = new AccountsInMemory('alice', 'carol');
  [intakes, clients] = [[], []];
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  for (const intake of intakes) await intake.close();
});

describe('the same bytes, from the same peer, in the same envelope', () => {
  it('are kept once where each connection broke before the 250 was read (RFC 1047)', async () => {
    const intake = await start();
    await sendAndBreak(intake);
    await sendAndBreak(intake);
    const client = await connected(intake);
    expect((await client.send('a@b.example', TO, MESSAGE)).code).toBe(250);
    expect(store.kept.length).toBe(1);
  });

  it('are kept once where the client gave up while the store was slow', async () => {
    const intake = await start();
    let open = () => {};
    store.gate = new Promise((resolve) => (open = resolve));
    const first = await connected(intake);
    first.write(`MAIL FROM:<a@b.example>\r\nRCPT TO:<${TO[0]}>\r\nDATA\r\n`);
    for (const _ of [1, 2, 3]) await first.answer();
    first.write(stuffed(MESSAGE));
    await until('the store is asked', async () => store.asked === 1);
    first.destroy();
    await until('the connection is over', async () => intake.stats().connections === 0);
    const again = (await connected(intake)).send('a@b.example', TO, MESSAGE);
    await until('the store is asked again', async () => store.asked === 2);
    open();
    expect((await again).code).toBe(250);
    expect(store.kept.length).toBe(1);
  });

  it('are kept once over a restart of the intake, too', async () => {
    await sendAndBreak(await start());
    const client = await connected(await start());
    expect((await client.send('a@b.example', TO, MESSAGE)).code).toBe(250);
    expect(store.kept.length).toBe(1);
  });

  it('are kept each time on a connection that goes on, and on one that ends with QUIT', async () => {
    const intake = await start();
    const client = await connected(intake);
    for (const _ of [1, 2, 3]) expect((await client.send('a@b.example', TO, MESSAGE)).code).toBe(250);
    await client.quit();
    await until('it is over', async () => intake.stats().connections === 0);
    await (await connected(intake)).send('a@b.example', TO, MESSAGE);
    expect(store.kept.length).toBe(4);
  });

  it('are another message with one byte changed, another sender or another recipient', async () => {
    const intake = await start();
    await sendAndBreak(intake);
    const client = await connected(intake);
    await client.send('a@b.example', TO, Buffer.from(MESSAGE.toString().replace('Once.', 'Once!')));
    await client.send('other@b.example', TO, MESSAGE);
    await client.send('a@b.example', ['carol@penncloud.test'], MESSAGE);
    expect(store.kept.length).toBe(4);
  });

  it('reach only those who lacked them, after a refusal for now', async () => {
    const intake = await start();
    const client = await connected(intake);
    const both = [...TO, 'carol@penncloud.test'];
    store.failing.set('carol', new Error('no primary'));
    expect((await client.send('a@b.example', both, MESSAGE)).code).toBe(451);
    store.failing.clear();
    expect((await client.send('a@b.example', both, MESSAGE)).code).toBe(250);
    expect(store.kept.map(({ account }) => account).sort()).toEqual(['alice', 'carol']);
  });
});

describe('the ids of tries', () => {
  it('name the hour before as long as the process cannot know it', () => {
    const first = new Repeats(0).begin('x', HOUR_MS - 1);
    const restarted = new Repeats(HOUR_MS).begin('x', HOUR_MS + 1);
    expect(restarted.messageId).not.toBe(first.messageId);
    expect(restarted.earlier).toBe(first.messageId);
    expect(new Repeats(0).begin('x', HOUR_MS).earlier).toBeUndefined();
  });

  it('are the same where nothing has come since the 250 for a minute: that connection is dead', () => {
    const repeats = new Repeats(0);
    const first = repeats.begin('x', 0);
    first.answered(1_000);
    expect(repeats.begin('x', 61_000).messageId).toBe(first.messageId);

    const other = repeats.begin('y', 0);
    other.answered(1_000);
    expect(repeats.begin('y', 60_999).messageId).not.toBe(other.messageId);
    const slow = repeats.begin('z', 0);
    expect(repeats.begin('z', 600_000).messageId).not.toBe(slow.messageId);
    const heard = repeats.begin('w', 0);
    heard.answered(1_000);
    heard.read();
    expect(repeats.begin('w', 600_000).messageId).not.toBe(heard.messageId);
  });

  it('are the same over the turn of the hour in one process', () => {
    const repeats = new Repeats(0);
    const first = repeats.begin('x', HOUR_MS - 1);
    first.broke();
    expect(repeats.begin('x', HOUR_MS + 1).messageId).toBe(first.messageId);
    expect(repeats.begin('x', HOUR_MS + 2).messageId).not.toBe(first.messageId);
  });
});

describe('a message that a mail client of ours hands in again', () => {
  const written = Buffer.from('From: alice@penncloud.test\r\nSubject: Once\r\n\r\nOnce.\r\n');
  const to = ['carol@penncloud.test', 'bob@far.example'];
  let doors: Doors;
  beforeEach(async () => {
    doors = await openDoors();
  });
  afterEach(() => doors.close());

  const breakAfterSending = async (): Promise<void> => {
    const client = await doors.loggedIn('alice');
    const { length } = doors.store.sent;
    const commands = [...to.map((one) => `RCPT TO:<${one}>`), 'DATA'];
    client.write(`MAIL FROM:<alice@penncloud.test>\r\n${commands.join('\r\n')}\r\n`);
    for (const _ of [1, 2, 3, 4]) await client.answer();
    client.write(stuffed(written));
    await until('it is sent, or was', async () => doors.store.sent.length > length || length > 0);
    client.destroy();
    await until('the connection is over', async () => doors.submissionTls.connections === 0);
  };
  const sendAs = async (account: string, message = written): Promise<string> => {
    const client = await doors.loggedIn(account);
    const { text } = await client.send(`${account}@penncloud.test`, to, message);
    await client.quit();
    await until('the connection is over', async () => doors.submissionTls.connections === 0);
    return text;
  };

  it('goes out once where each connection broke before its 250 was read, and is told so', async () => {
    await breakAfterSending();
    await breakAfterSending();
    expect(await sendAs('alice')).toBe(`250 2.0.0 Sent as ${doors.store.sent[0]?.messageId}`);
    expect(doors.store.sent.map(({ envelope }) => envelope?.to)).toEqual([['bob@far.example']]);
  });

  it('goes out once over a restart too', async () => {
    await breakAfterSending();
    const { store } = doors;
    await doors.close();
    doors = await openDoors({ submission: { store } });
    await sendAs('alice');
    expect(store.sent.length).toBe(1);
  });

  it('goes out again once its 250 was read, and as another account\u2019s', async () => {
    for (const _ of [1, 2]) expect(await sendAs('alice')).toMatch(/^250 /);
    expect(await sendAs('carol', Buffer.from(written.toString().replace('alice@', 'carol@')))).toMatch(
      /^250 /,
    );
    expect(new Set(doors.store.sent.map(({ messageId }) => messageId)).size).toBe(3);
  });

  it('goes out after a refusal for now', async () => {
    doors.store.failing.set('alice', new Error('no primary'));
    const client = await doors.loggedIn('alice');
    expect((await client.send('alice@penncloud.test', to, written)).code).toBe(451);
    doors.store.failing.clear();
    expect((await client.send('alice@penncloud.test', to, written)).code).toBe(250);
    expect(doors.store.sent.length).toBe(1);
  });
});
