/**
 * Hostile mail, opened by a person in a real browser: no script runs, nothing leaves for another host, nothing moves,
 * opens or sends the page around it. With all walls, and with each wall alone.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openGalleries, type Galleries } from './hostile/galleries.ts';
import { HTML_ROWS, type HtmlRow } from './hostile/html-rows.ts';
import { WatchedBrowser, type Visit } from './hostile/watched-browser.ts';
import { openHouse, type House } from './pages-house.ts';

let house: House;
let browser: WatchedBrowser;
let galleries: Galleries;
let origin: string;

beforeAll(async () => {
  [house, browser, galleries] = await Promise.all([
    openHouse(),
    WatchedBrowser.open(),
    openGalleries((row) => HTML_ROWS[row]?.html ?? ''),
  ]);
  const person = await house.person('target');
  origin = await house.gateways[0].listen({ host: '127.0.0.1', port: 0 });
  await browser.context.addCookies(
    [...person.cookies].map(([name, value]) => ({ name, value, url: origin })),
  );
});
afterAll(async () => {
  await browser?.close();
  await galleries?.close();
  await house?.close();
});

/** Received as it stands, whatever bytes are in it; the address of its page. */
async function received({ name, html }: HtmlRow): Promise<string> {
  const body = Buffer.from(html).toString('base64').replace(/.{76}/g, '$&\r\n');
  const head = `From: Eve <eve@evil.example>\r\nSubject: ${name}\r\nMIME-Version: 1.0`;
  const type = 'Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64';
  return `${origin}/mail/inbox/${await house.receive('target', `${head}\r\n${type}\r\n\r\n${body}\r\n`)}`;
}

const foreign = ({ requests }: Visit) => requests.map(({ method, url }) => `${method} ${url}`);
const all = HTML_ROWS.map((_row, index) => index);
const batches = [0, 1, 2, 3].map((batch) => all.filter((index) => index % 4 === batch));

describe('HTML mail, with all walls', () => {
  test.each(HTML_ROWS.map((row) => [row.name, row] as const))('is harmless: %s', async (_name, row) => {
    const page = await received(row);
    const visit = await browser.visit(page, () => row.click === true);
    expect(visit.findings).toEqual([]);
    // What a click on a link opens is a plain page elsewhere, told nothing about where it was read.
    const where = row.click === true ? /^GET http:\/\/evil\.example\// : /^nothing$/;
    expect(foreign(visit).filter((request) => !where.test(request))).toEqual([]);
    expect(visit.opened.filter((url) => !url.startsWith('http://evil.example/'))).toEqual([]);
    expect(visit.requests.filter(({ headers }) => headers.referer ?? headers.cookie)).toEqual([]);
    if (!row.html.includes('evil.example')) return;

    const withPictures = await browser.visit(`${page}?images=1`);
    expect(withPictures.findings).toEqual([]);
    for (const { method, url, headers } of withPictures.requests) {
      expect([method, url]).toEqual(['GET', expect.stringMatching(/^http:\/\/evil\.example\/\d\.gif$/)]);
      expect([headers.cookie, headers.referer, headers.origin]).toEqual([undefined, undefined, undefined]);
    }
  });
});

describe('the page around a mail', () => {
  /** Where everything of ours stands, how it looks, and whether it lies on top. */
  async function looks(url: string): Promise<string[]> {
    const page = await browser.context.newPage();
    await page.goto(url);
    const seen = await page.evaluate(() => {
      const { document, getComputedStyle } = globalThis as unknown as BrowserGlobals;
      return [...document.querySelectorAll('header.bar *, main a, main button')].map((element) => {
        const { x, y, width, height } = element.getBoundingClientRect();
        const { color, backgroundColor, fontSize } = getComputedStyle(element);
        const top = document.elementFromPoint(x + width / 2, y + height / 2);
        const covered = top !== null && !element.contains(top) && !top.contains(element);
        return [element.tagName, x, width, height, color, backgroundColor, fontSize, covered].join(' ');
      });
    });
    await page.close();
    return seen;
  }

  test.each(
    HTML_ROWS.filter(({ html }) => /z-index|id=main|<\/main>|name=body/.test(html)).map(
      (row) => [row.name, row] as const,
    ),
  )('is as it is around any other: %s', async (name, row) => {
    const plain = await looks(await received({ name, html: '<p>Hello</p>' }));
    expect(plain.length).toBeGreaterThan(10);
    expect(await looks(await received(row))).toEqual(plain);
  });
});

type Element = {
  readonly tagName: string;
  getBoundingClientRect(): { x: number; y: number; width: number; height: number };
  contains(other: Element): boolean;
};
/** What of a browser this reads; the compiler knows this program only as one of Node. */
type BrowserGlobals = {
  document: {
    querySelectorAll(selector: string): Iterable<Element>;
    elementFromPoint(x: number, y: number): Element | null;
  };
  getComputedStyle(element: Element): { color: string; backgroundColor: string; fontSize: string };
};

describe('each wall alone', () => {
  const clicked = (frame: string) => HTML_ROWS[Number(frame)]?.click === true;

  test.each(batches)('the sanitiser leaves nothing that acts or asks (batch of row %i)', async (...rows) => {
    const visit = await browser.visit(galleries.url('sanitiser', rows));
    expect([visit.findings, foreign(visit)]).toEqual([[], []]);
  });

  test.each(batches)('the frame lets nothing act or ask (batch of row %i)', async (...rows) => {
    const visit = await browser.visit(galleries.url('frame', rows));
    expect([visit.findings, foreign(visit)]).toEqual([[], []]);
  });

  test('the watching notices most rows where no wall stands, and every kind of harm', async () => {
    const kinds = new Set<string>();
    const bitten = new Set<number>();
    for (const rows of batches) {
      const visit = await browser.visit(galleries.url('none', rows), clicked);
      for (const finding of visit.findings) {
        const [, row, what] = /^frame (\d+): ([^:]+)/.exec(finding) ?? [];
        if (row !== undefined) bitten.add(Number(row));
        kinds.add(what ?? finding);
      }
      for (const { url } of visit.requests) {
        bitten.add(Number(/r(\d+)\.evil\.example/.exec(url)?.[1]));
        kinds.add('a request left');
      }
    }
    expect([...kinds]).toEqual(
      expect.arrayContaining([
        'a script ran',
        'it went to another address',
        'a form or beacon was sent',
        'a request left',
      ]),
    );
    // The others bite only once a sanitiser has rewritten them, or in browsers of the past.
    expect(bitten.size).toBeGreaterThan(HTML_ROWS.length / 2);
  });
});

describe('what the reader asks for', () => {
  test('is fetched: pictures, without cookies, and still nothing else', async () => {
    const page = await received({
      name: 'newsletter',
      html: '<img src="http://evil.example/1.gif"><link rel=icon href="http://evil.example/2.gif">',
    });
    expect(foreign(await browser.visit(page))).toEqual([]);
    const asked = await browser.visit(`${page}?images=1`);
    expect([asked.findings, foreign(asked)]).toEqual([[], ['GET http://evil.example/1.gif']]);
  });

  test('is opened: a link, in a window that knows nothing of ours', async () => {
    const page = await received({ name: 'link', html: '<a href="http://evil.example/story">Read on</a>' });
    const visit = await browser.visit(page, () => true);
    expect([visit.findings, visit.opened]).toEqual([[], ['http://evil.example/story']]);
    const [story] = visit.requests;
    expect([story?.url, story?.headers.referer]).toEqual(['http://evil.example/story', undefined]);
  });
});
