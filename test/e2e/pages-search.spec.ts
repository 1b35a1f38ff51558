/** Search over all mail: what is found, and that it is what a plain look through every message finds. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHouse, arrived, type House } from './pages-house.ts';
import { alertOn, formOn, linksOn, type Visitor } from './visitor.ts';
import { write } from './writing-person.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house?.close());

const mail = (subject: string, text: string, from = 'Carl <carl@example.org>', headers = '') =>
  `From: ${from}\r\nTo: Erin <erin@penncloud.test>\r\n${headers}Subject: ${subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${text}\r\n`;

const subjectsOn = (body: string) =>
  [...body.matchAll(/class="subject">([^<]*)</g)].map(([, subject]) => subject!);
const search = (visitor: Visitor, q: string) => visitor.get(`/mail/search?q=${encodeURIComponent(q)}`);

describe('search', () => {
  let erin: Visitor;
  beforeAll(async () => {
    erin = await house.person('erin', 'Erin');
    await house.receive('erin', mail('Invoice 17', 'The invoices of Café Zürich are enclosed.'));
    await house.receive(
      'erin',
      mail('Lunch', 'Shall we have lunch by the river?', 'Dora <dora@other.example>'),
    );
    await house.receive('erin', mail('会議のお知らせ', '明日の会議は東京駅で行います。'));
    await house.receive('erin', mail('Отчёт', 'Квартальный отчёт готов.'));
    const attachment =
      'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee\r\n--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename="quarterly-report.pdf"\r\n\r\n%PDF\r\n--b--\r\n';
    await house.receive('erin', `From: m@example.org\r\nSubject: Report enclosed\r\n${attachment}`);
  });

  test.each([
    ['invoice', ['Invoice 17']],
    ['invoices', ['Invoice 17']],
    ['invo', ['Invoice 17']],
    ['inv*', ['Invoice 17']],
    ['cafe zurich', ['Invoice 17']],
    ['"cafe zurich"', ['Invoice 17']],
    ['"zurich cafe"', []],
    ['lunch river', ['Lunch']],
    ['lunch -river', []],
    ['from:dora', ['Lunch']],
    ['from:dora@other.example', ['Lunch']],
    ['from:other.example', ['Lunch']],
    ['to:erin subject:lunch', ['Lunch']],
    ['subject:river', []],
    ['東京', ['会議のお知らせ']],
    ['会議', ['会議のお知らせ']],
    ['駅', ['会議のお知らせ']],
    ['京東', []],
    ['отчет', ['Отчёт']],
    ['has:attachment', ['Report enclosed']],
    ['filename:quarterly', ['Report enclosed']],
    ['filename:lunch', []],
    ['in:trash lunch', []],
    ['in:inbox is:unread lunch', ['Lunch']],
    ['is:starred', []],
    ['before:2020-01-01', []],
    ['after:2020-01-01 lunch', ['Lunch']],
    ['nothinglikethis', []],
  ])('for %s finds %j', async (q, subjects) => {
    const page = await search(erin, q);
    expect([page.statusCode, subjectsOn(page.body)]).toEqual([200, subjects]);
  });

  test.each([
    ['is:maybe', /none of is:unread/],
    ['has:wings', /not has:attachment/],
    ['before:yesterday', /needs a day, as in before:2026-11-23/],
    ['after:2026-02-31', /needs a day/],
    ['in:nowhere', /no folder “nowhere”/],
    ['x'.repeat(1001), /at most 1000 bytes/],
    [Array.from({ length: 30 }, (_, i) => `word${i}`).join(' '), /at most 20 words/],
  ])('for %s says what is wrong, and keeps what was typed', async (q, alert) => {
    const page = await search(erin, q);
    expect([page.statusCode, alertOn(page)]).toEqual([400, expect.stringMatching(alert)]);
    expect(page.body).toContain(q.slice(0, 40));
  });

  test('follows what is done with a message: read, starred, moved, thrown away, and brought back', async () => {
    await house.receive('erin', mail('Wandering', 'peripatetic'));
    const url = await arrived(erin, 'Wandering');
    const act = async (at: string, action: string) => {
      const folder = at.slice(0, at.lastIndexOf('/'));
      return erin.submit(at, `${folder}/do`, { action });
    };
    await act(url, 'star');
    expect(subjectsOn((await search(erin, 'is:starred')).body)).toEqual(['Wandering']);
    const done = await act(url, 'trash');
    expect(subjectsOn((await search(erin, 'peripatetic')).body)).toEqual([]);
    expect(subjectsOn((await search(erin, 'in:trash peripatetic')).body)).toEqual(['Wandering']);
    expect(subjectsOn((await search(erin, 'in:anywhere peripatetic')).body)).toEqual(['Wandering']);
    const back = done.headers.location!;
    await erin.post('/undo', formOn(await erin.get(back), '/undo'));
    expect(subjectsOn((await search(erin, 'in:inbox peripatetic')).body)).toEqual(['Wandering']);
  });

  test('finds nothing of other people', async () => {
    const other = await house.person('frank');
    expect(subjectsOn((await search(other, 'lunch')).body)).toEqual([]);
  });
});

describe('a draft', () => {
  let hugo: Visitor;
  let page: string;
  beforeAll(async () => {
    hugo = await house.person('hugo', 'Hugo');
    await house.receive('hugo', mail('Tent', 'The canvas is here.'));
    const fields = {
      to: 'Dora <dora@other.example>',
      subject: 'Camping',
      text: 'Bring the cänvas and rope.',
    };
    const saved = await write(hugo, { ...fields, action: 'save' });
    page = String(saved.headers.location).replace(/&done=.*/, '');
  });

  test.each([
    ['canvas', ['Camping', 'Tent']],
    ['"canvas and rope"', ['Camping']],
    ['canvas -rope', ['Tent']],
    ['to:dora', ['Camping']],
    ['from:hugo', ['Camping']],
    ['in:drafts', ['Camping']],
    ['in:drafts canvas', ['Camping']],
    ['in:inbox canvas', ['Tent']],
    ['in:anywhere rope', ['Camping']],
    ['in:trash rope', []],
    ['canvas is:unread', ['Tent']],
    ['canvas is:starred', []],
    ['rope has:attachment', []],
    ['rope before:2020-01-01', []],
    ['rope after:2020-01-01', ['Camping']],
    ['in:drafts hammock', []],
  ])('is found by %s if it is meant, in front of the mail', async (q, expected) => {
    expect(subjectsOn((await search(hugo, q)).body)).toEqual(expected);
  });

  test('is opened from what was found, as it is now, and only by its writer', async () => {
    expect(linksOn(await search(hugo, 'rope'), /draft=/)).toEqual([page]);
    await write(hugo, { text: 'Bring the hammock.', action: 'save' }, page);
    expect(subjectsOn((await search(hugo, 'rope')).body)).toEqual([]);
    expect(subjectsOn((await search(hugo, 'hammock')).body)).toEqual(['Camping']);
    expect(subjectsOn((await search(await house.person('irma'), 'hammock')).body)).toEqual([]);
  });

  test('is found by its text up to half a mebibyte, a longer one by its beginning and subject', async () => {
    for (const [subject, length] of Object.entries({ Long: 100_000, Longer: 600_000 })) {
      const filler = 'unremarkablefillingwords '.repeat(length / 25);
      await write(hugo, { subject, text: `opening ${filler} finale`, action: 'save' });
    }
    expect(subjectsOn((await search(hugo, 'finale')).body)).toEqual(['Long']);
    expect(subjectsOn((await search(hugo, 'in:drafts opening')).body)).toEqual(['Longer', 'Long']);
    expect(subjectsOn((await search(hugo, 'subject:longer')).body)).toEqual(['Longer']);
  });
});

describe('a mailbox of more than one segment', () => {
  const TOTAL = 600;
  const COLOURS = ['red', 'green', 'blue', 'redder', 'indigo', 'violet'];
  const colours = (n: number) => COLOURS.filter((_, i) => (n * 7 + i * 11) % (i + 2) === 0);
  const texts = Array.from({ length: TOTAL }, (_, n) => `${colours(n).join(' ')} tail`);
  let gwen: Visitor;
  beforeAll(async () => {
    gwen = await house.person('gwen');
    for (let n = 0; n < TOTAL; n++) {
      await house.receive('gwen', mail(`Number ${n}`, texts[n]!, `p${n % 3}@example.org`));
    }
  });

  /** All pages of a search, as numbers. */
  async function allOf(q: string): Promise<number[]> {
    const numbers: number[] = [];
    let page = await search(gwen, q);
    for (;;) {
      numbers.push(...subjectsOn(page.body).map((subject) => Number(subject.slice('Number '.length))));
      const older = linksOn(page, /\/mail\/search\?.*below=/)[0];
      if (older === undefined) return numbers;
      page = await gwen.get(older);
    }
  }
  const expected = (is: (text: string, n: number) => boolean) =>
    texts.flatMap((text, n) => (is(text, n) ? [n] : [])).reverse();
  const has = (text: string, word: string) => text.split(' ').includes(word);

  test.each<[string, (text: string, n: number) => boolean]>([
    ['"red"', (text) => has(text, 'red')],
    ['red', (text) => has(text, 'red') || has(text, 'redder')],
    ['green blue', (text) => has(text, 'green') && has(text, 'blue')],
    ['"green blue"', (text) => text.includes('green blue')],
    ['violet -indigo', (text) => has(text, 'violet') && !has(text, 'indigo')],
    ['-"green blue"', (text) => !text.includes('green blue')],
    ['from:p1@example.org violet', (text, n) => has(text, 'violet') && n % 3 === 1],
  ])('for %s finds what a look through all of it finds, newest first, page by page', async (q, is) => {
    expect(await allOf(q)).toEqual(expected(is));
  });

  test('pages stay as they are while new mail comes in', async () => {
    const first = await search(gwen, 'tail');
    const older = linksOn(first, /below=/)[0]!;
    const before = subjectsOn((await gwen.get(older)).body);
    await house.receive('gwen', mail('Newer', 'tail'));
    expect(subjectsOn((await gwen.get(older)).body)).toEqual(before);
    expect(subjectsOn((await search(gwen, 'tail')).body)[0]).toBe('Newer');
  });
});
