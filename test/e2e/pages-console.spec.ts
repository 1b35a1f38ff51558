/** The console. */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONSOLE_STREAM } from '../../domain/streams.ts';
import { PASSWORD, openHouse, type House } from './pages-house.ts';
import { alertOn, linksOn, type Visitor } from './visitor.ts';

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
    for (const path of ['/admin', '/admin/events', '/admin/cells', '/admin/tablets', '/admin/accounts']) {
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
