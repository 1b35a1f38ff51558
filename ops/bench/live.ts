/**
 * How soon an open page shows what happened: a whole cluster as `npm start` runs it, and an inbox open in a real
 * Chromium at one gateway. Messages come in by SMTP, timed from the intake's 250; conversations are starred at
 * the other gateway, timed from the answer to the POST; each until the page's DOM has changed.
 *
 *   npm run build && node build/ops/bench/live.js [--rounds 50] [--chromium /usr/bin/chromium]
 *
 * Both ends read the same machine's clock, to a fraction of a millisecond; a change that the page shows before
 * the sender has its answer counts as 0. Prints p50, p99 (nearest rank) and the longest. The promise is 1 s.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createTransport } from 'nodemailer';
import { chromium, type Page } from 'playwright-core';
import { newCommandId } from '../../gateways/pages/command-ids.ts';
import { addressesOf, httpUrl } from '../processes/topology.ts';
import { startCluster } from './systems/cluster.ts';

const NAME = 'watcher';
const PASSWORD = 'correct horse battery';
const PAUSE_MS = 150;
const SHOWN_WITHIN_MS = 30_000;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
  },
});
const rounds = Number(options.rounds);

const folder = mkdtempSync(join(tmpdir(), 'penncloud-live-'));
const cluster = await startCluster(folder);
const [shownAt, changedAt] = cluster.plans.filter(({ kind }) => kind === 'gateway').map(httpUrl);
const smtp = addressesOf('smtp-in', cluster.plans)[0]!;
try {
  const browser = await chromium.launch({ executablePath: options.chromium, args: ['--no-sandbox'] });
  const page = await browser.newPage();
  await signUp(page);
  await page.goto(`${shownAt}/mail/inbox`);
  await watch(page);
  console.log(
    `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, load ${loadavg()[0]!.toFixed(1)}`,
  );
  tell('new mail', await newMail(page));
  tell('starred at another gateway', await starred(page));
  await browser.close();
} finally {
  await cluster.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function signUp(page: Page): Promise<void> {
  await page.goto(`${shownAt}/signup`);
  await page.getByLabel('Username').fill(NAME);
  for (const field of await page.locator('input[type=password]').all()) await field.fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page
    .getByRole('link', { name: 'Log out' })
    .or(page.getByRole('button', { name: 'Log out' }))
    .waitFor();
}

/** Notes when each line is seen first, and when it is first seen with its star. */
async function watch(page: Page): Promise<void> {
  await page.evaluate(`
    globalThis.shown = {};
    const look = () => {
      const now = performance.timeOrigin + performance.now();
      for (const line of document.querySelectorAll('.messages li')) {
        const subject = line.querySelector('.subject').textContent;
        shown[subject] ??= now;
        if (line.querySelector('.star.on')) shown['starred ' + subject] ??= now;
      }
    };
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  `);
}

async function shownWhen(page: Page, what: string): Promise<number> {
  const deadline = performance.now() + SHOWN_WITHIN_MS;
  for (;;) {
    const at = await page.evaluate<number | null>(`shown[${JSON.stringify(what)}] ?? null`);
    if (at !== null) return at;
    if (performance.now() > deadline) throw new Error(`The page did not show “${what}”.`);
    await sleep(20);
  }
}

/** Milliseconds from the intake's 250 to the page, for each message. */
async function newMail(page: Page): Promise<number[]> {
  const transport = createTransport({ host: smtp.host, port: smtp.port, pool: true, ignoreTLS: true });
  const times: number[] = [];
  for (let n = 1; n <= rounds; n++) {
    const subject = `Message ${n}`;
    const to = `${NAME}@penncloud.test`;
    await transport.sendMail({ from: 'bench@example.org', to, subject, text: `Text of ${n}` });
    const accepted = now();
    times.push(Math.max(0, (await shownWhen(page, subject)) - accepted));
    await sleep(PAUSE_MS * Math.random());
  }
  transport.close();
  return times;
}

/** Milliseconds from the answer of one gateway to the page of the other, for each star. */
async function starred(page: Page): Promise<number[]> {
  const cookies = await page.context().cookies();
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
  const inbox = await (await fetch(`${changedAt}/mail/inbox`, { headers: { cookie } })).text();
  const csrf = /name="csrf" value="([^"]+)"/.exec(inbox)![1]!.replaceAll('&#x3D;', '=');
  const lines = inbox.split('<li').filter((line) => line.includes('name="c"'));
  const times: number[] = [];
  for (const line of lines.slice(0, rounds)) {
    const [, thread] = /name="c" value="([^"]+)"/.exec(line)!;
    const [, subject] = /class="subject">([^<]+)</.exec(line)!;
    const body = new URLSearchParams({ csrf, commandId: newCommandId(), action: `star:${thread}` });
    const answer = await fetch(`${changedAt}/mail/inbox/do`, {
      ...{ method: 'POST', headers: { cookie }, body, redirect: 'manual' },
    });
    const answered = now();
    if (answer.status !== 303) throw new Error(`The star was answered with ${answer.status}.`);
    times.push(Math.max(0, (await shownWhen(page, `starred ${subject}`)) - answered));
    await sleep(PAUSE_MS * Math.random());
  }
  return times;
}

function tell(what: string, times: readonly number[]): void {
  const sorted = [...times].sort((a, b) => a - b);
  const rank = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!.toFixed(0);
  console.log(`${what}, ${times.length} times: p50 ${rank(0.5)}, p99 ${rank(0.99)}, longest ${rank(1)} ms`);
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
