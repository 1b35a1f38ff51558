/**
 * AC-1, AC-2, WM-1, WM-2, DR-1, FE-1, FE-2, TT-4: a walk through the product in a real browser, at desktop
 * and phone width, in light and dark, on a real cluster. Screenshots are kept in test/e2e/screenshots.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster, until, type Cluster } from './cluster.ts';
import { SmtpClient } from './smtp-client.ts';

const PASSWORD = 'correct horse battery';
const SCREENSHOTS = fileURLToPath(new URL('./screenshots/', import.meta.url));
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

let cluster: Cluster;
let browser: Browser;
const open: BrowserContext[] = [];

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  [cluster, browser] = await Promise.all([
    // Nobody here takes back what was sent: walk-writing does, in the usual time.
    startCluster({ environment: { PENNCLOUD_UNDO_SEND_SECONDS: '1' } }),
    chromium.launch({ executablePath: '/usr/bin/chromium', args: QUIET }),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

async function newPage(width: number, colorScheme: 'light' | 'dark' = 'light'): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width, height: width < 600 ? 780 : 860 },
    colorScheme,
  });
  open.push(context);
  const page = await context.newPage();
  page.on('pageerror', (error) => expect.fail(`a script error on ${page.url()}: ${error.message}`));
  return page;
}
const shot = (page: Page, name: string) => page.screenshot({ path: `${SCREENSHOTS}${name}.png` });

async function signUp(page: Page, name: string): Promise<void> {
  await page.goto(cluster.frontDoor);
  await page.getByRole('link', { name: 'Sign up' }).click();
  await page.getByLabel('Username').fill(name);
  for (const field of await page.locator('input[type=password]').all()) await field.fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign up' }).click();
}

async function logIn(page: Page, name: string, password = PASSWORD): Promise<void> {
  await page.goto(cluster.frontDoor);
  await page.getByLabel('Username').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

describe('two people', () => {
  let alice: Page;
  let bob: Page;

  it('sign up and find the menu', async () => {
    alice = await newPage(1280);
    await signUp(alice, 'alice');
    await alice.getByRole('link', { name: /inbox/i }).first().waitFor();
    await alice.getByRole('link', { name: /files/i }).first().waitFor();
    await shot(alice, 'menu');
    bob = await newPage(390, 'dark');
    await signUp(bob, 'bob');
    await bob.getByRole('link', { name: /inbox/i }).first().waitFor();
  });

  it('are told when a name is taken, or a password wrong', async () => {
    const page = await newPage(390);
    await signUp(page, 'alice');
    expect(await page.getByRole('alert').textContent()).toMatch(/alice|taken/i);
    await logIn(page, 'alice', 'wrong password');
    expect(await page.getByRole('alert').textContent()).toContain('Wrong username or password');
    await shot(page, 'log-in-refused-phone');
    await logIn(page, 'alice');
    await page.getByRole('link', { name: /inbox/i }).first().waitFor();
  });

  it('send mail; an open inbox shows it without reload, read through another gateway', async () => {
    await bob.goto(`${cluster.gateways[1]!}/mail/inbox`);
    await bob.evaluate(() => Object.assign(globalThis, { notReloaded: true }));
    await alice.goto(`${cluster.gateways[0]!}/mail/compose`);
    await alice.getByLabel('To').fill('bob@penncloud.test');
    await alice.getByLabel('Subject').fill('Lunch on Thursday?');
    await alice.getByLabel('Message').fill('The place by the river, half past twelve.\n\nAlice');
    await shot(alice, 'compose');
    await alice.getByRole('button', { name: 'Send' }).click();
    await alice.getByRole('status').first().waitFor();

    const arrived = bob.getByRole('link', { name: /Lunch on Thursday/ });
    await arrived.waitFor();
    expect(await bob.evaluate(() => (globalThis as { notReloaded?: boolean }).notReloaded)).toBe(true);
    await shot(bob, 'inbox-phone-dark');
    await arrived.click();
    await bob.locator('.prose', { hasText: 'half past twelve' }).waitFor();
    await shot(bob, 'message-phone-dark');
  });

  it('reply, forward and delete', async () => {
    await bob.getByRole('link', { name: 'Reply' }).click();
    expect(await bob.getByLabel('To').inputValue()).toContain('alice@penncloud.test');
    expect(await bob.getByLabel('Subject').inputValue()).toBe('Re: Lunch on Thursday?');
    await bob.getByLabel('Message').fill('See you there.');
    await bob.getByRole('button', { name: 'Send' }).click();
    await bob.getByRole('status').first().waitFor();
    await alice.goto(`${cluster.gateways[1]!}/mail/inbox`);
    await alice.getByRole('link', { name: /Re: Lunch on Thursday/ }).click();
    await alice.locator('.prose', { hasText: 'See you there.' }).waitFor();
    await alice.getByRole('button', { name: 'Delete' }).first().click();
    await alice.goto(`${cluster.gateways[0]!}/mail/inbox`);
    expect(await alice.getByRole('link', { name: /Re: Lunch/ }).count()).toBe(0);
    await alice.goto(`${cluster.gateways[0]!}/mail/trash`);
    await alice.getByRole('link', { name: /Re: Lunch/ }).waitFor();
  });

  it('name a bad address before sending, and keep what was typed', async () => {
    await alice.goto(`${cluster.gateways[0]!}/mail/compose`);
    await alice.getByLabel('To').fill('nobody-here@penncloud.test');
    await alice.getByLabel('Message').fill('keep me');
    await alice.getByRole('button', { name: 'Send' }).click();
    expect(await alice.getByRole('alert').first().textContent()).toContain('nobody-here@penncloud.test');
    expect(await alice.getByLabel('Message').inputValue()).toBe('keep me');
  });

  it('keep files: up through one gateway, down through the other', async () => {
    const bytes = randomBytes(3_000_000);
    await alice.goto(`${cluster.gateways[0]!}/drive`);
    await shot(alice, 'drive-empty');
    await alice.locator('input[type=file]').setInputFiles({
      name: 'Reisefotos – Größe 1.bin',
      mimeType: 'application/octet-stream',
      buffer: bytes,
    });
    const upload = alice.getByRole('button', { name: 'Upload' });
    if (await upload.isVisible()) await upload.click();
    await alice
      .getByRole('link', { name: /Reisefotos/ })
      .first()
      .waitFor();
    await shot(alice, 'drive');
    await alice.goto(`${cluster.gateways[1]!}/drive`);
    const [download] = await Promise.all([
      alice.waitForEvent('download'),
      alice
        .getByRole('link', { name: /Reisefotos/ })
        .first()
        .click(),
    ]);
    expect(download.suggestedFilename()).toBe('Reisefotos – Größe 1.bin');
    const got = readFileSync(await download.path());
    expect(sha256(got)).toBe(sha256(bytes));
  });

  it('stay logged in when their gateway is killed, and lose nothing', async () => {
    const before = cluster.pid('gateway-1');
    await cluster.kill('gateway-1');
    await alice.goto(`${cluster.frontDoor}/mail/sent`);
    await alice.getByRole('link', { name: /Lunch on Thursday/ }).waitFor();
    await cluster.restarted('gateway-1', before);
    await until(
      'the gateway serves again',
      async () => (await fetch(`${cluster.gateways[0]!}/healthz`).catch(() => undefined))?.ok,
    );
  });
});

describe('an operator', () => {
  it('opens the console with the one-time link, once', async () => {
    const page = await newPage(1280);
    await page.goto(cluster.consoleLink);
    expect(new URL(page.url()).pathname).toBe('/admin');
    for (const id of [
      'node-1',
      'node-2',
      'node-3',
      'gateway-1',
      'gateway-2',
      'master',
      'front-door',
      'smtp-in',
      'smtp-out',
    ]) {
      await page.getByText(id, { exact: true }).first().waitFor();
    }
    await shot(page, 'console');
    const other = await newPage(390);
    const answer = await other.goto(cluster.consoleLink);
    expect(answer!.status()).toBeGreaterThanOrEqual(400);
    expect(await other.getByRole('alert').first().textContent()).toMatch(/link/i);
  });

  it('browses cells ten at a time, forward and back, and events', async () => {
    const page = open.at(-2)!.pages()[0]!;
    await page.goto(`${cluster.gateways[0]!}/admin/cells`);
    const rows = () => page.locator('main tbody tr').allTextContents();
    const first = await rows();
    expect(first).toHaveLength(10);
    await page.getByRole('link', { name: 'Next' }).first().click();
    expect(await rows()).not.toEqual(first);
    await page.getByRole('link', { name: 'Previous' }).first().click();
    expect(await rows()).toEqual(first);
    await shot(page, 'console-cells');
    await page.goto(`${cluster.gateways[0]!}/admin/events`);
    await shot(page, 'console-events');
    expect(await page.locator('main').textContent()).toMatch(
      /kv\.|mail\.|drive\.|account\.|platform\.|console\./,
    );
  });
});

describe('a mailbox as one sees it every morning', () => {
  it('is worth a picture', async () => {
    const page = await newPage(1280);
    await signUp(page, 'maya');
    const smtp = await SmtpClient.connect(cluster.smtp.port);
    for (const { from, subject, text } of MORNING) {
      const message = `From: ${from}\r\nTo: maya@penncloud.test\r\nSubject: ${subject}\r\nDate: ${new Date().toUTCString()}\r\n\r\n${text}\r\n`;
      expect(
        await smtp.send('someone@example.org', ['maya@penncloud.test'], Buffer.from(message)),
      ).toMatchObject({ code: 250 });
    }
    await smtp.quit();
    await page.goto(`${cluster.gateways[0]!}/mail/inbox`);
    await page.getByRole('link', { name: /Harbour walk/ }).click();
    await page.locator('.prose', { hasText: 'bring a jacket' }).waitFor();
    await shot(page, 'mailbox');
    const phone = await newPage(320, 'dark');
    await logIn(phone, 'maya');
    await phone.goto(`${cluster.gateways[0]!}/mail/inbox`);
    await shot(phone, 'mailbox-phone-dark');
    const width = await phone.evaluate<number>('document.documentElement.scrollWidth');
    expect(width, 'no sideways scrolling at 320 px').toBeLessThanOrEqual(320);
  });
});

const MORNING = [
  {
    from: 'Library <desk@library.example>',
    subject: 'Two books are waiting for you',
    text: 'They are kept at the front desk until Friday.',
  },
  {
    from: 'Jonas Weber <jonas@example.org>',
    subject: 'Minutes of the planning round',
    text: 'Three decisions, five open points. The draft is attached to the wiki page.',
  },
  {
    from: 'Rail <tickets@rail.example>',
    subject: 'Your ticket to Hamburg, 28 November',
    text: 'Departure 08:14 from platform 7. Seat 42, coach 6.',
  },
  {
    from: 'Priya Nair <priya@example.org>',
    subject: 'Photos from Sunday',
    text: 'The light was wonderful. I picked the best twelve.',
  },
  {
    from: 'Build <ci@example.org>',
    subject: 'main is green again',
    text: '1,204 tests in 6 minutes. Nice work.',
  },
  {
    from: 'Dr Lindqvist <practice@example.org>',
    subject: 'Reminder: appointment on Tuesday',
    text: 'Tuesday at 10:20. Please call if you cannot come.',
  },
  {
    from: 'Ana Duarte <ana@example.org>',
    subject: 'Harbour walk on Saturday',
    text: 'Hi Maya,\r\n\r\nwe meet at the old crane at ten and walk to the lighthouse.\r\nIt will be windy, so bring a jacket. There is soup afterwards.\r\n\r\nSee https://harbour.example/walk for the route.\r\n\r\nAna',
  },
  {
    from: 'Tom <tom@example.org>',
    subject: 'Re: the blue bicycle',
    text: 'Yes, still for sale. Come by any evening.',
  },
];

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
