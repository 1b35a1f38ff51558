/** Visitors, accounts, and what every answer has in common. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, openHouse, type House } from './pages-house.ts';
import { alertOn, formOn, linksOn } from './visitor.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house?.close());

describe('a visitor (AC-1, AC-2, FE-3)', () => {
  test('is shown a log-in form, and gets a random cookie that scripts cannot read', async () => {
    const visitor = house.visitor();
    const page = await visitor.get('/');
    expect(page.statusCode).toBe(200);
    expect(page.body).toMatch(/<label>Username<input name="username"/);
    expect(page.body).toMatch(/<label>Password<input name="password" type="password"/);
    expect(page.headers['set-cookie']).toMatch(/^pc_visitor=[\w-]{43}; .*HttpOnly; SameSite=Lax$/);
    const other = house.visitor();
    await other.get('/');
    expect(other.cookies.get('pc_visitor')).not.toBe(visitor.cookies.get('pc_visitor'));
  });

  test('signs up, and is led to a menu with the inbox and the files', async () => {
    const visitor = await house.person('alice', 'Alice Liddell');
    const menu = await visitor.get('/');
    expect(menu.body).toContain('Hello, Alice Liddell');
    expect(linksOn(menu, /^\/(mail\/inbox|drive)$/)).toEqual(
      expect.arrayContaining(['/mail/inbox', '/drive']),
    );
  });

  test('is told once, the same way, that name or password are wrong', async () => {
    for (const [name, password] of [
      ['alice', 'wrong password'],
      ['nobody-here', PASSWORD],
      ['../etc', 'x'],
      ['', ''],
    ]) {
      const visitor = house.visitor();
      const answer = await visitor.logIn(name!, password!);
      expect([answer.statusCode, alertOn(answer)]).toEqual([401, 'Wrong username or password.']);
      expect(visitor.cookies.has('pc_session')).toBe(false);
    }
  });

  test('logs in through any gateway and stays logged in on the others (FE-1)', async () => {
    const visitor = house.visitor(1);
    expect((await visitor.logIn('alice', PASSWORD)).headers.location).toBe('/');
    visitor.moveTo(house.gateways[0]);
    expect((await visitor.get('/')).body).toContain('Hello, Alice Liddell');
  });

  test('is led to log in, and then to the page that was asked for', async () => {
    const visitor = house.visitor();
    const led = await visitor.get('/mail/sent?x=1');
    expect(led.headers.location).toBe('/?next=%2Fmail%2Fsent%3Fx%3D1');
    const fields = { username: 'alice', password: PASSWORD };
    expect((await visitor.submit(led.headers.location!, '/login', fields)).headers.location).toBe(
      '/mail/sent?x=1',
    );
  });

  test('gets a new session at each log-in; the log-in form sent twice opens one', async () => {
    const visitor = house.visitor();
    const form = { ...formOn(await visitor.get('/'), '/login'), username: 'alice', password: PASSWORD };
    await visitor.post('/login', form);
    const first = visitor.cookies.get('pc_session');
    visitor.cookies.delete('pc_session');
    await visitor.post('/login', form);
    expect(visitor.cookies.get('pc_session')).toBe(first);
    const other = house.visitor();
    await other.logIn('alice', PASSWORD);
    expect(other.cookies.get('pc_session')).not.toBe(first);
  });

  test('is logged out by logging out, also for who kept the cookie', async () => {
    const visitor = house.visitor();
    await visitor.logIn('alice', PASSWORD);
    const kept = visitor.cookies.get('pc_session')!;
    await visitor.submit('/', '/logout');
    expect(visitor.cookies.has('pc_session')).toBe(false);
    visitor.cookies.set('pc_session', kept);
    expect((await visitor.get('/drive')).headers.location).toBe('/?next=%2Fdrive');
  });

  test('sees where the account is logged in, and ends a session there', async () => {
    const [here, there] = [await house.person('sessions'), house.visitor(1)];
    await there.logIn('sessions', PASSWORD);
    const page = await here.get('/account/sessions');
    expect(page.body.match(/Since /g)).toHaveLength(2);
    const ended = await here.submit('/account/sessions', '/account/sessions/end');
    expect(ended.headers.location).toBe('/account/sessions?done=ended');
    expect((await there.get('/account')).statusCode).toBe(303);
    expect((await here.get('/account')).statusCode).toBe(200);
  });

  test('changes the password by the old one, which ends every other session', async () => {
    const [here, there] = [await house.person('changes'), house.visitor(1)];
    await there.logIn('changes', PASSWORD);
    const fields = { current: PASSWORD, password: 'a wholly new password' };
    const form = { ...formOn(await here.get('/account/password'), '/account/password'), ...fields };
    for (let sent = 0; sent < 2; sent++) {
      const answer = await here.post('/account/password', form);
      expect(answer.headers.location).toBe('/account/password?done=ended');
    }
    expect((await here.get('/account')).statusCode).toBe(200);
    expect((await there.get('/account')).statusCode).toBe(303);
    expect((await house.visitor().logIn('changes', PASSWORD)).statusCode).toBe(401);
    expect((await house.visitor().logIn('changes', 'a wholly new password')).statusCode).toBe(303);
  });

  test('cannot change the password without the old one, or to a short one', async () => {
    const visitor = await house.person('unchanged');
    const wrong = { current: 'not my password', password: 'a wholly new password' };
    const short = { current: PASSWORD, password: 'sh0rt' };
    const refused = await visitor.submit('/account/password', '/account/password', wrong);
    expect([refused.statusCode, alertOn(refused)]).toEqual([
      401,
      'Current password is wrong: nothing was changed.',
    ]);
    expect(alertOn(await visitor.submit('/account/password', '/account/password', short))).toMatch(
      /New password is too short: at least 8/,
    );
    expect((await house.visitor().logIn('unchanged', PASSWORD)).statusCode).toBe(303);
  });

  test.each([
    ['a name that is taken', { username: 'alice', password: PASSWORD }, 409, /name alice is taken/],
    [
      'a malformed name',
      { username: 'no spaces!', password: PASSWORD },
      400,
      /Username must be 2 to 32 characters/,
    ],
    [
      'a name of 5,000 characters',
      { username: 'x'.repeat(5000), password: PASSWORD },
      400,
      /Username is too long: at most 256 bytes/,
    ],
    ['no name', { username: '', password: PASSWORD }, 400, /Username is missing/],
    [
      'a short password',
      { username: 'new-name', password: 'sh0rt' },
      400,
      /Password is too short: at least 8/,
    ],
    [
      'a huge password',
      { username: 'new-name', password: 'x'.repeat(300) },
      400,
      /Password is too long: at most 256 bytes/,
    ],
  ])('cannot sign up with %s, and is told field and limit', async (_case, fields, status, alert) => {
    const answer = await house.visitor().submit('/signup', '/signup', fields);
    expect([answer.statusCode, alertOn(answer)]).toEqual([status, expect.stringMatching(alert)]);
    expect(formOn(answer, '/signup')['username']).toBe(fields.username);
    expect(answer.body).not.toContain(fields.password);
  });
});

describe('forms', () => {
  test('from another site, or without our token, are refused and change nothing', async () => {
    const visitor = await house.person('careful');
    const form = {
      ...formOn(await visitor.get('/mail/compose'), '/mail/compose'),
      to: 'careful@localhost',
      text: 'x',
    };
    const foreign = await visitor.post('/mail/compose', form, { origin: 'https://evil.example' });
    const tokenless = await visitor.post('/mail/compose', { ...form, csrf: '' });
    const strange = house.visitor();
    await strange.get('/');
    const stolen = await strange.post('/mail/compose', form);
    for (const answer of [foreign, tokenless, stolen]) {
      expect(answer.statusCode).toBe(403);
      expect(alertOn(answer)).toMatch(/not sent from a page that we showed you/);
    }
    expect((await visitor.get('/mail/sent')).body).toContain('You have not sent anything yet');
  });

  test('without a command id are refused', async () => {
    const visitor = await house.person('idless');
    const { csrf } = formOn(await visitor.get('/mail/compose'), '/mail/compose');
    const answer = await visitor.post('/mail/compose', { csrf: csrf!, to: 'idless@localhost' });
    expect([answer.statusCode, alertOn(answer)]).toEqual([
      400,
      expect.stringContaining('commandId is missing'),
    ]);
  });
});

describe('every answer', () => {
  test('carries the headers that keep others out', async () => {
    const { headers } = await house.visitor().get('/');
    expect(headers['content-security-policy']).toMatch(/default-src 'none';.*script-src 'self';/);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
  });

  test('tells an address that does not exist, in an alert, without a stack', async () => {
    for (const path of [
      '/nothing',
      '/%E0%A4%A',
      '/mail/inbox/x/y/z',
      '/assets/../package.json',
      '/assets/style.css',
    ]) {
      const answer = await house.visitor().get(path);
      expect([400, 404, 303]).toContain(answer.statusCode);
      expect(answer.body).not.toMatch(/node_modules|\.ts:\d|at Object/);
    }
    expect(alertOn(await house.visitor().get('/nothing'))).toBe('There is no page at this address.');
  });

  test('tells a body that is no form', async () => {
    const visitor = house.visitor();
    const json = await visitor.request({
      method: 'POST',
      url: '/login',
      headers: { 'content-type': 'text/xml' },
      payload: '<x/>',
    });
    expect([json.statusCode, alertOn(json)]).toEqual([415, expect.stringContaining('takes forms only')]);
    const broken = await visitor.request({
      method: 'POST',
      url: '/login',
      headers: { 'content-type': 'application/json' },
      payload: '{',
    });
    expect(broken.statusCode).toBe(400);
  });

  test('lets assets be kept for a year, and answers briefly when they are known', async () => {
    const visitor = house.visitor();
    const page = await visitor.get('/');
    for (const pattern of [
      /href="(\/assets\/style\.[0-9a-f]{10}\.css)"/,
      /src="(\/assets\/page\.[0-9a-f]{10}\.js)"/,
    ]) {
      const url = pattern.exec(page.body)![1]!;
      const asset = await visitor.get(url);
      expect(asset.headers['cache-control']).toBe('public, max-age=31536000, immutable');
      const known = await visitor.get(url, { 'if-none-match': String(asset.headers.etag) });
      expect([known.statusCode, known.body]).toEqual([304, '']);
      const small = await visitor.get(url, { 'accept-encoding': 'br' });
      expect(small.rawPayload.length).toBeLessThan(12 * 1024);
    }
  });

  test('is a page or a plain refusal, whatever stands in the address', async () => {
    const [visitor, admin] = [await house.person('curious'), house.visitor()];
    for (let n = 0; n < 3; n++)
      await house.receive('curious', `From: a@example.org\r\nSubject: ${n}\r\n\r\nx`);
    const odd = [
      '',
      '%00',
      '%00%00',
      '~',
      '%F0%9F%98%80',
      '../..',
      `${'x'.repeat(3000)}`,
      '-1',
      '1e99',
      '%27%22%3E%3Cb%3E',
    ];
    const places = (text: string) => [
      ...['after', 'before'].map((key) => `/mail/inbox?${key}=${text}&at=${text}`),
      ...['after', 'before'].map((key) => `/drive?${key}=${text}&at=${text}`),
      ...[
        `/mail/${text}`,
        `/mail/inbox/${text}`,
        `/mail/inbox/${text}/raw`,
        `/drive/file/${text}`,
        `/?next=${text}`,
      ],
      ...[
        `/mail/compose?to=${text}`,
        `/mail/compose?reply=${text}`,
        `/account?done=${text}`,
        `/assets/${text}`,
      ],
    ];
    for (const url of odd.flatMap(places)) {
      const answer = await visitor.get(url);
      expect(answer.statusCode, url).toBeLessThan(500);
      expect(answer.body, url).not.toContain('\'"><b>');
    }
    await house.makeAdmin('curious-root');
    await admin.logIn('curious-root', PASSWORD);
    for (const text of odd) {
      for (const query of [
        `from=${text}`,
        `go=after&row=${text}&column=${text}`,
        `go=before&row=${text}&column=${text}`,
      ]) {
        expect((await admin.get(`/admin/cells?${query}`)).statusCode, query).toBeLessThan(500);
      }
      for (const query of [`tablet=${text}`, `seq=${text}`]) {
        expect((await admin.get(`/admin/events?${query}`)).statusCode, query).toBeLessThan(500);
      }
    }
  });

  test('says who answers, for those who watch', async () => {
    expect((await house.visitor(1).get('/healthz')).json()).toEqual({
      status: 'serving',
      id: 'gateway-2',
    });
  });
});
