/** What a message brings along, through the pages: attachments, an invitation, a way off a list, its headers, its paper form, its story. */
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accountStream } from '../../domain/streams.ts';
import { until } from './cluster.ts';
import { arrived, openHouse, PASSWORD, type House } from './pages-house.ts';
import { alertOn, formOn, linksOn, type Visitor } from './visitor.ts';

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
/** As the intake writes it, for a signature that covers what a click relies on. */
const SIGNED =
  'Authentication-Results: penncloud.test;\r\n\tspf=none;\r\n\tdkim=pass header.d=list.example policy.unsubscribe=signed;\r\n\tdmarc=pass header.from=list.example;\r\n\tarc=none\r\nReceived: from x\r\n';
const newsletter = (more: string) =>
  `${SIGNED}From: news@list.example\r\nSubject: News\r\n${more}\r\n\r\nHello`;
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
    const page = (await reader.get(url)).body;
    expect(page).toMatch(/You unsubscribed from this mailing list on <time/);
    expect(page).not.toContain(`action="${url}/unsubscribe"`);
  });

  test('asks a list that has taken the wish no more, also not from a form that was open', async () => {
    [asked, status] = [[], 200];
    const url = await received(oneClick('/u'));
    const forms = [await reader.get(url), await reader.get(url)].map((page) =>
      formOn(page, `${url}/unsubscribe`),
    );
    for (const form of forms) expect((await reader.post(`${url}/unsubscribe`, form)).statusCode).toBe(303);
    expect(asked).toHaveLength(1);
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
    const why = (await reader.get(`${url}/why`)).body;
    expect(why).toMatch(/You asked to leave its mailing list[^]*list\.example:\d+ was asked: /);
    expect((await reader.get(`${url}/unsubscribe?done=1`)).body).not.toContain('role="status"');
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

/** What the page tells, one line for each event: its words and notes, and by whom. */
async function story(visitor: Visitor, url: string): Promise<string[]> {
  const { body } = await visitor.get(`${url}/why`);
  return [...body.matchAll(/<li><svg.*?<\/svg>(.*?)<\/li>/gs)].map(([, item = '']) =>
    item
      .replace(/<time[^>]*>[^<]*<\/time>/g, 'THEN')
      .replace(/<\/p>\s*/g, ' | ')
      .replace(/<[^>]*>/g, '')
      .replace(/entry \d+/g, 'entry N')
      .trim(),
  );
}

describe('“Why is this here”', () => {
  const trace = (more: string) =>
    `Return-Path: <bounce@list.example>\r\nReceived: from mail.list.example ([192.0.2.7])\r\n\tby mx.penncloud.test with ESMTPS id ${'a'.repeat(26)}${more};\r\n\tMon, 23 Nov 2026 10:00:00 +0000\r\n`;
  const stranger = 'Return-Path: <liar@evil.example>\r\nReceived: from liar ([192.0.2.66])\r\n\tby x';
  const mail = `From: news@list.example\r\nSubject: Gardens\r\n\r\nHello`;

  test('tells who handed the message over, and what was done with it since', async () => {
    const url = await received(`${trace('\r\n\tfor <reader@penncloud.test>')}${mail}`);
    expect((await reader.get(url)).body).toContain(`href="${url}/why">Why is this here</a>`);
    const starred = await reader.submit(url, '/mail/inbox/do', { action: 'star', m: url.slice(12) });
    await reader.submit(String(starred.headers.location), '/undo');
    await reader.submit(url, '/mail/inbox/do', { action: 'archive' });
    const [arrival, ...changes] = await story(reader, url);
    expect(arrival).toBe(
      'Received from another mail server | ' +
        'Handed over by mail.list.example [192.0.2.7] to mx.penncloud.test, over an encrypted connection. | ' +
        'Its envelope named the sender bounce@list.example and the recipient reader@penncloud.test. | ' +
        `No rule of yours held for it: it came to “Inbox”. | THEN · ${await tabletOf('reader')}, entry N |`,
    );
    const told = changes.map((line) => line.replace(/ \| THEN · | · t.*/g, ': ').trim());
    // Opening it marked it as read, beside what follows.
    expect(told.filter((line) => line !== 'Read: by you:')).toEqual([
      'Starred: by you:',
      'Undone: its star removed: by you:',
      'Moved from “Inbox” to “Archive”: by you:',
    ]);
    const { body } = await reader.get(url.replace('inbox', 'archive') + '/why');
    expect(body).toMatch(/It has been in “Archive” since <time[^>]*>[^<]*<\/time>, when you moved it\./);
  });

  test('does not believe what a stranger wrote there', async () => {
    const url = await received(`X-Top: 1\r\n${stranger}\r\n${mail}`);
    expect((await story(reader, url))[0]).not.toMatch(/liar|Handed/);
  });

  test('names the rules that held, and whose rule sent it on', async () => {
    const rule = { name: 'Gardens', from: 'news@list.example', starred: 'yes', read: '', stop: '' };
    await other.submit('/mail/rules/new', '/mail/rules/new', {
      ...rule,
      folder: 'archive',
      forward: 'reader@penncloud.test',
      action: 'save',
    });
    const id = await house.receive('someone-else', mail);
    expect((await story(other, `/mail/archive/${id}`))[0]).toMatch(
      /This rule of yours held for it: “Gardens”\. It came to “Archive”, was starred and was forwarded to reader\. \| THEN · by your rules/,
    );
    const there = await until('it was sent on', async () => {
      const answer = await reader.get(`/mail/inbox/${id}/why`);
      return answer.statusCode === 200 ? await story(reader, `/mail/inbox/${id}`) : undefined;
    });
    expect(there[0]).toMatch(/^Forwarded to you by a rule of someone-else \|/);
    const list = await other.get('/mail/rules');
    const [made] = linksOn(list, /^\/mail\/rules\/[a-z2-7]{26}$/);
    await other.submit('/mail/rules', `${made}/delete`);
    expect((await story(other, `/mail/archive/${id}`))[0]).toContain('a rule that is deleted since');
  });

  test('tells of one’s own message when it was written, when it went out, and whom it reached', async () => {
    const fields = { to: 'someone-else@penncloud.test', subject: 'Own', text: 'Hi', action: 'send' };
    await reader.submit('/mail/compose', '/mail/compose', fields);
    const url = await arrived(reader, 'Own', 'sent');
    const lines = await until('it is delivered', async () => {
      const all = await story(reader, url);
      return all.length > 2 ? all : undefined;
    });
    expect(lines.map((line) => line.replace(/ \| .*/, ''))).toEqual([
      'You wrote it, to be sent at THEN',
      'Sent',
      'Delivered to someone-else',
    ]);
    expect((await story(other, await arrived(other, 'Own')))[0]).toMatch(/^Received from an account here/);
  });

  test('leads administrators to the entries, and nobody to other people’s messages', async () => {
    const url = await received(mail);
    expect((await reader.get(`${url}/why`)).body).not.toContain('/admin/');
    for (const id of [url.slice(12), 'a'.repeat(26), '..%2f..%2fx']) {
      expect((await other.get(`/mail/inbox/${id}/why`)).statusCode).toBe(404);
    }
    await house.makeAdmin('keeper');
    const keeper = house.visitor();
    await keeper.logIn('keeper', PASSWORD);
    const id = await house.receive('keeper', mail);
    const [entry] = linksOn(await keeper.get(`/mail/inbox/${id}/why`), /^\/admin\/events/);
    const events = await keeper.get(entry!);
    expect(events.body).toContain(`&quot;messageId&quot;: &quot;${id}&quot;`);
  });

  async function tabletOf(name: string): Promise<string> {
    return (await house.store.read(accountStream(name), [])).tablet;
  }
});
