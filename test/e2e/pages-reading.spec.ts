/** What a message brings along, through the pages: attachments, an invitation, a way off a list, its headers, its paper form. */
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHouse, type House } from './pages-house.ts';
import { alertOn, formOn, type Visitor } from './visitor.ts';

let house: House;
let list: Server;
let reader: Visitor;
let other: Visitor;
let asked: string[] = [];
let status = 200;

beforeAll(async () => {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'list.example' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'list.example' }] }],
  });
  list = createServer({ key, cert }, (request, response) => {
    request.on('data', (body: Buffer) => asked.push(`${request.method} ${request.url} ${body.toString()}`));
    request.on('end', () => response.writeHead(status, { location: 'https://list.example/login' }).end());
  });
  await new Promise<void>((resolve) => list.listen(0, '127.0.0.1', resolve));
  const resolve = async (host: string) => (host === 'list.example' ? ['127.0.0.1'] : []);
  house = await openHouse({ reach: { resolve, allows: () => true, ca: cert } });
  [reader, other] = [await house.person('reader'), await house.person('someone-else')];
});
afterAll(async () => {
  await house?.close();
  list.closeAllConnections();
  await new Promise((resolve) => list.close(resolve));
});

const received = async (raw: string) => `/mail/inbox/${await house.receive('reader', raw)}`;
const newsletter = (more: string) => `From: news@list.example\r\nSubject: News\r\n${more}\r\n\r\nHello`;
const oneClick = (path: string) =>
  newsletter(
    `List-Unsubscribe: <https://list.example:${(list.address() as AddressInfo).port}${path}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click`,
  );

describe('leaving a mailing list (RFC 8058)', () => {
  test('takes one click, and says so', async () => {
    [asked, status] = [[], 200];
    const url = await received(oneClick('/u?id=7'));
    expect((await reader.get(url)).body).toContain('We ask list.example');
    expect(asked).toEqual([]);
    const answer = await reader.submit(url, `${url}/unsubscribe`);
    expect([answer.statusCode, answer.headers.location]).toEqual([303, `${url}/unsubscribe?done=1`]);
    expect(asked).toEqual(['POST /u?id=7 List-Unsubscribe=One-Click']);
    expect((await reader.get(answer.headers.location as string)).body).toMatch(
      /role="status">The sender’s server has taken/,
    );
  });

  test.each([
    ['refuses', 500],
    ['leads elsewhere', 302],
  ])('tells when the sender’s server %s, and offers to try again', async (_case, answered) => {
    [asked, status] = [[], answered];
    const url = await received(oneClick('/u'));
    const answer = await reader.submit(url, `${url}/unsubscribe`);
    expect([answer.statusCode, alertOn(answer)]).toEqual([
      502,
      expect.stringContaining('You are still subscribed'),
    ]);
    expect(asked).toHaveLength(1);
    expect(formOn(answer, `${url}/unsubscribe`)).toHaveProperty('csrf');
  });

  test('asks nobody without a click on our own page', async () => {
    asked = [];
    const url = await received(oneClick('/u'));
    const form = formOn(await reader.get(url), `${url}/unsubscribe`);
    await reader.get(`${url}/unsubscribe`);
    expect((await reader.post(`${url}/unsubscribe`, {})).statusCode).toBe(403);
    expect(
      (await reader.post(`${url}/unsubscribe`, form, { origin: 'https://evil.example' })).statusCode,
    ).toBe(403);
    expect((await other.post(`${url}/unsubscribe`, form)).statusCode).toBe(403);
    const own = formOn(await other.get('/mail/compose'), '/mail/compose');
    expect((await other.post(`${url}/unsubscribe`, own)).statusCode).toBe(404);
    expect(asked).toEqual([]);
  });

  test('leads to a letter, or to the sender’s page, where there is no one click', async () => {
    const letter = await received(
      newsletter('List-Unsubscribe: <mailto:leave@list.example?subject=leave%20me>'),
    );
    const link = /href="(\/mail\/compose[^"]*)"[^>]*>Unsubscribe with a letter/.exec(
      (await reader.get(letter)).body,
    )?.[1];
    const form = formOn(
      await reader.get(link!.replaceAll('&amp;', '&').replaceAll('&#x3D;', '=')),
      '/mail/compose',
    );
    expect(form).toMatchObject({ to: 'leave@list.example', subject: 'leave me' });
    const page = await received(newsletter('List-Unsubscribe: <http://list.example/leave>'));
    expect((await reader.get(page)).body).toContain('>Unsubscribe on list.example</a>');
    const csrf = formOn(await reader.get(page), '/mail/inbox/do');
    expect((await reader.post(`${page}/unsubscribe`, csrf)).statusCode).toBe(400);
  });

  test('is not offered for spam', async () => {
    const url = await received(oneClick('/u'));
    await reader.submit(url, '/mail/inbox/do', { action: 'spam' });
    const spam = url.replace('inbox', 'spam');
    expect((await reader.get(spam)).body).not.toContain('/unsubscribe');
  });
});

const INVITATION = [
  ...['BEGIN:VCALENDAR', 'VERSION:2.0', 'METHOD:REQUEST', 'BEGIN:VEVENT', 'UID:1', 'SUMMARY:Planning <b>'],
  ...['DTSTART:20261126T090000Z', 'DTEND:20261126T100000Z', 'LOCATION:Room 4', 'RRULE:FREQ=WEEKLY;COUNT=4'],
  ...[
    'ORGANIZER;CN=Jonas:mailto:jonas@example.org',
    'ATTENDEE;CN=Maya;PARTSTAT=ACCEPTED:mailto:m@example.org',
  ],
  ...['END:VEVENT', 'END:VCALENDAR', ''],
].join('\r\n');

const multipart = (kind: string, parts: readonly string[]) =>
  `From: jonas@example.org\r\nSubject: Parts\r\nContent-Type: multipart/${kind}; boundary=b\r\n\r\n` +
  `${parts.map((part) => `--b\r\n${part}\r\n`).join('')}--b--\r\n`;

describe('an invitation', () => {
  test('is a card, wherever in the message it stands', async () => {
    const text = 'Content-Type: text/plain\r\n\r\nSee you';
    const calendar = `Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n${INVITATION}`;
    for (const kind of ['alternative', 'mixed']) {
      const { body } = await reader.get(await received(multipart(kind, [text, calendar])));
      expect(body).toContain('<h2>Planning &lt;b&gt;</h2>');
      expect(body).toMatch(/<dt>When<\/dt><dd><time datetime="2026-11-26T09:00:00.000Z"/);
      expect(body).toContain('Repeats every week, 4 times');
      expect(body).toContain('Room 4');
      expect(body).toMatch(/Maya<\/span> <small>coming/);
    }
  });

  test('that cannot be read stays an attachment', async () => {
    const broken =
      'Content-Type: text/calendar; name=x.ics\r\nContent-Disposition: attachment\r\n\r\nBEGIN:VCALENDAR';
    const { body, statusCode } = await reader.get(await received(multipart('mixed', [broken])));
    expect([statusCode, body.includes('class="invitation'), body.includes('x.ics')]).toEqual([
      200,
      false,
      true,
    ]);
  });
});

describe('the parts of a message', () => {
  test('are listed with size and type; pictures in the text apart', async () => {
    const html = 'Content-Type: text/html\r\n\r\n<img src="cid:logo"><p>Hi</p>';
    const file = (name: string, type: string, more = '') =>
      `Content-Type: ${type}; name="${name}"\r\nContent-Disposition: attachment; filename="${name}"\r\n${more}\r\n${'x'.repeat(2000)}`;
    const url = await received(
      multipart('mixed', [
        html,
        file('logo.png', 'image/png', 'Content-ID: <logo>\r\n'),
        file('Plan.pdf', 'application/pdf'),
        file('a.zip', 'application/zip'),
      ]),
    );
    const { body } = await reader.get(url);
    expect(body).toContain('<h2>2 attachments, 4.0 KB</h2>');
    expect(body).toContain('PDF, 2.0 KB');
    expect(body).toContain('ZIP archive, 2.0 KB');
    expect(body).toContain('1 picture in the text');
    expect(body).toContain(`href="${url}/attachments.zip"`);
    expect((await reader.get(`${url}?view=text`)).body).toContain('<h2>3 attachments, 6.0 KB</h2>');
  });

  test('include every field of the header, decoded, in order', async () => {
    const url = await received(
      'Received: two\r\nReceived: one\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-<b>: y\r\nFrom: a@b.example\r\n\r\nx',
    );
    const { body } = await reader.get(`${url}/headers`);
    expect(
      [...body.matchAll(/<dt>([^<]*)<\/dt><dd>([^<]*)<\/dd>/g)].map(([, name, value]) => `${name}: ${value}`),
    ).toEqual([
      ...['Received: two', 'Received: one', 'Subject: Grüße', 'X-&lt;b&gt;: y', 'From: a@b.example'],
    ]);
  });

  test('are printed without anything around them, and as safely as in the frame', async () => {
    const url = await received(
      'From: a@b.example\r\nSubject: 1 < 2\r\nContent-Type: text/html\r\n\r\n<style>p{color:red}</style><script>x</script><p>Hi</p>',
    );
    const { body, headers } = await reader.get(`${url}/print`);
    expect(headers['content-security-policy']).toMatch(/^sandbox .*default-src 'none'/);
    expect(body).toMatch(/<h1[^>]*>1 &lt; 2<\/h1>[^]*a@b\.example[^]*<p>Hi<\/p>/);
    expect(body).not.toMatch(/<script|<form|Log out/);
  });
});
