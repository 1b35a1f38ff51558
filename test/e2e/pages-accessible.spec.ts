/**
 * WCAG 2.2 AA by axe, and the budgets of a mail page, on every page in a real browser: at a desktop's and a
 * phone's width, in light and dark.
 */
import { AxeBuilder } from '@axe-core/playwright';
import type { AddressInfo } from 'node:net';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { queueMessage, reportTries } from '../mail-world/queued-mail.ts';
import { arrived, openHouse, PASSWORD, type House } from './pages-house.ts';
import type { Visitor } from './visitor.ts';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const LOOKS = [
  { width: 1280, colorScheme: 'light' },
  { width: 390, colorScheme: 'dark' },
] as const;

let house: House;
let browser: Browser;
let base: string;
let iris: Visitor;
let admin: Visitor;
let message: string;
/** Pages that there are only once something is there. */
const made = new Map<string, string>();

beforeAll(async () => {
  [house, browser] = await Promise.all([
    openHouse(),
    chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] }),
  ]);
  await house.gateways[0].listen({ port: 0, host: '127.0.0.1' });
  base = `http://127.0.0.1:${(house.gateways[0].server.address() as AddressInfo).port}`;
  iris = await house.person('iris', 'Iris');
  for (let n = 1; n <= 55; n++) {
    await house.receive(
      'iris',
      `From: Person ${n} <p${n}@example.org>\r\nSubject: Letter ${n}\r\n\r\nText ${n}\r\n`,
    );
  }
  await house.receive(
    'iris',
    'From: Jonas <jonas@example.org>\r\nTo: Iris <iris@penncloud.test>\r\nMessage-ID: <one@example.org>\r\nSubject: Talk\r\n' +
      'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello\r\n\r\n> quoted\r\n--b\r\n' +
      'Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\n%PDF\r\n--b--\r\n',
  );
  await house.receive(
    'iris',
    'From: Kim <kim@example.org>\r\nReferences: <one@example.org>\r\nSubject: Re: Talk\r\nContent-Type: text/html\r\n\r\n<p>Hi <b>there</b>',
  );
  message = await arrived(iris, 'Re: Talk');
  const to = async (what: string, page: string, fields: Record<string, string>) => {
    const { headers } = await iris.submit(page, page, fields);
    made.set(what, String(headers.location).split('?')[0]!);
  };
  const nobody = { name: '', organisation: '', phones: '', note: '' };
  await to('a contact', '/contacts/new', { ...nobody, name: 'Kim', addresses: 'kim@example.org' });
  await to('a group', '/contacts/groups/new', { name: 'All', people: 'kim@example.org, lee@example.org' });
  await to('the rules', '/mail/rules/new', { from: 'kim', folder: 'archive', action: 'save' });
  const letter = { to: 'kim@example.org', cc: '', bcc: '', subject: 'Draft', text: 'Hi', action: 'save' };
  const saved = await iris.submit('/mail/compose', '/mail/compose', letter);
  made.set('a draft', String(saved.headers.location).split('&')[0]!);
  made.set('the headers of a message', `${message.split('?')[0]!}/headers`);
  await house.makeAdmin('keeper');
  admin = house.visitor();
  await admin.logIn('keeper', PASSWORD);
  const queued = {
    account: 'iris',
    to: ['ann@far.example', 'ben@far.example'],
    raw: 'Subject: Out\r\n\r\nx\r\n',
  };
  const item = await queueMessage(house.store, queued);
  const retryAt = Date.now() + 3_600_000;
  await reportTries(house.store, item, [
    { to: 0, outcome: 'deferred', code: 451, host: 'mx.far.example', text: 'Try later', retryAt },
    { to: 1, outcome: 'failed', code: 550, host: 'mx.far.example', text: 'No such user' },
  ]);
  made.set('a message in the queue', `/admin/queue/${item}`);
  made.set('a contact to change', `${made.get('a contact')!}/edit`);
});
afterAll(async () => {
  await browser?.close();
  await house?.close();
});

/** A window of its own, as nobody or as somebody. */
async function openWindow(look: (typeof LOOKS)[number], visitor: Visitor | undefined): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: look.width, height: 860 },
    colorScheme: look.colorScheme,
  });
  if (visitor !== undefined) {
    const cookies = [...visitor.cookies].map(([name, value]) => ({ name, value, url: base }));
    await context.addCookies(cookies);
  }
  return context.newPage();
}

const PUBLIC = ['/', '/signup', '/lost-password'];
const OWN = [
  ...[
    '/',
    '/mail/inbox',
    '/mail/trash',
    '/mail/drafts',
    '/mail/folders',
    '/mail/rules',
    '/mail/out-of-office',
    '/mail/compose',
  ],
  ...['/contacts', '/contacts/new', '/contacts/groups/new', '/contacts/written-to', '/contacts/import'],
  ...['/mail/search', '/mail/search?q=letter', '/mail/search?q=nothinglikethis', '/mail/search?q=is:odd'],
  ...[
    '/drive',
    '/account',
    '/account/profile',
    '/account/password',
    '/account/two-step',
    '/account/app-passwords',
    '/account/sessions',
  ],
  ...['/account/identities', '/account/dates', '/account/delete', '/no-such-page'],
  ...['/account/identities/new', '/account/recovery-codes', '/account/two-step/set-up', '/mail/rules/new'],
];

const MADE = [
  ...['a contact', 'a contact to change', 'a group', 'the rules', 'a draft', 'the headers of a message'],
];

const CONSOLE = ['/admin', '/admin/tablets', '/admin/queue', '/admin/queue?part=held', '/admin/accounts'];

describe.each(LOOKS)('at $width px, $colorScheme', (look) => {
  let strangers: Page;
  let own: Page;
  let console: Page;
  beforeAll(async () => {
    [strangers, own, console] = await Promise.all([
      openWindow(look, undefined),
      openWindow(look, iris),
      openWindow(look, admin),
    ]);
  });
  afterAll(async () => {
    await strangers?.context().close();
    await own?.context().close();
    await console?.context().close();
  });

  async function expectAccessible(path: string, page: Page): Promise<void> {
    await page.goto(base + path);
    // All of it in the page itself: what is gathered from frames in another window is left out anyway.
    const axe = new AxeBuilder({ page }).withTags(TAGS).exclude('iframe').setLegacyMode();
    const { violations, passes } = await axe.analyze();
    const told = violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`,
    );
    expect(told).toEqual([]);
    expect(passes.length, 'axe has looked at something').toBeGreaterThan(15);
    const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    expect(overflow, 'no sideways scrolling').toBeLessThanOrEqual(0);
  }

  test.each(PUBLIC)('%s has nothing that axe objects to, for a visitor', (path) =>
    expectAccessible(path, strangers),
  );
  test.each(OWN)('%s has nothing that axe objects to', (path) => expectAccessible(path, own));
  test('an open conversation has nothing that axe objects to', () => expectAccessible(message, own));
  test.each(MADE)('%s has nothing that axe objects to', (what) => expectAccessible(made.get(what)!, own));
  test.each(CONSOLE)('%s has nothing that axe objects to', (path) => expectAccessible(path, console));
  test('a message in the queue has nothing that axe objects to', () =>
    expectAccessible(made.get('a message in the queue')!, console));
  test('the story of a message has nothing that axe objects to', () =>
    expectAccessible(`${message}/why`, own));
});

describe('the inbox with fifty lines', () => {
  test('stays within its budgets: six requests; script 20, style 12 and page 14 KB, compressed', async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
    await context.addCookies([...iris.cookies].map(([name, value]) => ({ name, value, url: base })));
    const page = await context.newPage();
    const cdp = await context.newCDPSession(page);
    await cdp.send('Network.enable');
    const asked = new Map<string, { type: string; bytes: number }>();
    cdp.on('Network.responseReceived', ({ requestId, type }) => asked.set(requestId, { type, bytes: 0 }));
    cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      const one = asked.get(requestId);
      if (one !== undefined) one.bytes = encodedDataLength;
    });
    await page.goto(`${base}/mail/inbox`);
    await page.waitForLoadState('load');
    const bytes = (type: string) =>
      [...asked.values()].filter((one) => one.type === type).reduce((sum, one) => sum + one.bytes, 0);
    expect(await page.locator('.messages li').count()).toBe(50);
    expect(asked.size).toBeLessThanOrEqual(6);
    expect(bytes('Script')).toBeLessThanOrEqual(20_000);
    expect(bytes('Stylesheet')).toBeLessThanOrEqual(12_000);
    expect(bytes('Document')).toBeLessThanOrEqual(14_000);
    expect(bytes('Font')).toBe(0);
    await context.close();
  });
});
