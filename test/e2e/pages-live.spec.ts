/**
 * Pages that change by themselves, and actions in place, in a real browser at desktop and phone width, over a
 * real store with two gateways: another tab hears of it through the other gateway. Screenshots are kept in
 * test/e2e/screenshots. That notices travel over NATS is seen in the walk through a whole cluster.
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { itemOf, reportTries } from '../mail-world/queued-mail.ts';
import { until } from './cluster.ts';
import { arrived, openHouse, PASSWORD, type House } from './pages-house.ts';
import type { Visitor } from './visitor.ts';

const SCREENSHOTS = fileURLToPath(new URL('./screenshots/', import.meta.url));
const letter = (n: string) =>
  `From: Person ${n} <p${n}@example.org>\r\nSubject: Letter ${n}\r\n\r\nText of ${n}\r\n`;

let house: House;
let browser: Browser;
let bases: string[];

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  [house, browser] = await Promise.all([
    openHouse({ live: true }),
    chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] }),
  ]);
  bases = await Promise.all(house.gateways.map((app) => app.listen({ host: '127.0.0.1', port: 0 })));
});
afterAll(async () => {
  await browser?.close();
  await house?.close();
});

type Look = { width: number; colorScheme: 'light' | 'dark' };
const DESK: Look = { width: 1280, colorScheme: 'light' };

async function tab(visitor: Visitor, gateway: 0 | 1, path: string, look: Look = DESK): Promise<Page> {
  const viewport = { width: look.width, height: look.width < 600 ? 780 : 860 };
  const context = await browser.newContext({ viewport, colorScheme: look.colorScheme });
  const cookies = [...visitor.cookies].map(([name, value]) => ({ name, value, url: bases[gateway]! }));
  await context.addCookies(cookies);
  const page = await context.newPage();
  page.on('pageerror', (error) => expect.fail(`a script error on ${page.url()}: ${error.message}`));
  await page.goto(bases[gateway]! + path);
  await page.evaluate('globalThis.notReloaded = true');
  return page;
}

const closeAll = (pages: readonly Page[]) =>
  Promise.all(pages.map((page) => page.context().close())).then(() => undefined);
const isTheSamePage = (page: Page) => page.evaluate<boolean>('globalThis.notReloaded === true');
const line = (page: Page, n: string) => page.locator('.messages li:visible', { hasText: `Letter ${n}` });
const gone = (page: Page, n: string) => line(page, n).waitFor({ state: 'detached' });
const said = (page: Page, words: string) => page.getByRole('status').filter({ hasText: words }).waitFor();
const shot = (page: Page, name: string) => page.screenshot({ path: `${SCREENSHOTS}in-place-${name}.png` });
const focused = (page: Page) => page.evaluate<string>('document.activeElement.textContent');

describe.each([
  { name: 'desk', ...DESK },
  { name: 'hand', width: 390, colorScheme: 'dark' },
] as const)('in place, at $width px, $colorScheme', (look) => {
  let owner: Visitor;
  let here: Page;
  let there: Page;

  beforeAll(async () => {
    owner = await house.person(look.name, 'Iris');
    await owner.submit('/mail/folders', '/mail/folders', { name: 'Work', parent: '' });
    for (const n of ['one', 'two', 'three', 'four', 'five', 'six']) await house.receive(look.name, letter(n));
    await arrived(owner, 'Letter six');
    here = await tab(owner, 0, '/mail/inbox', look);
    there = await tab(owner, 1, '/mail/inbox');
  });
  afterAll(() => closeAll([here, there]));

  test('a line that is archived with a key leaves at once; the next one has the focus', async () => {
    await here.getByRole('link', { name: /Letter five/ }).focus();
    // In one go: no answer can have come.
    const focusedAtOnce = await here.evaluate(`(() => {
      document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'e', bubbles: true }));
      return document.activeElement.textContent;
    })()`);
    expect(focusedAtOnce).toContain('Letter four');
    await gone(here, 'five');
    await said(here, '1 conversation archived.');
    await shot(here, `toast-${look.width}`);
    expect(await focused(here)).toContain('Letter four');
    await gone(there, 'five');
  });

  test('undo brings it back, here and in the other tab, and no page was loaded for it', async () => {
    let answers = 0;
    here.on('response', (answer) => void (answer.url().endsWith('/undo') && answers++));
    // Twice before an answer can have come, as a double click does: it is done once, and no refusal follows.
    await here.evaluate(`for (const time of [1, 2]) document.querySelector('[data-key=z]').click()`);
    await until('both presses are answered', () => Promise.resolve(answers === 2));
    await said(here, 'Undone.');
    await line(here, 'five').waitFor();
    await line(there, 'five').waitFor();
    expect(await here.getByRole('alert').count()).toBe(0);
    expect(await isTheSamePage(here)).toBe(true);
  });

  test('what is ticked is read, starred and moved; ticks stay while lines do', async () => {
    for (const n of ['one', 'two']) await here.getByLabel(`Select Letter ${n}`).check();
    await here.getByRole('button', { name: 'Read', exact: true }).click();
    await said(here, '2 conversations marked as read.');
    await there.locator('.messages li:not(.unread)', { hasText: 'Letter two' }).waitFor();
    expect(await here.getByLabel('Select Letter two').isChecked()).toBe(true);
    await line(here, 'six').getByRole('button', { name: 'Star' }).click();
    await said(here, '1 conversation starred.');
    await line(there, 'six').getByRole('button', { name: 'Remove star' }).waitFor();
    await here.locator('summary', { hasText: 'More' }).click();
    await here.getByLabel('Move to').selectOption({ label: 'Work' });
    await here.getByRole('button', { name: 'Move', exact: true }).click();
    await gone(here, 'one');
    await said(here, '2 conversations moved.');
    await gone(there, 'two');
    expect(await here.getByLabel('Move to').isVisible(), 'the menu is closed').toBe(false);
  });

  test('new mail and what another tab does change no tick and no open menu', async () => {
    await here.getByLabel('Select Letter three').check();
    await here.locator('summary', { hasText: 'More' }).click();
    await house.receive(look.name, letter('seven'));
    await line(here, 'seven').waitFor();
    expect(await here.getByLabel('Select Letter three').isChecked()).toBe(true);
    expect(await here.getByLabel('Move to').isVisible()).toBe(true);
    await here.getByLabel('Select Letter three').uncheck();
    await here.locator('summary', { hasText: 'More' }).click();
  });

  test('what is refused comes back, and a sentence says why', async () => {
    await here.evaluate(`document.querySelector('[data-list] [name=csrf]').value = 'spoilt'`);
    await line(here, 'four').getByRole('link').focus();
    await here.keyboard.press('#');
    const alert = here.getByRole('alert');
    await alert.filter({ hasText: 'This form was not sent from a page that we showed you' }).waitFor();
    await line(here, 'four').waitFor();

    await here.context().setOffline(true);
    await line(here, 'six').getByRole('button', { name: 'Remove star' }).click();
    await alert.filter({ hasText: 'You are offline' }).waitFor();
    await line(here, 'six').locator('.star.on').waitFor();
    await shot(here, `offline-${look.width}`);
    await here.context().setOffline(false);
  });

  test('what was done before the connection broke off is not said to be undone', async () => {
    await here.route(/\/do$/, async (route) => {
      await route.fetch({ maxRedirects: 0 });
      await here.context().setOffline(true);
      await route.abort();
    });
    await line(here, 'three').getByRole('button', { name: 'Star' }).click();
    await here.getByRole('alert').filter({ hasText: 'not known whether this was done' }).waitFor();
    await here.unroute(/\/do$/);
    await here.context().setOffline(false);
    await line(here, 'three').locator('.star.on').waitFor();
  });

  test('a session that was ended elsewhere leads to the log-in', async () => {
    const guest = house.visitor(0);
    await guest.logIn(look.name, PASSWORD);
    const page = await tab(guest, 0, '/mail/inbox', look);
    await guest.submit('/mail/inbox', '/logout');
    await line(page, 'four').getByRole('button', { name: 'Star' }).click();
    await page.getByLabel('Username').waitFor();
    await closeAll([page]);
  });

  test('an open conversation is starred, and unread and read again, where it stands', async () => {
    const page = await tab(owner, 0, await arrived(owner, 'Letter six'), look);
    await page.locator('.subject-line').getByRole('button', { name: 'Remove star' }).click();
    await page.locator('.subject-line').getByRole('button', { name: 'Star', exact: true }).waitFor();
    await line(there, 'six').getByRole('button', { name: 'Star' }).waitFor();
    await page.getByRole('button', { name: 'Unread' }).click();
    await said(page, 'marked as unread.');
    await there.locator('.messages li.unread', { hasText: 'Letter six' }).waitFor();
    await page.getByRole('button', { name: 'Read', exact: true }).click();
    await page.getByRole('button', { name: 'Unread' }).waitFor();
    expect(await isTheSamePage(page)).toBe(true);
    await closeAll([page]);
  });
});

describe('dragging with a mouse', () => {
  let page: Page;
  beforeAll(async () => {
    const owner = await house.person('dragger', 'Dora');
    await owner.submit('/mail/folders', '/mail/folders', { name: 'Work', parent: '' });
    for (const n of ['one', 'two', 'three', 'four']) await house.receive('dragger', letter(n));
    await arrived(owner, 'Letter four');
    page = await tab(owner, 0, '/mail/inbox');
  });
  afterAll(() => closeAll([page]));

  const folder = (name: string) =>
    page.getByRole('navigation', { name: 'Folders' }).getByRole('link', { name });

  async function carry(n: string, name: string): Promise<void> {
    const [from, to] = [await line(page, n).boundingBox(), await folder(name).boundingBox()];
    await page.mouse.move(from!.x + 320, from!.y + 15);
    await page.mouse.down();
    await page.mouse.move(from!.x + 200, from!.y + 25, { steps: 3 });
    await page.mouse.move(to!.x + 40, to!.y + 12, { steps: 5 });
    // Chromium says that something is over a target once it has moved within it.
    await page.mouse.move(to!.x + 42, to!.y + 14);
  }

  test('a line goes into the folder that it is dropped on; folders that take it are marked meanwhile', async () => {
    await carry('three', 'Archive');
    await page.locator('.folders a.target.over', { hasText: 'Archive' }).waitFor();
    expect(await page.locator('.folders a.target').allTextContents()).toEqual([
      'Archive',
      'Spam',
      'Trash',
      'Work',
    ]);
    await shot(page, 'dragging');
    await page.mouse.up();
    await gone(page, 'three');
    await said(page, '1 conversation moved.');
    expect(await page.locator('.target, .dragged, .drag-picture').count()).toBe(0);
  });

  test('what is ticked goes together, and Esc leaves everything where it is', async () => {
    for (const n of ['one', 'two']) await page.getByLabel(`Select Letter ${n}`).check();
    await carry('two', 'Work');
    await page.locator('.folders a.target.over', { hasText: 'Work' }).waitFor();
    expect(await page.locator('.messages li.dragged').count()).toBe(2);
    await page.keyboard.press('Escape');
    await page.mouse.up();
    await until('nothing is dragged', async () => (await page.locator('.dragged').count()) === 0);
    await carry('two', 'Work');
    await page.mouse.up();
    await said(page, '2 conversations moved.');
    expect(await page.locator('.messages li:visible').count()).toBe(1);
    await folder('Work').click();
    expect(await page.locator('.messages li').count()).toBe(2);
  });
});

describe('pages beside the mail', () => {
  let owner: Visitor;
  beforeAll(async () => {
    owner = await house.person('beside', 'Bea');
  });

  test('contacts and groups appear, and what is being typed stays', async () => {
    await owner.submit('/contacts/groups/new', '/contacts/groups/new', { name: 'Choir', people: '' });
    const list = await tab(owner, 1, '/contacts');
    await list.getByRole('link', { name: 'Choir' }).waitFor();
    const group = await tab(owner, 1, '/contacts');
    await group.getByRole('link', { name: 'Choir' }).click();
    await group.evaluate('globalThis.notReloaded = true');
    await group.getByLabel('Add people').fill('half an addr');
    const path = new URL(group.url()).pathname;
    await owner.submit(path, `${path}/add`, { people: 'Zoe <zoe@example.org>' });
    await group.getByRole('link', { name: 'Zoe' }).waitFor();
    await list.getByRole('link', { name: /Zoe/ }).waitFor();
    expect(await group.getByLabel('Add people').inputValue()).toBe('half an addr');
    expect([await isTheSamePage(group), await isTheSamePage(list)]).toEqual([true, true]);
    await closeAll([list, group]);
  });

  test('rules and sessions appear', async () => {
    const rules = await tab(owner, 1, '/mail/rules');
    const sessions = await tab(owner, 1, '/account/sessions');
    await owner.submit('/mail/rules/new', '/mail/rules/new', {
      name: 'Bills',
      subject: 'invoice',
      starred: 'yes',
    });
    await rules.getByText('Bills').first().waitFor();
    await house.visitor(0).logIn('beside', PASSWORD);
    await sessions.getByRole('button', { name: /End session/ }).waitFor();
    expect([await isTheSamePage(rules), await isTheSamePage(sessions)]).toEqual([true, true]);
    await closeAll([rules, sessions]);
  });
});

describe('deliveries to other systems', () => {
  test('change on the open message as its servers answer', async () => {
    const owner = await house.person('courier');
    const to = 'ann@far.example, ben@far.example';
    const letter = { to, cc: '', bcc: '', subject: 'Letter out', text: 'x', action: 'send' };
    await owner.submit('/mail/compose', '/mail/compose', letter);
    const url = await arrived(owner, 'Letter out', 'sent');
    const id = url.split('/').at(-1)!;
    await until('it waits for its servers', () => itemOf(house.store, id));
    const page = await tab(owner, 1, url);
    const delivery = page.getByRole('region', { name: 'Delivery' }).getByRole('listitem');
    await delivery.filter({ hasText: 'ben@far.example waits to be taken to another system' }).waitFor();
    const host = 'mx.far.example';
    const retryAt = Date.now() + 3_600_000;
    await reportTries(house.store, id, [
      { to: 0, outcome: 'deferred', code: 451, host, text: '451 4.7.1 Try later', retryAt },
      { to: 1, outcome: 'delivered', code: 250, host, text: '250 OK' },
    ]);
    await delivery
      .filter({ hasText: /^ann@far.example will be tried again, .* 451 4.7.1 Try later/ })
      .waitFor();
    await delivery.filter({ hasText: 'ben@far.example delivered to mx.far.example' }).waitFor();
    await reportTries(house.store, id, [
      { to: 0, outcome: 'failed', code: 550, host, text: '550 5.1.1 No such user' },
    ]);
    await delivery.filter({ hasText: /^ann@far.example not delivered, .* 550 5.1.1 No such user/ }).waitFor();
    expect(await isTheSamePage(page)).toBe(true);
    await closeAll([page]);
  });
});

describe('the live stream', () => {
  let visitor: Visitor;
  beforeAll(async () => {
    visitor = await house.person('lively');
  });
  const cookie = () => [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ');

  test('after it was cut, the page catches up with what it missed', async () => {
    const page = await tab(visitor, 1, '/mail/inbox');
    await house.receive('lively', letter('one'));
    await line(page, 'one').waitFor();
    house.gateways[1].server.closeAllConnections();
    await house.receive('lively', letter('two'));
    await line(page, 'two').waitFor();
    await page.locator('.folders .badge', { hasText: '2' }).waitFor();
    expect(await isTheSamePage(page)).toBe(true);
    await closeAll([page]);
  });

  test('is not for visitors, who are told to stay away', async () => {
    expect((await fetch(`${bases[0]!}/live`)).status).toBe(204);
  });

  test('opens for an account, does not count as load, and ends with its gateway', async () => {
    const answer = await fetch(`${bases[0]!}/live`, { headers: { cookie: cookie() } });
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const reader = answer.body!.getReader();
    const { value } = await reader.read();
    expect(Buffer.from(value!).toString()).toBe('retry: 2000\n\n');
    expect(house.gateways[0].load()).toBe(0);
    const hello = await reader.read();
    expect(Buffer.from(hello.value!).toString()).toMatch(/^event: hello\ndata: t\d+:\d+\n\n$/);
    const [, end] = await Promise.all([house.gateways[0].close(), reader.read()]);
    expect(end.done).toBe(true);
  });
});
