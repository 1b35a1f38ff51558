/**
 * A person's day in a real browser: folders of one's own, reading, contacts, search, rules and an absence;
 * at the desk with the script, on a phone in the dark with it, and on a phone without. Screenshots are kept in
 * test/e2e/screenshots.
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHouse, PASSWORD, type House } from './pages-house.ts';

const SCREENSHOTS = fileURLToPath(new URL('./screenshots/', import.meta.url));
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync'];

let house: House;
let browser: Browser;
let address: string;

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  [house, browser] = await Promise.all([
    openHouse(),
    chromium.launch({ executablePath: '/usr/bin/chromium', args: QUIET }),
  ]);
  address = await house.gateways[0].listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await browser?.close();
  await house?.close();
});

const header = (from: string, subject: string, n: number, more = '') =>
  `From: ${from}\r\nTo: someone@penncloud.test\r\nSubject: ${subject}\r\nDate: Mon, 16 Nov 2026 09:0${n}:00 +0000\r\n` +
  `Message-ID: <${n}@harbour.example>\r\nMIME-Version: 1.0\r\n${more}`;
const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
const MAIL = [
  `${header('Vera Bell <vera@harbour.example>', 'Boat trip on Saturday', 1)}Content-Type: text/plain; charset=utf-8\r\n\r\nShall we take the blue boat? See https://harbour.example/boats for the tides.\r\n`,
  `${header('Vera Bell <vera@harbour.example>', 'Re: Boat trip on Saturday', 2, 'References: <1@harbour.example>\r\n')}Content-Type: text/plain; charset=utf-8\r\n\r\nThe red one is free, too.\r\n\r\n> Shall we take the blue boat?\r\n`,
  `Authentication-Results: penncloud.test; spf=none; dkim=pass header.d=list.example policy.unsubscribe=signed; dmarc=none header.from=list.example; arc=none\r\nReceived: from list.example\r\n${header('Harbour News <news@list.example>', 'Tides and timetables', 3, 'List-Unsubscribe: <https://list.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n')}Content-Type: text/html; charset=utf-8\r\n\r\n<h1>High water</h1><p>At noon.</p><img src="https://list.example/pixel.png" width="40" height="40" alt="a boat"><script>document.title = 'taken over'</script>\r\n`,
  `${header('Otto Quay <otto@quay.example>', 'Papers for the boat', 4)}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nBoth are attached.\r\n--b\r\nContent-Type: image/png; name="berth.png"\r\nContent-Disposition: attachment; filename="berth.png"\r\nContent-Transfer-Encoding: base64\r\n\r\n${PIXEL}\r\n--b\r\nContent-Type: text/plain; name="rates.txt"\r\nContent-Disposition: attachment; filename="rates.txt"\r\n\r\n12 a night\r\n--b--\r\n`,
  `${header('Otto Quay <otto@quay.example>', 'Invitation: Harbour meeting', 5)}Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\nContent-Type: text/plain\r\n\r\nPlease come.\r\n--c\r\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1@quay.example\r\nDTSTAMP:20261116T090000Z\r\nDTSTART:20261201T140000Z\r\nDTEND:20261201T150000Z\r\nSUMMARY:Harbour meeting\r\nLOCATION:Pier 3\r\nORGANIZER;CN=Otto Quay:mailto:otto@quay.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n--c--\r\n`,
  `${header('Lotte <lotte@shop.example>', 'Ropes and sails, 20 % off', 6)}\r\nThis week.\r\n`,
];
const VCARD =
  'BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Wanda Wharf\r\nEMAIL:wanda@wharf.example\r\nTEL:+49 40 1234\r\nEND:VCARD\r\n';

const WAYS = [
  { name: 'desk', width: 1280, colorScheme: 'light', javaScriptEnabled: true },
  { name: 'phone', width: 390, colorScheme: 'dark', javaScriptEnabled: true },
  { name: 'plain', width: 390, colorScheme: 'light', javaScriptEnabled: false },
] as const;

describe.each(WAYS)('at the $name', ({ name, width, colorScheme, javaScriptEnabled }) => {
  let page: Page;

  beforeAll(async () => {
    const context = await browser.newContext({
      viewport: { width, height: 800 },
      colorScheme,
      javaScriptEnabled,
      timezoneId: 'Europe/Berlin',
    });
    page = await context.newPage();
    page.on('pageerror', (error) => expect.fail(`a script error on ${page.url()}: ${error.message}`));
    page.on('request', (request) => expect(request.url().startsWith(address), request.url()).toBe(true));
    await page.goto(`${address}/signup`);
    await page.getByLabel('Username').fill(`sailor-${name}`);
    await page.getByLabel('Password').fill(PASSWORD);
    await click('Sign up');
    await page.getByRole('link', { name: /Inbox/ }).first().waitFor();
    for (const raw of MAIL) await house.receive(`sailor-${name}`, raw);
  });
  afterAll(() => page?.context().close());

  /** Kept for looking at; and nothing reaches beyond the width of the window. */
  async function look(what: string): Promise<void> {
    await page.screenshot({ path: `${SCREENSHOTS}mailbox-${what}-${name}.png` });
    const widest = await page.locator('html').evaluate((html: { scrollWidth: number }) => html.scrollWidth);
    expect(widest, `${what} is wider than the window`).toBeLessThanOrEqual(width);
  }
  const click = (button: string | RegExp) =>
    page
      .getByRole('button', { name: button, exact: typeof button === 'string' })
      .first()
      .click();
  const says = (words: string) =>
    page.getByRole('status').filter({ hasText: words }).first().waitFor({ state: 'visible' });
  const line = (subject: string | RegExp) => page.locator('.messages a').filter({ hasText: subject }).first();
  const open = (path: string) => page.goto(`${address}${path}`);
  const more = () => page.locator('summary', { hasText: 'More' }).first().click();

  it('folders: one is made, filled, undone, emptied by name, and brought back', async () => {
    await open('/mail/folders');
    await page.getByLabel('New folder').fill('Harbour');
    await click('Make folder');
    await says('is made');
    await look('folders');
    await open('/mail/inbox');
    await look('inbox');
    await page.getByRole('checkbox', { name: /Ropes and sails/ }).check();
    await page.getByRole('checkbox', { name: /Papers for the boat/ }).check();
    await more();
    await page.getByLabel('Move to').selectOption({ label: 'Harbour' });
    await click('Move');
    await says('moved');
    await look('moved');
    await expect.poll(() => line('Ropes and sails').count()).toBe(0);
    await click('Undo');
    await line('Ropes and sails').waitFor();
    await page.getByRole('checkbox', { name: /Ropes and sails/ }).check();
    await click('Spam');
    await says('moved to spam');
    await expect.poll(() => line('Ropes and sails').count()).toBe(0);
    await open('/mail/spam');
    await line('Ropes and sails').waitFor();
    await more();
    await page.getByRole('checkbox', { name: /all 1 conversation/ }).check();
    await click('Delete for good');
    await expect.poll(() => open('/mail/spam').then(() => page.locator('.messages li').count())).toBe(0);
  });

  it('reading: a conversation, HTML behind its walls, files, an invitation, headers and source', async () => {
    await open('/mail/inbox');
    await line('Boat trip').click();
    await page.getByRole('heading', { level: 1, name: /Boat trip/ }).waitFor();
    expect(await page.getByRole('link', { name: 'https://harbour.example/boats' }).count()).toBe(1);
    await look('conversation');
    await click('Star');
    await page.getByRole('button', { name: 'Remove star' }).first().waitFor();

    await open('/mail/inbox');
    await line('Tides and timetables').click();
    await page.getByText('Pictures from the sender’s servers are not loaded').waitFor();
    await page.getByRole('button', { name: 'Unsubscribe' }).waitFor();
    await page.frameLocator('iframe').getByRole('heading', { name: 'High water' }).waitFor();
    expect(await page.title()).not.toContain('taken over');
    await look('html');

    await open('/mail/inbox');
    await line('Papers for the boat').click();
    await page.getByRole('link', { name: 'berth.png', exact: true }).waitFor();
    await look('files');
    const href = await page.getByRole('link', { name: /Download all/ }).getAttribute('href');
    const zip = await page.request.get(`${address}${href!}`);
    expect((await zip.body()).subarray(0, 2).toString()).toBe('PK');

    await open('/mail/inbox');
    await line('Harbour meeting').click();
    await page.getByRole('heading', { level: 2, name: 'Harbour meeting' }).waitFor();
    expect(await page.locator('.invitation').textContent()).toContain('Pier 3');
    await look('invitation');
    await page.getByRole('link', { name: 'Headers' }).click();
    await page.getByText('<5@harbour.example>').first().waitFor();
    await look('headers');
  });

  it('contacts: brought along, changed, gathered in a group, written to, and taken elsewhere', async () => {
    await open('/contacts');
    await page.getByRole('link', { name: 'Import' }).first().click();
    await page
      .getByLabel('vCard file')
      .setInputFiles({ name: 'contacts.vcf', mimeType: 'text/vcard', buffer: Buffer.from(VCARD) });
    await click('Import');
    await says('1 added');
    await open('/contacts');
    await page.getByRole('link', { name: /Wanda Wharf/ }).click();
    await page.getByRole('link', { name: 'Change' }).click();
    await page.getByLabel('Organisation').fill('Wharf & Sons');
    await click('Save');
    await page.getByText('Wharf & Sons').waitFor();
    await look('contact');
    await open('/contacts/groups/new');
    await page.getByLabel('Name').fill('Crew');
    await page.getByLabel('People').fill('wanda@wharf.example, vera@harbour.example');
    await click('Make group');
    await page.getByRole('heading', { level: 1, name: 'Crew' }).waitFor();
    await look('group');
    await page.getByRole('link', { name: 'Write to all' }).click();
    expect(await page.getByLabel('To', { exact: true }).inputValue()).toContain('wanda@wharf.example');
    const cards = await page.request.get(`${address}/contacts/export`);
    expect(await cards.text()).toContain('FN:Wanda Wharf');
  });

  it('search: by words, by sender, by file; and it says so when nothing is found', async () => {
    await open('/mail/inbox');
    await page.getByRole('searchbox', { name: 'Search mail' }).fill('blue boat');
    await page.getByRole('searchbox', { name: 'Search mail' }).press('Enter');
    await line('Boat trip').waitFor();
    await look('search');
    for (const [query, found] of [
      ['from:otto filename:berth', 'Papers for the boat'],
      ['has:attachment boa', 'Papers for the boat'],
      ['"red one"', 'Boat trip'],
      ['subject:tides -otto', 'Tides and timetables'],
    ] as const) {
      await page.getByRole('searchbox', { name: 'Search mail' }).fill(query);
      await page.getByRole('searchbox', { name: 'Search mail' }).press('Enter');
      await line(found).waitFor();
    }
    await page.getByRole('searchbox', { name: 'Search mail' }).fill('before:2001-01-01');
    await page.getByRole('searchbox', { name: 'Search mail' }).press('Enter');
    await page.getByText('No messages match this search.').waitFor();
  });

  it('rules: tried on past mail, then made; what comes in is put where it says', async () => {
    await open('/mail/rules/new');
    await page.getByLabel('Name', { exact: true }).fill('The harbour');
    await page.getByLabel('From', { exact: true }).fill('vera');
    await page.getByLabel('Move to').selectOption({ label: 'Harbour' });
    await click('Try it on past mail');
    await says('2 messages. Nothing was changed.');
    await look('rule');
    await click('Save rule');
    await page.getByText('The harbour').first().waitFor();
    await look('rules');
    await house.receive(
      `sailor-${name}`,
      `${header('Vera Bell <vera@harbour.example>', 'A new sail', 8)}\r\nFor the boat.\r\n`,
    );
    await page
      .getByRole('navigation', { name: 'Folders' })
      .getByRole('link', { name: /Harbour/ })
      .click();
    await line('A new sail').waitFor();
    await open('/mail/inbox');
    expect(await line('A new sail').count()).toBe(0);
  });

  it('out of office: set from the rules, seen in the inbox, switched off there, and taken back', async () => {
    await open('/mail/rules');
    await page.getByRole('link', { name: 'Out of office' }).click();
    await page.getByLabel('Send out-of-office replies').check();
    await page.getByLabel('Last day').fill('2090-08-01');
    await page.getByLabel('Message').fill('At sea until August.');
    await click('Save');
    await says('Your out-of-office reply is saved.');
    await look('out-of-office');
    await open('/mail/inbox');
    const replies = page.getByText('Out-of-office replies are on until 1 August 2090.');
    await replies.waitFor();
    await look('inbox-out-of-office');
    await click(/^Switch off/);
    await says('Out-of-office replies are off.');
    expect(await replies.count()).toBe(0);
    await click('Undo');
    await replies.waitFor();
  });
});
