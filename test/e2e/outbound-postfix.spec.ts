/** The whole worker over a real store, with Postfix as the remote mail server and a real name server. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { BudgetLimits } from '../../gateways/smtp/outbound/queue/byte-budget.ts';
import { startOutbound, type Outbound } from '../../gateways/smtp/outbound/outbound.ts';
import { ownCertificate } from '../../gateways/smtp/session/own-certificate.ts';
import { activate, keyRecord, makeSigningKey } from '../../gateways/smtp/outbound/signing/signing-keys.ts';
import { arrived, openHouse, type House } from './pages-house.ts';
import { until } from './cluster.ts';
import { formAt } from './writing-person.ts';
import { startNameServer, type NameServer } from '../mail-world/name-server.ts';
import { startPostfix, type Postfix } from '../mail-world/postfix.ts';
import { itemOf, queueMessage } from '../mail-world/queued-mail.ts';
import { SILENCE, startPeer } from '../mail-world/scripted-peer.ts';
import { OUTBOUND_STREAMS } from '../../domain/streams.ts';

const HOUR_MS = 3_600_000;
const TIMES = { first: 200, most: 1000, giveUp: 120 * HOUR_MS, tellDelay: 4 * HOUR_MS };

let house: House;
let names: NameServer;
let postfix: Postfix;
let keyFolder: string;
const workers: Outbound[] = [];
const SLOW_DOMAINS = Array.from({ length: 30 }, (_, i) => `slow${i}.test`);

beforeAll(async () => {
  keyFolder = mkdtempSync(join(tmpdir(), 'penncloud-dkim-'));
  postfix = await startPostfix({ certificate: await ownCertificate('mx.remote.test', Date.now()) });
  names = await startNameServer({
    'remote.test': { mx: [[10, 'mx.remote.test']] },
    'mx.remote.test': { a: ['127.0.0.1'] },
    'slow.test': { a: ['127.0.0.2'] },
    ...Object.fromEntries(SLOW_DOMAINS.map((domain) => [domain, { a: ['127.0.0.2'] }])),
  });
  house = await openHouse();
});
afterEach(async () => {
  for (const one of workers.splice(0)) await one.stop();
});
afterAll(async () => {
  await house?.close();
  await names?.stop();
  await postfix?.stop();
  rmSync(keyFolder, { recursive: true, force: true });
});

function work(times = TIMES, id = 'smtp-out', inMemory?: BudgetLimits): Outbound {
  const outbound = startOutbound({
    store: house.store,
    notices: { onCommitted: () => () => {} },
    id,
    carrier: {
      servers: {
        resolvers: [names.address],
        port: postfix.port,
        ownNames: ['penncloud.test', 'localhost'],
        ownPort: 1,
        isPrivateAllowed: true,
      },
      limits: { perDomain: 5, inAll: 20, perSecond: 0 },
      ownName: 'penncloud.test',
      sts: { port: 443 },
    },
    times,
    domains: ['penncloud.test'],
    keyFolder,
    drainMs: 3000,
    logger: pino({ level: process.env['PENNCLOUD_LOG_LEVEL'] ?? 'silent' }),
    leaseMs: 3000,
    pollMs: 100,
    ...(inMemory !== undefined && { inMemory }),
  });
  workers.push(outbound);
  return outbound;
}

const raw = (subject: string) =>
  `From: Ann <ann@penncloud.test>\r\nTo: bob@remote.test\r\nSubject: ${subject}\r\nMessage-ID: <${subject.replace(/\W/g, '.')}@penncloud.test>\r\n\r\nA message.\r\n`;
const delivered = (subject: string) =>
  postfix.messages().filter((one) => one.includes(`Subject: ${subject}\n`));
const send = (to: readonly string[], subject: string, account = 'ann', from?: string) =>
  queueMessage(house.store, { account, to, raw: raw(subject), ...(from !== undefined && { from }) });
const isDone = (id: string) =>
  until(`${id} is done`, async () => (await itemOf(house.store, id)) === undefined);

describe('the worker of outbound mail', () => {
  it('delivers to Postfix over TLS, signed with the domain’s key', async () => {
    const key = await makeSigningKey(keyFolder, 'penncloud.test', 'spec');
    await activate(keyFolder, key);
    work();
    const id = await send(['bob@remote.test'], 'signed mail');
    await isDone(id);
    const [message] = await until('it lies in the mailbox', () => {
      const found = delivered('signed mail');
      return found.length > 0 ? found : undefined;
    });
    expect(message).toMatch(/using TLSv1\.[23]/);
    const asSent = message!.slice(message!.indexOf('DKIM-Signature')).replace(/\n/g, '\r\n');
    const record = keyRecord(key);
    const { results } = await dkimVerify(asSent, {
      resolver: async (name: string) => {
        expect(name).toBe(record.name);
        return [[record.text]];
      },
    } as never);
    expect(results.map(({ status, signingDomain }) => [status.result, signingDomain])).toEqual([
      ['pass', 'penncloud.test'],
    ]);
  });

  it('signs nothing that a rule forwards: a stranger may have written our name into its From', async () => {
    work();
    const forged = { account: 'ann', to: ['bob@remote.test'], raw: raw('forged mail') };
    await isDone(await queueMessage(house.store, { ...forged, origin: 'forward' }));
    const [message] = await until('it lies in the mailbox', () => {
      const found = delivered('forged mail');
      return found.length > 0 ? found : undefined;
    });
    expect(message).not.toContain('DKIM-Signature');
  });

  it('puts off what it cannot sign', async () => {
    const broken = join(keyFolder, 'penncloud.test', 'zzz.pem');
    writeFileSync(broken, 'no key');
    work();
    const id = await send(['bob@remote.test'], 'unsigned mail');
    const waiting = await until('it was put off', async () => {
      const item = await itemOf(house.store, id);
      return item !== undefined && item.recipients[0]!.tries > 0 ? item : undefined;
    });
    expect(waiting.recipients[0]).toMatchObject({ state: 'waiting', code: null });
    expect(waiting.recipients[0]!.text).toContain('could not read or sign');
    rmSync(broken);
  });

  it('tries again after a 4xx, and tells the sender’s message how it stands', async () => {
    postfix.rule('grey@remote.test', '450 4.2.0 greylisted, come back later');
    work();
    const id = await send(['grey@remote.test', 'bob@remote.test'], 'patience');
    const waiting = await until('it was put off', async () => {
      const item = await itemOf(house.store, id);
      return item !== undefined && item.recipients[0]!.tries > 0 && item.recipients[1]!.state === 'delivered'
        ? item
        : undefined;
    });
    expect(waiting.recipients[0]).toMatchObject({ state: 'waiting', code: 450, host: 'mx.remote.test' });
    postfix.rule('grey@remote.test', '');
    await isDone(id);
    await until('both arrived', () => delivered('patience').length === 2);
  });

  it('bounces a 5xx to the sender, and nothing to nobody', async () => {
    postfix.rule('gone@remote.test', '550 5.1.1 no such user here');
    const ann = await house.person('ann');
    work();
    const id = await send(['gone@remote.test', 'bob@remote.test'], 'a letter');
    await isDone(id);
    const address = await arrived(ann, 'Not delivered: a letter');
    const page = (await ann.get(address)).body;
    expect(page).toContain('gone@remote.test');
    expect(page).toContain('550 5.1.1');
    expect(page).toContain('no such user here');
    const bounced = (await ann.get(`${address}/raw`)).body;
    expect(bounced).toMatch(/^Return-Path: <>\r\n/);
    expect(bounced).toContain('Final-Recipient: rfc822; gone@remote.test\r\nAction: failed\r\nStatus: 5.1.1');
    expect(bounced).not.toContain('bob@remote.test\r\nAction');
    expect(bounced).toContain('In-Reply-To: <a.letter@penncloud.test>');

    await isDone(await send(['gone@remote.test'], 'from nobody', 'ann', ''));
    await isDone(await send(['gone@remote.test'], 'the last one'));
    await arrived(ann, 'Not delivered: the last one');
    expect((await ann.get('/mail/inbox')).body).not.toContain('from nobody');
  });

  it('tells in one notice of all that has failed, though one domain answers later than the other', async () => {
    const slow = await startPeer(
      async (verb) => {
        if (verb !== 'RCPT') return undefined;
        await until('the other has answered', () => postfix.log().includes('prompt@remote.test'));
        await new Promise((resolve) => setTimeout(resolve, 300));
        return '550 5.7.1 not for you';
      },
      { port: postfix.port, host: '127.0.0.2' },
    );
    try {
      postfix.rule('prompt@remote.test', '550 5.1.1 no such user here');
      const ida = await house.person('ida');
      work();
      const to = ['prompt@remote.test', 'late@slow.test', 'bob@remote.test'];
      await isDone(await send(to, 'to three', 'ida'));
      const address = await arrived(ida, 'Not delivered: to three');
      const notice = (await ida.get(`${address}/raw`)).body;
      const told = [...notice.matchAll(/^Final-Recipient: rfc822; (\S+)\r\nAction: (\w+)/gm)];
      expect(told.map(([, who, what]) => [who, what])).toEqual([
        ['prompt@remote.test', 'failed'],
        ['late@slow.test', 'failed'],
      ]);
      expect((await ida.get('/mail/inbox')).body.split('>Not delivered: to three<')).toHaveLength(2);
    } finally {
      await slow.stop();
    }
  });

  it('tells of a delay once, and gives up in the end', async () => {
    postfix.rule('never@remote.test', '451 4.3.0 out of order');
    const eve = await house.person('eve');
    const first = work({ ...TIMES, tellDelay: 1 });
    const id = await send(['never@remote.test'], 'slow mail', 'eve');
    await arrived(eve, 'Delayed: slow mail');
    await until(
      'it was tried thrice',
      async () => ((await itemOf(house.store, id))?.recipients[0]?.tries ?? 0) >= 3,
    );
    await first.stop();
    const page = (await eve.get('/mail/inbox')).body;
    expect(page.split('>Delayed: slow mail<')).toHaveLength(2);
    work({ ...TIMES, giveUp: 1 });
    await isDone(id);
    const address = await arrived(eve, 'Not delivered: slow mail');
    expect((await eve.get(address)).body).toContain('Given up after');
  });

  it('takes what a person writes, and the message in Sent says so', async () => {
    const may = await house.person('may', 'May');
    work();
    const form = await formAt(may, undefined, {
      to: 'bob@remote.test',
      subject: 'From the page',
      text: 'Hello.',
    });
    await may.post('/mail/compose', { ...form, action: 'send' });
    await until('it lies in the mailbox', () => delivered('From the page').length === 1);
    const url = await arrived(may, 'From the page', 'sent');
    const page = await until('the page says so', async () => {
      const { body } = await may.get(url);
      return body.includes('mx.remote.test') ? body : undefined;
    });
    expect(page).toMatch(/<b>bob@remote\.test<\/b>\s+delivered/);
  });

  it('works side by side with another worker, and each message is delivered once', async () => {
    work(TIMES, 'smtp-out-1');
    work(TIMES, 'smtp-out-2');
    const ids = await Promise.all(
      Array.from({ length: 60 }, (_, i) => send(['bob@remote.test'], `number ${i}`)),
    );
    for (const id of ids) await isDone(id);
    await until('all arrived', () => ids.every((_, i) => delivered(`number ${i}`).length > 0));
    expect(ids.map((_, i) => delivered(`number ${i}`).length)).toEqual(ids.map(() => 1));
  });

  it('brings long messages on their way while another domain reads its own slowly', async () => {
    const sockets: Socket[] = [];
    const slow = await startPeer(
      (verb, _line, socket) => {
        if (verb !== 'DATA') return undefined;
        sockets.push(socket.pause());
        return undefined;
      },
      { port: postfix.port, host: '127.0.0.2' },
    );
    try {
      const MIB = 1024 * 1024;
      work(TIMES, 'smtp-out', {
        long: 8 * MIB,
        short: MIB,
        shortMax: MIB / 4,
        perDomain: 1 / 2,
        perAccount: 1,
      });
      const long = (subject: string) => raw(subject) + `${'x'.repeat(70)}\r\n`.repeat(40_000);
      const queue = (to: string, subject: string) =>
        queueMessage(house.store, { account: 'ann', to: [to], raw: long(subject) });
      const held = await Promise.all([1, 2, 3, 4].map((i) => queue(`${i}@slow.test`, `slow ${i}`)));
      await until('the slow one reads', () => sockets.length > 0);
      await isDone(await queue('bob@remote.test', 'long and quick'));
      expect(sockets).toHaveLength(1);
      expect(delivered('long and quick')).toHaveLength(1);
      const reading = setInterval(() => sockets.forEach((socket) => socket.resume()), 5);
      for (const id of held) await isDone(id);
      clearInterval(reading);
      expect(slow.taken).toHaveLength(4);
    } finally {
      await slow.stop();
    }
  });

  it('lets nobody wait for another’s letters: to many slow domains, or more to one than are in work', async () => {
    const slow = await startPeer((verb) => (verb === 'RCPT' ? SILENCE : undefined), {
      port: postfix.port,
      host: '127.0.0.2',
    });
    try {
      const queue = OUTBOUND_STREAMS[3]!;
      const ofMax = (to: string) =>
        queueMessage(house.store, { account: 'max', to: [to], raw: raw('a slow one'), queue });
      await Promise.all(SLOW_DOMAINS.map((domain) => ofMax(`bob@${domain}`)));
      await Promise.all(Array.from({ length: 300 }, (_, i) => ofMax(`${i}@slow.test`)));
      work();
      await until('they have all that they may have', () => slow.sessions >= 5);
      const other = await queueMessage(house.store, {
        account: 'ann',
        to: ['bob@remote.test'],
        raw: raw('past them all'),
        queue,
      });
      await isDone(other);
      expect(delivered('past them all')).toHaveLength(1);
      expect(slow.taken).toEqual([]);
      expect(slow.sessions).toBe(5);
    } finally {
      await slow.stop();
    }
  });
});
