/**
 * The front door in proxy mode, over real sockets: in front of servers that do what gateways may do, and be
 * what gateways may become (gone, mute, breaking off). FE-2, FE-3.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  request,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import pino from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { createFrontDoor } from '../../gateways/front-door/front-door.ts';
import { believeSealed } from '../../gateways/http/forwarded.ts';
import { connectNotices } from '../../storage-nodes/wire/nats-notices.ts';
import type { Notices } from '../../storage-nodes/wire/notices.ts';
import { until } from './cluster.ts';
import { curl } from './curl.ts';

const logger = pino({ level: 'silent' });
const SEAL_KEY = 'a key that clients do not know';

let notices: Notices;
let door: FastifyInstance;
let servers: Server[];
let url: string;
let port: number;

/** A front door before servers that answer like this; health checks are answered for them. */
async function open(...handlers: RequestListener[]): Promise<void> {
  notices = connectNotices({ port: 1, user: 'nobody', password: 'none', name: 'test', logger });
  servers = handlers.map((handler) =>
    createServer((asked, answer) => (asked.url === '/healthz' ? answer.end('{}') : handler(asked, answer))),
  );
  const gateways = await Promise.all(
    servers.map(async (server, index) => ({
      id: `gateway-${index}`,
      address: `127.0.0.1:${await listen(server)}`,
    })),
  );
  door = createFrontDoor({ notices, logger, gateways, mode: 'proxy', sealKey: SEAL_KEY });
  await door.listen({ port: 0, host: '127.0.0.1' });
  port = (door.server.address() as AddressInfo).port;
  url = `http://127.0.0.1:${port}`;
  await until('all gateways are found', async () => (await known()) === handlers.length);
}

const known = async () => ((await (await fetch(`${url}/healthz`)).json()) as { gateways: number }).gateways;

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  door.server.closeAllConnections();
  await door.close();
  await notices.close();
});

const read = async (message: IncomingMessage): Promise<Buffer> => {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
};
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Writes bytes as they stand; resolves with all that comes until the connection is closed or quiet. */
async function raw(bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let told = '';
  socket.on('data', (piece: Buffer) => (told += piece.toString('latin1')));
  socket.on('error', () => {});
  socket.write(bytes, 'latin1');
  await Promise.race([once(socket, 'close'), until('an answer', () => told.includes('\r\n\r\n'))]);
  // What would come of a request hidden in the first is here before an answer to one that follows.
  socket.write('GET /after HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  if (!socket.closed) await once(socket, 'close');
  return told;
}

describe('a request that goes through', () => {
  test('keeps method, path, query, Host and body, and brings back status, headers and body', async () => {
    await open(async (asked, answer) => {
      const body = await read(asked);
      answer.writeHead(201, { 'x-told': 'yes', 'set-cookie': ['a=1', 'b=2'], etag: '"e"' });
      answer.end(
        JSON.stringify([asked.method, asked.url, asked.headers.host, asked.headers['x-a'], String(body)]),
      );
    });
    const { code, status, headers, body } = await curl([
      ...['-X', 'PUT', '-H', 'X-A: b', '-H', 'Host: cloud.example.org', '--data', 'a body'],
      ...['--path-as-is', `${url}//evil/..%2f/?q=%00&r=//x`],
    ]);
    expect([code, status]).toEqual([0, 201]);
    expect(headers).toMatchObject({ 'x-told': 'yes', 'set-cookie': 'a=1, b=2', etag: '"e"' });
    expect(JSON.parse(String(body))).toEqual([
      ...['PUT', '//evil/..%2f/?q=%00&r=//x', 'cloud.example.org', 'b', 'a body'],
    ]);
  });

  test('leaves behind what is for one connection alone, on either side', async () => {
    let seen: IncomingHttpHeaders = {};
    await open((asked, answer) => {
      seen = asked.headers;
      answer.writeHead(200, {
        ...{ connection: 'x-hop, keep-alive', 'x-hop': '1', 'x-end': '2' },
        ...{ 'proxy-authenticate': 'Basic', upgrade: 'h2c', 'keep-alive': 'timeout=1' },
      });
      answer.end('ok');
    });
    const { headers } = await curl([
      ...[
        '-H',
        'Connection: X-Secret, close, Cookie',
        '-H',
        'X-Secret: 1',
        '-H',
        'X-Kept: 2',
        '-H',
        'Cookie: c=1',
      ],
      ...[
        '-H',
        'TE: trailers',
        '-H',
        'Upgrade: websocket',
        '-H',
        'Proxy-Authorization: x',
        '-H',
        'Keep-Alive: 5',
        url,
      ],
    ]);
    expect(seen).toMatchObject({ 'x-kept': '2', cookie: 'c=1', via: '1.1 penncloud' });
    for (const gone of ['x-secret', 'te', 'upgrade', 'proxy-authorization', 'keep-alive'])
      expect(seen[gone], gone).toBeUndefined();
    expect(headers).toMatchObject({ 'x-end': '2' });
    for (const gone of ['x-hop', 'proxy-authenticate', 'upgrade'])
      expect(headers[gone], gone).toBeUndefined();
  });

  test('tells the gateway whom it comes from, whatever the client says of itself', async () => {
    let seen: IncomingHttpHeaders = {};
    await open((asked, answer) => {
      seen = { ...asked.headers };
      answer.end();
    });
    await curl([
      ...['-H', 'X-Forwarded-For: 6.6.6.6', '-H', 'Forwarded: for=6.6.6.6', '-H', 'X-Real-IP: 6.6.6.6'],
      ...['-H', 'X-Forwarded-Proto: https', '-H', 'X-PennCloud-Seal: x', '-H', 'Host: cloud.example', url],
    ]);
    expect(seen['forwarded']).toBe('for="127.0.0.1";host="cloud.example";proto=http');
    expect([seen['x-forwarded-for'], seen['x-real-ip']]).toEqual(['127.0.0.1', undefined]);
    believeSealed(SEAL_KEY, seen);
    expect(seen['x-forwarded-for']).toBe('127.0.0.1');
  });

  test('asks the gateway whether it wants a large body, before the client sends it', async () => {
    const wanted = 5_000_000;
    await open(async (asked, answer) => {
      if (asked.url === '/no') return answer.writeHead(413).end('too large');
      return answer.end(String((await read(asked)).length));
    });
    servers[0]!.on('checkContinue', (asked: IncomingMessage, answer) => {
      if (asked.url !== '/no') answer.writeContinue();
      servers[0]!.emit('request', asked, answer);
    });
    const upload = ['-X', 'POST', '-H', 'Expect: 100-continue', '--data-binary', '@-'];
    const yes = await curl([...upload, `${url}/yes`], Buffer.alloc(wanted));
    expect([yes.code, yes.statuses, String(yes.body)]).toEqual([0, [100, 200], String(wanted)]);
    const no = await curl([...upload, `${url}/no`], Buffer.alloc(wanted));
    expect([no.statuses, String(no.body)]).toEqual([[413], 'too large']);
  });

  test('streams a large body both ways while holding little of it', async () => {
    const size = 256 * 1024 * 1024;
    const piece = Buffer.alloc(1024 * 1024, 7);
    await open(async (asked, answer) => {
      let length = 0;
      for await (const bytes of asked) length += (bytes as Buffer).length;
      answer.writeHead(200, { 'content-length': length });
      for (let sent = 0; sent < length; sent += piece.length) {
        if (!answer.write(piece)) await once(answer, 'drain');
      }
      answer.end();
    });
    let most = 0;
    const watching = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 20);
    const before = process.memoryUsage().arrayBuffers;
    const asked = request(`${url}/echo`, { method: 'POST', agent: false });
    const answered = once(asked, 'response');
    for (let sent = 0; sent < size; sent += piece.length) {
      if (!asked.write(piece)) await once(asked, 'drain');
    }
    asked.end();
    const [answer] = (await answered) as [IncomingMessage];
    let length = 0;
    for await (const bytes of answer) length += (bytes as Buffer).length;
    clearInterval(watching);
    expect(length).toBe(size);
    // Three ends of it run in this process: the client, the front door and the gateway.
    expect(most - before).toBeLessThan(size / 4);
  });

  test('hears live events as they come, and ends with its client', async () => {
    const open_: IncomingMessage[] = [];
    let say: (words: string) => void = () => {};
    await open((asked, answer) => {
      answer.writeHead(200, { 'content-type': 'text/event-stream' });
      answer.flushHeaders();
      open_.push(asked);
      say = (words) => void answer.write(`data: ${words}\n\n`);
      answer.on('close', () => open_.pop());
    });
    const stop = new AbortController();
    const answer = await fetch(`${url}/live`, { signal: stop.signal });
    const reader = answer.body!.getReader();
    for (const words of ['one', 'two']) {
      say(words);
      const { value } = await reader.read();
      expect(Buffer.from(value!).toString()).toBe(`data: ${words}\n\n`);
    }
    stop.abort();
    await until('the gateway is told', () => open_.length === 0);
  });

  test('ends live events when it leaves, and waits for what has an end', async () => {
    let finish: () => void = () => {};
    await open((asked, answer) => {
      if (asked.url === '/live')
        answer.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n');
      else finish = () => answer.end('done');
    });
    const live = await fetch(`${url}/live`);
    const waiting = curl([`${url}/waits`]);
    await until('both are under way', () => door.drain.inFlight === 2);
    const left = door.drain.finish({ lingerMs: 0, limitMs: 20_000 });
    expect(await live.text()).toBe(':\n\n');
    finish();
    expect(String((await waiting).body)).toBe('done');
    expect(await left).toBe(0);
  });

  test('brings back pieces of a file, and HEAD without a body', async () => {
    const file = Buffer.from('0123456789');
    await open((asked, answer) => {
      const range = /bytes=(\d+)-(\d+)/.exec(asked.headers.range ?? '');
      const piece = range ? file.subarray(Number(range[1]), Number(range[2]) + 1) : file;
      const more = range && { 'content-range': `bytes ${range[1]}-${range[2]}/10` };
      answer.writeHead(range ? 206 : 200, { 'content-length': piece.length, ...more });
      answer.end(asked.method === 'HEAD' ? undefined : piece);
    });
    const piece = await curl(['--range', '2-4', url]);
    expect([piece.status, piece.headers['content-range'], String(piece.body)]).toEqual([
      206,
      'bytes 2-4/10',
      '234',
    ]);
    const head = await curl(['--head', url]);
    expect([head.code, head.status, head.headers['content-length']]).toEqual([0, 200, '10']);
  });
});

describe('when a gateway fails', () => {
  const fine: RequestListener = async (asked, answer) => {
    const body = await read(asked);
    answer.end(`fine ${digest(body).slice(0, 8)}`);
  };

  /** The first server dies without a word; the front door cannot know yet. */
  const die = (): Promise<void> => {
    servers[0]!.closeAllConnections();
    return new Promise((resolve) => servers[0]!.close(() => resolve()));
  };

  test('what nobody took goes to another one, a form with its body too', async () => {
    await open(fine, fine);
    await die();
    const body = Buffer.alloc(300_000, 1);
    for (let sent = 0; sent < 4; sent++) {
      const told = await curl(['--data-binary', '@-', '-H', 'Expect:', url], body);
      expect([told.status, String(told.body)]).toEqual([200, `fine ${digest(body).slice(0, 8)}`]);
    }
  });

  test('a page that was asked for is asked for again elsewhere', async () => {
    let broken = 0;
    await open((asked) => (broken++, asked.socket.destroy()), fine);
    for (let asked = 0; asked < 4; asked++) expect((await curl([url])).status).toBe(200);
    expect(broken).toBeGreaterThan(0);
  });

  test('what may have been done is never sent twice, and the page says so', async () => {
    const seen: string[] = [];
    const breaking: RequestListener = async (asked) => {
      seen.push(String(await read(asked)));
      asked.socket.destroy();
    };
    await open(breaking, breaking);
    const { status, body } = await curl(['--data', 'send it', url]);
    expect([status, seen]).toEqual([502, ['send it']]);
    expect(String(body)).toMatch(/role="alert">[^<]*may or may not have been done/);
  });

  test('an answer that breaks off breaks off for the client too', async () => {
    await open((_asked, answer) => {
      answer.writeHead(200, { 'content-length': 100 });
      answer.write('half');
      setTimeout(() => answer.destroy(), 50);
    });
    expect((await curl([url])).code).toBe(18);
  });

  test('one that takes connections and says nothing gets no one, and holds no page up', async () => {
    await open(fine);
    const sockets: Socket[] = [];
    const mute = createServer().on('connection', (socket) => sockets.push(socket));
    mute.removeAllListeners('request');
    servers.push(mute);
    const mutePort = await listen(mute);
    await door.close();
    const gateways = [
      { id: 'a-mute', address: `127.0.0.1:${mutePort}` },
      { id: 'b', address: `127.0.0.1:${(servers[0]!.address() as AddressInfo).port}` },
    ];
    door = createFrontDoor({ notices, logger, gateways, mode: 'proxy', sealKey: SEAL_KEY });
    await door.listen({ port, host: '127.0.0.1' });
    await until('the other one is found', async () => (await known()) === 1);
    const took = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const began = performance.now();
        expect((await curl([url])).status).toBe(200);
        return performance.now() - began;
      }),
    );
    expect(Math.max(...took)).toBeLessThan(3_000);
    for (const socket of sockets) socket.destroy();
  });

  test('an address that nobody can read is refused with a page', async () => {
    await open(fine);
    const { status, body } = await curl([`${url}/%zz`]);
    expect([status, String(body)]).toEqual([
      400,
      expect.stringMatching(/role="alert">This address is malformed/),
    ]);
  });

  test('without any, the answer is to try again', async () => {
    await open(fine);
    await die();
    const { status, headers } = await curl([url]);
    expect([status, headers['retry-after']]).toEqual([503, '2']);
  });
});

describe('a request that could be read in two ways', () => {
  const post = (lines: string, body: string) => `POST /first HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n${body}`;
  const hidden = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n';

  test.each([
    ['both lengths', post('Content-Length: 5\r\nTransfer-Encoding: chunked', `0\r\n\r\n${hidden}`)],
    [
      'both lengths, the other way round',
      post('Transfer-Encoding: chunked\r\nContent-Length: 5', `0\r\n\r\n${hidden}`),
    ],
    ['two lengths', post(`Content-Length: 0\r\nContent-Length: ${hidden.length}`, hidden)],
    ['a list of lengths', post('Content-Length: 0, 0', hidden)],
    ['a length with a sign', post('Content-Length: +0', hidden)],
    ['a coding that is none', post('Transfer-Encoding: xchunked', `0\r\n\r\n${hidden}`)],
    ['two codings', post('Transfer-Encoding: gzip, chunked', `0\r\n\r\n${hidden}`)],
    [
      'the coding twice',
      post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', `0\r\n\r\n${hidden}`),
    ],
    ['a folded line', post('Transfer-Encoding:\r\n chunked', `0\r\n\r\n${hidden}`)],
    ['a blank before the colon', post('Content-Length : 5', `12345${hidden}`)],
    ['a chunk with a bare LF', post('Transfer-Encoding: chunked', `1\nx\n0\n\n${hidden}`)],
    ['a chunk of a size with 0x', post('Transfer-Encoding: chunked', `0x0\r\n\r\n${hidden}`)],
    [
      'a coding under HTTP/1.0',
      post('Transfer-Encoding: chunked', `0\r\n\r\n${hidden}`).replace('1.1', '1.0'),
    ],
    ['bare LFs', hidden.replaceAll('\r\n', '\n')],
    ['a bare CR in a line', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\rZ: q\r\n\r\n'],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['a host that is none', 'GET / HTTP/1.1\r\nHost: a/b@c\r\n\r\n'],
    ['a target that is none', 'GET evil.example HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a NUL', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n'],
  ])('is refused: %s', async (_what, bytes) => {
    const seen: string[] = [];
    await open((asked, answer) => (seen.push(asked.url!), answer.end()));
    expect(await raw(bytes)).toMatch(/^HTTP\/1\.1 400 /);
    expect(seen).not.toContain('/hidden');
  });

  test('a whole URL as the target counts for its path and its host', async () => {
    let seen: unknown[] = [];
    await open(
      (asked, answer) => (
        (seen = asked.url === '/after' ? seen : [asked.url, asked.headers.host]),
        answer.end()
      ),
    );
    await raw('GET http://cloud.example:8000/mail?x=1 HTTP/1.1\r\nHost: evil.example\r\n\r\n');
    expect(seen).toEqual(['/mail?x=1', 'cloud.example:8000']);
  });

  test('requests sent at once are answered in their order', async () => {
    await open((asked, answer) => void setTimeout(() => answer.end(asked.url), asked.url === '/1' ? 100 : 0));
    const told = await raw(
      ['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''),
    );
    expect([...told.matchAll(/\r\n\r\n(\/(?:\d|after))/g)].map(([, path]) => path)).toEqual([
      '/1',
      '/2',
      '/3',
      '/after',
    ]);
  });
});
