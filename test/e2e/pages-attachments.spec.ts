/** What is sent along: files that are attached, and messages that are forwarded, without the script. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrived, openHouse, type House } from './pages-house.ts';
import { alertOn, formOn, linksOn, type Visitor } from './visitor.ts';
import { COMPOSE, draftPage, formAt, ledTo, write, writeWith } from './writing-person.ts';

let house: House;
let ann: Visitor;
let ben: Visitor;
const BEN = 'write-ben@penncloud.test';

beforeAll(async () => {
  house = await openHouse();
  [ann, ben] = [await house.person('write-ann', 'Ann'), await house.person('write-ben', 'Ben')];
});
afterAll(() => house?.close());

const source = async (visitor: Visitor, subject: string) =>
  (await visitor.get(`${await arrived(visitor, subject)}/raw`)).body;

describe('attachments', () => {
  const pdf = { name: 'plan.pdf', type: 'application/pdf', bytes: Buffer.from('%PDF-1.4 a plan') };

  test('are added and removed with plain buttons, and go out byte for byte', async () => {
    const large = { name: 'large.bin', bytes: randomBytes(3 * 1024 * 1024 + 17) };
    const typed = await formAt(ann, COMPOSE, { to: BEN, subject: 'With files', text: 'see both' });
    let page = draftPage(await writeWith(ann, typed, [pdf, large]));
    page = draftPage(
      await writeWith(ann, await formAt(ann, page), [{ name: 'wrong.txt', bytes: Buffer.from('no') }]),
    );
    const shown = await ann.get(page);
    expect(shown.body).toMatch(/plan\.pdf[^]*large\.bin[^]*wrong\.txt/);
    expect(formOn(shown, COMPOSE)['text']).toBe('see both');
    const wrong = [...shown.body.matchAll(/value="(remove:[a-z2-7]{26})"/g)].at(-1)![1]!;
    const less = await ann.get(draftPage(await write(ann, { action: wrong }, page)));
    expect(less.body).not.toContain('wrong.txt');
    ledTo(await ann.post(COMPOSE, { ...formOn(less, COMPOSE), action: 'send' }));
    const url = await arrived(ben, 'With files');
    const [first, second] = [await ben.get(`${url}/attachment/0`), await ben.get(`${url}/attachment/1`)];
    expect(first.rawPayload.equals(pdf.bytes)).toBe(true);
    expect(first.headers['content-type']).toBe('application/pdf');
    expect(second.rawPayload.equals(large.bytes)).toBe(true);
  });

  test('chosen, then sent at once without "Attach", are sent along', async () => {
    const typed = await formAt(ann, COMPOSE, { to: BEN, subject: 'At once', text: 'x', action: 'send' });
    ledTo(await writeWith(ann, typed, [pdf]));
    const url = await arrived(ben, 'At once');
    expect((await ben.get(`${url}/attachment/0`)).rawPayload.equals(pdf.bytes)).toBe(true);
  });

  test('of more than 25 MB together are refused, and nothing typed is lost', async () => {
    const half = { name: 'half.bin', bytes: Buffer.alloc(13_000_000, 7) };
    const typed = await formAt(ann, COMPOSE, { subject: 'Too much', text: 'still here' });
    const page = draftPage(await writeWith(ann, typed, [half]));
    const again = await writeWith(ann, await formAt(ann, page, { text: 'still here, and more' }), [half]);
    expect([again.statusCode, alertOn(again)]).toEqual([
      413,
      expect.stringMatching(/at most 25 MB together/),
    ]);
    expect(formOn(again, COMPOSE)['text']).toBe('still here, and more');
    const whole = await writeWith(ann, await formAt(ann, COMPOSE, { text: 'kept' }), [
      { name: 'whole.bin', bytes: Buffer.alloc(26_000_000) },
    ]);
    expect([whole.statusCode, alertOn(whole)]).toEqual([
      413,
      expect.stringMatching(/at most 25 MB together/),
    ]);
    expect(formOn(whole, COMPOSE)['text']).toBe('kept');
  });

  test('of 25 MB go out whole', async () => {
    const whole = { name: 'whole.bin', bytes: randomBytes(25_000_000) };
    const typed = await formAt(ann, COMPOSE, { to: BEN, subject: 'Heavy', text: 'x', action: 'send' });
    ledTo(await writeWith(ann, typed, [whole]));
    const url = await arrived(ben, 'Heavy');
    expect((await ben.get(`${url}/attachment/0`)).rawPayload.equals(whole.bytes)).toBe(true);
  });

  test('too many at once are refused by number, keeping what was typed', async () => {
    const files = Array.from({ length: 21 }, (_, i) => ({ name: `${i}.txt`, bytes: Buffer.from('x') }));
    const tried = await writeWith(ann, await formAt(ann, COMPOSE, { text: 'many' }), files);
    expect([tried.statusCode, alertOn(tried)]).toEqual([400, expect.stringMatching(/at most 20/)]);
    expect(formOn(tried, COMPOSE)['text']).toBe('many');
  });

  test.each([
    ['a path', '../../../etc/passwd', 'passwd'],
    ['a Windows path', 'C:\\Users\\x\\report.doc', 'report.doc'],
    ['a reversed ending', 'invoice\u202efdp.exe', 'invoicefdp.exe'],
    ['a header', 'a%0d%0aX-Evil: 1.txt', 'a%0d%0aX-Evil: 1.txt'],
    ['only dots', '..', 'attachment-1.txt'],
  ])('whose name is %s get a harmless one', async (what, name, safe) => {
    const subject = `Named ${what}`;
    const typed = await formAt(ann, COMPOSE, { to: BEN, subject, text: 'x', action: 'send' });
    ledTo(await writeWith(ann, typed, [{ name, type: 'text/plain', bytes: Buffer.from('x') }]));
    const url = await arrived(ben, subject);
    expect((await ben.get(url)).body).toContain(`>${safe}<`);
    expect(await source(ben, subject)).not.toMatch(/^X-Evil/im);
  });

  test('cannot be taken from someone else by the id of their file', async () => {
    const page = draftPage(await writeWith(ann, await formAt(ann), [pdf]));
    const key = /value="remove:([a-z2-7]{26})"/.exec((await ann.get(page)).body)![1]!;
    const form = await formAt(ben, COMPOSE, { to: BEN, subject: 'Stolen file', text: 'x' });
    const claims = { attachments: JSON.stringify([{ kind: 'file', fileId: key }]), fileId: key, key };
    ledTo(await ben.post(COMPOSE, { ...form, ...claims, action: 'send' }));
    expect(await source(ben, 'Stolen file')).not.toContain('Content-Disposition');
  });

  test('stored for a form that is not ours are not stored at all', async () => {
    const typed = await formAt(ann);
    expect((await writeWith(ann, { ...typed, csrf: 'x.y' }, [pdf])).statusCode).toBe(403);
  });
});

describe('forwarding', () => {
  const original = [
    'From: Far <far@example.org>',
    'To: write-ann@penncloud.test',
    'Subject: Originals',
    'Message-ID: <orig-1@example.org>',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    'The words.',
    '--b',
    'Content-Type: image/png; name="p.png"',
    'Content-Disposition: attachment; filename="p.png"',
    'Content-Transfer-Encoding: base64',
    '',
    Buffer.from('a picture').toString('base64'),
    '--b--',
    '',
  ].join('\r\n');
  let url: string;
  beforeAll(async () => {
    await house.receive('write-ann', original);
    url = await arrived(ann, 'Originals');
  });

  test('takes the attachments along, less those that are removed', async () => {
    const forward = linksOn(await ann.get(url), /forward=/)[0]!;
    const page = await ann.get(forward);
    expect(page.body).toContain('p.png');
    ledTo(await ann.post(COMPOSE, { ...formOn(page, COMPOSE), to: BEN, action: 'send' }));
    const there = await arrived(ben, 'Fwd: Originals');
    expect((await ben.get(there)).body).toContain('The words.');
    expect((await ben.get(`${there}/attachment/0`)).body).toBe('a picture');

    const again = await ann.get(forward);
    const remove = /value="(remove:[^"]+)"/.exec(again.body)![1]!;
    const draft = draftPage(await ann.post(COMPOSE, { ...formOn(again, COMPOSE), action: remove }));
    expect((await ann.get(draft)).body).not.toContain('p.png');
  });

  test('sends the whole message as a file, byte for byte, if asked to', async () => {
    const id = url.split('/').at(-1)!;
    const page = await ann.get(`${COMPOSE}?forward=${id}&as=attachment`);
    ledTo(
      await ann.post(COMPOSE, { ...formOn(page, COMPOSE), to: BEN, subject: 'As a file', action: 'send' }),
    );
    expect(await source(ben, 'As a file')).toMatch(/Content-Type: message\/rfc822/i);
    const got = await ben.get(`${await arrived(ben, 'As a file')}/attachment/0`);
    expect(got.body.trimEnd()).toBe(original.trimEnd());
  });

  test('names what is gone when the message was deleted meanwhile', async () => {
    const id = url.split('/').at(-1)!;
    expect((await ben.get(`${COMPOSE}?forward=${id}`)).statusCode).toBe(404);
    const form = await formAt(ben, COMPOSE, { to: BEN, subject: 'Not mine', text: 'x' });
    const tried = await ben.post(COMPOSE, { ...form, forwards: id, as: 'attachment', action: 'send' });
    expect([tried.statusCode, tried.body.includes('The words.')]).toEqual([404, false]);
  });
});
