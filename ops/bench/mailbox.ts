/**
 * What a long mailbox costs: two accounts, one with a hundred messages in its inbox and one with as many as
 * asked for, on the store as `npm start` runs it, with a gateway in front. Both lie in one tablet, so that the
 * same node answers for both. Their pages are asked for in turn, so that whatever else the machine does meets
 * both; then, if the messages have words, searches.
 *
 *   npm run build && node build/ops/bench/mailbox.js [--messages 100000] [--rounds 200] [--without-words]
 *
 * Prints p50 and p99 for each page, and the ratio of the p50s. The promise: opening the inbox, and any page of
 * it, with 1,000,000 messages costs at most 1.1 times what it costs with 100; a search of 100,000 takes less
 * than 200 ms.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { encodeSummary } from '../../domain/mail/message/summary.ts';
import { accountStream } from '../../domain/streams.ts';
import { createGatewayApp } from '../../gateways/gateway.ts';
import { Postmaster } from '../../gateways/postmaster/postmaster.ts';
import { digestOf } from '../../gateways/message/digest.ts';
import { sessionHash } from '../../gateways/pages/cookies.ts';
import { Passwords } from '../../gateways/passwords/passwords.ts';
import { createStoreClient, type TcpStoreClient } from '../../storage-nodes/client/store-client.ts';
import { connectNotices } from '../../storage-nodes/wire/nats-notices.ts';
import { startPennCloud } from './systems/penncloud.ts';

const FEW = 100;
const CALLERS = 64;
const WORDS = 20_000;
const WORDS_IN_A_MESSAGE = 80;
const DAY_MS = 24 * 3600 * 1000;

const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '200' },
    'without-words': { type: 'boolean', default: false },
  },
});
const many = Number(options.messages);
const rounds = Number(options.rounds);

const logger = pino({ level: 'silent' });
const folder = mkdtempSync(join(tmpdir(), 'penncloud-mailbox-'));
const system = await startPennCloud(folder, { version: 'here', profileFolder: undefined });
const { access } = system;
if (access.system !== 'penncloud') throw new Error('Defect: another system was started.');
const store = createStoreClient({
  nodes: access.servers,
  secret: access.secret,
  clientId: 'mailbox',
  logger,
});
const notices = connectNotices({ port: 1, user: 'none', password: 'none', name: 'mailbox', logger });
const app = await createGatewayApp({
  deps: {
    ...{ store, notices, logger, gatewayId: 'gateway-1', domains: ['penncloud.test'] },
    postmaster: new Postmaster({ store, logger }),
    ...{ cookieSecure: false, cookieSecret: 'of the benchmark', messageBytesMax: 40 << 20, undoSendMs: 0 },
  },
  logger,
});
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
try {
  await app.listen({ port: 0, host: '127.0.0.1' });
  console.log(
    `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, load ${loadavg()[0]!.toFixed(1)}`,
  );
  const fullName = await besides('few');
  const few = await account(store, 'few');
  const full = await account(store, fullName);
  await fill('few', FEW);
  const seconds = await fill(fullName, many);
  console.log(`${many} messages in ${seconds.toFixed(0)} s, ${(many / seconds).toFixed(0)} a second`);
  await compare('first page', few, full, '/mail/inbox', '/mail/inbox');
  await compare('last page', few, full, '/mail/inbox?end=1', '/mail/inbox?end=1');
  await compare('second page', few, full, await olderPage(few), await olderPage(full));
  if (!options['without-words']) await searches(full);
} finally {
  agent.destroy();
  await app.close();
  await notices.close();
  await store.close();
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** The name of another account in the same tablet. */
async function besides(name: string): Promise<string> {
  const tablets = await store.tablets();
  const tabletOf = (other: string): string | undefined =>
    tablets.findLast(({ from }) => from <= accountStream(other))?.id;
  for (let n = 1; ; n++) if (tabletOf(`full${n}`) === tabletOf(name)) return `full${n}`;
}

/** Signs up and in; the session's cookie. */
async function account(client: TcpStoreClient, name: string): Promise<string> {
  const cookie = `${name}.${randomBytes(32).toString('base64url')}`;
  const hash = sessionHash(cookie);
  const password = Buffer.from(await new Passwords().hash(randomBytes(16).toString('hex')));
  await execute(client, name, 'account.SignUp', { name, admin: false }, [password, Buffer.from('')]);
  const session = { sessionHash: hash, expiresAt: Date.now() + DAY_MS, passwordVersion: 1 };
  await execute(client, name, 'account.OpenSession', session, [Buffer.from('bench')]);
  return cookie;
}

async function execute(
  client: TcpStoreClient,
  name: string,
  type: string,
  data: unknown,
  parts: readonly Uint8Array[],
): Promise<void> {
  await client.execute(
    {
      id: randomBytes(16).toString('hex'),
      expiresAt: Date.now() + DAY_MS,
      stream: accountStream(name),
      type,
      data,
      parts,
      actor: 'bench',
      session: '',
      action: 'Bench',
    },
    { deadlineMs: 60_000 },
  );
}

/** Seconds that it took. */
async function fill(name: string, count: number): Promise<number> {
  const began = performance.now();
  let next = 0;
  const caller = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) await receive(name, n);
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return (performance.now() - began) / 1000;
}

async function receive(name: string, n: number): Promise<void> {
  const raw = Buffer.from(
    `From: Person ${n % 97} <p${n % 97}@example.org>\r\nTo: ${name}@penncloud.test\r\n` +
      `Message-ID: <${n}.${name}@example.org>\r\nSubject: ${word(n, 1)} ${word(n, 2)} ${n}\r\n\r\n` +
      `${Array.from({ length: WORDS_IN_A_MESSAGE }, (_, i) => word(n, i + 3)).join(' ')}\r\n`,
  );
  const { summary, words, ids } = await digestOf(raw);
  const parts = [raw, encodeSummary(summary), ...(options['without-words'] ? [] : [words])];
  await execute(store, name, 'mail.ReceiveMessage', { messageId: idOf(name, n), via: 'smtp', ids }, parts);
}

function idOf(name: string, n: number): string {
  const hash = createHash('sha256').update(`${name} ${n}`).digest();
  return [...hash.subarray(0, 26)]
    .map((byte) => 'abcdefghijklmnopqrstuvwxyz234567'.charAt(byte & 31))
    .join('');
}

/** Words as rare as those of a language: the first ones stand in most messages, the last ones in few. */
function word(n: number, i: number): string {
  const share = ((Math.imul(n + 1, 2654435761) ^ Math.imul(i + 1, 40503)) >>> 8) / 2 ** 24;
  return wordNumber(Math.floor(WORDS * share ** 3));
}

function wordNumber(rank: number): string {
  const hash = createHash('sha256').update(String(rank)).digest();
  return [...hash.subarray(0, 3 + (rank % 7))].map((byte) => String.fromCharCode(97 + (byte % 26))).join('');
}

/** Milliseconds until the whole page is there. Throws unless it is one. */
async function open(cookie: string, path: string): Promise<{ ms: number; body: string }> {
  const { port } = app.server.address() as AddressInfo;
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const asked = request(
      { port, host: '127.0.0.1', path, agent, headers: { cookie: `pc_session=${cookie}` } },
      (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.on('end', () => {
          if (answer.statusCode !== 200) reject(new Error(`${path} answered ${answer.statusCode}`));
          else resolve({ ms: performance.now() - began, body: Buffer.concat(pieces).toString() });
        });
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}

async function olderPage(cookie: string): Promise<string> {
  const { body } = await open(cookie, '/mail/inbox');
  const link = /rel="next" href="([^"]+)"/.exec(body)?.[1];
  if (link === undefined) throw new Error('The inbox has no second page.');
  return link.replaceAll('&amp;', '&').replaceAll('&#x3D;', '=');
}

async function compare(page: string, few: string, full: string, fewPath: string, fullPath: string) {
  const times: [number[], number[]] = [[], []];
  // The first ones warm caches and code.
  for (let round = -20; round < rounds; round++) {
    const [a, b] = [(await open(few, fewPath)).ms, (await open(full, fullPath)).ms];
    if (round < 0) continue;
    times[0].push(a);
    times[1].push(b);
  }
  const [small, large] = times;
  const ratio = rank(large, 0.5) / rank(small, 0.5);
  console.log(
    `${page}: ${FEW} messages p50 ${rank(small, 0.5).toFixed(2)} p99 ${rank(small, 0.99).toFixed(2)} ms; ` +
      `${many} messages p50 ${rank(large, 0.5).toFixed(2)} p99 ${rank(large, 0.99).toFixed(2)} ms; ratio ${ratio.toFixed(2)}`,
  );
}

async function searches(cookie: string): Promise<void> {
  const [common, usual, rare] = [wordNumber(0), wordNumber(300), wordNumber(WORDS - 5)];
  const queries = [
    common,
    usual,
    rare,
    `${common} ${usual}`,
    `"${common} ${usual}"`,
    `from:p5@example.org ${common}`,
    `${common.slice(0, 3)}*`,
    `-${common}`,
    'is:unread in:inbox',
    'nothinglikethis',
  ];
  for (const query of queries) {
    const times: number[] = [];
    let found = 0;
    for (let round = -3; round < Math.min(rounds, 50); round++) {
      const { ms, body } = await open(cookie, `/mail/search?q=${encodeURIComponent(query)}`);
      found = (/<ol class="messages found">[^]*?<\/ol>/.exec(body)?.[0].match(/<li/g) ?? []).length;
      if (round >= 0) times.push(ms);
    }
    const [p50, worst] = [rank(times, 0.5).toFixed(1), Math.max(...times).toFixed(1)];
    console.log(`search ${query}: ${found} on the page, p50 ${p50} ms, longest ${worst} ms`);
  }
}

function rank(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1]!;
}
