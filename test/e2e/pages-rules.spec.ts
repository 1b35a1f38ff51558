/** Rules in the pages: made, tried on the past, carried out on what comes in, put in order, undone; and blocking. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrived, openHouse, type House } from './pages-house.ts';
import { alertOn, formOn, linksOn, type Answer, type Visitor } from './visitor.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house?.close());

const mail = (subject: string, from: string, text = 'hello') =>
  `From: ${from}\r\nTo: erin@penncloud.test\r\nSubject: ${subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${text}\r\n`;

const save = (visitor: Visitor, fields: Record<string, string>, rule = 'new') =>
  visitor.submit(`/mail/rules/${rule}`, `/mail/rules/${rule}`, { action: 'save', ...ticked(fields) });
/** Boxes that are not ticked are not sent. */
const ticked = (fields: Record<string, string>) => ({ starred: '', read: '', stop: '', ...fields });
const names = (page: Pick<Answer, 'body'>) =>
  [...page.body.matchAll(/class="rule-words"><b>([^<]*)</g)].map(([, name]) => name!);
const ruleIds = (page: Pick<Answer, 'body'>) =>
  linksOn(page, /^\/mail\/rules\/[a-z2-7]{26}$/).map((link) => link.slice('/mail/rules/'.length));
async function undo(visitor: Visitor, after: Answer): Promise<Answer> {
  return visitor.post('/undo', formOn(await visitor.get(after.headers.location!), '/undo'));
}

describe('rules', () => {
  let erin: Visitor;
  beforeAll(async () => {
    erin = await house.person('erin');
    await house.person('gail');
    await house.receive('erin', mail('Old newsletter', 'News <news@list.example>'));
    await house.receive('erin', mail('Something else', 'Dora <dora@other.example>'));
  });

  test('that are tried show what they would have found, and change nothing', async () => {
    const page = await save(erin, { from: 'list.example', folder: 'archive', action: 'try' });
    expect(page.statusCode).toBe(200);
    expect(page.body).toMatch(/1 message\. Nothing was changed/);
    expect([page.body.includes('Old newsletter'), page.body.includes('Something else')]).toEqual([
      true,
      false,
    ]);
    expect(formOn(page, '/mail/rules/new')).toMatchObject({ from: 'list.example', folder: 'archive' });
    expect(names(await erin.get('/mail/rules'))).toEqual([]);
  });

  test('that are saved move, star and mark what comes in from then on, also through another gateway', async () => {
    const saved = await save(erin, {
      name: 'Newsletters',
      from: 'news@list.example',
      folder: 'archive',
      starred: 'yes',
      read: 'yes',
    });
    expect(saved.statusCode).toBe(303);
    await house.receive('erin', mail('New newsletter', 'News <news@list.example>'));
    await house.receive('erin', mail('Like it', 'News <news@list.example.org>'));
    await arrived(erin, 'New newsletter', 'archive');
    await arrived(erin, 'Like it', 'inbox');
    erin.moveTo(house.gateways[1]);
    const list = await erin.get('/mail/rules');
    expect(names(list)).toEqual(['Newsletters']);
    expect(list.body).toContain('Move to Archive, star, mark as read');
    const form = formOn(
      await erin.get(`/mail/rules/${ruleIds(list)[0]!}`),
      `/mail/rules/${ruleIds(list)[0]!}`,
    );
    expect(form).toMatchObject({ name: 'Newsletters', from: 'news@list.example', folder: 'archive' });
    erin.moveTo(house.gateways[0]);
  });

  test('forward to accounts here', async () => {
    const gail = house.visitor();
    await gail.logIn('gail', 'correct horse battery');
    await save(erin, { subject: 'shared', forward: 'gail@penncloud.test' });
    await house.receive('erin', mail('Shared plans', 'Dora <dora@other.example>'));
    await arrived(erin, 'Shared plans');
    await arrived(gail, 'Shared plans');
  });

  test('are put in order, switched, changed and deleted, each with a way back', async () => {
    const page = await erin.get('/mail/rules');
    const [first, second] = ruleIds(page);
    const press = (change: string, id: string) => erin.submit('/mail/rules', `/mail/rules/${id}/${change}`);
    await press('down', first!);
    expect(ruleIds(await erin.get('/mail/rules'))).toEqual([second, first]);
    await press('off', first!);
    await house.receive('erin', mail('While it is off', 'News <news@list.example>'));
    await arrived(erin, 'While it is off', 'inbox');
    await press('on', first!);
    await save(erin, { name: 'Papers', from: 'news@list.example', folder: 'trash' }, first);
    expect(names(await erin.get('/mail/rules'))).toContain('Papers');
    const deleted = await press('delete', first!);
    expect(ruleIds(await erin.get('/mail/rules'))).toEqual([second]);
    await undo(erin, deleted);
    expect(ruleIds(await erin.get('/mail/rules'))).toEqual([second, first]);
  });

  test('a form that is sent twice makes one rule', async () => {
    const form = { ...formOn(await erin.get('/mail/rules/new'), '/mail/rules/new'), ...ticked({}) };
    const before = names(await erin.get('/mail/rules')).length;
    const fields = { ...form, subject: 'twice', folder: 'archive', action: 'save' };
    await erin.post('/mail/rules/new', fields);
    await erin.post('/mail/rules/new', fields);
    expect(names(await erin.get('/mail/rules'))).toHaveLength(before + 1);
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['nothing to look for', { folder: 'archive' }, /at least one/],
    ['only what must not be there', { any: '-lunch', folder: 'archive' }, /not only/],
    ['nothing to do', { from: 'bob' }, /Choose what the rule does/],
    ['a folder that is not there', { from: 'bob', folder: 'a'.repeat(26) }, /may have been deleted/],
    ['a folder that fills by itself', { from: 'bob', folder: 'sent' }, /may have been deleted/],
    ['nobody', { from: 'bob', forward: 'nobody@penncloud.test' }, /nobody at nobody@penncloud.test/],
    ['oneself', { from: 'bob', forward: 'erin@penncloud.test' }, /to yourself/],
    ['no address', { from: 'bob', forward: 'gail' }, /not a mail address/],
    ['too long a field', { from: 'x'.repeat(501), folder: 'archive' }, /From is too long/],
  ])('with %s are refused, and what was typed is kept', async (_what, fields, alert) => {
    const before = names(await erin.get('/mail/rules'));
    const page = await save(erin, fields);
    expect([page.statusCode, alertOn(page)]).toEqual([400, expect.stringMatching(alert)]);
    for (const [name, value] of Object.entries(fields).filter(([field]) => field !== 'folder'))
      expect(formOn(page, '/mail/rules/new')[name]).toBe(value);
    expect(names(await erin.get('/mail/rules'))).toEqual(before);
  });

  test('that forward to an address elsewhere say so, and the message shows how its copy stands', async () => {
    await save(erin, { name: 'Out', subject: 'outward', forward: 'x@elsewhere.example' });
    const list = await erin.get('/mail/rules');
    expect(list.body).toContain('Send a copy to x@elsewhere.example, at another system');
    const out = ruleIds(list)[names(list).indexOf('Out')]!;
    expect(formOn(await erin.get(`/mail/rules/${out}`), `/mail/rules/${out}`)['forward']).toBe(
      'x@elsewhere.example',
    );
    await house.receive('erin', mail('Going outward', 'Zed <zed@zed.example>'));
    const url = await arrived(erin, 'Going outward', 'inbox');
    expect((await erin.get(url)).body).toContain(
      '<b>x@elsewhere.example</b> waits to be taken to another system',
    );
    expect((await erin.get(`${url}/why`)).body).toContain(
      'Forwarded by a rule of yours to x@elsewhere.example',
    );
    await erin.submit('/mail/rules', `/mail/rules/${out}/delete`);
  });

  test('of other people are out of reach', async () => {
    const [id] = ruleIds(await erin.get('/mail/rules'));
    const other = await house.person('hugo');
    expect((await other.get(`/mail/rules/${id!}`)).statusCode).toBe(404);
    const { csrf, commandId } = formOn(await other.get('/mail/rules/new'), '/mail/rules/new');
    const answer = await other.post(`/mail/rules/${id!}/delete`, { csrf: csrf!, commandId: commandId! });
    expect(answer.statusCode).toBe(404);
    expect((await erin.post(`/mail/rules/${id!}/delete`, {})).statusCode).toBe(403);
    expect(ruleIds(await erin.get('/mail/rules'))).toContain(id);
  });
});

describe('blocking a sender', () => {
  test('sends what they write to the trash from then on, once, and can be undone', async () => {
    const ivan = await house.person('ivan');
    await house.receive('ivan', mail('Buy this', '"Pest" <pest@spam.example>'));
    const url = await arrived(ivan, 'Buy this');
    const block = async () => ivan.post(`${url}/block`, formOn(await ivan.get(url), '/mail/inbox/do'));
    const blocked = await block();
    expect(blocked.headers.location).toMatch(/done=blocked&undo=/);
    await house.receive('ivan', mail('Buy that', 'Someone else <PEST@spam.example>'));
    await arrived(ivan, 'Buy that', 'trash');
    expect((await block()).headers.location).not.toContain('undo');
    expect(names(await ivan.get('/mail/rules'))).toEqual(['Block pest@spam.example']);
    await undo(ivan, blocked);
    expect(names(await ivan.get('/mail/rules'))).toEqual([]);
    await house.receive('ivan', mail('Buy it all', 'Pest <pest@spam.example>'));
    await arrived(ivan, 'Buy it all', 'inbox');
  });

  test('is not offered for what one has sent oneself', async () => {
    const judy = await house.person('judy');
    await judy.submit('/mail/compose', '/mail/compose', { to: 'judy@penncloud.test', subject: 'Note' });
    const page = await judy.get(await arrived(judy, 'Note', 'sent'));
    expect(page.body).not.toContain('/block"');
  });
});

describe('reporting spam', () => {
  test('teaches what comes later, on any gateway; undoing a report takes it back', async () => {
    const kim = await house.person('kim');
    const report = async (n: number, text: string, action: string) => {
      await house.receive('kim', mail(`Number ${n}`, `p${n}@example.org`, text));
      const url = await arrived(kim, `Number ${n}`);
      return kim.submit(url, '/mail/inbox/do', { action });
    };
    for (let n = 0; n < 9; n++) {
      await report(n, 'cheap pills buy now limited offer', 'spam');
      await report(100 + n, 'shall we have lunch by the river', 'archive');
    }
    await report(109, 'shall we have lunch by the river', 'archive');
    kim.moveTo(house.gateways[1]);
    const last = await report(10, 'cheap pills buy now limited offer', 'spam');
    await house.receive('kim', mail('Caught', 'x@example.org', 'cheap pills limited offer'));
    await arrived(kim, 'Caught', 'spam');
    await undo(kim, last);
    await arrived(kim, 'Number 10', 'inbox');
    await house.receive('kim', mail('Not caught', 'x@example.org', 'cheap pills limited offer'));
    await arrived(kim, 'Not caught', 'inbox');
    const caught = await arrived(kim, 'Caught', 'spam');
    expect((await kim.submit(caught, '/mail/spam/do', { action: 'notspam' })).statusCode).toBe(303);
    await arrived(kim, 'Caught', 'inbox');
  });
});
