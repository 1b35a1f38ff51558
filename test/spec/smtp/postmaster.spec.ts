import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSmtpIntake, type SmtpIntake } from '../../../gateways/smtp/inbound/intake.ts';
import { ownCertificate } from '../../../gateways/smtp/session/own-certificate.ts';
import { NoPostmaster, Postmaster } from '../../../gateways/postmaster/postmaster.ts';
import { SmtpClient } from '../../e2e/smtp-client.ts';
import { AccountsInMemory } from './accounts-in-memory.ts';

const tls = await ownCertificate('mx.penncloud.test', Date.now());
const MESSAGE = Buffer.from('Subject: Your server\r\n\r\nis on a list.\r\n');

let store: AccountsInMemory;
let intake: SmtpIntake;
let client: SmtpClient;
let told: string[];
let postmaster: Postmaster;
let now: number;

const logger = {
  debug() {},
  info() {},
  warn() {},
  error: (...words: unknown[]) => void told.push(String(words)),
};
const sent = async (...to: string[]): Promise<string> => (await client.send('', to, MESSAGE)).text;
const readers = (): string[] => store.kept.map(({ account }) => account);

beforeEach(async () => {
  store = new AccountsInMemory('alice', 'bob', 'carol');
  [told, now] = [[], 0];
  postmaster = new Postmaster({ store, logger, now: () => now });
  intake = createSmtpIntake({
    ...{ store, domains: ['penncloud.test', 'second.test'], messageBytesMax: 200_000, logger },
    ...{ hostname: 'mx.penncloud.test', tls, drainMs: 5_000 },
  });
  await intake.listen(0, '127.0.0.1');
  client = await SmtpClient.connect(intake.port);
});
afterEach(async () => {
  client.destroy();
  await intake.close();
});

describe('mail for postmaster (RFC 5321 §4.5.1)', () => {
  it.each([
    'postmaster',
    'PostMaster',
    'POSTMASTER@penncloud.test',
    'postmaster@Second.Test',
    'postmaster@localhost',
    '"postmaster"@penncloud.test',
    '"PostMaster"@localhost',
    '"post\\master"@penncloud.test',
  ])('is taken as %s for an administrator', async (address) => {
    store.administrators.add('bob').add('carol');
    expect(await sent(address)).toMatch(/^250 /);
    expect(readers()).toEqual(['bob']);
  });

  it('comes once to an administrator who is named beside it', async () => {
    store.administrators.add('bob');
    expect(await sent('bob@penncloud.test', 'postmaster', 'postmaster@second.test')).toMatch(/^250 /);
    expect(readers()).toEqual(['bob']);
  });

  it('is not taken for a domain that is not served', async () => {
    store.administrators.add('bob');
    expect(await sent('postmaster@far.example')).toMatch(/^550 5\.7\.1 /);
  });

  it('goes to the account of that name where an old log has one', async () => {
    store.administrators.add('bob');
    store.add('postmaster');
    expect(await sent('postmaster@penncloud.test')).toMatch(/^250 /);
    expect(readers()).toEqual(['postmaster']);
  });

  it('waits where nobody could read it, and the operator is told what to do', async () => {
    expect(await sent('postmaster')).toMatch(/^451 4\.3\.5 /);
    expect(await sent('postmaster@penncloud.test')).toMatch(/^451 4\.3\.5 /);
    expect(told).toEqual([expect.stringContaining('penncloud user add NAME --admin')]);
  });

  it('waits for the next administrator where the first is gone by the end of its bytes', async () => {
    store.administrators.add('bob').add('carol');
    client.write('MAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nDATA\r\n');
    for (const code of [250, 250, 354]) expect((await client.answer()).code).toBe(code);
    store.remove('bob');
    expect((await client.say('Subject: x\r\n\r\n.\r\n')).text).toMatch(/^451 4\.3\.0 /);
    expect(await sent('postmaster')).toMatch(/^250 /);
    expect(readers()).toEqual(['carol']);
  });

  it('waits while the store is out of reach', async () => {
    store.administrators.add('bob');
    store.reachable = false;
    expect(await sent('postmaster')).toMatch(/^451 4\.3\.0 /);
    store.reachable = true;
    expect(await sent('postmaster')).toMatch(/^250 /);
  });
});

describe('the administrator who reads it', () => {
  it('is looked for once, whoever asks', async () => {
    store.administrators.add('carol');
    const found = await Promise.all([1, 2, 3].map(() => postmaster.account()));
    expect([...found, await postmaster.account()]).toEqual(['carol', 'carol', 'carol', 'carol']);
    expect(store.scans).toBe(3);
  });

  it('is another one as soon as the first is gone', async () => {
    store.administrators.add('alice').add('carol');
    expect(await postmaster.account()).toBe('alice');
    store.remove('alice');
    expect(await postmaster.account()).toBe('carol');
  });

  it('is looked for again a minute after there was none', async () => {
    await expect(postmaster.account()).rejects.toThrow(NoPostmaster);
    const { scans } = store;
    store.administrators.add('bob');
    await expect(postmaster.account()).rejects.toThrow(NoPostmaster);
    expect(store.scans).toBe(scans);
    now = 60_000;
    expect(await postmaster.account()).toBe('bob');
  });
});
