/** The small parts of HTTP that gateways read for themselves: heads, origins, validators, codings, header lines. */
import { gunzipSync, brotliDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasBody, requestLines, responseLines } from '../../../gateways/front-door/header-lines.ts';
import { believeSealed, sealedOrigin } from '../../../gateways/http/forwarded.ts';
import { readHead } from '../../../gateways/http/request-head.ts';
import { chooseCoding, encode } from '../../../gateways/pages/content-coding.ts';
import { etagIn, etagOf, etagOfShort, judge, rangeIn } from '../../../gateways/pages/validators.ts';

describe('the head of a request', () => {
  const head = (url: string, lines: string[] = ['Host', 'a.example:8000'], httpVersionMinor = 1) =>
    readHead({ url, rawHeaders: lines, httpVersionMinor });

  test.each([
    ['/mail?x=1', { host: 'a.example:8000', path: '/mail?x=1' }],
    ['//evil.example/x', { host: 'a.example:8000', path: '//evil.example/x' }],
    ['/..%2f..%2fetc', { host: 'a.example:8000', path: '/..%2f..%2fetc' }],
    ['http://b.example/x?y', { host: 'b.example', path: '/x?y' }],
    ['HTTPS://b.example?y', { host: 'b.example', path: '/?y' }],
    ['http://b.example', { host: 'b.example', path: '/' }],
  ])('is a host and a path: %s', (url, expected) => expect(head(url)).toEqual(expected));

  test.each([
    ['a target without a path', head('evil')],
    ['an asterisk', head('*')],
    ['another scheme', head('file:///etc/passwd')],
    ['a user in the target', head('http://user@b.example/')],
    ['no host in the target', head('http:///x')],
    ['a fragment', head('http://b.example/#x')],
    ['two hosts', head('/', ['Host', 'a', 'host', 'a'])],
    ['no host', head('/', [])],
    ['an empty host', head('/', ['Host', ''])],
    ['a host with a blank', head('/', ['Host', 'a b'])],
    ['a host with a path', head('/', ['Host', 'a/b'])],
    ['a coding that is not chunked', head('/', ['Host', 'a', 'Transfer-Encoding', 'gzip, chunked'])],
    ['a coding under HTTP/1.0', head('/', ['Host', 'a', 'Transfer-Encoding', 'chunked'], 0)],
  ])('is refused with a sentence: %s', (_what, found) => expect(found).toMatch(/^[A-Z].*\.$/));

  test('needs no host under HTTP/1.0', () => expect(head('/', [], 0)).toEqual({ host: '', path: '/' }));
});

describe('where a request comes from', () => {
  const KEY = 'key';
  const origin = { address: '192.0.2.7', host: 'cloud.example', proto: 'https' as const };

  test('is believed under the seal of the front door', () => {
    const headers: Record<string, string> = { ...sealedOrigin(KEY, origin), cookie: 'a=b' };
    believeSealed(KEY, headers);
    expect(headers).toEqual({ 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'https', cookie: 'a=b' });
  });

  test('is written so that IPv6 is read back, and IPv4 in IPv6 is IPv4', () => {
    for (const [address, expected] of [
      ['2001:db8::1', '2001:db8::1'],
      ['::ffff:192.0.2.7', '192.0.2.7'],
    ] as const) {
      const headers = sealedOrigin(KEY, { ...origin, address });
      believeSealed(KEY, headers);
      expect(headers['x-forwarded-for']).toBe(expected);
    }
  });

  test.each([
    ['without a seal', { forwarded: 'for="6.6.6.6";host="a";proto=http', 'x-forwarded-for': '6.6.6.6' }],
    [
      'with the seal of another address',
      { ...sealedOrigin(KEY, origin), forwarded: 'for="6.6.6.6";host="a";proto=http' },
    ],
    ['under another key', sealedOrigin('other', origin)],
    ['without Forwarded', { 'x-penncloud-seal': 'x', 'x-real-ip': '6.6.6.6', 'x-forwarded-for': '6.6.6.6' }],
  ])('is dropped %s', (_what, given) => {
    const headers: Record<string, string> = { ...given };
    believeSealed(KEY, headers);
    expect(headers).toEqual({});
  });

  test('is believed by nobody who has no key', () => {
    const headers = sealedOrigin(KEY, origin);
    believeSealed(undefined, headers);
    expect(headers).toEqual({});
  });
});

describe('header lines', () => {
  const message = (...rawHeaders: string[]) => {
    const headers: Record<string, string> = {};
    for (let at = 0; at < rawHeaders.length; at += 2)
      headers[rawHeaders[at]!.toLowerCase()] = rawHeaders[at + 1]!;
    return { rawHeaders, headers };
  };

  test('of one name stay apart and in order', () => {
    const lines = responseLines(
      message('Set-Cookie', 'a=1', 'X', 'y', 'set-cookie', 'b=2', 'Set-Cookie', 'c=3'),
    );
    expect({ ...lines }).toEqual({ 'set-cookie': ['a=1', 'b=2', 'c=3'], x: 'y' });
  });

  test('that Connection names stay behind, except what a message cannot do without', () => {
    const lines = requestLines(
      message('Connection', 'Content-Length, X-A, cookie', 'X-A', '1', 'Content-Length', '5', 'Cookie', 'c'),
    );
    expect({ ...lines }).toEqual({ 'content-length': '5', cookie: 'c' });
  });

  test('may have any name', () => {
    expect(Object.keys(requestLines(message('__proto__', 'x', 'constructor', 'y')))).toEqual([
      '__proto__',
      'constructor',
    ]);
  });

  test('tell whether there is a body', () => {
    expect(
      [
        message('Content-Length', '0'),
        message('Content-Length', '1'),
        message('Transfer-Encoding', 'chunked'),
        message(),
      ].map(hasBody),
    ).toEqual([...[false, true, true, false]]);
  });
});

describe('a condition', () => {
  const now = { etag: '"now"', lastModified: Date.parse('2026-11-23T12:00:00.500Z') };
  const at = 'Mon, 23 Nov 2026 12:00:00 GMT';
  const before = 'Mon, 23 Nov 2026 11:59:59 GMT';

  test.each([
    [{}, 'send'],
    [{ 'if-none-match': '"now"' }, 'unchanged'],
    [{ 'if-none-match': 'W/"now"' }, 'unchanged'],
    [{ 'if-none-match': '"a", "now"' }, 'unchanged'],
    [{ 'if-none-match': '*' }, 'unchanged'],
    [{ 'if-none-match': '"a,b"' }, 'send'],
    [{ 'if-none-match': 'now' }, 'send'],
    [{ 'if-none-match': '"a"', 'if-modified-since': at }, 'send'],
    [{ 'if-modified-since': at }, 'unchanged'],
    [{ 'if-modified-since': before }, 'send'],
    [{ 'if-modified-since': 'yesterday' }, 'send'],
    [{ 'if-match': '"now"' }, 'send'],
    [{ 'if-match': '*' }, 'send'],
    [{ 'if-match': 'W/"now"' }, 'failed'],
    [{ 'if-match': '"a"' }, 'failed'],
    [{ 'if-match': '"a"', 'if-none-match': '"now"' }, 'failed'],
    [{ 'if-unmodified-since': before }, 'failed'],
    [{ 'if-unmodified-since': at }, 'send'],
  ] as const)('%j: %s', (headers, expected) => expect(judge(headers, now)).toBe(expected));

  test.each([
    [{ range: 'bytes=0-' }, 'bytes=0-'],
    [{ range: 'bytes=0-', 'if-range': '"now"' }, 'bytes=0-'],
    [{ range: 'bytes=0-', 'if-range': 'W/"now"' }, undefined],
    [{ range: 'bytes=0-', 'if-range': '"a"' }, undefined],
    [{ range: 'bytes=0-', 'if-range': at }, 'bytes=0-'],
    [{ range: 'bytes=0-', 'if-range': before }, undefined],
  ] as const)('on a range, %j: %s', (headers, expected) => expect(rangeIn(headers, now)).toBe(expected));
});

describe('an entity tag', () => {
  test('is the same for the same bytes, however it is made, and another in another coding', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.uint8Array(), async (a, b) => {
        expect(await etagOf(a)).toBe(etagOfShort(a));
        if (Buffer.compare(a, b) !== 0) expect(etagOfShort(a)).not.toBe(etagOfShort(b));
      }),
    );
    const etag = etagOfShort(Buffer.from('x'));
    expect(new Set([etag, etagIn('br', etag), etagIn('gzip', etag)]).size).toBe(3);
    expect(etagIn('br', '"x"')).toBe('"x-br"');
  });
});

describe('the coding', () => {
  test.each([
    [undefined, 'identity'],
    ['', 'identity'],
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'br'],
    ['br;q=0.5, gzip;q=0.8', 'gzip'],
    ['br;q=0, gzip;q=0', 'identity'],
    ['*', 'br'],
    ['*;q=0.1, br;q=0', 'gzip'],
    ['GZIP', 'gzip'],
    ['deflate, x-unknown', 'identity'],
    ['br;q=nonsense', 'br'],
  ])('for %j is %s', (accepted, expected) => expect(chooseCoding(accepted)).toBe(expected));

  test('keeps the bytes', async () => {
    const bytes = Buffer.from('again and again '.repeat(500));
    expect(gunzipSync(await encode(bytes, 'gzip', 4)).equals(bytes)).toBe(true);
    expect(brotliDecompressSync(await encode(bytes, 'br', 4)).equals(bytes)).toBe(true);
    expect(await encode(bytes, 'identity', 4)).toBe(bytes);
  });
});
