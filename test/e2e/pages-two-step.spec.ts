/** Two-step log-in and recovery codes, as a person meets them, and as an attacker does. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accountStream } from '../../domain/streams.ts';
import { lockCell, secondFactorCell } from '../../projections/keys.ts';
import { readLock, readSecondFactor } from '../../projections/second-factor.ts';
import { Authenticator, recoveryCodesOn } from './authenticator.ts';
import { until } from './cluster.ts';
import { openHouse, PASSWORD, type House } from './pages-house.ts';
import { alertOn, formOn, type Visitor } from './visitor.ts';

const NEW_PASSWORD = 'a wholly new password';
let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house?.close());

/** Someone with two-step log-in on, still logged in. */
async function guarded(name: string): Promise<{ person: Visitor; phone: Authenticator; codes: string[] }> {
  const person = await house.person(name);
  const page = await person.get('/account/two-step/set-up');
  const phone = new Authenticator(page);
  const on = await person.post('/account/two-step/set-up', {
    ...formOn(page, '/account/two-step/set-up'),
    code: phone.next(),
    current: PASSWORD,
  });
  expect(on.statusCode, alertOn(on)).toBe(200);
  return { person, phone, codes: recoveryCodesOn(on) };
}

async function firstStep(name: string, gateway: 0 | 1 = 0): Promise<Visitor> {
  const visitor = house.visitor(gateway);
  const answer = await visitor.logIn(name, PASSWORD);
  expect(answer.headers.location).toBe('/login/code');
  return visitor;
}
const showCode = (visitor: Visitor, code: string) => visitor.submit('/login/code', '/login/code', { code });
const isIn = async (visitor: Visitor) => (await visitor.get('/account')).statusCode === 200;

describe('two-step log-in', () => {
  test('is turned on by one right code and the password, and hands out ten recovery codes', async () => {
    const { person, codes } = await guarded('on');
    expect(new Set(codes).size).toBe(10);
    expect((await person.get('/account')).body).toMatch(/Two-step log-in<\/b><small>On since/);
    expect((await person.get('/account/two-step')).body).not.toContain('class="mono secret"');
  });

  test('is not turned on by a wrong code or a wrong password, and nothing is stored until then', async () => {
    const person = await house.person('not-on');
    const page = await person.get('/account/two-step/set-up');
    const phone = new Authenticator(page);
    const form = formOn(page, '/account/two-step/set-up');
    const wrongs = [
      { code: phone.wrong(), current: PASSWORD },
      { code: phone.next(), current: 'not my password' },
    ];
    for (const wrong of wrongs) {
      const answer = await person.post('/account/two-step/set-up', { ...form, ...wrong });
      expect([answer.statusCode, alertOn(answer)]).toEqual([401, expect.stringMatching(/wrong/)]);
      // The same secret again: the app has it already.
      expect(formOn(answer, '/account/two-step/set-up')['sealed']).toBe(form['sealed']);
    }
    expect((await house.visitor().logIn('not-on', PASSWORD)).headers.location).toBe('/');
  });

  test('takes no secret that was sealed for somebody else, or made up', async () => {
    const [person, other] = [await house.person('mine'), await house.person('theirs')];
    const form = formOn(await person.get('/account/two-step/set-up'), '/account/two-step/set-up');
    const foreign = formOn(await other.get('/account/two-step/set-up'), '/account/two-step/set-up');
    for (const sealed of [foreign['sealed']!, '1.AAAA', `${form['sealed']}A`, '']) {
      const fields = { ...form, sealed, code: '123456', current: PASSWORD };
      expect((await person.post('/account/two-step/set-up', fields)).statusCode).toBe(400);
    }
  });

  test('asks for a code on a second page; the first step leaves no session', async () => {
    const { phone } = await guarded('second-page');
    const visitor = await firstStep('second-page', 1);
    expect(visitor.cookies.has('pc_session')).toBe(false);
    expect((await visitor.get('/account')).statusCode).toBe(303);
    visitor.moveTo(house.gateways[0]);
    expect((await showCode(visitor, phone.next())).headers.location).toBe('/');
    expect(await isIn(visitor)).toBe(true);
    expect(visitor.cookies.has('pc_step')).toBe(false);
  });

  test('leads to the page that was asked for', async () => {
    const { phone } = await guarded('onward');
    const visitor = house.visitor();
    const led = await visitor.submit('/?next=%2Fmail%2Fsent', '/login', {
      username: 'onward',
      password: PASSWORD,
    });
    expect(led.headers.location).toBe('/login/code?next=%2Fmail%2Fsent');
    const answer = await visitor.submit(led.headers.location!, '/login/code', { code: phone.next() });
    expect(answer.headers.location).toBe('/mail/sent');
  });

  test('takes each code once, also of two gateways at the same moment', async () => {
    const { phone } = await guarded('once');
    const [here, there] = [await firstStep('once', 0), await firstStep('once', 1)];
    const code = phone.next();
    const both = await Promise.all([showCode(here, code), showCode(there, code)]);
    expect(both.map(({ statusCode }) => statusCode).sort()).toEqual([303, 401]);
    const late = await firstStep('once');
    expect((await showCode(late, code)).statusCode).toBe(401);
    expect(await isIn(late)).toBe(false);
  });

  test('opens one session for a code form that was sent twice', async () => {
    const { phone } = await guarded('double-click');
    const visitor = await firstStep('double-click');
    const form = { ...formOn(await visitor.get('/login/code'), '/login/code'), code: phone.next() };
    const step = visitor.cookies.get('pc_step')!;
    await visitor.post('/login/code', form);
    const session = visitor.cookies.get('pc_session');
    visitor.cookies.delete('pc_session');
    visitor.cookies.set('pc_step', step);
    await visitor.post('/login/code', form);
    expect(visitor.cookies.get('pc_session')).toBe(session);
  });

  test.each([
    ['none', undefined],
    ['made up', (step: string) => step.replace(/.{5}$/, 'AAAAA')],
    ['of a later end', (step: string) => step.replace(/\.[0-9a-z]{8}\./, '.zzzzzzzz.')],
    ['of another account', (step: string) => step.replace('stolen-step', 'other-names')],
  ])('does not believe a first step that is %s', async (_case, forge) => {
    const name = 'stolen-step';
    if (!(await house.visitor().logIn(name, PASSWORD)).headers.location) await guarded(name);
    const visitor = await firstStep(name);
    const form = { ...formOn(await visitor.get('/login/code'), '/login/code'), code: '123456' };
    const step = visitor.cookies.get('pc_step')!;
    visitor.cookies.delete('pc_step');
    if (forge) visitor.cookies.set('pc_step', forge(step));
    expect((await visitor.post('/login/code', form)).headers.location).toBe('/?again=1');
  });

  test('opens no session for who has the password and the id of a code form, which stands in the log', async () => {
    const { phone } = await guarded('overlooked');
    const [owner, admin] = [await firstStep('overlooked'), await firstStep('overlooked', 1)];
    const form = formOn(await owner.get('/login/code'), '/login/code');
    expect((await owner.post('/login/code', { ...form, code: phone.next() })).statusCode).toBe(303);
    const own = formOn(await admin.get('/login/code'), '/login/code');
    const answer = await admin.post('/login/code', {
      ...own,
      commandId: form['commandId']!,
      code: phone.wrong(),
    });
    expect([answer.statusCode, admin.cookies.has('pc_session')]).toEqual([401, false]);
  });

  test('does not believe a first step of another visitor', async () => {
    const { phone } = await guarded('carried-off');
    const [victim, thief] = [await firstStep('carried-off'), house.visitor()];
    await thief.get('/');
    thief.cookies.set('pc_step', victim.cookies.get('pc_step')!);
    expect((await thief.get('/login/code')).headers.location).toBe('/?again=1');
    expect((await showCode(victim, phone.next())).statusCode).toBe(303);
  });

  test('begins anew when the password was changed between the steps', async () => {
    const { person, phone } = await guarded('between');
    const visitor = await firstStep('between');
    await person.submit('/account/password', '/account/password', {
      current: PASSWORD,
      password: NEW_PASSWORD,
    });
    expect((await showCode(visitor, phone.next())).headers.location).toBe('/?again=1');
    expect(await isIn(visitor)).toBe(false);
  });

  test('ends there when the account was deleted between the steps', async () => {
    const { person, phone, codes } = await guarded('gone-between');
    const visitor = await firstStep('gone-between');
    const wrong = { current: PASSWORD, code: phone.wrong() };
    expect((await person.submit('/account/delete', '/account/delete', wrong)).statusCode).toBe(401);
    const right = { current: PASSWORD, code: codes[0]! };
    const gone = await person.submit('/account/delete', '/account/delete', right);
    expect(gone.headers.location).toBe('/?deleted=1');
    const late = await showCode(visitor, phone.next());
    expect(late.statusCode).not.toBe(200);
    expect([await isIn(visitor), visitor.cookies.has('pc_session')]).toEqual([false, false]);
  });

  test('locks after ten wrong codes on all gateways together, and says for how long', async () => {
    const { phone } = await guarded('guessed');
    const [here, there] = [await firstStep('guessed', 0), await firstStep('guessed', 1)];
    for (let n = 0; n < 6; n++) {
      for (const visitor of [here, there]) {
        const answer = await showCode(visitor, phone.wrong());
        expect([401, 429]).toContain(answer.statusCode);
      }
    }
    const owner = accountStream('guessed');
    await until('the account is locked', async () => {
      const locked = await house.store.read(owner, [{ get: lockCell(owner, 'code') }]);
      const bytes = locked.results[0]?.[0]?.bytes;
      return (bytes !== undefined && readLock(bytes).until > 0) || undefined;
    });
    // A fresh gateway with no memory of its own would read the same lock.
    const refused = await showCode(there, phone.next());
    expect([refused.statusCode, alertOn(refused)]).toEqual([
      429,
      expect.stringMatching(/try again in [3-5] min/),
    ]);
    expect(await isIn(there)).toBe(false);
  });

  test('is turned off by the password alone, and then not asked for', async () => {
    const { person } = await guarded('off-again');
    const wrong = await person.submit('/account/two-step', '/account/two-step/off', {
      current: 'not it at all',
    });
    expect(wrong.statusCode).toBe(401);
    const off = await person.submit('/account/two-step', '/account/two-step/off', { current: PASSWORD });
    expect(off.headers.location).toBe('/account/two-step?done=off');
    expect((await house.visitor().logIn('off-again', PASSWORD)).headers.location).toBe('/');
  });

  test('keeps its secret sealed: neither the cell nor the console tells it', async () => {
    const person = await house.person('sealed');
    const page = await person.get('/account/two-step/set-up');
    const phone = new Authenticator(page);
    const secret = /class="mono secret">([A-Z2-7 ]+)</.exec(page.body)![1]!.replaceAll(' ', '');
    await person.post('/account/two-step/set-up', {
      ...formOn(page, '/account/two-step/set-up'),
      code: phone.next(),
      current: PASSWORD,
    });
    const owner = accountStream('sealed');
    const cell = (await house.store.read(owner, [{ get: secondFactorCell(owner) }])).results[0]![0]!;
    expect(readSecondFactor(cell.bytes!)).toMatchObject({ on: true, sealed: expect.stringMatching(/^1\./) });
    expect(cell.bytes!.toString()).not.toContain(secret);
    await house.makeAdmin('sealed-root');
    const admin = house.visitor();
    await admin.logIn('sealed-root', PASSWORD);
    const shown = await admin.get(`/admin/cells?from=${encodeURIComponent(`${owner}/account`)}`);
    expect(shown.body).toContain('second-factor');
    expect(shown.body).not.toContain(readSecondFactor(cell.bytes!).sealed.slice(0, 20));
  });
});

describe('recovery codes', () => {
  test('stand for the app, each once', async () => {
    const { codes } = await guarded('lost-phone');
    const visitor = await firstStep('lost-phone');
    expect((await showCode(visitor, codes[3]!.toUpperCase().replaceAll('-', ' '))).statusCode).toBe(303);
    expect((await visitor.get('/account/recovery-codes')).body).toContain('9 of 10 left');
    const again = await firstStep('lost-phone');
    expect((await showCode(again, codes[3]!)).statusCode).toBe(401);
    expect((await showCode(again, codes[4]!)).statusCode).toBe(303);
  });

  test('are made anew by the password, which ends the old ones; the same form shows the same ones', async () => {
    const { person, codes } = await guarded('anew');
    const page = await person.get('/account/recovery-codes');
    const form = { ...formOn(page, '/account/recovery-codes'), current: PASSWORD };
    const first = recoveryCodesOn(await person.post('/account/recovery-codes', form));
    expect(first).toHaveLength(10);
    expect(recoveryCodesOn(await person.post('/account/recovery-codes', form))).toEqual(first);
    expect(first.some((code) => codes.includes(code))).toBe(false);
    const visitor = await firstStep('anew');
    expect((await showCode(visitor, codes[0]!)).statusCode).toBe(401);
    expect((await showCode(visitor, first[0]!)).statusCode).toBe(303);
    const late = await person.post('/account/recovery-codes', form);
    expect([late.statusCode, recoveryCodesOn(late)]).toEqual([409, []]);
  });

  test('are not made without the password', async () => {
    const person = await house.person('no-codes');
    const fields = { current: 'not my password' };
    const answer = await person.submit('/account/recovery-codes', '/account/recovery-codes', fields);
    expect([answer.statusCode, recoveryCodesOn(answer)]).toEqual([401, []]);
    expect((await person.get('/account')).body).toContain('None made');
  });

  test('set a new password for one that is lost, end every session and open none', async () => {
    const person = await house.person('forgetful');
    const made = await person.submit('/account/recovery-codes', '/account/recovery-codes', {
      current: PASSWORD,
    });
    const [code] = recoveryCodesOn(made);
    const visitor = house.visitor(1);
    const fields = { username: 'Forgetful', code: code!, password: NEW_PASSWORD };
    const form = { ...formOn(await visitor.get('/lost-password'), '/lost-password'), ...fields };
    expect((await visitor.post('/lost-password', form)).headers.location).toBe('/?reset=1');
    expect(visitor.cookies.has('pc_session')).toBe(false);
    expect(await isIn(person)).toBe(false);
    expect((await house.visitor().logIn('forgetful', PASSWORD)).statusCode).toBe(401);
    expect((await house.visitor().logIn('forgetful', NEW_PASSWORD)).statusCode).toBe(303);
    const used = await house
      .visitor()
      .submit('/lost-password', '/lost-password', { ...fields, password: PASSWORD });
    expect(used.statusCode).toBe(401);
  });

  test('do not get past two-step log-in: a new password still needs a code', async () => {
    const { phone, codes } = await guarded('both-lost');
    const fields = { username: 'both-lost', code: codes[0]!, password: NEW_PASSWORD };
    await house.visitor().submit('/lost-password', '/lost-password', fields);
    const visitor = house.visitor();
    expect((await visitor.logIn('both-lost', NEW_PASSWORD)).headers.location).toBe('/login/code');
    expect(await isIn(visitor)).toBe(false);
    expect((await showCode(visitor, phone.next())).statusCode).toBe(303);
  });

  test('are told the same way whether the name or the code is wrong, and cannot be guessed on', async () => {
    await guarded('target');
    const fields = { code: 'aaaa-bbbb-cccc-dddd', password: NEW_PASSWORD };
    for (const username of ['target', 'nobody-here', '../etc']) {
      const answer = await house
        .visitor()
        .submit('/lost-password', '/lost-password', { ...fields, username });
      expect([answer.statusCode, alertOn(answer)]).toEqual([401, 'Wrong username or recovery code.']);
    }
    const statuses: number[] = [];
    for (let n = 0; n < 10; n++) {
      const answer = await house
        .visitor()
        .submit('/lost-password', '/lost-password', { ...fields, username: 'target' });
      statuses.push(answer.statusCode);
    }
    expect(statuses.at(-1)).toBe(429);
    // Who knows the password is not kept out by it.
    expect((await firstStep('target')).cookies.has('pc_step')).toBe(true);
  });
});
