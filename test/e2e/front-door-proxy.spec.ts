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
} from 'node:http';
import { describe, expect, test } from 'vitest';
import { believeSealed } from '../../gateways/http/forwarded.ts';
import { until } from './cluster.ts';
import { curl } from './curl.ts';
import { proxying, SEAL_KEY } from './proxying.ts';

const { open, openBeforeThese, door, servers, url } = proxying();

const read = async (message: IncomingMessage): Promise<Buffer> => {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
};
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

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
      ...['--path-as-is', `${url()}//evil/..%2f/?q=%00&r=//x`],
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
        url(),
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
      ...['-H', 'X-Forwarded-Proto: https', '-H', 'X-PennCloud-Seal: x', '-H', 'Host: cloud.example', url()],
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
    servers()[0]!.on('checkContinue', (asked: IncomingMessage, answer) => {
      if (asked.url !== '/no') answer.writeContinue();
      servers()[0]!.emit('request', asked, answer);
    });
    const upload = ['-X', 'POST', '-H', 'Expect: 100-continue', '--data-binary', '@-'];
    const yes = await curl([...upload, `${url()}/yes`], Buffer.alloc(wanted));
    expect([yes.code, yes.statuses, String(yes.body)]).toEqual([0, [100, 200], String(wanted)]);
    const no = await curl([...upload, `${url()}/no`], Buffer.alloc(wanted));
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
    const asked = request(`${url()}/echo`, { method: 'POST', agent: false });
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
    const answer = await fetch(`${url()}/live`, { signal: stop.signal });
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
    const live = await fetch(`${url()}/live`);
    const waiting = curl([`${url()}/waits`]);
    await until('both are under way', () => door().drain.inFlight === 2);
    const left = door().drain.finish({ lingerMs: 0, limitMs: 20_000 });
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
    const piece = await curl(['--range', '2-4', url()]);
    expect([piece.status, piece.headers['content-range'], String(piece.body)]).toEqual([
      206,
      'bytes 2-4/10',
      '234',
    ]);
    const head = await curl(['--head', url()]);
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
    servers()[0]!.closeAllConnections();
    return new Promise((resolve) => servers()[0]!.close(() => resolve()));
  };

  test('what nobody took goes to another one, a form with its body too', async () => {
    await open(fine, fine);
    await die();
    const body = Buffer.alloc(300_000, 1);
    for (let sent = 0; sent < 4; sent++) {
      const told = await curl(['--data-binary', '@-', '-H', 'Expect:', url()], body);
      expect([told.status, String(told.body)]).toEqual([200, `fine ${digest(body).slice(0, 8)}`]);
    }
  });

  test('a page that was asked for is asked for again elsewhere', async () => {
    let broken = 0;
    await open((asked) => (broken++, asked.socket.destroy()), fine);
    for (let asked = 0; asked < 4; asked++) expect((await curl([url()])).status).toBe(200);
    expect(broken).toBeGreaterThan(0);
  });

  test('what may have been done is never sent twice, and the page says so', async () => {
    const seen: string[] = [];
    const breaking: RequestListener = async (asked) => {
      seen.push(String(await read(asked)));
      asked.socket.destroy();
    };
    await open(breaking, breaking);
    const { status, body } = await curl(['--data', 'send it', url()]);
    expect([status, seen]).toEqual([502, ['send it']]);
    expect(String(body)).toMatch(/role="alert">[^<]*may or may not have been done/);
  });

  test('an answer that breaks off breaks off for the client too', async () => {
    await open((_asked, answer) => {
      answer.writeHead(200, { 'content-length': 100 });
      answer.write('half');
      setTimeout(() => answer.destroy(), 50);
    });
    expect((await curl([url()])).code).toBe(18);
  });

  test('one that takes connections and says nothing gets no one, and holds no page up', async () => {
    // Nobody listens to its requests.
    await openBeforeThese([createServer(), createServer((_asked, answer) => answer.end('fine'))], 1);
    const took = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const began = performance.now();
        expect((await curl([url()])).status).toBe(200);
        return performance.now() - began;
      }),
    );
    expect(Math.max(...took)).toBeLessThan(3_000);
  });

  test('an address that nobody can read is refused with a page', async () => {
    await open(fine);
    const { status, body } = await curl([`${url()}/%zz`]);
    expect([status, String(body)]).toEqual([
      400,
      expect.stringMatching(/role="alert">This address is malformed/),
    ]);
  });

  test('without any, the answer is to try again', async () => {
    await open(fine);
    await die();
    const { status, headers } = await curl([url()]);
    expect([status, headers['retry-after']]).toEqual([503, '2']);
  });
});
