/**
 * KV-4, KV-5, WM-1, WM-3, DR-1, FE-1, ES-2: what the system must end with. 6,046 real messages arrive
 * over SMTP while a storage node is killed; real files go up through one gateway and down through the
 * other. Figures are printed, not asserted: speed is the benchmarks' business. How each message reads as a page is
 * in spec/message/corpus; here pages are opened from the store of a cluster.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster, until, type Cluster } from './cluster.ts';
import { HttpPerson } from './http-person.ts';
import { importCorpus, type ImportResult } from './smtp-import.ts';
import { linksOn } from './visitor.ts';

const PASSWORD = 'correct horse battery';
const GIB = 1024 ** 3;
const MB = 1_000_000;

let cluster: Cluster;
const alice = new HttpPerson();

beforeAll(async () => {
  cluster = await startCluster();
  expect(await cluster.cli(['user', 'add', 'alice', '--password-stdin'], PASSWORD)).toMatchObject({
    code: 0,
  });
  expect((await alice.logIn(cluster.gateways[0]!, 'alice', PASSWORD)).status).toBe(303);
});
afterAll(async () => void (await cluster?.stop()));

describe('real files', () => {
  const samples: [name: string, bytes: () => Buffer][] = [
    ['notes.txt', () => readFileSync(new URL('../../README.md', import.meta.url))],
    ['report.pdf', () => pdf('Grüße from PennCloud')],
    ['picture.png', () => readFileSync(new URL('../../ops/docs/mailbox.png', import.meta.url))],
  ];

  it.each(samples)('%s comes back byte for byte through the other gateway', async (name, bytes) => {
    const content = bytes();
    expect(await alice.upload(cluster.gateways[0]!, name, content.length, Readable.from([content]))).toBe(
      303,
    );
    const down = await alice.digest(`${cluster.gateways[1]!}${await fileUrl(name)}`);
    expect(down).toEqual({ status: 200, sha256: sha256(content), length: content.length });
  });

  it('1 GB of noise streams up and down in bounded memory', { timeout: 600_000 }, async () => {
    const peaks = new Map<string, number>();
    const watch = setInterval(() => noteMemory(peaks), 200);
    try {
      const noise = noiseStream(GIB);
      const up = performance.now();
      expect(await alice.upload(cluster.gateways[0]!, 'noise.bin', GIB, noise.stream)).toBe(303);
      const down = performance.now();
      const got = await alice.digest(`${cluster.gateways[1]!}${await fileUrl('noise.bin')}`);
      const end = performance.now();
      expect(got).toEqual({ status: 200, sha256: noise.digest(), length: GIB });
      figure(`1 GiB: up ${seconds(down - up)}, down ${seconds(end - down)}`);
    } finally {
      clearInterval(watch);
    }
    figure(
      `peak resident memory: ${[...peaks].map(([id, bytes]) => `${id} ${Math.round(bytes / MB)} MB`).join(', ')}`,
    );
    for (const [id, bytes] of peaks) expect(bytes / MB, `${id} in MB`).toBeLessThan(300);
  });
});

describe('6,046 real messages', () => {
  let result: ImportResult;

  it(
    'are accepted or refused for a stated reason, while a storage node is killed',
    { timeout: 300_000 },
    async () => {
      let restarted: Promise<number> | undefined;
      result = await importCorpus({
        port: cluster.smtp.port,
        recipient: 'alice@penncloud.test',
        concurrency: 16,
        onProgress: (sent) => {
          if (sent < 2000 || restarted) return;
          const before = cluster.pid('node-2');
          restarted = cluster.kill('node-2').then(() => cluster.restarted('node-2', before));
        },
      });
      await restarted;
      figure(
        `import: ${result.accepted} accepted, ${result.refused.length} refused, ${Math.round(6046 / result.seconds)} messages/s with a node killed`,
      );
      expect(result.accepted + result.refused.length).toBe(6046);
      for (const { reply } of result.refused) expect(reply).toMatch(/^5\d\d 5\.\d+\.\d+ .{10,}/);
      expect(result.accepted).toBeGreaterThan(6000);
    },
  );

  it('are counted exactly, and paged through forward and back', { timeout: 120_000 }, async () => {
    const forward = await pages('/mail/inbox', 'next');
    const backward = await pages('/mail/inbox?end=1', 'prev');
    expect(messagesOf(forward.conversations), 'messages of all conversations').toBe(result.accepted);
    const urls = ({ conversations }: typeof forward) => new Set(conversations.map(({ url }) => url));
    expect(urls(forward).size).toBe(forward.conversations.length);
    // Coming from the far end, the newest page is a full one again: it repeats what the page before it showed.
    expect(urls(backward)).toEqual(urls(forward));
    expect(forward.first).toContain(`of ${forward.conversations.length}`);
    const times = [...forward.times, ...backward.times].sort((a, b) => a - b);
    figure(
      `${forward.conversations.length} conversations; pages: ${times.length} of 50 lines, median ${ms(times, 0.5)}, 99th percentile ${ms(times, 0.99)}, slowest ${ms(times, 1)}`,
    );
  });

  it(
    'open without a server error, each on the page of its conversation: every fifth conversation',
    { timeout: 300_000 },
    async () => {
      const { conversations } = await pages('/mail/inbox', 'next');
      const chosen = conversations.filter((_, at) => at % 5 === 0);
      const shown = new Set<string>();
      const statuses = new Map<number, number>();
      const started = performance.now();
      let next = 0;
      const read = async (): Promise<void> => {
        for (let at = next++; at < chosen.length; at = next++) {
          const page = await alice.get(`${cluster.gateways[at % 2]!}${chosen[at]!.url}`);
          statuses.set(page.status, (statuses.get(page.status) ?? 0) + 1);
          const main = page.body.slice(page.body.indexOf('<main'));
          for (const [, whole, line] of main.matchAll(
            /id="m-([a-z2-7]{26})"|class="folded" href="\/mail\/inbox\/([a-z2-7]{26})"/g,
          )) {
            shown.add((whole ?? line)!);
          }
        }
      };
      await Promise.all([read(), read(), read(), read()]);
      figure(
        `opened ${chosen.length} conversations, ${Math.round(chosen.length / ((performance.now() - started) / 1000))} a second`,
      );
      expect([...statuses]).toEqual([[200, chosen.length]]);
      expect(shown.size, 'messages on these pages').toBe(messagesOf(chosen));
    },
  );

  it('are the same on every replica, replayed and live', { timeout: 300_000 }, async () => {
    await inSync();
    const verified = await cluster.cli(['replay', '--verify']);
    expect(verified, `${verified.stdout}\n${verified.stderr}`).toMatchObject({ code: 0 });
  });
});

type Conversation = { readonly url: string; readonly messages: number };

const messagesOf = (conversations: readonly Conversation[]): number =>
  conversations.reduce((sum, { messages }) => sum + messages, 0);

/** Follows `rel` links from a list page to the end. */
async function pages(
  from: string,
  rel: 'next' | 'prev',
): Promise<{ conversations: Conversation[]; times: number[]; first: string }> {
  const conversations: Conversation[] = [];
  const times: number[] = [];
  let first = '';
  for (let url: string | undefined = from; url !== undefined;) {
    const started = performance.now();
    const page = await alice.get(`${cluster.gateways[times.length % 2]!}${url}`);
    times.push(performance.now() - started);
    expect(page.status).toBe(200);
    if (first === '') first = page.body;
    for (const line of page.body.split('<li').slice(1)) {
      const [url] = linksOn({ body: line }, /^\/mail\/inbox\/[a-z2-7]{26}$/);
      if (url === undefined) continue;
      conversations.push({ url, messages: Number(/class="many">(\d+)</.exec(line)?.[1] ?? 1) });
    }
    const link: string | undefined = new RegExp(`<a[^>]*rel="${rel}"[^>]*>`).exec(page.body)?.[0];
    url = link && linksOn({ body: link }, /./)[0];
  }
  return { conversations, times, first };
}

async function fileUrl(name: string): Promise<string> {
  const page = await alice.get(`${cluster.gateways[1]!}/drive`);
  const link = [...page.body.matchAll(/<a\b[^>]*href="(\/drive\/file\/[^"]*)"[^>]*>([^]*?)<\/a>/g)].find(
    ([, , text]) => text!.includes(name),
  );
  if (!link) throw new Error(`${name} is not in the list`);
  return link[1]!;
}

async function inSync(): Promise<void> {
  const store = cluster.openStore();
  try {
    await until('every copy is in sync', async () => {
      const tablets = await store.tabletStatus();
      return tablets.every((tablet) => tablet.serving && tablet.inSync.length === 3) || undefined;
    });
  } finally {
    await store.close();
  }
}

function noiseStream(length: number): { stream: Readable; digest: () => string } {
  // A keyed sequence is as random as a file needs to be, and needs no disk.
  const hash = createHash('sha256');
  let sent = 0;
  let block = createHash('sha512').update('seed').digest();
  const stream = new Readable({
    read() {
      if (sent >= length) return void this.push(null);
      const piece = Buffer.allocUnsafe(Math.min(1 << 16, length - sent));
      for (let at = 0; at < piece.length; at += block.length) {
        if (at % 4096 === 0) block = createHash('sha512').update(block).digest();
        block.copy(piece, at);
      }
      sent += piece.length;
      hash.update(piece);
      this.push(piece);
    },
  });
  return { stream, digest: () => hash.digest('hex') };
}

/** Resident memory of every Node process of the cluster, from /proc. */
function noteMemory(peaks: Map<string, number>): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
      if (!environment.includes(cluster.dataFolder)) continue;
      const script = /ops\/processes\/([a-z-]+)\.js/.exec(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.[1];
      const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
      if (script) peaks.set(`${script} ${pid}`, Math.max(peaks.get(`${script} ${pid}`) ?? 0, pages * 4096));
    } catch {
      // The process has ended meanwhile.
    }
  }
}

/** A small valid PDF. */
function pdf(text: string): Buffer {
  const objects = [
    '<</Type/Catalog/Pages 2 0 R>>',
    '<</Type/Pages/Kids[3 0 R]/Count 1>>',
    '<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>',
  ];
  let body = `%PDF-1.4\n%${text}\n`;
  const offsets = objects.map((object, i) => {
    const at = Buffer.byteLength(body);
    body += `${i + 1} 0 obj${object}endobj\n`;
    return String(at).padStart(10, '0');
  });
  const xref = Buffer.byteLength(body);
  body += `xref\n0 4\n0000000000 65535 f \n${offsets.map((at) => `${at} 00000 n \n`).join('')}trailer<</Size 4/Root 1 0 R>>\nstartxref\n${xref}\n%%EOF\n`;
  return Buffer.from(body);
}

function figure(text: string): void {
  console.log(`[figure] ${text}`);
}
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const ms = (sorted: readonly number[], at: number): string =>
  `${Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))]!)} ms`;
const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;
