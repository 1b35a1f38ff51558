/**
 * FE-2 on a real cluster: whom the front door sends clients to, how a person whose gateway is gone comes
 * back, and gateways that leave while they are in use.
 */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCluster, until, type Cluster } from './cluster.ts';
import { curl, startCurl } from './curl.ts';
import { restartInTurn, startLoad } from './rolling-restart.ts';
import { formOn, linksOn } from './visitor.ts';

const PASSWORD = 'correct horse battery';
const IDS = ['gateway-1', 'gateway-2'] as const;

let cluster: Cluster;
let browser: Browser;
/** A cookie jar of someone logged in. */
let cookie: string;

const gatewayOf = (id: string): string => cluster.gateways[IDS.indexOf(id as (typeof IDS)[number])]!;
const serves = async (place: string) => (await curl([`${place}/healthz`])).status === 200;
/** Where the front door sends someone; undefined: nowhere. */
async function sentTo(): Promise<string | undefined> {
  const { headers } = await curl([`${cluster.frontDoor}/signup`]);
  return headers['location'] && new URL(headers['location']).origin;
}

beforeAll(async () => {
  [cluster, browser] = await Promise.all([
    startCluster(),
    chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] }),
  ]);
  const place = gatewayOf('gateway-1');
  const page = await curl([`${place}/signup`]);
  const visitor = page.headers['set-cookie']!.split(';')[0]!;
  const form = formOn({ body: String(page.body) }, '/signup');
  const body = new URLSearchParams({ ...form, username: 'ann', password: PASSWORD, displayName: 'Ann' });
  const told = await curl(['--cookie', visitor, '--data', body.toString(), `${place}/signup`]);
  cookie = /pc_session=[^;]+/.exec(told.headers['set-cookie']!)![0];
});
afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

test('a gateway that is frozen, so that it takes connections and answers none, gets no one after three seconds', async () => {
  await until('both are sent to', async () => (await sentTo()) === gatewayOf('gateway-1'));
  await cluster.whileFrozen(['gateway-1'], async () => {
    const since = performance.now();
    let lastSent = 0;
    while (performance.now() - since < 4_500) {
      const began = performance.now();
      if ((await sentTo()) === gatewayOf('gateway-1')) lastSent = began - since;
      await sleep(20);
    }
    expect(lastSent).toBeLessThan(3_000);
  });
  await until('it is sent to again', async () => (await sentTo()) === gatewayOf('gateway-1'));
});

describe('a person whose gateway is gone', () => {
  let page: Page;
  let here: string;

  beforeAll(async () => {
    page = await (await browser.newContext()).newPage();
    await page.goto(cluster.frontDoor);
    await page.getByLabel('Username').fill('ann');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.waitForLoadState();
  });

  const stay = (path: string) => page.goto(`${cluster.frontDoor}${path}`);
  /** As when one comes back to the window; else the page would look every ten seconds. */
  const lookAround = () => page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
  const idHere = () => (here = IDS[cluster.gateways.indexOf(new URL(page.url()).origin)]!);
  const disable = async (id: string) => {
    const { code, stderr } = await cluster.cli(['node', 'disable', id]);
    if (code !== 0) throw new Error(stderr);
    await until(`${id} is gone`, async () => !(await serves(gatewayOf(id))));
  };
  const enable = async (id: string) => {
    await cluster.cli(['node', 'restart', id]);
    await until(`${id} serves again`, () => serves(gatewayOf(id)));
  };

  test('finds the same page on another one, still logged in', async () => {
    await stay('/mail/archive');
    idHere();
    const [before, id] = [new URL(page.url()).origin, here];
    await disable(id);
    await page.waitForURL((url) => url.origin !== before && url.pathname === '/mail/archive');
    await expect.poll(() => page.getByRole('button', { name: 'Log out' }).isVisible()).toBe(true);
    await enable(id);
  });

  test('and also if it is there, but frozen', async () => {
    await stay('/mail/sent');
    idHere();
    const before = new URL(page.url()).origin;
    await cluster.whileFrozen([here], async () => {
      await lookAround();
      await page.waitForURL((url) => url.origin !== before && url.pathname === '/mail/sent');
      expect(await page.getByRole('button', { name: 'Log out' }).isVisible()).toBe(true);
    });
  });

  test('keeps what was typed, is told, and can send it once the gateway is back', async () => {
    await stay('/mail/compose');
    idHere();
    const id = here;
    await page.getByLabel('Subject').fill('Half written');
    await disable(id);
    await lookAround();
    await page.getByText('What you typed is still here').waitFor();
    expect(await page.getByLabel('Subject').inputValue()).toBe('Half written');
    await enable(id);
    await lookAround();
    await page.getByText('What you typed is still here').waitFor({ state: 'detached' });
    await page.getByLabel('To', { exact: true }).fill('ann@penncloud.test');
    await page.getByRole('button', { name: 'Send' }).first().click();
    await page.waitForURL(/\/mail\/(?!compose)/);
  });

  test('without the script opens the front door again, and is still logged in', async () => {
    await disable('gateway-1');
    const told = await curl(['--location', '--cookie', cookie, `${cluster.frontDoor}/mail/inbox`]);
    expect([told.status, /Log out/.test(String(told.body))]).toEqual([200, true]);
    await enable('gateway-1');
  });
});

test('gateways that are asked to stop one after the other, in use, cut nothing off', async () => {
  const bytes = randomBytes(24 * 1024 * 1024);
  const place = gatewayOf('gateway-1');
  const as = ['--cookie', cookie, '--max-time', '60'];
  const filesPage = async () => ({ body: String((await curl([...as, `${place}/drive`])).body) });
  const upload = async (name: string, ...more: string[]) => {
    const form = Object.entries(formOn(await filesPage(), '/drive/upload'));
    const fields = form.flatMap(([field, value]) => ['--form-string', `${field}=${value}`]);
    const sent = [...fields, '--form', `file=@-;filename=${name}`, `${place}/drive/upload`];
    return startCurl([...as, ...more, ...sent], bytes);
  };
  expect((await (await upload('first.bin')).told).status).toBe(303);
  const [file] = linksOn(await filesPage(), /^\/drive\/file\//);

  const load = startLoad(cluster.frontDoor);
  const slow = ['-v', '--limit-rate', '6M'];
  const down = startCurl([...as, ...slow, place + file!]);
  const up = await upload('second.bin', ...slow);
  await until(
    'both are under way',
    () => /< HTTP\/1.1 200/.test(down.said()) && /< HTTP\/1.1 100/.test(up.said()),
  );
  await restartInTurn(
    cluster,
    IDS.map((id) => ({ id, serves: () => serves(gatewayOf(id)) })),
  );
  const [downloaded, uploaded, { failures, answered }] = await Promise.all([down.told, up.told, load.stop()]);
  expect(failures).toEqual([]);
  expect(answered).toBeGreaterThan(20);
  expect([downloaded.code, downloaded.status]).toEqual([0, 200]);
  const sha256 = (of: Buffer) => createHash('sha256').update(of).digest('hex');
  expect(sha256(downloaded.body)).toBe(sha256(bytes));
  expect([uploaded.code, uploaded.status]).toEqual([0, 303]);
});
