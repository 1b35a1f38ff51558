/** Messages from outside, and folders that are long. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrived, openHouse, type House } from './pages-house.ts';
import { linksOn, type Visitor } from './visitor.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house?.close());

describe('a message from outside', () => {
  let carol: Visitor;
  beforeAll(async () => {
    carol = await house.person('carol');
  });

  const html = (body: string) =>
    `From: Mallory <mallory@example.org>\r\nTo: carol@penncloud.test\r\nSubject: Offer\r\nContent-Type: text/html\r\n\r\n${body}`;

  test('is shown in a frame that can do nothing, under a policy of its own', async () => {
    await house.receive(
      'carol',
      html('<b>Hi</b><script>alert(1)</script><img src="https://tracker.example/x.gif">'),
    );
    const url = await arrived(carol, 'Offer');
    const page = await carol.get(url);
    expect(page.body).toMatch(
      new RegExp(`<iframe [^>]*src="${url}/body" sandbox="allow-popups allow-popups-to-escape-sandbox"`),
    );
    expect(page.body).toContain('Load pictures');
    const frame = await carol.get(`${url}/body`);
    expect(frame.headers['content-security-policy']).toMatch(
      /^sandbox allow-popups[^;]*; default-src 'none'; img-src data:;/,
    );
    expect(frame.body).toContain('<b>Hi</b>');
    expect(frame.body).not.toMatch(/script|tracker/);
    const asked = await carol.get(`${url}/body?images=1`);
    expect(asked.body).toContain('https://tracker.example/x.gif');
  });

  test('gives its attachments as downloads, whatever they are called', async () => {
    const attachment =
      'Content-Type: text/html; name="../../evil.html"\r\nContent-Disposition: attachment; filename="../../evil.html"';
    await house.receive(
      'carol',
      `From: m@example.org\r\nSubject: Enclosed\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee\r\n--b\r\n${attachment}\r\n\r\n<script>alert(1)</script>\r\n--b--\r\n`,
    );
    const url = await arrived(carol, 'Enclosed');
    const link = linksOn(await carol.get(url), /\/attachment\//)[0]!;
    const file = await carol.get(link);
    expect(file.headers['content-disposition']).toBe(
      `attachment; filename="evil.html"; filename*=UTF-8''evil.html`,
    );
    expect(file.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
    });
    expect(file.body.trim()).toBe('<script>alert(1)</script>');
    expect((await carol.get(`${url}/attachment/7`)).statusCode).toBe(404);
  });

  test('that cannot be parsed is kept raw and shown so', async () => {
    const deep = Array.from(
      { length: 1200 },
      (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`,
    ).join('');
    await house.receive('carol', `From: m@example.org\r\nSubject: Deep\r\n${deep}`);
    const url = await arrived(carol, 'Deep');
    const page = await carol.get(url);
    expect(page.statusCode).toBe(200);
    expect(page.body).toContain('This message could not be read in full.');
    expect((await carol.get(`${url}/raw`)).body).toContain('boundary=b1199');
  });

  test('keeps its bytes: what is downloaded is what came', async () => {
    const raw = Buffer.concat([
      Buffer.from('From: m@example.org\r\nSubject: Big\r\n\r\n'),
      randomBytes(200_000),
    ]);
    await house.receive('carol', raw);
    const url = await arrived(carol, 'Big');
    const saved = await carol.get(`${url}/raw?download=1`);
    expect(saved.rawPayload.equals(raw)).toBe(true);
    expect(saved.headers['content-disposition']).toContain('Big.eml');
  });
});

describe('a long folder', () => {
  const TOTAL = 120;
  let dora: Visitor;
  beforeAll(async () => {
    dora = await house.person('dora');
    for (let n = 1; n <= TOTAL; n++)
      await house.receive('dora', `From: a@example.org\r\nSubject: Number ${n}\r\n\r\nx`);
  });

  const counts = (body: string) => /class="count">([^<]*)</.exec(body)?.[1];
  const subjects = (body: string) => [...body.matchAll(/>Number (\d+)</g)].map(([, n]) => Number(n));

  test('is paged forward and back, fifty at a time, newest first, each message once', async () => {
    const forth: number[] = [];
    let page = await dora.get('/mail/inbox');
    const said = [counts(page.body)];
    for (;;) {
      forth.push(...subjects(page.body));
      const older = linksOn(page, /\?after=/)[0];
      if (older === undefined) break;
      page = await dora.get(older);
      said.push(counts(page.body));
    }
    expect(said).toEqual(['1–50 of 120', '51–100 of 120', '101–120 of 120']);
    expect(forth).toEqual(Array.from({ length: TOTAL }, (_, i) => TOTAL - i));

    page = await dora.get(linksOn(page, /\?before=/)[0]!);
    expect(counts(page.body)).toBe('51–100 of 120');
    page = await dora.get('/mail/inbox?end=1');
    expect([counts(page.body), subjects(page.body).at(-1)]).toEqual(['71–120 of 120', 1]);
  });

  test('weighs little: at most 14 KiB, compressed', async () => {
    const page = await dora.get('/mail/inbox', { 'accept-encoding': 'br' });
    expect(page.headers['content-encoding']).toBe('br');
    expect(page.rawPayload.length).toBeLessThan(14 * 1024);
  });

  test('is fetched again in part, for the script to swap in', async () => {
    const part = await dora.get('/mail/inbox?fragment=list');
    expect(part.body).not.toContain('<html');
    expect(part.body).toContain('data-fragment="list"');
    expect(subjects(part.body)).toHaveLength(50);
  });
});
