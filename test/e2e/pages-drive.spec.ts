/** Files up and down. */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHouse, type House } from './pages-house.ts';
import { alertOn, formOn, type Visitor } from './visitor.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house?.close());

describe('files (DR-1)', () => {
  let erin: Visitor;
  beforeAll(async () => {
    erin = await house.person('erin');
  });

  const keys = async () => formOn(await erin.get('/drive'), '/drive/upload');
  const fileUrl = async (name: string) => {
    const page = await erin.get('/drive');
    const row = page.body.split('<tr>').find((one) => one.includes(`<span>${name}</span>`));
    return /href="([^"]+)"/.exec(row ?? '')![1]!;
  };

  test('say that there are none yet', async () =>
    expect((await erin.get('/drive')).body).toContain('No files yet'));

  test.each([
    ['empty.txt', Buffer.alloc(0)],
    ['hello.txt', Buffer.from('hello\n')],
    ['one-chunk.bin', randomBytes(1024 * 1024)],
    ['three.bin', randomBytes(2 * 1024 * 1024 + 1)],
  ])('go up through one gateway and come down through another, byte for byte: %s', async (name, bytes) => {
    const form = await keys();
    const up = await erin.upload(form, [{ name, bytes }]);
    expect([up.statusCode, up.headers.location]).toEqual([303, '/drive?added=1']);
    const url = await fileUrl(name);
    erin.moveTo(house.gateways[1]);
    const down = await erin.get(url);
    erin.moveTo(house.gateways[0]);
    expect(down.rawPayload.equals(bytes)).toBe(true);
    expect(down.headers).toMatchObject({
      'content-length': String(bytes.length),
      etag: `"${createHash('sha256').update(bytes).digest('hex')}"`,
      'content-disposition': `attachment; filename="${name}"; filename*=UTF-8''${name}`,
      'content-security-policy': "sandbox; default-src 'none'",
    });
  });

  test('are the same once when the form is sent twice, and both kept under one name', async () => {
    const form = await keys();
    const file = { name: 'report.pdf', bytes: Buffer.from('%PDF-1.7 first') };
    for (let sent = 0; sent < 2; sent++) await erin.upload(form, [file]);
    expect((await erin.get('/drive')).body).not.toContain('report (2).pdf');
    await erin.upload(await keys(), [{ ...file, bytes: Buffer.from('%PDF-1.7 second') }]);
    expect((await erin.get(await fileUrl('report.pdf'))).body).toBe('%PDF-1.7 first');
    expect((await erin.get(await fileUrl('report (2).pdf'))).body).toBe('%PDF-1.7 second');
  });

  test('never mix: a form that was used for one file is refused for another', async () => {
    const form = await keys();
    await erin.upload(form, [{ name: 'a.bin', bytes: Buffer.from('one') }]);
    const again = await erin.upload(form, [{ name: 'a.bin', bytes: Buffer.from('two') }]);
    expect([again.statusCode, alertOn(again)]).toEqual([
      409,
      expect.stringContaining('used for another file'),
    ]);
    expect((await erin.get(await fileUrl('a.bin'))).body).toBe('one');
  });

  test('several at once', async () => {
    const files = ['x.txt', 'y.txt', 'z.txt'].map((name) => ({ name, bytes: Buffer.from(name) }));
    expect((await erin.upload(await keys(), files)).headers.location).toBe('/drive?added=3');
    expect((await erin.get(await fileUrl('z.txt'))).body).toBe('z.txt');
  });

  test('come in ranges, and not at all when they are known already', async () => {
    await erin.upload(await keys(), [{ name: 'ranges.bin', bytes: Buffer.from('0123456789') }]);
    const url = await fileUrl('ranges.bin');
    const part = await erin.get(url, { range: 'bytes=2-4' });
    expect([part.statusCode, part.body, part.headers['content-range']]).toEqual([206, '234', 'bytes 2-4/10']);
    const behind = await erin.get(url, { range: 'bytes=10-' });
    expect([behind.statusCode, behind.headers['content-range']]).toEqual([416, 'bytes */10']);
    const etag = String(part.headers.etag);
    expect((await erin.get(url, { 'if-none-match': etag })).statusCode).toBe(304);
    const head = await erin.request({ method: 'HEAD', url });
    expect([head.statusCode, head.headers['content-length'], head.body]).toEqual([200, '10', '']);
  });

  test.each([
    ['a slash', 'a/b.txt', /not contain "\/"/],
    ['NUL', 'a\0b.txt', /not contain NUL/],
    ['5,000 characters', `${'x'.repeat(5000)}.txt`, /be 1 to 255 bytes/],
    ['two dots', '..', /not be "\." or "\.\."/],
  ])(
    'are refused under a name with %s, naming field and limit, nothing half done',
    async (_case, name, rule) => {
      const before = (await erin.get('/drive?fragment=list')).body;
      const answer = await erin.upload(await keys(), [{ name, bytes: Buffer.from('content') }]);
      expect(answer.statusCode).toBe(400);
      expect(alertOn(answer)).toMatch(/^File name must/);
      expect(alertOn(answer)).toMatch(rule);
      expect(alertOn(answer)).toContain('1 to 255 bytes');
      expect((await erin.get('/drive?fragment=list')).body).toBe(before);
    },
  );

  test('are refused without a file, without our token, and for someone else', async () => {
    const none = await erin.upload(await keys(), []);
    expect([none.statusCode, alertOn(none)]).toEqual([400, 'File is missing: choose at least one.']);
    const file = { name: 'stolen.txt', bytes: Buffer.from('x') };
    expect((await erin.upload({ ...(await keys()), csrf: 'x' }, [file])).statusCode).toBe(403);
    const other = await house.person('frank');
    expect((await other.get(await fileUrl('hello.txt'))).statusCode).toBe(404);
    expect((await house.visitor().get(await fileUrl('hello.txt'))).statusCode).toBe(303);
  });
});
