/**
 * Hostile headers, structures and attachments, received into a real house: each page opens, says what it should,
 * and nothing that a stranger sent is taken for more than data.
 */
import type { Readable } from 'node:stream';
import { fromBuffer, type Entry, type ZipFile } from 'yauzl';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WatchedBrowser } from './hostile/watched-browser.ts';
import { openHouse, type House } from './pages-house.ts';
import type { Answer, Visitor } from './visitor.ts';

let house: House;
let browser: WatchedBrowser;
let reader: Visitor;
let stranger: Visitor;
let origin: string;

beforeAll(async () => {
  [house, browser] = await Promise.all([openHouse(), WatchedBrowser.open()]);
  reader = await house.person('parts');
  stranger = await house.person('stranger');
  origin = await house.gateways[0].listen({ host: '127.0.0.1', port: 0 });
  await browser.context.addCookies(
    [...reader.cookies].map(([name, value]) => ({ name, value, url: origin })),
  );
});
afterAll(async () => {
  await browser?.close();
  await house?.close();
});

const received = async (raw: string | Buffer) => `/mail/inbox/${await house.receive('parts', raw)}`;
const b64 = (text: string | Buffer) => Buffer.from(text).toString('base64');
const word = (text: string, charset = 'utf-8') => `=?${charset}?b?${b64(text)}?=`;
const titleOf = (page: Answer) => /<h1>([^<]*)<\/h1>/.exec(page.body)?.[1];

type File = { name: string; type: string; body: string | Buffer; id?: string };
function withFiles(files: readonly File[], html?: string): string {
  const head = 'From: Eve <eve@evil.example>\r\nSubject: files\r\nMIME-Version: 1.0';
  const parts = files.map(
    ({ name, type, body, id }) =>
      `Content-Type: ${type}\r\nContent-Disposition: attachment; filename*=UTF-8''${encodeURIComponent(name)}\r\n` +
      `${id === undefined ? '' : `Content-ID: <${id}>\r\n`}Content-Transfer-Encoding: base64\r\n\r\n${b64(body)}`,
  );
  const text =
    html === undefined ? 'Content-Type: text/plain\r\n\r\nhi' : `Content-Type: text/html\r\n\r\n${html}`;
  const all = [text, ...parts].map((part) => `--b\r\n${part}\r\n`).join('');
  return `${head}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${all}--b--\r\n`;
}

const SCRIPT = '<script>ran()</script><img src=x onerror=ran()>';
const SVG = '<svg xmlns="http://www.w3.org/2000/svg" onload="ran()"><script>ran()</script></svg>';
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

describe('attachments that pretend', () => {
  test.each<[string, File]>([
    ['HTML', { name: 'x.html', type: 'text/html', body: SCRIPT }],
    ['HTML as a picture', { name: 'x.png', type: 'image/png', body: SCRIPT }],
    [
      'HTML behind a picture’s first bytes',
      { name: 'x.png', type: 'image/png', body: Buffer.concat([PNG, Buffer.from(SCRIPT)]) },
    ],
    ['HTML as text', { name: 'x.txt', type: 'text/plain', body: SCRIPT }],
    ['HTML as nothing', { name: 'x', type: 'unknown/unknown', body: SCRIPT }],
    ['HTML without a type', { name: 'x.html', type: '*/*', body: SCRIPT }],
    [
      'HTML as CSV in UTF-7',
      { name: 'x.csv', type: 'text/csv; charset=utf-7', body: '+ADw-script+AD4-ran()+ADw-/script+AD4-' },
    ],
    ['SVG', { name: 'x.svg', type: 'image/svg+xml', body: SVG }],
    ['SVG as a picture', { name: 'x.gif', type: 'image/gif', body: SVG }],
    [
      'XHTML',
      {
        name: 'x.xhtml',
        type: 'application/xhtml+xml',
        body: `<html xmlns="http://www.w3.org/1999/xhtml"><script>ran()</script></html>`,
      },
    ],
    [
      'XML with a sheet',
      {
        name: 'x.xml',
        type: 'text/xml',
        body: `<?xml-stylesheet href="data:text/xsl,x"?><x xmlns="http://www.w3.org/1999/xhtml"><script>ran()</script></x>`,
      },
    ],
    ['HTML as a PDF', { name: 'x.pdf', type: 'application/pdf', body: SCRIPT }],
    ['a PDF that is HTML too', { name: 'x.pdf', type: 'application/pdf', body: `%PDF-1.4\n${SCRIPT}` }],
    ['a script', { name: 'x.js', type: 'text/javascript', body: 'ran()' }],
    [
      'an archive of a page',
      { name: 'x.mhtml', type: 'application/x-mimearchive', body: `Content-Type: text/html\n\n${SCRIPT}` },
    ],
    [
      'a mail in a mail',
      { name: 'x.eml', type: 'message/rfc822', body: `Content-Type: text/html\n\n${SCRIPT}` },
    ],
  ])('run nothing, saved or looked at: %s', async (_case, file) => {
    const url = await received(withFiles([file]));
    for (const path of [`${url}/attachment/0`, `${url}/attachment/0/view`]) {
      const { findings, requests } = await browser.visit(`${origin}${path}`);
      expect([findings.filter((one) => !/download|could not be opened/.test(one)), requests]).toEqual([
        [],
        [],
      ]);
    }
    const saved = await reader.get(`${url}/attachment/0`);
    expect(saved.headers).toMatchObject({
      'content-disposition': expect.stringMatching(/^attachment;/),
      'content-security-policy': "sandbox; default-src 'none'",
      'x-content-type-options': 'nosniff',
    });
  });

  test('are looked at where that is safe: a picture, a text', async () => {
    const url = await received(
      withFiles([
        { name: 'a.png', type: 'image/png', body: PNG },
        { name: 'b.txt', type: 'text/plain', body: `Grüße ${SCRIPT}` },
      ]),
    );
    const [picture, text] = [
      await reader.get(`${url}/attachment/0/view`),
      await reader.get(`${url}/attachment/1/view`),
    ];
    expect([picture.headers['content-type'], picture.rawPayload.equals(PNG)]).toEqual(['image/png', true]);
    expect([text.headers['content-type'], text.body]).toEqual([
      'text/plain; charset=utf-8',
      `Grüße ${SCRIPT}`,
    ]);
    for (const { headers } of [picture, text]) {
      expect(headers).toMatchObject({
        'content-disposition': expect.stringMatching(/^inline;/),
        'content-security-policy': "sandbox; default-src 'none'",
        'x-content-type-options': 'nosniff',
      });
    }
  });

  test('are shown apart from our origin by the browser’s viewer: a PDF', async () => {
    const body = '%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF';
    const url = await received(withFiles([{ name: 'a.pdf', type: 'application/octet-stream', body }]));
    const { headers } = await reader.get(`${url}/attachment/0/view`);
    expect(headers).toMatchObject({
      'content-type': 'application/pdf',
      'content-disposition': expect.stringMatching(/^inline;/),
      'content-security-policy': expect.stringMatching(/^default-src 'none';.*frame-ancestors 'none'$/),
      'x-content-type-options': 'nosniff',
    });
    expect((await browser.visit(`${origin}${url}/attachment/0/view`)).requests).toEqual([]);
  });

  test('of someone else do not exist', async () => {
    const url = await received(withFiles([{ name: 'a.png', type: 'image/png', body: PNG }]));
    for (const path of [
      '/attachment/0',
      '/attachment/0/view',
      '/attachments.zip',
      '/headers',
      '/print',
      '/unsubscribe',
    ]) {
      expect((await stranger.get(`${url}${path}`)).statusCode).toBe(404);
      expect((await reader.get(`${url}${path}`)).statusCode).toBe(200);
    }
    for (const index of ['1', '-1', '0x0', '00000', '1e0', '%2e%2e', '__proto__']) {
      expect((await reader.get(`${url}/attachment/${index}/view`)).statusCode).toBe(404);
    }
  });
});

describe('all attachments in one zip', () => {
  test('have names that fit every disk, and their own bytes', async () => {
    const names = [
      '../../etc/passwd',
      'in\u202Etxt.exe',
      'a\0b.txt',
      'same.txt',
      'SAME.txt',
      'aux.h',
      'Grüße – 1.txt',
    ];
    const url = await received(
      withFiles(names.map((name) => ({ name, type: 'text/x-any', body: `I am ${name}` }))),
    );
    const answer = await reader.get(`${url}/attachments.zip`);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/zip',
      'content-disposition': `attachment; filename="files.zip"; filename*=UTF-8''files.zip`,
    });
    const files = await unzipped(answer.rawPayload);
    expect([...files.keys()]).toEqual([
      ...['passwd', 'intxt.exe', 'a b.txt', 'same.txt', 'SAME (2).txt', '_aux.h', 'Grüße – 1.txt'],
    ]);
    expect([...files.values()]).toEqual(names.map((name) => `I am ${name}`));
  });
});

describe('a message on paper', () => {
  test('says who wrote it, whatever its styles do', async () => {
    const hide =
      'display:none!important;margin:-900px 0 0!important;font-size:0!important;opacity:0!important;height:0!important;max-height:0!important;overflow:hidden!important;float:left!important;width:0!important;color:#fff!important';
    const html = `<style>*,html,body,html body,div,p,h1,p:first-child{${hide}}</style></div></p></body></html><div style="margin-top:-400px;height:400px;background:#fff">From: Your bank</div>`;
    const url = await received(
      `From: eve@evil.example\r\nSubject: x\r\nContent-Type: text/html\r\n\r\n${html.replaceAll(';', ';\r\n')}`,
    );
    const page = await browser.context.newPage();
    await page.goto(`${origin}${url}/print`);
    const line = page.getByText('From: eve@evil.example');
    const box = (await line.boundingBox())!;
    expect([box.y > 0, box.y < 200, box.height > 10, box.width > 200]).toEqual([true, true, true, true]);
    const seen = await page.evaluate(
      ([x, y]) => Reflect.get(globalThis, 'document').elementFromPoint(x, y).textContent,
      [box.x + 30, box.y + box.height / 2],
    );
    expect(seen).toBe('From: eve@evil.example');
    await page.close();
  });
});

describe('headers made to harm', () => {
  test.each([
    [
      'a line end',
      word('a\r\nBcc: x@y.example\r\n\r\n<script>ran()</script>'),
      'a Bcc: x@y.example &lt;script&gt;ran()&lt;/script&gt;',
    ],
    ['a NUL', word('a\0b'), 'a b'],
    ['reversed text', word('invoice\u202Efdp.exe'), 'invoicefdp.exe'],
    ['UTF-7', word('+ADw-script+AD4-', 'utf-7'), '+ADw-script+AD4-'],
    [
      'ISO-2022-JP that swallows a quote',
      word('\x1b$B"><img src=x onerror=ran()>', 'iso-2022-jp'),
      expect.not.stringContaining('<'),
    ],
    ['a charset that nobody knows', word('<b>x', 'x-nothing'), '&lt;b&gt;x'],
    ['a template', '{{{body}}} {{#with this}} ${x}', '{{{body}}} {{#with this}} ${x}'],
    ['a prototype', '__proto__', '__proto__'],
  ])('show as plain words: %s', async (_case, subject, shown) => {
    const url = await received(`From: ${subject} <eve@evil.example>\r\nSubject: ${subject}\r\n\r\nx`);
    expect(titleOf(await reader.get(url))).toEqual(shown);
    for (const path of [url, `${url}/headers`]) {
      expect((await browser.visit(`${origin}${path}`)).findings).toEqual([]);
    }
    const download = await reader.get(`${url}/raw?download=1`);
    expect(download.headers['content-disposition']).toMatch(
      /^attachment; filename="[ -~]+\.eml"; filename\*=UTF-8''[\w%.~!-]+$/,
    );
  });

  test('show who really wrote, beside the name that was chosen', async () => {
    const page = await reader.get(
      await received('From: "Your bank <service@bank.example>" <eve@evil.example>\r\nSubject: x\r\n\r\nx'),
    );
    expect(page.body).toContain(
      '<b>Your bank &lt;service@bank.example&gt;</b> <span class="address">eve@evil.example</span>',
    );
  });

  test.each([
    [
      '10,000 recipients',
      `To: ${Array.from({ length: 10_000 }, (_, n) => `p${n}@x.example`).join(',\r\n ')}\r\nSubject: many\r\n\r\nx`,
    ],
    [
      'prototypes for names',
      '__proto__: x\r\nconstructor: y\r\nhasOwnProperty: z\r\nSubject: many\r\nContent-Type: text/plain; __proto__=x; charset=constructor\r\n\r\nx',
    ],
    [
      '1,000 levels',
      `Subject: many\r\n${Array.from({ length: 1000 }, (_, n) => `Content-Type: multipart/mixed; boundary=b${n}\r\n\r\n--b${n}\r\n`).join('')}\r\nx`,
    ],
    [
      '10,000 parts',
      `Subject: many\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\nx\r\n'.repeat(10_000)}`,
    ],
    ['deep HTML', `Subject: many\r\nContent-Type: text/html\r\n\r\n${'<div><b>\r\n'.repeat(60_000)}x`],
    ['a wrong charset', 'Subject: many\r\nContent-Type: text/html; charset=utf-16\r\n\r\n<p>x</p>'],
    [
      'a huge inline picture',
      `Subject: many\r\nContent-Type: text/html\r\n\r\n<img src="data:image/png;base64,${'A'.repeat(900_000)}">`,
    ],
  ])('open all the same, on every page: %s', async (_case, raw) => {
    const url = await received(`From: eve@evil.example\r\n${raw}`);
    for (const path of ['', '/headers', '/print', '/raw', '?view=text']) {
      expect([path, (await reader.get(`${url}${path}`)).statusCode]).toEqual([path, 200]);
    }
    expect((await browser.visit(`${origin}${url}`)).findings).toEqual([]);
  });

  test.each([
    ['UTF-7', 'text/html; charset=utf-7', '+ADw-script+AD4-ran()+ADw-/script+AD4-'],
    [
      'ISO-2022-JP',
      'text/html; charset=iso-2022-jp',
      '<p title="\x1b$B"></p><img src=x onerror=ran()>\x1b(B">',
    ],
    ['UTF-16', 'text/html; charset=utf-16le', Buffer.from(SCRIPT, 'utf16le').toString('latin1')],
    ['a charset of its own meta', 'text/html', '<meta charset=utf-7>+ADw-script+AD4-ran()+ADw-/script+AD4-'],
    [
      'Shift_JIS that eats a quote',
      'text/html; charset=shift_jis',
      '<p title="\x81" onclick="x" x="><img src=x onerror=ran()>">',
    ],
  ])('a body in %s runs nothing', async (_case, type, body) => {
    const url = await received(
      Buffer.from(
        `From: eve@evil.example\r\nSubject: x\r\nContent-Type: ${type}\r\n\r\n${body}\r\n`,
        'latin1',
      ),
    );
    const { findings, requests } = await browser.visit(`${origin}${url}`);
    expect([findings, requests]).toEqual([[], []]);
    expect((await reader.get(`${url}/body`)).headers['content-type']).toBe('text/html; charset=utf-8');
  });
});

async function unzipped(bytes: Buffer): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const zip = await new Promise<ZipFile>((resolve, reject) =>
    fromBuffer(bytes, { lazyEntries: true }, (error, opened) => (error ? reject(error) : resolve(opened))),
  );
  await new Promise<void>((resolve, reject) => {
    zip.on('entry', (entry: Entry) => {
      zip.openReadStream(entry, (error, stream: Readable) => {
        if (error) return reject(error);
        return stream.toArray().then((pieces) => {
          files.set(entry.fileName, Buffer.concat(pieces).toString());
          zip.readEntry();
        }, reject);
      });
    });
    zip.on('end', resolve);
    zip.on('error', reject);
    zip.readEntry();
  });
  return files;
}
