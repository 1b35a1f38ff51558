/** HTTP as FE-3 says, shown with curl against a gateway on a real store: what each answer promises, it keeps. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { curl } from './curl.ts';
import { arrived, openHouse, type House } from './pages-house.ts';
import { formOn, linksOn, type Visitor } from './visitor.ts';

const LONG_TEXT = 'A line that is said again and again, so that it can be made short.\r\n'.repeat(80);
const MAIL = [
  ...['From: a@example.org', 'To: ann@penncloud.test', 'Subject: Parts', 'MIME-Version: 1.0'],
  ...['Content-Type: multipart/mixed; boundary=b', '', '--b', 'Content-Type: text/html', ''],
  ...[`<p>${LONG_TEXT}</p>`, '--b', 'Content-Type: application/pdf; name=a.pdf'],
  ...['Content-Disposition: attachment; filename=a.pdf', '', '%PDF-1.7 not quite', '--b--', ''],
].join('\r\n');
const FILE = Buffer.from(LONG_TEXT.repeat(40));

let house: House;
let ann: Visitor;
let base: string;
/** The cookies, as curl sends them. */
let as: string[];
let message: string;
let file: string;

beforeAll(async () => {
  house = await openHouse();
  await house.gateways[0].listen({ port: 0, host: '127.0.0.1' });
  base = `http://127.0.0.1:${(house.gateways[0].server.address() as AddressInfo).port}`;
  ann = await house.person('ann');
  as = ['--cookie', [...ann.cookies].map(([name, value]) => `${name}=${value}`).join('; ')];
  await house.receive('ann', MAIL);
  message = await arrived(ann, 'Parts');
  const form = formOn(await ann.get('/drive'), '/drive/upload');
  await ann.upload(form, [{ name: 'long.txt', bytes: FILE, type: 'text/plain' }]);
  file = linksOn(await ann.get('/drive'), /^\/drive\/file\//)[0]!;
});
afterAll(() => house?.close());

const stylesheet = async () => /href="(\/assets\/style[^"]+)"/.exec((await ann.get('/mail/inbox')).body)![1]!;
/** What has validators, by name. */
const RESOURCES: [string, () => Promise<string> | string][] = [
  ['a stylesheet', stylesheet],
  ['the script', async () => /src="(\/assets\/page[^"]+)"/.exec((await ann.get('/mail/inbox')).body)![1]!],
  ["a message's source", () => `${message}/raw`],
  ["a message's HTML", () => `${message}/body`],
  ['an attachment', () => `${message}/attachment/0`],
  ['a file', () => file],
];

describe('conditional requests', () => {
  test.each(RESOURCES)('%s is not sent again to who has it', async (_what, path) => {
    const url = base + (await path());
    const first = await curl([...as, url]);
    expect([first.code, first.status]).toEqual([0, 200]);
    const etag = first.headers['etag']!;
    expect(etag).toMatch(/^"[\w-]{20,}"$/);

    const again = await curl([...as, '-H', `If-None-Match: "other", ${etag}`, url]);
    expect([again.status, again.headers['etag'], again.body.length]).toEqual([304, etag, 0]);
    expect((await curl([...as, '-H', 'If-None-Match: "other"', url])).status).toBe(200);
    expect((await curl([...as, '-H', `If-None-Match: W/${etag}`, url])).status).toBe(304);
    expect((await curl([...as, '-H', `If-Match: ${etag}`, url])).status).toBe(200);
    expect((await curl([...as, '-H', 'If-Match: "other"', url])).status).toBe(412);
  });

  test.each(RESOURCES.slice(0, 4))('%s has another tag in another coding', async (_what, path) => {
    const url = base + (await path());
    const tags = new Map<string, string>();
    for (const coding of ['identity', 'gzip', 'br']) {
      const { headers } = await curl([...as, '-H', `Accept-Encoding: ${coding}`, url]);
      expect([headers['content-encoding'] ?? 'identity', headers['vary']]).toEqual([
        coding,
        'accept-encoding',
      ]);
      tags.set(coding, headers['etag']!);
    }
    expect(new Set(tags.values()).size).toBe(3);
    // The tag of what would be sent counts, and of nothing else.
    const brotli = ['-H', 'Accept-Encoding: br', '-H'];
    expect((await curl([...as, ...brotli, `If-None-Match: ${tags.get('br')}`, url])).status).toBe(304);
    expect((await curl([...as, ...brotli, `If-None-Match: ${tags.get('identity')}`, url])).status).toBe(200);
  });

  test('a compressed answer is the same content', async () => {
    const url = `${base}${message}/raw`;
    const [plain, gzip] = [await curl([...as, url]), await curl([...as, '-H', 'Accept-Encoding: gzip', url])];
    expect(gunzipSync(gzip.body).equals(plain.body)).toBe(true);
    expect([Number(gzip.headers['content-length']), plain.body.length]).toEqual([
      gzip.body.length,
      MAIL.length,
    ]);
  });

  test('a file is told by its date, too', async () => {
    const { headers } = await curl([...as, base + file]);
    const when = headers['last-modified']!;
    expect((await curl([...as, '-H', `If-Modified-Since: ${when}`, base + file])).status).toBe(304);
    const long = 'Thu, 01 Jan 2015 00:00:00 GMT';
    expect((await curl([...as, '-H', `If-Modified-Since: ${long}`, base + file])).status).toBe(200);
    expect((await curl([...as, '-H', `If-Unmodified-Since: ${long}`, base + file])).status).toBe(412);
  });

  test.each([
    ['a file', () => file],
    ['an attachment', () => `${message}/attachment/0`],
    ["a message's source", () => `${message}/raw`],
  ])('a download of %s goes on where it broke off, unless it is another one by now', async (_what, path) => {
    const url = base + path();
    const whole = await curl([...as, url]);
    const size = whole.body.length;
    const rest = await curl([...as, '--range', '5-', '-H', `If-Range: ${whole.headers['etag']}`, url]);
    expect([rest.status, rest.headers['content-range']]).toEqual([206, `bytes 5-${size - 1}/${size}`]);
    expect(rest.body.equals(whole.body.subarray(5))).toBe(true);
    const other = await curl([...as, '--range', '5-', '-H', 'If-Range: "other"', url]);
    expect([other.status, other.body.length]).toEqual([200, size]);
    const beyond = await curl([...as, '--range', `${size}-`, url]);
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, `bytes */${size}`]);
  });
});

describe('HEAD', () => {
  test('tells of every page what GET tells, without a body', async () => {
    const pages = [
      ...[
        '/',
        '/signup',
        '/login',
        '/account',
        '/mail',
        '/mail/inbox',
        '/mail/compose',
        '/drive',
        '/live',
        '/admin',
      ],
      ...['/healthz', '/favicon.ico', '/nowhere', '/mail/inbox/none', await stylesheet()],
      ...[message, `${message}/raw`, `${message}/body`, `${message}/attachment/0`, file],
    ];
    for (const path of pages) {
      const head = await curl([...as, '--head', '--max-time', '10', base + path]);
      expect([path, head.code, head.body.length]).toEqual([path, 0, 0]);
      if (path === '/live') continue;
      const get = await curl([...as, base + path]);
      expect([path, head.status, head.headers['etag']]).toEqual([path, get.status, get.headers['etag']]);
      expect([path, head.headers['content-type']]).toEqual([path, get.headers['content-type']]);
      // Each page has a token of its own, but always of one length.
      if (head.headers['content-length'] !== undefined)
        expect([path, Number(head.headers['content-length'])]).toEqual([path, get.body.length]);
    }
  });

  test('is there wherever GET is', () => {
    const routes = house.gateways[0].printRoutes({ commonPrefix: false }).match(/\(.*GET.*\)/g)!;
    expect(routes.length).toBeGreaterThan(20);
    expect(routes.filter((methods) => !methods.includes('HEAD'))).toEqual([]);
  });

  test('does not use up a link that opens once', async () => {
    const { status, headers } = await curl(['--head', `${base}/admin/enter?token=${'x'.repeat(43)}`]);
    expect([status, headers['set-cookie']]).toEqual([200, undefined]);
  });
});

describe('bodies and connections', () => {
  test('a form and an upload may come in chunks', async () => {
    const form = formOn(await ann.get('/drive'), '/drive/upload');
    const fields = Object.entries(form).flatMap(([name, value]) => ['--form-string', `${name}=${value}`]);
    const { code, status } = await curl(
      [
        ...[...as, '-H', 'Transfer-Encoding: chunked', ...fields, '--form', 'file=@-;filename=chunked.bin'],
        `${base}/drive/upload`,
      ],
      FILE,
    );
    expect([code, status]).toEqual([0, 303]);
    const found = linksOn(await ann.get('/drive'), /^\/drive\/file\//).length;
    expect(found).toBe(2);

    const typed = formOn(await ann.get('/signup'), '/signup');
    const body = new URLSearchParams({ ...typed, username: 'x', password: 'short' }).toString();
    const told = await curl([
      ...[...as, '-H', 'Transfer-Encoding: chunked', '--data', body, `${base}/signup`],
    ]);
    expect(String(told.body)).toMatch(/role="alert"/);
  });

  test('an answer whose length is not known comes in chunks', async () => {
    const { headers, said } = await curl([...as, '-v', '--compressed', '--max-time', '1', `${base}/live`]);
    expect(said).toContain('Transfer-Encoding: chunked');
    expect(headers['content-length']).toBeUndefined();
  });

  test('one connection serves many requests', async () => {
    const { said } = await curl([...as, '-v', `${base}/mail/inbox`, `${base}/drive`, `${base}/account`]);
    expect(said.match(/Connected to/g)).toHaveLength(1);
    expect(said.match(/Re-using existing connection/g)).toHaveLength(2);
  });

  test('requests sent at once are answered in their order', async () => {
    const socket = connect(Number(new URL(base).port), '127.0.0.1');
    const asked = ['/healthz', '/login', '/nowhere', '/healthz'];
    const close = (at: number) => (at === asked.length - 1 ? 'Connection: close\r\n' : '');
    socket.write(asked.map((path, at) => `GET ${path} HTTP/1.1\r\nHost: a\r\n${close(at)}\r\n`).join(''));
    let told = '';
    socket.on('data', (piece: Buffer) => (told += piece.toString('latin1')));
    await once(socket, 'close');
    expect([...told.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual([
      ...['200', '303', '404', '200'],
    ]);
  });

  test('a client without cookies gets one that nobody can guess', async () => {
    const seen = new Set<string>();
    for (let asked = 0; asked < 5; asked++) {
      const cookie = (await curl([base])).headers['set-cookie']!;
      const [, value, attributes] = /^pc_visitor=([\w-]{43});(.*)$/.exec(cookie)!;
      expect(attributes).toMatch(/HttpOnly/);
      expect(attributes).toMatch(/SameSite=Lax/);
      seen.add(value!);
    }
    expect(seen.size).toBe(5);
  });

  test('what a client says of where it comes from is not believed', async () => {
    const tries = Array.from({ length: 31 }, (_, n) =>
      curl([
        ...['-H', `X-Forwarded-For: 10.0.0.${n}`, '-H', `Forwarded: for=10.0.0.${n}`],
        `${base}/admin/enter?token=${createHash('sha256').update(String(n)).digest('hex')}`,
      ]),
    );
    const statuses = (await Promise.all(tries)).map(({ status }) => status);
    expect(statuses).toContain(429);
  });
});
