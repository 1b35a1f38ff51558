/** The console. */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONSOLE_STREAM } from '../../domain/streams.ts';
import { dueOrderOf, parseDueOrder } from '../../projections/outbound-keys.ts';
import { itemOf, queueMessage, reportTries } from '../mail-world/queued-mail.ts';
import { until } from './cluster.ts';
import { PASSWORD, arrived, openHouse, type House } from './pages-house.ts';
import { alertOn, formOn, linksOn, type Visitor } from './visitor.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house?.close());

describe('the console (AD-1, AD-2)', () => {
  const token = randomBytes(32).toString('base64url');
  let operator: Visitor;
  beforeAll(async () => {
    await house.store.execute({
      id: `link-${token}`,
      expiresAt: Date.now() + 60_000,
      stream: CONSOLE_STREAM,
      type: 'console.IssueLink',
      data: { linkHash: createHash('sha256').update(token).digest('hex'), expiresAt: Date.now() + 3_600_000 },
      parts: [],
      actor: 'test',
      session: '',
      action: 'Issue link',
    });
    await house.person('someone');
    for (let n = 0; n < 30; n++)
      await house.receive('someone', `From: a@example.org\r\nSubject: ${n}\r\n\r\nx`);
    operator = house.visitor();
  });

  test('is opened by a one-time link, once', async () => {
    const url = `/admin/enter?token=${token}`;
    expect((await operator.get(url)).headers.location).toBe('/admin');
    expect((await operator.get('/admin')).statusCode).toBe(200);
    const second = await house.visitor(1).get(url);
    expect([second.statusCode, alertOn(second)]).toEqual([
      410,
      expect.stringContaining('has been used or has expired'),
    ]);
  });

  test('is closed to visitors and to accounts without the right', async () => {
    expect((await house.visitor().get('/admin')).headers.location).toBe('/?next=%2Fadmin');
    const user = await house.person('ordinary');
    for (const path of [
      '/admin',
      '/admin/events',
      '/admin/cells',
      '/admin/tablets',
      '/admin/queue',
      '/admin/accounts',
    ]) {
      const answer = await user.get(path);
      expect([answer.statusCode, alertOn(answer)]).toEqual([
        403,
        expect.stringContaining('for administrators'),
      ]);
    }
  });

  test('makes an administrator, who gets in with name and password', async () => {
    const made = await operator.submit('/admin/accounts', '/admin/accounts', {
      username: 'root-user',
      password: PASSWORD,
    });
    expect(made.headers.location).toBe('/admin/accounts?made=root-user');
    const admin = house.visitor(1);
    await admin.logIn('root-user', PASSWORD);
    expect((await admin.get('/admin')).statusCode).toBe(200);
  });

  test('shows counts first, and every tablet with its copies', async () => {
    const page = await operator.get('/admin/tablets');
    const tablets = await house.store.tablets();
    expect(page.body).toMatch(new RegExp(`<b>${tablets.length}</b> tablets`));
    expect(page.body).toContain('<b>0</b> unavailable');
    for (const { id } of tablets) expect(page.body).toContain(`/admin/events?tablet=${id}"`);
    expect(page.body.match(/ primary</g)).toHaveLength(tablets.length);
  });

  test('says so when heartbeats cannot be heard', async () => {
    expect((await operator.get('/admin')).body).toContain('Heartbeats cannot be heard just now');
  });

  test('shows the cells ten at a time, forward through all of them and back', async () => {
    const rowsOn = (body: string) =>
      [...body.matchAll(/<tr><td class="mono name">([^<]*)<\/td><td class="mono name">([^<]*)</g)].map(
        ([, row, column]) => `${row} ${column}`,
      );
    const all: string[] = [];
    let page = await operator.get('/admin/cells');
    const pages = [rowsOn(page.body)];
    for (;;) {
      const rows = rowsOn(page.body);
      expect(rows.length).toBeLessThanOrEqual(10);
      all.push(...rows);
      const next = linksOn(page, /go=after/)[0];
      if (next === undefined) break;
      page = await operator.get(next);
      pages.push(rowsOn(page.body));
    }
    // Each message is a line of a list, a summary and its bytes.
    expect(all.length).toBeGreaterThan(90);
    expect(new Set(all).size).toBe(all.length);
    const back = await operator.get(linksOn(page, /go=before/)[0]!);
    expect(rowsOn(back.body)).toEqual(pages.at(-2));
    const account = await operator.get('/admin/cells?from=~user/');
    expect(account.body).toContain('a password hash: not shown');
    expect(account.body).not.toContain('$argon2id$');
  });

  test('shows what happened, newest first, from any position', async () => {
    const page = await operator.get('/admin/events');
    const seqs = [...page.body.matchAll(/<summary><span class="number">(\d+)</g)].map(([, seq]) =>
      Number(seq),
    );
    expect(seqs).toEqual([...seqs].sort((a, b) => b - a));
    expect(seqs.length).toBe(20);
    const older = await operator.get(linksOn(page, /seq=/)[0]!);
    expect(older.body).toContain(`<span class="number">${seqs.at(-1)! - 1}</span>`);
    const tablet = /tablet=([^&"]+)/.exec(linksOn(page, /seq=/)[0]!)![1]!;
    const first = await operator.get(`/admin/events?tablet=${tablet}&seq=1`);
    expect([...first.body.matchAll(/<summary><span class="number">(\d+)</g)].map(([, seq]) => seq)).toEqual([
      '1',
    ]);
    expect((await operator.get('/admin/events?tablet=none')).statusCode).toBe(404);
  });

  test('is left by its visitor, for good', async () => {
    const kept = operator.cookies.get('pc_console')!;
    expect((await operator.submit('/admin', '/admin/leave')).headers.location).toBe('/?left=1');
    operator.cookies.set('pc_console', kept);
    expect((await operator.get('/admin')).statusCode).toBe(303);
  });
});

describe('the queue of mail to other systems', () => {
  let admin: Visitor;
  let sender: Visitor;
  let item: string;
  const raw = 'Subject: Plans\r\n\r\nWhat do you think?\r\n';
  const statusOn = (page: { body: string }) => /role="status">([^<]*)</.exec(page.body)?.[1];
  const itemsOn = (page: { body: string }) => [
    ...page.body.matchAll(/<th scope="row">[^<]*<a href="\/admin\/queue\/([^"?]+)/g),
  ];
  const act = async (action: string, id = item, back = '') => {
    const page = await admin.get(`/admin/queue${back}`);
    return admin.post(`/admin/queue/${id}`, { ...formOn(page, `/admin/queue/${id}`), action });
  };
  const senderSees = async (words: string) => {
    const url = await arrived(sender, 'Plans', 'sent');
    await until(`the sender sees "${words}"`, async () => (await sender.get(url)).body.includes(words));
  };

  beforeAll(async () => {
    await house.makeAdmin('keeper');
    admin = house.visitor();
    await admin.logIn('keeper', PASSWORD);
    sender = await house.person('writer');
  });

  test('is empty at first, and says so', async () => {
    const page = await admin.get('/admin/queue');
    expect(page.body).toContain('No message waits for another system.');
    expect(page.body).toContain('No worker holds a lease');
    expect((await admin.get('/admin/queue?part=held')).body).toContain('No message is held.');
  });

  test('shows who sent what to whom, and since when', async () => {
    const letter = { to: 'ann@far.example, ben@far.example', cc: '', bcc: '', subject: 'Plans', text: 'Hm?' };
    await sender.submit('/mail/compose', '/mail/compose', { ...letter, action: 'send' });
    item = await until('it waits', async () => itemsOn(await admin.get('/admin/queue'))[0]?.[1]);
    const { body } = await admin.get('/admin/queue');
    expect(body).toContain('<b>1</b> waiting');
    expect(body).toContain('Sent by <a');
    for (const words of ['writer</a>', 'ann@far.example', 'ben@far.example', 'not tried yet'])
      expect(body).toContain(words);
  });

  test('shows the last answer of a server, as text, and who works on the queue', async () => {
    await reportTries(house.store, item, [
      {
        to: 0,
        outcome: 'deferred',
        code: 451,
        host: 'mx.far.example',
        text: '451 4.7.1 <b>later</b>',
        retryAt: Date.now() + 3_600_000,
      },
    ]);
    const { body } = await admin.get('/admin/queue');
    expect(body).toContain('mx.far.example: 451 4.7.1 &lt;b&gt;later&lt;/b&gt;');
    expect(body).toMatch(/will retry<\/span> <span class="soft">1 try, next <time/);
    expect(body).toContain(`test-${process.pid}</b> works on 1 queue`);
    const { body: part } = await admin.get('/admin/queue?fragment=list');
    expect(part).toContain('ann@far.example');
    expect(part).not.toContain('<html');
  });

  test('holds a message, which its sender sees, and releases it', async () => {
    const held = await act('hold');
    expect([held.statusCode, held.headers.location]).toEqual([303, '/admin/queue?done=hold']);
    const page = await admin.get(String(held.headers.location));
    expect(statusOn(page)).toContain('The message is held');
    expect(page.body).toContain('<b>1</b> held');
    expect(itemsOn(page)).toEqual([]);
    await senderSees('is held back by the operator of this system');
    const released = await act('release', item, '?part=held');
    expect(released.headers.location).toBe('/admin/queue?part=held&done=release');
    expect((await admin.get('/admin/queue')).body).toContain('<b>1</b> waiting');
  });

  test('tries a message at once; what is held must be released first', async () => {
    await reportTries(house.store, item, [
      { to: 1, outcome: 'deferred', code: 450, host: 'mx', text: 'busy', retryAt: Date.now() + 3_600_000 },
    ]);
    const before = Date.now() + 1_800_000;
    expect((await act('retry')).headers.location).toBe('/admin/queue?done=retry');
    const now = await itemOf(house.store, item);
    expect(now!.recipients.every(({ retryAt }) => retryAt !== null && retryAt < before)).toBe(true);
    const fields = formOn(await admin.get('/admin/queue'), `/admin/queue/${item}`);
    await admin.post(`/admin/queue/${item}`, { ...fields, action: 'hold' });
    // The same form, another button: a command of its own.
    const retried = await admin.post(`/admin/queue/${item}`, { ...fields, action: 'retry' });
    expect(statusOn(await admin.get(String(retried.headers.location)))).toContain('release it first');
    await act('release', item, '?part=held');
  });

  test('cancels after saying what that means; once it is done nothing is left to act on', async () => {
    const listed = await admin.get('/admin/queue');
    const whole = await admin.get(linksOn(listed, new RegExp(`/admin/queue/${item}`))[0]!);
    expect(whole.body).toContain('It is given up for 2 recipients, for good.');
    const fields = formOn(whole, `/admin/queue/${item}`);
    const cancelled = await admin.post(`/admin/queue/${item}`, { ...fields, action: 'cancel' });
    expect(statusOn(await admin.get(String(cancelled.headers.location)))).toContain('is cancelled');
    await senderSees('cancelled by the operator of this system');
    expect((await admin.get(`/admin/queue/${item}`)).statusCode).toBe(404);
    const again = await admin.post(`/admin/queue/${item}`, { ...fields, action: 'hold' });
    expect([again.statusCode, alertOn(again)]).toEqual([
      404,
      expect.stringContaining('does not wait any more'),
    ]);
  });

  test('shows all queues in one order, a page at a time, forward and back', async () => {
    const made: string[] = [];
    for (let n = 0; n < 30; n++)
      made.push(await queueMessage(house.store, { account: 'writer', to: [`p${n}@far.example`], raw }));
    const items = await Promise.all(made.map((id) => itemOf(house.store, id)));
    const orders = items.map((one) => dueOrderOf(one!.queuedAt, one!.id)).sort();
    const inOrder = orders.map((order) => parseDueOrder(order)!.itemId);
    const first = await admin.get('/admin/queue');
    expect(first.body).toContain('1–25 of 30');
    const second = await admin.get(linksOn(first, /after=/)[0]!.replaceAll('&amp;', '&'));
    expect(second.body).toContain('26–30 of 30');
    expect([...itemsOn(first), ...itemsOn(second)].map(([, id]) => id)).toEqual(inOrder);
    const back = await admin.get(linksOn(second, /before=/)[0]!.replaceAll('&amp;', '&'));
    expect(itemsOn(back).map(([, id]) => id)).toEqual(inOrder.slice(0, 25));
  });

  test('refuses what is no button, no message and no place', async () => {
    const [, id] = itemsOn(await admin.get('/admin/queue'))[0]!;
    expect((await act('destroy', id)).statusCode).toBe(400);
    const fields = formOn(await admin.get('/admin/queue'), `/admin/queue/${id!}`);
    expect((await admin.post(`/admin/queue/${id!}`, { action: 'hold' })).statusCode).toBe(403);
    expect((await admin.post('/admin/queue/%00', { ...fields, action: 'hold' })).statusCode).toBe(404);
    expect((await admin.get('/admin/queue?after=elsewhere')).statusCode).toBe(400);
    const toAnother = { ...fields, action: 'hold', back: '?after=https://far.example&part=held' };
    const { location } = (await admin.post(`/admin/queue/${id!}`, toAnother)).headers;
    expect(location).toMatch(/^\/admin\/queue\?/);
    const asUser = await sender.post(`/admin/queue/${id!}`, {
      ...formOn(await sender.get('/account/profile'), '/account/profile'),
      action: 'hold',
    });
    expect(asUser.statusCode).toBe(403);
    expect((await itemOf(house.store, id!))!.recipients[0]!.state).toBe('held');
  });
});
