/** Requests that two servers could read in two ways, or that name a place which is none: what the front door lets through. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { until } from './cluster.ts';
import { proxying } from './proxying.ts';

const { open, port } = proxying();

/** Writes bytes as they stand; resolves with all that comes until the connection is closed or quiet. */
async function raw(bytes: string): Promise<string> {
  const socket = connect(port(), '127.0.0.1');
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
