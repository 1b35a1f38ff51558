/** What guards an account: its forms, its log-in, and that it is gone once it was deleted. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accountStream } from '../../domain/streams.ts';
import { lockCell } from '../../projections/keys.ts';
import { readLock } from '../../projections/second-factor.ts';
import { Postmaster } from '../../gateways/postmaster/postmaster.ts';
import { Recipients } from '../../gateways/smtp/session/recipients.ts';
import { Rejected } from '../../storage-nodes/client/client.ts';
import { until } from './cluster.ts';
import { openHouse, PASSWORD, type House } from './pages-house.ts';
import { alertOn, formOn, type Visitor } from './visitor.ts';

const NEW_PASSWORD = 'a wholly new password';
let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house?.close());

const isIn = async (visitor: Visitor) => (await visitor.get('/account')).statusCode === 200;
async function elsewhere(name: string): Promise<Visitor> {
  const visitor = house.visitor(1);
  await visitor.logIn(name, PASSWORD);
  return visitor;
}

describe('forms of the account', () => {
  const FORMS = [
    ['/account/profile', '/account/profile'],
    ['/account/identities/new', '/account/identities'],
    ['/account/dates', '/account/dates'],
    ['/account/password', '/account/password'],
    ['/account/two-step/set-up', '/account/two-step/set-up'],
    ['/account/recovery-codes', '/account/recovery-codes'],
    ['/account/sessions', '/account/sessions/end'],
    ['/account/sessions', '/account/sessions/end-others'],
    ['/account/delete', '/account/delete'],
  ] as const;

  test.each(FORMS)(
    'on %s to %s are refused from another site, without token, and from an older log-in',
    async (page, action) => {
      const name = 'forms-of';
      if (!(await house.visitor().logIn(name, PASSWORD)).headers.location) await house.person(name);
      const person = await elsewhere(name);
      const form = { ...formOn(await person.get(page), action), current: PASSWORD, password: NEW_PASSWORD };
      const foreign = await person.post(action, form, { origin: 'https://evil.example' });
      const crossSite = await person.post(action, form, { 'sec-fetch-site': 'cross-site' });
      const tokenless = await person.post(action, { ...form, csrf: '' });
      await person.submit('/', '/logout');
      await person.logIn(name, PASSWORD);
      const stale = await person.post(action, form);
      for (const answer of [foreign, crossSite, tokenless, stale]) {
        expect([answer.statusCode, alertOn(answer)]).toEqual([
          403,
          expect.stringMatching(/not sent from a page/),
        ]);
      }
      expect(await isIn(person)).toBe(true);
    },
  );

  test('do not let a planted session or visitor cookie survive the log-in', async () => {
    await house.person('fixated');
    const attacker = await house.person('fixator');
    const visitor = house.visitor();
    const planted = {
      visitor: 'planted-planted-planted-planted-planted-pla',
      session: attacker.cookies.get('pc_session')!,
    };
    visitor.cookies.set('pc_visitor', planted.visitor);
    visitor.cookies.set('pc_session', planted.session);
    const form = formOn(await visitor.get('/'), '/logout');
    expect(form).toHaveProperty('csrf');
    visitor.cookies.delete('pc_session');
    await visitor.logIn('fixated', PASSWORD);
    expect(visitor.cookies.get('pc_session')).toMatch(/^fixated\.[\w-]{43}$/);
    const thief = house.visitor();
    thief.cookies.set('pc_visitor', planted.visitor);
    expect(await isIn(thief)).toBe(false);
  });
});

describe('log-ins that fail', () => {
  test('lock the account on every gateway after twenty, whoever tries, and not before', async () => {
    const owners = await house.person('stormed');
    const statuses: number[] = [];
    for (let n = 0; n < 20; n++)
      statuses.push(
        (await house.visitor(n % 2 === 0 ? 0 : 1).logIn('stormed', `wrong password ${n}`)).statusCode,
      );
    expect(statuses.every((status) => status === 401)).toBe(true);
    const owner = accountStream('stormed');
    await until('the store has counted', async () => {
      const { results } = await house.store.read(owner, [{ get: lockCell(owner, 'password') }]);
      const bytes = results[0]?.[0]?.bytes;
      return (bytes !== undefined && readLock(bytes).until > 0) || undefined;
    });
    // Each gateway has seen ten: it is the store that locks.
    const locked = await house.visitor(1).logIn('stormed', PASSWORD);
    expect(locked.statusCode).toBe(429);
    expect(alertOn(locked)).toMatch(/try again in [45] min/);
    expect(Number(locked.headers['retry-after'])).toBeGreaterThan(200);
    // The owner's own browser, which has logged in before, is not locked out by strangers.
    await owners.submit('/', '/logout');
    expect((await owners.logIn('stormed', PASSWORD)).statusCode).toBe(303);
  });

  test('in the browser of the owner are limited by themselves', async () => {
    const person = await house.person('clumsy');
    await person.submit('/', '/logout');
    const form = {
      ...formOn(await person.get('/'), '/login'),
      username: 'clumsy',
      password: 'wrong password',
    };
    const answers = await Promise.all(Array.from({ length: 25 }, () => person.post('/login', form)));
    expect(answers.filter(({ statusCode }) => statusCode === 429)).toHaveLength(5);
    expect((await house.visitor().logIn('clumsy', PASSWORD)).statusCode).toBe(303);
  });

  test('cannot be tried on the sign-up page either, by a form that was accepted for another name', async () => {
    await house.person('besieged');
    const tablets = await house.store.tablets();
    const tabletOf = (name: string) => tablets.findLast(({ from }) => from <= accountStream(name))?.id;
    // The attacker's account lies in the tablet where the victim's does: the form's command is known there.
    const names = Array.from({ length: 1000 }, (_, n) => `besieger-${n}`);
    const beside = names.find((name) => tabletOf(name) === tabletOf('besieged'))!;
    const attacker = house.visitor();
    const form = { ...formOn(await attacker.get('/signup'), '/signup'), password: PASSWORD };
    expect((await attacker.post('/signup', { ...form, username: beside })).statusCode).toBe(303);
    attacker.cookies.delete('pc_session');
    for (const password of ['wrong password', 'another wrong one', PASSWORD]) {
      const answer = await attacker.post('/signup', { ...form, username: 'besieged', password });
      expect([answer.statusCode, attacker.cookies.has('pc_session')]).toEqual([409, false]);
    }
  });

  test('are limited for each network, whatever names are tried', async () => {
    const visitor = house.visitor();
    const form = { ...formOn(await visitor.get('/'), '/login'), password: 'wrong password' };
    const from = (remoteAddress: string, username: string) =>
      visitor.request({
        method: 'POST',
        url: '/login',
        remoteAddress,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        payload: new URLSearchParams({ ...form, username }).toString(),
      });
    for (let n = 0; n < 100; n += 20) {
      const some = Array.from({ length: 20 }, (_, m) => from(`2001:db8:1:1::${n + m}`, `name-${n + m}`));
      for (const { statusCode } of await Promise.all(some)) expect(statusCode).toBe(401);
    }
    expect((await from('2001:db8:1:1::ffff', 'stormed')).statusCode).toBe(429);
    expect((await from('2001:db8:1:2::1', 'anyone')).statusCode).toBe(401);
  });

  test('of many at once are not all let through', async () => {
    await house.person('flooded');
    const visitor = house.visitor();
    const form = {
      ...formOn(await visitor.get('/'), '/login'),
      username: 'flooded',
      password: 'wrong password',
    };
    const answers = await Promise.all(Array.from({ length: 40 }, () => visitor.post('/login', form)));
    expect(answers.filter(({ statusCode }) => statusCode === 429)).toHaveLength(20);
  });

  test('are forgiven by one that succeeds', async () => {
    await house.person('forgiven');
    for (let n = 0; n < 12; n++) await house.visitor().logIn('forgiven', 'wrong password');
    expect((await house.visitor().logIn('forgiven', PASSWORD)).statusCode).toBe(303);
    for (let n = 0; n < 12; n++)
      expect((await house.visitor().logIn('forgiven', 'wrong password')).statusCode).toBe(401);
  });
});

describe('deleting the account', () => {
  test('asks for the password; then nobody is logged in, mail is refused, and the name stays taken', async () => {
    const person = await house.person('leaving');
    const other = await elsewhere('leaving');
    await house.receive('leaving', 'From: a@example.org\r\nSubject: Kept\r\n\r\nx');
    const wrong = await person.submit('/account/delete', '/account/delete', { current: 'not my password' });
    expect([wrong.statusCode, await isIn(person)]).toEqual([401, true]);
    const gone = await person.submit('/account/delete', '/account/delete', { current: PASSWORD });
    expect(gone.headers.location).toBe('/?deleted=1');
    expect(person.cookies.has('pc_session')).toBe(false);
    expect((await person.get('/?deleted=1')).body).toContain('Your account is deleted.');
    expect(await isIn(other)).toBe(false);
    expect((await house.visitor().logIn('leaving', PASSWORD)).statusCode).toBe(401);
    const again = await house
      .visitor()
      .submit('/signup', '/signup', { username: 'leaving', password: PASSWORD });
    expect([again.statusCode, alertOn(again)]).toEqual([409, expect.stringMatching(/taken/)]);
    const received = house.receive('leaving', 'From: a@example.org\r\nSubject: Too late\r\n\r\nx');
    await expect(received).rejects.toSatisfy(
      (error) => error instanceof Rejected && error.rejection.code === 'NoSuchAccount',
    );
    const postmaster = new Postmaster({ store: house.store, logger: { error() {} } });
    const recipients = new Recipients({ store: house.store, domains: ['penncloud.test'], postmaster });
    await expect(recipients.find('leaving@penncloud.test')).rejects.toMatchObject({
      responseCode: 550,
    });
    const sender = await house.person('still-here');
    const mail = await sender.submit('/mail/compose', '/mail/compose', {
      to: 'leaving@penncloud.test',
      text: 'x',
    });
    expect(mail.statusCode).toBe(400);
  });

  test('wins over a log-in at the same moment', async () => {
    const person = await house.person('racing');
    const entering = house.visitor(1);
    const logIn = { ...formOn(await entering.get('/'), '/login'), username: 'racing', password: PASSWORD };
    const [deleted, entered] = await Promise.all([
      person.submit('/account/delete', '/account/delete', { current: PASSWORD }),
      entering.post('/login', logIn),
    ]);
    expect(deleted.headers.location).toBe('/?deleted=1');
    expect([303, 401]).toContain(entered.statusCode);
    expect([await isIn(person), await isIn(entering)]).toEqual([false, false]);
  });

  test('and a change of the password at the same moment: one of them is told, and nothing is half done', async () => {
    const person = await house.person('torn');
    const other = await elsewhere('torn');
    const form = formOn(await other.get('/account/password'), '/account/password');
    const [deleted, changed] = await Promise.all([
      person.submit('/account/delete', '/account/delete', { current: PASSWORD }),
      other.post('/account/password', { ...form, current: PASSWORD, password: NEW_PASSWORD }),
    ]);
    const isDeleted = deleted.headers.location === '/?deleted=1';
    const isChanged = changed.headers.location === '/account/password?done=ended';
    expect(isDeleted).toBe(!isChanged);
    expect(await isIn(other)).toBe(isChanged);
    for (const { statusCode } of [deleted, changed]) expect(statusCode).toBeLessThan(500);
    const logIn = await house.visitor().logIn('torn', NEW_PASSWORD);
    expect(logIn.statusCode).toBe(isChanged ? 303 : 401);
  });
});
