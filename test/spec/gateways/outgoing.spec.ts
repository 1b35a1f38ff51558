import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isPublic, postForm, PUBLIC_INTERNET, type Reach } from '../../../gateways/pages/outgoing.ts';

describe('what is a public address', () => {
  test.each(['93.184.216.34', '2606:2800:220:1::1', '8.8.8.8'])('%s is', (one) =>
    expect(isPublic(one)).toBe(true),
  );
  test.each([
    ...['127.0.0.1', '10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254', '0.0.0.0', '100.64.0.1'],
    ...[
      '224.0.0.1',
      '255.255.255.255',
      '198.18.0.1',
      '192.0.2.1',
      '240.0.0.1',
      '::1',
      '::7f00:1',
      '4000::1',
      '::',
      'fe80::1',
      'fc00::1',
    ],
    ...[
      'ff02::1',
      '::ffff:127.0.0.1',
      '::ffff:a00:1',
      '64:ff9b::7f00:1',
      '2002:7f00:1::',
      '2001::1',
      'nonsense',
    ],
  ])('%s is not', (one) => expect(isPublic(one)).toBe(false));
});

describe('a request on a reader’s behalf', () => {
  test.each([
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://127.0.0.1:443/',
    'https://[::ffff:127.0.0.1]/',
    'https://localhost/',
    'https://169.254.169.254/latest/meta-data/',
    'https://93.184.216.34:8443/',
  ])('does not go to %s', async (url) => {
    expect(await postForm(url, 'x')).toMatchObject({
      ok: false,
      why: expect.stringMatching(/not a public server|cannot be found/),
    });
  });

  test('does not go where one of a name’s addresses is not public', async () => {
    const reach = { ...PUBLIC_INTERNET, resolve: async () => ['93.184.216.34', '10.0.0.1'] };
    expect(await postForm('https://list.example/', 'x', reach)).toMatchObject({ ok: false });
  });

  test('goes by https alone', async () => {
    expect(await postForm('http://93.184.216.34/', 'x')).toMatchObject({ ok: false });
  });
});

describe('with a server that answers', () => {
  let server: Server;
  let reach: Reach;
  let looked = 0;
  const seen: { method: string | undefined; url: string | undefined; headers: object; body: string }[] = [];
  let answer: (request: IncomingMessage, response: ServerResponse) => void;

  beforeAll(async () => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'list.example' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'list.example' }] }],
    });
    server = createServer({ key, cert }, (request, response) => {
      let body = '';
      request.on('data', (piece: Buffer) => (body += piece.toString()));
      request.on('end', () => {
        seen.push({ method: request.method, url: request.url, headers: request.headers, body });
        answer(request, response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    reach = {
      resolve: async () => {
        looked++;
        return ['127.0.0.1'];
      },
      allows: () => true,
      ca: cert,
    };
  });
  afterAll(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const url = (path = '/u?id=7', host = 'list.example') =>
    `https://${host}:${(server.address() as AddressInfo).port}${path}`;

  test('is a POST of the form, without cookies, to the address that was looked up once', async () => {
    answer = (_request, response) => response.writeHead(202).end();
    looked = 0;
    expect(await postForm(url(), 'List-Unsubscribe=One-Click', reach)).toEqual({ ok: true });
    expect(looked).toBe(1);
    expect(seen.at(-1)).toMatchObject({ method: 'POST', url: '/u?id=7', body: 'List-Unsubscribe=One-Click' });
    expect(Object.keys(seen.at(-1)!.headers).sort()).toEqual([
      ...['connection', 'content-length', 'content-type', 'host', 'user-agent'],
    ]);
  });

  test('follows no redirect', async () => {
    const before = seen.length;
    answer = (_request, response) => response.writeHead(302, { location: url('/elsewhere') }).end();
    expect(await postForm(url(), 'x', reach)).toMatchObject({
      ok: false,
      why: expect.stringContaining('elsewhere'),
    });
    expect(seen.length).toBe(before + 1);
  });

  test('tells a refusal, and reads no endless answer', async () => {
    answer = (_request, response) => response.writeHead(500).end();
    expect(await postForm(url(), 'x', reach)).toMatchObject({
      ok: false,
      why: expect.stringContaining('500'),
    });
    answer = (_request, response) => {
      response.writeHead(200);
      const pour = () => response.destroyed || (response.write('x'.repeat(65_536)), setImmediate(pour));
      pour();
    };
    expect(await postForm(url(), 'x', reach)).toEqual({ ok: true });
  });

  test('trusts only a certificate of that name', async () => {
    answer = (_request, response) => response.writeHead(200).end();
    expect(await postForm(url('/', 'other.example'), 'x', reach)).toMatchObject({ ok: false });
  });
});
