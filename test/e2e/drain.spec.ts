/** What a listener bears, and how it leaves, over real sockets: slow readers, slow senders, the idle and the many. */
import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Drain } from '../../gateways/http/drain.ts';
import { createListener, type Listener } from '../../gateways/http/listener.ts';
import { until } from './cluster.ts';

const LARGE = Buffer.alloc(48 * 1024 * 1024, 5);
const PATIENT = { lingerMs: 100, limitMs: 20_000 };

let app: FastifyInstance;
let listener: Listener;
let drain: Drain;
let port: number;
let release: () => void;
const sockets: Socket[] = [];

beforeEach(async () => {
  app = Fastify({
    serverFactory: (handler) => (listener = createListener(handler, { connectionsMax: 20 })).server,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    bodyLimit: 2 * LARGE.length,
  }) as unknown as FastifyInstance;
  drain = new Drain(app, () => listener.connections);
  const released = new Promise<void>((resolve) => (release = resolve));
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.get('/', (_request, reply) => reply.send('fine'));
  app.get('/large', (_request, reply) => reply.send(LARGE));
  app.get('/waits', async () => {
    await released;
    return 'done';
  });
  app.post('/upload', (asked, reply) => reply.send(String((asked.body as Buffer).length)));
  await app.listen({ port: 0, host: '127.0.0.1' });
  port = (app.server.address() as AddressInfo).port;
});
afterEach(async () => {
  release();
  for (const socket of sockets.splice(0)) socket.destroy();
  app.server.closeAllConnections();
  await app.close();
});

const open = async (): Promise<Socket> => {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
};
const ask = (path: string, method = 'GET'): ClientRequest =>
  request({ port, host: '127.0.0.1', path, method, agent: false });
const answerTo = async (asked: ClientRequest): Promise<IncomingMessage> => {
  const answered = once(asked, 'response');
  asked.end();
  return ((await answered) as [IncomingMessage])[0];
};
const lengthOf = async (answer: IncomingMessage): Promise<number> => {
  let length = 0;
  for await (const piece of answer) length += (piece as Buffer).length;
  return length;
};

describe('leaving', () => {
  test('does not cut off a slow reader of an answer that was written long ago', async () => {
    const answer = await answerTo(ask('/large'));
    const left = drain.finish(PATIENT);
    await until('nobody new is taken', () => !app.server.listening);
    expect(await lengthOf(answer)).toBe(LARGE.length);
    expect(await left).toBe(0);
  });

  test('takes an upload to its end, and answers it', async () => {
    const asked = ask('/upload', 'POST');
    asked.setHeader('content-type', 'application/octet-stream');
    asked.write(LARGE.subarray(0, 1_000_000));
    await until('it is under way', () => listener.connections.requestsInFlight === 1);
    const left = drain.finish(PATIENT);
    await until('nobody new is taken', () => !app.server.listening);
    asked.write(LARGE.subarray(1_000_000));
    const answer = await answerTo(asked);
    expect(String(await answer.toArray())).toBe(String(LARGE.length));
    expect(await left).toBe(0);
  });

  test('serves who was sent here a moment ago, and tells them not to come again', async () => {
    drain.announce();
    const answer = await answerTo(ask('/'));
    expect([answer.statusCode, answer.headers.connection]).toEqual([200, 'close']);
  });

  test('answers all requests that were sent at once before it closes their connection', async () => {
    const socket = await open();
    let told = '';
    socket.on('data', (piece: Buffer) => (told += piece.toString()));
    const lines = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
    socket.write(lines('/waits') + lines('/') + lines('/'));
    await until('they are under way', () => listener.connections.requestsInFlight === 3);
    const left = drain.finish(PATIENT);
    release();
    await once(socket, 'close');
    expect(told.match(/HTTP\/1\.1 200/g)).toHaveLength(3);
    expect(await left).toBe(0);
  });

  test('closes idle connections at once, and those of which a head has begun to come only later', async () => {
    const taken: Socket[] = [];
    app.server.on('connection', (socket: Socket) => taken.push(socket));
    const [idle, typing] = [await open(), await open()];
    typing.write('GET / HTTP/1.1\r\nHo');
    await until('both are known', () => listener.connections.size === 2);
    await until('what was typed has come', () => taken.some(({ bytesRead }) => bytesRead > 0));
    const left = drain.finish({ ...PATIENT, lingerMs: 0 });
    await once(idle, 'close');
    typing.write('st: a\r\n\r\n');
    const [piece] = (await once(typing, 'data')) as [Buffer];
    expect(piece.toString()).toMatch(/^HTTP\/1\.1 200 OK[^]*connection: close/i);
    expect(await left).toBe(0);
  });

  test('waits no longer than its limit, and says how much it cut', async () => {
    const asked = ask('/waits');
    const failed = once(asked, 'error');
    asked.end();
    await until('it is under way', () => listener.connections.requestsInFlight === 1);
    expect(await drain.finish({ lingerMs: 0, limitMs: 200 })).toBe(1);
    await failed;
  });
});

describe('a listener', () => {
  test('gives up on heads that never end', async () => {
    app.server.headersTimeout = 500;
    const slow = await open();
    slow.write('GET / HTTP/1.1\r\n');
    const dripping = setInterval(() => slow.write('X: y\r\n'), 100);
    let told = '';
    slow.on('data', (piece: Buffer) => (told += piece.toString()));
    await once(slow, 'close');
    clearInterval(dripping);
    expect(told).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('refuses a head that is too large', async () => {
    const socket = await open();
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\nCookie: ${'x'.repeat(20_000)}\r\n\r\n`);
    const [piece] = (await once(socket, 'data')) as [Buffer];
    expect(piece.toString()).toMatch(/^HTTP\/1\.1 431 /);
  });

  test('begins no thousands of requests for one connection', async () => {
    const socket = await open();
    socket.write('GET /waits HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1_000));
    await once(socket, 'close');
    await until('none is left', () => listener.connections.requestsInFlight === 0);
    expect((await answerTo(ask('/'))).statusCode).toBe(200);
  });

  test('keeps so many connections at most: the one idle for longest makes room, one in use never', async () => {
    const busy = await open();
    busy.write('GET /waits HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('it is under way', () => listener.connections.requestsInFlight === 1);
    const first = await open();
    const closed = once(first, 'close');
    for (let opened = 0; opened < 40; opened++) await open();
    await closed;
    await until('the rest is kept', () => listener.connections.size <= 20);
    expect((await answerTo(ask('/'))).statusCode).toBe(200);
    release();
    const [piece] = (await once(busy, 'data')) as [Buffer];
    expect(piece.toString()).toMatch(/^HTTP\/1\.1 200/);
  });
});
