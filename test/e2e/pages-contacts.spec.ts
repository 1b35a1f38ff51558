/** The address book as a person uses it, over a real store and two gateways. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountStream } from '../../domain/streams.ts';
import { completions } from '../../gateways/web/contacts/completions.ts';
import { openHouse, type House } from './pages-house.ts';
import { alertOn, formOn, linksOn, type Answer, type Visitor } from './visitor.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
}, 60_000);
afterAll(() => house.close());

const EMPTY = { name: '', organisation: '', addresses: '', phones: '', note: '' };
const pathOf = (answer: Answer) => String(answer.headers.location).split('?')[0]!;

async function add(visitor: Visitor, fields: Partial<typeof EMPTY>): Promise<string> {
  const answer = await visitor.submit('/contacts/new', '/contacts/new', { ...EMPTY, ...fields });
  if (answer.statusCode !== 303) throw new Error(alertOn(answer) ?? answer.body);
  return pathOf(answer);
}

/** Undoes what the page after a form offers to undo. */
async function undo(visitor: Visitor, answer: Answer): Promise<Answer> {
  return visitor.submit(String(answer.headers.location), '/undo');
}

async function importCards(visitor: Visitor, file: string | Buffer): Promise<Answer> {
  const fields = formOn(await visitor.get('/contacts/import'), '/contacts/import');
  const boundary = '----cards5f3a';
  const text = Object.entries(fields)
    .map(
      ([name, value]) =>
        `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    )
    .join('');
  const head = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="c.vcf"\r\ncontent-type: text/vcard\r\n\r\n`;
  return visitor.request({
    method: 'POST',
    url: '/contacts/import',
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    payload: Buffer.concat([
      Buffer.from(text + head),
      Buffer.from(file),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]),
  });
}

const complete = async (name: string, text: string) =>
  (await completions(house.store, accountStream(name), text, 8)).map(({ list }) => list);

describe('a contact', () => {
  it('is added, shown, found, changed and deleted, on any gateway, and each can be undone', async () => {
    const anna = await house.person('anna');
    expect((await anna.get('/contacts')).body).toContain('Your address book is empty');
    const path = await add(anna, {
      name: 'Zoë <b>Berg</b>',
      addresses: 'zoe@x.test\r\nz@y.test',
      note: 'two\r\nlines',
    });
    anna.moveTo(house.gateways[1]);
    const page = (await anna.get(path)).body;
    expect(page).toContain('Zoë &lt;b&gt;Berg&lt;/b&gt;');
    expect(page).toContain('z@y.test');
    expect(linksOn(await anna.get('/contacts?q=zoe%20b'), /^\/contacts\/[a-z2-7]{26}$/)).toEqual([path]);
    expect((await anna.get('/contacts?q=nobody')).body).toContain('No contact has');

    const changed = await anna.submit(`${path}/edit`, `${path}/edit`, {
      ...EMPTY,
      name: 'Zora',
      addresses: 'zora@x.test',
    });
    expect((await anna.get('/contacts')).body).toContain('Zora');
    await undo(anna, changed);
    expect((await anna.get(path)).body).toContain('Zoë');

    const deleted = await anna.submit(path, `${path}/delete`);
    expect((await anna.get(path)).statusCode).toBe(404);
    await undo(anna, deleted);
    expect((await anna.get(path)).body).toContain('zoe@x.test');
  });

  it('that was changed elsewhere is not overwritten unseen, and what was typed stays', async () => {
    const bea = await house.person('bea');
    const path = await add(bea, { name: 'Carl' });
    const [one, two] = [
      formOn(await bea.get(`${path}/edit`), `${path}/edit`),
      formOn(await bea.get(`${path}/edit`), `${path}/edit`),
    ];
    expect((await bea.post(`${path}/edit`, { ...EMPTY, ...one, name: 'Karl' })).statusCode).toBe(303);
    const late = await bea.post(`${path}/edit`, { ...EMPTY, ...two, name: 'Charles' });
    expect(late.statusCode).toBe(409);
    expect(alertOn(late)).toMatch(/changed elsewhere/);
    expect(late.body).toContain('value="Charles"');
    expect((await bea.get(path)).body).toContain('Karl');
  });

  it('cannot have an address of another, and is told whose it is', async () => {
    const cleo = await house.person('cleo');
    const path = await add(cleo, { name: 'Dora', addresses: 'dora@x.test' });
    const answer = await cleo.submit('/contacts/new', '/contacts/new', {
      ...EMPTY,
      name: 'D.',
      addresses: 'DORA@x.test',
    });
    expect(answer.statusCode).toBe(409);
    expect(alertOn(answer)).toBe('The address dora@x.test belongs to Dora already.');
    expect(linksOn(answer, /^\/contacts\/[a-z2-7]{26}$/)).toEqual([path]);
  });

  it('is refused with a reason: no name, a bad address, one twice, too long', async () => {
    const ed = await house.person('eddy');
    const refusals: [Partial<typeof EMPTY>, RegExp][] = [
      [{}, /Name is missing/],
      [{ name: 'A', addresses: 'nonsense' }, /“nonsense” is not a mail address/],
      [{ name: 'A', addresses: 'a@x.test\r\nA@x.test' }, /twice/],
      [{ name: 'x'.repeat(300) }, /at most 200 characters/],
    ];
    for (const [fields, reason] of refusals) {
      const answer = await ed.submit('/contacts/new', '/contacts/new', { ...EMPTY, ...fields });
      expect(answer.statusCode).toBe(400);
      expect(alertOn(answer)).toMatch(reason);
    }
  });

  it('is nobody else’s: ids of others and made-up ones are not found, and no form without its token', async () => {
    const [fay, gus] = [await house.person('faye'), await house.person('gust')];
    const path = await add(fay, { name: 'Private' });
    for (const url of [path, `${path}/edit`, '/contacts/groups/x', '/contacts/aaa']) {
      expect((await gus.get(url)).statusCode).toBe(404);
    }
    expect((await fay.post(`${path}/delete`, {})).statusCode).toBe(403);
    expect((await house.visitor().get('/contacts')).statusCode).toBe(303);
    expect((await fay.get(path)).body).toContain('Private');
  });
});

describe('a group', () => {
  it('is made of addresses, completes to its members, and loses nobody by an undo', async () => {
    const hal = await house.person('hall');
    await add(hal, { name: 'Ivy', addresses: 'ivy@x.test' });
    const made = await hal.submit('/contacts/groups/new', '/contacts/groups/new', {
      name: 'The Choir',
      people: 'IVY@x.test, "Jan Oak" <jan@x.test>',
    });
    const path = pathOf(made);
    expect((await hal.get(path)).body).toContain('Jan Oak');
    expect(await complete('hall', 'choir')).toEqual(['"Ivy" <ivy@x.test>, "Jan Oak" <jan@x.test>']);

    const member = formOn(await hal.get(path), `${path}/remove`);
    const removed = await hal.post(`${path}/remove`, member);
    expect((await complete('hall', 'the c'))[0]!.split(',')).toHaveLength(1);
    await undo(hal, removed);
    expect((await complete('hall', 'the c'))[0]!.split(',')).toHaveLength(2);

    const again = await hal.submit('/contacts/groups/new', '/contacts/groups/new', {
      name: 'the  choir',
      people: '',
    });
    expect(alertOn(again)).toMatch(/There is a group of this name/);
    const gone = await hal.submit(path, `${path}/delete`);
    expect((await hal.get(path)).statusCode).toBe(404);
    await undo(hal, gone);
    expect((await hal.get(path)).statusCode).toBe(200);
  });
});

describe('addresses that one has written to', () => {
  it('are collected, completed by how often, added, forgotten, and left alone when switched off', async () => {
    const kim = await house.person('kimm');
    await house.person('lena', 'Lena Lake');
    await house.person('leon', 'Leon Lake');
    const write = async (to: string) => {
      const { send } = { send: { to, subject: 'Hi', text: 'Hi' } };
      const answer = await kim.submit('/mail/compose', '/mail/compose', send);
      expect(answer.statusCode).toBe(303);
    };
    await write('"Leon" <leon@penncloud.test>');
    await write('"Lena" <lena@penncloud.test>');
    await write('"Lena" <lena@penncloud.test>');
    expect(await complete('kimm', 'le')).toEqual([
      '"Lena" <lena@penncloud.test>',
      '"Leon" <leon@penncloud.test>',
    ]);
    const page = await kim.get('/contacts/written-to');
    expect(page.body).toContain('2 messages');
    const [toAdd] = linksOn(page, /^\/contacts\/new\?/);
    await kim.submit(toAdd!, '/contacts/new', { addresses: 'lena@penncloud.test' });
    expect((await kim.get('/contacts/written-to')).body).not.toContain('lena@penncloud.test');
    await kim.submit('/contacts/written-to', '/contacts/written-to/forget-all');
    expect((await kim.get('/contacts/written-to')).body).toContain('There are none');
    await kim.submit('/contacts/written-to', '/contacts/written-to/collecting');
    await write('leon@penncloud.test');
    expect(await complete('kimm', 'leo')).toEqual([]);
  });
});

describe('import and export', () => {
  const CARDS = [
    'BEGIN:VCARD',
    'VERSION:3.0',
    'FN:Mia',
    'EMAIL:mia@x.test',
    'UID:m1',
    'END:VCARD',
    'BEGIN:VCARD',
    'VERSION:2.1',
    'FN:Old',
    'END:VCARD',
    'BEGIN:VCARD',
    'VERSION:4.0',
    'FN:Ned',
    'EMAIL:ned@x.test',
    'BDAY:19700101',
    'END:VCARD',
  ].join('\r\n');

  it('says of each card what became of it, and does nothing the second time', async () => {
    const nia = await house.person('niaa');
    await add(nia, { name: 'Ned Known', addresses: 'ned@x.test', phones: '110' });
    const first = await importCards(nia, CARDS);
    expect(first.body).toContain('1 added, 0 filled in, 1 already there, 1 not taken.');
    expect(first.body).toContain('version 2.1');
    expect(first.body).toContain('Left out: BDAY');
    expect((await importCards(nia, CARDS)).body).toContain(
      '0 added, 0 filled in, 2 already there, 1 not taken.',
    );
    const more = CARDS.replace('UID:m1', 'UID:m1\r\nTEL:112').replace('mia@x.test', 'new@x.test');
    expect((await importCards(nia, more)).body).toContain('0 added, 1 filled in');
    expect(await complete('niaa', 'mia')).toEqual(['"Mia" <mia@x.test>', '"Mia" <new@x.test>']);
  });

  it('takes a whole book to another account, groups and all', async () => {
    const [oda, pat] = [await house.person('odaa'), await house.person('patt')];
    await add(oda, { name: 'Quin', addresses: 'quin@x.test', note: 'a\r\nb', organisation: 'Oak; Ltd' });
    await oda.submit('/contacts/groups/new', '/contacts/groups/new', {
      name: 'Team',
      people: 'quin@x.test, r@x.test',
    });
    const file = await oda.get('/contacts/export');
    expect(file.headers['content-disposition']).toContain('attachment; filename="contacts.vcf"');
    expect((await importCards(pat, file.rawPayload)).body).toContain('3 added');
    expect(await complete('patt', 'team')).toEqual(['"Quin" <quin@x.test>, r@x.test']);
    expect((await pat.get('/contacts/export')).body).toBe(file.body);
  });

  it('of a hundred cards saves each, in a few commands; a file that is none is refused', async () => {
    const ria = await house.person('riaa');
    const many = Array.from(
      { length: 100 },
      (_, i) => `BEGIN:VCARD\nVERSION:4.0\nFN:P${i}\nEMAIL:p${i}@x.test\nEND:VCARD\n`,
    );
    expect((await importCards(ria, many.join(''))).body).toContain('100 added');
    expect((await ria.get('/contacts')).body).toContain('1–50 of 100');
    expect(alertOn(await importCards(ria, 'nothing'))).toMatch(/no vCard/);
  });
});

describe('the sender of a message', () => {
  const mail = (from: string) => `From: ${from}\r\nTo: gina@penncloud.test\r\nSubject: Hello\r\n\r\nHi`;
  const press = async (visitor: Visitor, url: string) =>
    visitor.post(`${url}/add-contact`, formOn(await visitor.get(url), '/mail/inbox/do'));

  it('is added by one button, once, and taken out again by one', async () => {
    const gina = await house.person('gina');
    const url = `/mail/inbox/${await house.receive('gina', mail('"Zoë Berg" <Zoe@x.test>'))}`;
    const other = `/mail/inbox/${await house.receive('gina', mail('zoe@x.test'))}`;
    const form = formOn(await gina.get(url), '/mail/inbox/do');
    const added = await gina.post(`${url}/add-contact`, form);
    expect([added.statusCode, pathOf(added)]).toEqual([303, url]);
    const again = await gina.post(`${url}/add-contact`, form);
    expect(again.headers.location).toBe(added.headers.location);
    const page = await gina.get(String(added.headers.location));
    expect(page.body).toContain('The sender is in your contacts now.');
    expect(page.body).not.toContain('Add sender to contacts');
    const [contact] = linksOn(page, /^\/contacts\/[a-z2-7]{26}$/);
    expect((await gina.get(contact!)).body).toMatch(/Zoë Berg[^]*Zoe@x\.test/);
    expect(linksOn(await gina.get(other), /^\/contacts\//)).toContain(contact);
    const known = await gina.get(String((await press(gina, other)).headers.location));
    expect(known.body).toContain('The sender is in your contacts already.');
    expect(linksOn(await gina.get('/contacts'), /^\/contacts\/[a-z2-7]{26}$/)).toEqual([contact]);
    await undo(gina, added);
    expect((await gina.get(url)).body).toContain('Add sender to contacts');
  });

  it('that is none, or is of somebody else’s message, is not added', async () => {
    const [gail, ivan] = [await house.person('gail'), await house.person('ivan')];
    const url = `/mail/inbox/${await house.receive('gail', mail('"" <not an address>'))}`;
    expect((await gail.get(url)).body).not.toContain('Add sender to contacts');
    expect((await press(gail, url)).statusCode).toBe(400);
    const own = formOn(await ivan.get('/mail/compose'), '/mail/compose');
    expect((await ivan.post(`${url}/add-contact`, own)).statusCode).toBe(404);
    expect((await gail.post(`${url}/add-contact`, {})).statusCode).toBe(403);
  });
});
