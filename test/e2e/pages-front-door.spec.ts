/** The front door over real sockets, with NATS away: it finds living gateways by asking them (FE-2). */
import { createServer } from 'node:http';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFrontDoor } from '../../gateways/front-door/front-door.ts';
import { readCertificate } from '../../gateways/http/certificate.ts';
import { createListener } from '../../gateways/http/listener.ts';
import { connectNotices } from '../../storage-nodes/wire/nats-notices.ts';
import type { Notices } from '../../storage-nodes/wire/notices.ts';
import { until } from './cluster.ts';
import { curl } from './curl.ts';
import { ownAuthority } from './own-authority.ts';

const logger = pino({ level: 'silent' });

type Answer = { status: number; headers: Record<string, string | string[] | undefined>; body: string };

describe('the front door', () => {
  let notices: Notices;
  let door: FastifyInstance;
  let gateways: ReturnType<typeof createServer>[];
  let ports: number[];
  let doorPort: number;

  beforeEach(async () => {
    notices = connectNotices({ port: 1, user: 'nobody', password: 'none', name: 'test', logger });
    gateways = [0, 1].map(() => createServer((_request, response) => response.end('{"status":"serving"}')));
    ports = await Promise.all(gateways.map(listening));
    door = createFrontDoor({
      mode: 'redirect',
      notices,
      logger,
      gateways: ports.map((port, index) => ({ id: `gateway-${index}`, address: `127.0.0.1:${port}` })),
    });
    await door.listen({ port: 0, host: '127.0.0.1' });
    doorPort = (door.server.address() as AddressInfo).port;
  });
  afterEach(async () => {
    await door.close();
    await notices.close();
    for (const gateway of gateways) gateway.close();
  });

  const listening = (server: ReturnType<typeof createServer>) =>
    new Promise<number>((resolve) =>
      server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
    );

  const ask = (
    path: string,
    options: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ) =>
    new Promise<Answer>((resolve, reject) => {
      const { method = 'GET', headers = {}, body } = options;
      const asked = request(
        { port: doorPort, host: '127.0.0.1', path, method, headers, agent: false },
        (answer) => {
          let text = '';
          answer.on('data', (piece: Buffer) => (text += piece.toString()));
          answer.on('end', () =>
            resolve({ status: answer.statusCode!, headers: answer.headers, body: text }),
          );
        },
      );
      asked.on('error', reject);
      asked.end(body);
    });

  const open = () => until('a gateway is found', async () => (await ask('/')).status === 307);

  test('tells to try again while no gateway is known to live', async () => {
    const answer = await ask('/mail');
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '2']);
    expect(answer.body).toMatch(/role="alert">[^<]*no gateway is running/);
  });

  test('sends clients on to living gateways in turn, with path and query, on the name that they used', async () => {
    await open();
    const headers = { host: 'cloud.example.org:8000' };
    const places = new Set<string>();
    for (let asked = 0; asked < 4; asked++) {
      const { status, headers: told } = await ask('/mail/inbox?after=a%20b&x=1', { headers });
      expect(status).toBe(307);
      places.add(String(told['location']));
    }
    expect([...places].sort()).toEqual(
      ports.map((port) => `http://cloud.example.org:${port}/mail/inbox?after=a%20b&x=1`).sort(),
    );
  });

  test('sends on a form, and an upload before its body is sent', async () => {
    await open();
    const form = {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'a=b',
    };
    expect((await ask('/login', form)).status).toBe(307);
    const upload = { method: 'POST', headers: { expect: '100-continue', 'content-length': '1000000000' } };
    const told = await new Promise<number>((resolve, reject) => {
      const asked = request({
        port: doorPort,
        host: '127.0.0.1',
        path: '/drive/upload',
        agent: false,
        ...upload,
      });
      asked.on('continue', () => reject(new Error('it asked for the body')));
      asked.on('response', (answer) => resolve(answer.statusCode!));
      asked.on('error', reject);
      asked.flushHeaders();
    });
    expect(told).toBe(307);
  });

  test('sends nobody to a gateway that has just died', async () => {
    await open();
    gateways[0]!.closeAllConnections();
    await new Promise((resolve) => gateways[0]!.close(resolve));
    for (let asked = 0; asked < 4; asked++) {
      expect((await ask('/')).headers['location']).toBe(`http://127.0.0.1:${ports[1]}/`);
    }
  });

  test('with a certificate speaks HTTPS, and sends on to gateways that do', async () => {
    const authority = await ownAuthority();
    const certificate = readCertificate(authority);
    const { server } = createListener((_request, response) => response.end('{}'), { certificate });
    const port = await listening(server);
    const secure = createFrontDoor({
      ...{ notices, logger, mode: 'redirect', certificate },
      gateways: [{ id: 'gateway-1', address: `127.0.0.1:${port}` }],
    });
    await secure.listen({ port: 0, host: '127.0.0.1' });
    const url = `https://localhost:${(secure.server.address() as AddressInfo).port}`;
    const trust = ['--cacert', authority.certFile];
    const told = await until('the gateway is found', async () => {
      const told = await curl([...trust, `${url}/mail?x=1`]);
      return told.status === 307 && told;
    });
    expect(told.headers).toMatchObject({
      location: `https://localhost:${port}/mail?x=1`,
      'strict-transport-security': 'max-age=15552000',
    });
    expect((await curl([...trust, '--location', url])).statuses).toEqual([307, 200]);
    await secure.close();
    server.close();
    authority.remove();
  });

  test('refuses a Host that is none, and answers for itself on /healthz', async () => {
    await open();
    expect((await ask('/', { headers: { host: 'a b' } })).status).toBe(400);
    expect(JSON.parse((await ask('/healthz')).body)).toMatchObject({ status: 'serving' });
  });
});
