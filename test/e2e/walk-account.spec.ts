/**
 * AC-1, AC-2: a walk through the account's pages in a real browser: at desktop width with the script, on a
 * phone in the dark without it. Screenshots are kept in test/e2e/screenshots.
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createTransport } from 'nodemailer';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ownCertificate } from '../../gateways/smtp/session/own-certificate.ts';
import { Credentials } from '../../gateways/smtp/submission/credentials.ts';
import { createSubmission, type Submission } from '../../gateways/smtp/submission/submission.ts';
import { Authenticator } from './authenticator.ts';
import { openHouse, PASSWORD, type House } from './pages-house.ts';

const SCREENSHOTS = fileURLToPath(new URL('./screenshots/', import.meta.url));
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync'];

let house: House;
let browser: Browser;
let address: string;
let submission: Submission;

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  house = await openHouse();
  address = await house.gateways[0].listen({ host: '127.0.0.1', port: 0 });
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: QUIET });
  submission = createSubmission({
    ...{ store: house.store, domains: ['penncloud.test'], messageBytesMax: 100_000, isImplicitTls: true },
    ...{
      hostname: 'penncloud.test',
      credentials: new Credentials(house.store, ['penncloud.test']),
      tls: await ownCertificate('penncloud.test', Date.now()),
      drainMs: 1_000,
    },
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });
  await submission.listen(0, '127.0.0.1');
});
afterAll(async () => {
  await browser?.close();
  await submission?.close();
  await house?.close();
});

const WAYS = [
  { name: 'desk', width: 1280, colorScheme: 'light', javaScriptEnabled: true },
  { name: 'phone', width: 390, colorScheme: 'dark', javaScriptEnabled: false },
] as const;

describe.each(WAYS)('at the $name', ({ name, width, colorScheme, javaScriptEnabled }) => {
  let page: Page;

  beforeAll(async () => {
    const context = await browser.newContext({
      viewport: { width, height: 800 },
      colorScheme,
      javaScriptEnabled,
      timezoneId: 'America/New_York',
    });
    page = await context.newPage();
    page.on('pageerror', (error) => expect.fail(`a script error on ${page.url()}: ${error.message}`));
    page.on('request', (request) => expect(request.url().startsWith(address), request.url()).toBe(true));
    await page.goto(`${address}/signup`);
    await page.getByLabel('Username').fill(name);
    await page.getByLabel('Your name').fill('Ada Lovelace');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign up' }).click();
  });
  afterAll(() => page?.context().close());

  /** From the account's page to one below it. */
  async function openPage(label: string): Promise<void> {
    await page.goto(`${address}/account`);
    await page.getByRole('link', { name: new RegExp(`^${label}`) }).click();
  }
  /** Kept for looking at; and nothing reaches beyond the width of the window. */
  async function look(what: string): Promise<void> {
    await page.screenshot({ path: `${SCREENSHOTS}account-${what}-${name}.png`, fullPage: true });
    const { width: shown } = (await page.locator('html').boundingBox())!;
    const widest = await page.locator('main').evaluate((main: { scrollWidth: number }) => main.scrollWidth);
    expect([shown, widest <= width]).toEqual([width, true]);
  }
  const click = (button: string) => page.getByRole('button', { name: button, exact: true }).click();
  const says = (words: string) => expect.poll(() => page.getByRole('status').textContent()).toContain(words);

  it('tells the account’s name and signature, and another address to send as', async () => {
    await openPage('Profile');
    await page.getByLabel('Signature').fill('Ada\nAnalyst of engines');
    await click('Save');
    await says('Your profile is saved.');
    await look('profile');
    await openPage('Identities');
    await page.getByRole('link', { name: 'Add an identity' }).click();
    await page.getByLabel('Name').fill('Countess');
    await page.getByLabel('Tag').fill('letters');
    await look('identity');
    await click('Add');
    await says('The identity is added.');
    await look('identities');
  });

  it('writes dates as was chosen, whatever the browser’s zone is', async () => {
    await openPage('Dates');
    await page.getByLabel('Time zone').selectOption('Asia/Tokyo');
    await page.getByLabel('Language of dates').selectOption('de-DE');
    await click('Save');
    await says('Dates are now written this way.');
    await look('dates');
    const shown = page.locator('main time').first();
    const at = new Date((await shown.getAttribute('datetime'))!);
    const tokyo = new Intl.DateTimeFormat('de-DE', {
      timeZone: 'Asia/Tokyo',
      dateStyle: 'medium',
      timeStyle: 'short',
    });
    expect(await shown.textContent()).toBe(tokyo.format(at));
  });

  it('makes a password for a mail program, which is shown once, works, and ends', async () => {
    await openPage('App passwords');
    await page.getByLabel('Name').fill('Phone');
    await page.getByLabel('Current password').fill('not my password');
    await click('Make an app password');
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('Current password is wrong');
    expect(await page.getByLabel('Name').inputValue()).toBe('Phone');
    await page.getByLabel('Current password').fill(PASSWORD);
    await click('Make an app password');
    await says('The app password is ready.');
    await look('app-password');
    const secret = (await page.locator('p.mono').textContent())!;
    expect(secret).toMatch(/^([a-z2-7]{6}-){4}[a-z2-7]{2}$/);
    const isIn = () =>
      createTransport({
        ...{ host: '127.0.0.1', port: submission.port, secure: true, tls: { rejectUnauthorized: false } },
        auth: { user: name, pass: secret },
      })
        .verify()
        .catch((error: { responseCode?: number }) => error.responseCode);
    expect(await isIn()).toBe(true);
    await openPage('App passwords');
    expect(await page.content()).not.toContain(secret);
    await look('app-passwords');
    await click('Remove Phone');
    await says('The app password is removed');
    expect(await isIn()).toBe(535);
  });

  it('turns on two-step log-in, and logs in with a code', async () => {
    await openPage('Two-step log-in');
    await look('two-step-off');
    await page.getByRole('link', { name: 'Set up' }).click();
    await look('two-step-set-up');
    const phone = new Authenticator({ body: await page.content() });
    await page.getByRole('textbox', { name: 'Code' }).fill(phone.next());
    await page.getByLabel('Current password').fill(PASSWORD);
    await click('Turn on');
    await says('Two-step log-in is on.');
    await look('recovery-codes');
    expect(await page.locator('.recovery-codes li').count()).toBe(10);
    await click('Log out');
    await page.getByLabel('Username').fill(name);
    await page.getByLabel('Password').fill(PASSWORD);
    await click('Log in');
    await page.getByRole('textbox', { name: 'Code' }).fill(phone.wrong());
    await click('Log in');
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('This code is wrong');
    await look('second-step');
    await page.getByRole('textbox', { name: 'Code' }).fill(phone.next());
    await click('Log in');
    await expect
      .poll(() => page.getByRole('heading', { level: 1 }).textContent())
      .toContain('Hello, Ada Lovelace');
  });

  it('shows where one is logged in, and does not delete the account by a wrong password', async () => {
    await openPage('Sessions');
    await expect.poll(() => page.getByText('this one').count()).toBe(1);
    await look('sessions');
    await page.goto(`${address}/account`);
    await look('menu');
    await openPage('Delete account');
    await look('delete');
    await page.getByLabel('Current password').fill('not my password');
    await page.getByRole('textbox', { name: 'Code' }).fill('123456');
    await click('Delete my account');
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('nothing was changed');
    await page.getByRole('link', { name: 'Keep it' }).click();
    await expect.poll(() => page.getByRole('heading', { level: 1 }).textContent()).toBe('Account');
  });
});
