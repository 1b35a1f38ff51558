/**
 * Writing in a real browser, at desktop and phone width: a draft that saves itself and is found on another
 * gateway, files with progress, formatting, addresses completed and checked, two windows, sent, taken back,
 * and sent later. Screenshots are kept in test/e2e/screenshots.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from './cluster.ts';
import { openHouse, PASSWORD, type House } from './pages-house.ts';

const SCREENSHOTS = fileURLToPath(new URL('./screenshots/', import.meta.url));
let house: House;
let browser: Browser;
let gateways: string[];

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  [house, browser] = await Promise.all([
    openHouse({ undoSendMs: 10_000 }),
    chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] }),
  ]);
  gateways = await Promise.all(house.gateways.map((app) => app.listen({ host: '127.0.0.1', port: 0 })));
  await house.person('pen-ann', 'Ann Winter');
  await house.person('pen-ben', 'Ben Archer');
});
afterAll(async () => {
  await browser?.close();
  await house?.close();
});

const shot = (page: Page, name: string) =>
  page.screenshot({ path: `${SCREENSHOTS}writing-${name}.png`, fullPage: true });

async function context(
  width: number,
  colorScheme: 'light' | 'dark',
  javaScriptEnabled = true,
): Promise<BrowserContext> {
  const opened = await browser.newContext({
    javaScriptEnabled,
    viewport: { width, height: width < 600 ? 780 : 860 },
    colorScheme,
    timezoneId: 'Europe/Berlin',
  });
  opened.on('page', (page) => {
    page.on('pageerror', (error) => expect.fail(`a script error on ${page.url()}: ${error.message}`));
  });
  return opened;
}

async function logIn(people: BrowserContext, gateway: string, name: string): Promise<Page> {
  const page = await people.newPage();
  await page.goto(gateway);
  await page.getByLabel('Username').fill(name);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('link', { name: /inbox/i }).first().waitFor();
  return page;
}

const saved = (page: Page) =>
  page
    .getByRole('status')
    .filter({ hasText: /^Saved/ })
    .waitFor();

describe.each([
  ['desktop', 1280, 'light'],
  ['phone', 390, 'dark'],
] as const)('on a %s', (device, width, colour) => {
  let ann: BrowserContext;
  let page: Page;
  beforeAll(async () => {
    ann = await context(width, colour);
    page = await logIn(ann, gateways[1]!, 'pen-ann');
  });

  it('a letter saves itself, takes files along, and is found in another window', async () => {
    await page.goto(`${gateways[1]!}/mail/compose`);
    await shot(page, `${device}-empty`);
    await page.getByLabel('To', { exact: true }).fill('pen-ben@penncloud.test');
    await page.getByLabel('Subject').fill(`The plan, ${device}`);
    await page.getByLabel('Message').fill('Dear Ben,\n\nhere is the plan.\n\nAnn');
    await saved(page);
    expect(new URL(page.url()).searchParams.get('draft')).toMatch(/^[a-z2-7]{26}$/);

    await page.locator('#file').setInputFiles([
      { name: 'plan.pdf', mimeType: 'application/pdf', buffer: randomBytes(2_300_000) },
      {
        name: 'a rather long name of a photo from the harbour walk.jpg',
        mimeType: 'image/jpeg',
        buffer: randomBytes(90_000),
      },
    ]);
    await page.getByRole('button', { name: 'Remove plan.pdf' }).waitFor();
    await page.getByRole('button', { name: /Remove a rather long/ }).waitFor();
    await shot(page, `${device}-draft`);
    await page.getByRole('button', { name: /Remove a rather long/ }).click();
    await page.getByRole('button', { name: /Remove a rather long/ }).waitFor({ state: 'detached' });

    const second = await ann.newPage();
    await second.goto(page.url());
    expect(await second.getByLabel('Message').inputValue()).toContain('here is the plan');
    await second.getByLabel('Subject').fill(`The better plan, ${device}`);
    await saved(second);
    await page.getByLabel('Message').fill('Words of the first window');
    await page.getByRole('alert').filter({ hasText: 'changed in another window' }).waitFor();
    await shot(page, `${device}-conflict`);
    expect(await page.getByLabel('Message').inputValue()).toBe('Words of the first window');
    await page.close({ runBeforeUnload: false });
    page = second;
  });

  it('names a bad address while it is typed, and completes a good one', async () => {
    const line = page.getByLabel('To', { exact: true });
    await line.fill('nobody-at-all@penncloud.test, ');
    await page.locator('.fault', { hasText: 'There is nobody at nobody-at-all@penncloud.test' }).waitFor();
    await shot(page, `${device}-fault`);
    await line.fill('pen-be');
    await line.press('n');
    await page.getByRole('option', { name: /pen-ben@penncloud\.test/ }).waitFor();
    await shot(page, `${device}-completion`);
    await line.press('ArrowDown');
    await line.press('Enter');
    expect(await line.inputValue()).toBe('pen-ben@penncloud.test, ');
  });

  it('is formatted, sent, taken back with the toast, and sent again', async () => {
    await page.getByRole('button', { name: 'Formatting' }).click();
    const editor = page.locator('.editor');
    await editor.focus();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('Three points:');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'List', exact: true }).click();
    await page.keyboard.type('walls');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Bold' }).click();
    await page.keyboard.type('roof');
    await shot(page, `${device}-formatted`);
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await page.getByRole('status').filter({ hasText: 'is sent' }).waitFor();
    await shot(page, `${device}-sent`);
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.locator('.editor', { hasText: 'Three points' }).waitFor();
    await shot(page, `${device}-back`);
    await page.goto(page.url().replace(gateways[1]!, gateways[0]!));
    await page.locator('.editor', { hasText: 'Three points' }).waitFor();
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await page.getByRole('status').filter({ hasText: 'is sent' }).waitFor();

    const ben = await logIn(await context(width, colour), gateways[0]!, 'pen-ben');
    await until('Ben has it', async () => {
      await ben.goto(`${gateways[0]!}/mail/inbox`);
      return (await ben.getByRole('link', { name: new RegExp(`better plan, ${device}`) }).count()) === 1;
    });
    await ben.getByRole('link', { name: new RegExp(`better plan, ${device}`) }).click();
    const mail = ben.frameLocator('iframe.html');
    expect(await mail.locator('li').allTextContents()).toEqual(['walls', 'roof']);
    expect(await mail.locator('b').textContent()).toBe('roof');
    await ben.getByRole('link', { name: 'plan.pdf', exact: true }).waitFor();
    await ben.getByRole('link', { name: 'Reply', exact: true }).click();
    await shot(ben, `${device}-reply`);
    await ben.context().close();
  });

  it('is sent later, at a time of the writer’s own clock, and waits in the outbox', async () => {
    await page.goto(`${gateways[0]!}/mail/compose`);
    await page.getByLabel('To', { exact: true }).fill('pen-ben@penncloud.test');
    await page.getByLabel('Subject').fill(`Later, ${device}`);
    await page.getByText('Send later').click();
    await page.getByLabel('When').selectOption({ label: 'Tomorrow at 8' });
    await shot(page, `${device}-later`);
    await page.getByRole('button', { name: 'Schedule' }).click();
    await page.getByRole('status').filter({ hasText: 'sent at its time' }).waitFor();
    await page.goto(`${gateways[0]!}/mail/outbox`);
    await page.getByRole('link', { name: new RegExp(`Later, ${device}`) }).click();
    const due = await page.locator('.notice time').first().getAttribute('datetime');
    const there = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Berlin', timeStyle: 'short' });
    expect(there.format(new Date(due!))).toBe('08:00');
    await shot(page, `${device}-outbox`);
    await page.getByRole('button', { name: 'Do not send' }).click();
    await page.getByLabel('Subject').waitFor();
    expect(await page.getByLabel('Subject').inputValue()).toBe(`Later, ${device}`);
    const sideways = await page.evaluate<number>('document.documentElement.scrollWidth');
    expect(sideways).toBeLessThanOrEqual(width);
  });
});

it('the signature follows From, in plain and in formatted text; what was changed by hand stays', async () => {
  const cleo = await house.person('pen-cleo', 'Cleo');
  await cleo.submit('/account/profile', '/account/profile', { signature: 'Cleo, at home' });
  const club = { tag: 'club', domain: 'penncloud.test', displayName: 'Cleo (club)', signature: 'Chess!' };
  await cleo.submit('/account/identities/new', '/account/identities', club);
  const page = await logIn(await context(1280, 'light'), gateways[0]!, 'pen-cleo');
  await page.goto(`${gateways[0]!}/mail/compose`);
  const from = page.getByLabel('From');
  const text = page.getByLabel('Message');
  await text.fill(`Hello${await text.inputValue()}`);
  await from.selectOption({ index: 1 });
  expect(await text.inputValue()).toBe('Hello\n\n-- \nChess!');
  await page.getByRole('button', { name: 'Formatting' }).click();
  await from.selectOption({ index: 0 });
  expect(await page.locator('.editor').innerText()).toMatch(/^Hello\s+--\s+Cleo, at home\s*$/);
  await from.selectOption({ index: 1 });
  await page.getByRole('button', { name: 'Formatting' }).click();
  expect(await text.inputValue()).toMatch(/^Hello\s+--\s+Chess!\s*$/);
  await text.fill('Hello\n\n-- \nChess, always!');
  await from.selectOption({ index: 0 });
  expect(await text.inputValue()).toBe('Hello\n\n-- \nChess, always!');
  await page.context().close();
});

it('without the script a letter is attached to, saved and scheduled with plain buttons', async () => {
  const page = await logIn(await context(320, 'light', false), gateways[0]!, 'pen-ann');
  await page.goto(`${gateways[0]!}/mail/compose`);
  await page.getByLabel('To', { exact: true }).fill('pen-ben@penncloud.test');
  await page.getByLabel('Subject').fill('By hand');
  await page.getByLabel('Message').fill('No script here.');
  await page.locator('#file').setInputFiles({
    name: 'list.txt',
    mimeType: 'text/plain',
    buffer: Buffer.from('one\ntwo\n'),
  });
  await page.getByRole('button', { name: 'Attach', exact: true }).click();
  await page.getByRole('button', { name: 'Remove list.txt' }).waitFor();
  expect(await page.getByLabel('Message').inputValue()).toBe('No script here.');
  await page.getByText('Send later').click();
  await page.getByLabel('When').selectOption({ label: 'In a day' });
  await shot(page, 'phone-without-script');
  expect(await page.locator('html').evaluate((html) => html.scrollWidth)).toBe(320);
  await page.getByRole('button', { name: 'Schedule' }).click();
  await page.getByRole('status').filter({ hasText: 'sent at its time' }).waitFor();
});
