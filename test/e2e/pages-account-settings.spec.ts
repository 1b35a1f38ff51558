/** What an account can set: profile, identities, dates, sessions. Two tabs, two gateways, strangers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accountStream } from '../../domain/streams.ts';
import { sessionCell, sessionsRow } from '../../projections/keys.ts';
import { readSessionRow } from '../../projections/account.ts';
import { sessionHash } from '../../gateways/pages/cookies.ts';
import { rowScan } from '../../gateways/pages/paging.ts';
import { until } from './cluster.ts';
import { openHouse, PASSWORD, type House } from './pages-house.ts';
import { alertOn, formOn, linksOn, type Visitor } from './visitor.ts';

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

describe('the account’s page', () => {
  test('leads to a page for each thing to set, and says how it stands', async () => {
    const person = await house.person('menu', 'Me Nu');
    const places = linksOn(await person.get('/account'), /^\/account\//);
    expect(places).toEqual([
      '/account/profile',
      '/account/identities',
      '/account/dates',
      '/account/password',
      '/account/two-step',
      '/account/recovery-codes',
      '/account/app-passwords',
      '/account/sessions',
      '/account/delete',
    ]);
    for (const place of [...places, '/account/two-step/set-up', '/account/identities/new']) {
      const page = await person.get(place);
      expect([place, page.statusCode]).toEqual([place, 200]);
      expect(page.headers['cache-control']).toBe('no-store');
      expect(page.body).not.toMatch(/<script(?! src)|<style|style="|onclick/);
      expect((await house.visitor().get(place)).headers.location).toMatch(/^\/\?next=/);
    }
  });
});

describe('the profile', () => {
  test('is changed, and shown from any gateway', async () => {
    const person = await house.person('profiled');
    const fields = { displayName: 'Ada <b>Lovelace</b>', signature: 'Ada\r\n"The Analyst"' };
    const saved = await person.submit('/account/profile', '/account/profile', fields);
    expect(saved.headers.location).toBe('/account/profile?done=saved');
    person.moveTo(house.gateways[1]);
    const page = await person.get('/account/profile');
    expect(formOn(page, '/account/profile')).toMatchObject({
      displayName: 'Ada <b>Lovelace</b>',
      signature: 'Ada\n"The Analyst"',
      version: '1',
    });
    expect((await person.get('/')).body).toContain('Hello, Ada &lt;b&gt;Lovelace');
  });

  test('is not overwritten by the second of two tabs, which keeps what was typed', async () => {
    const person = await house.person('two-tabs');
    const [one, two] = await Promise.all([person.get('/account/profile'), person.get('/account/profile')]);
    await person.post('/account/profile', { ...formOn(one, '/account/profile'), displayName: 'First' });
    const second = { ...formOn(two, '/account/profile'), displayName: 'Second', signature: 'Mine' };
    const refused = await person.post('/account/profile', second);
    expect([refused.statusCode, alertOn(refused)]).toEqual([409, expect.stringMatching(/changed elsewhere/)]);
    expect((await person.get('/')).body).toContain('Hello, First');
    const kept = formOn(refused, '/account/profile');
    expect(kept).toMatchObject({ displayName: 'Second', signature: 'Mine', version: '1' });
    expect((await person.post('/account/profile', kept)).statusCode).toBe(303);
    expect((await person.get('/')).body).toContain('Hello, Second');
  });

  test.each([
    ['a name with a line break', { displayName: 'A\nB' }, /control characters/],
    ['a name of 300 bytes', { displayName: 'x'.repeat(300) }, /at most 255 bytes/],
    ['a signature of 3,000 bytes', { signature: 'x'.repeat(3000) }, /at most 2000 bytes/],
    ['no version', { version: '' }, /version is missing/],
  ])('refuses %s, naming field and limit', async (_case, fields, alert) => {
    const visitor = await elsewhere('profiled');
    const answer = await visitor.submit('/account/profile', '/account/profile', fields);
    expect([answer.statusCode, alertOn(answer)]).toEqual([400, expect.stringMatching(alert)]);
  });
});

describe('identities', () => {
  const identity = { tag: 'shop', domain: 'penncloud.test', displayName: 'The Shop', signature: 'Thanks' };
  const links = async (person: Visitor) =>
    linksOn(await person.get('/account/identities'), /^\/account\/identities\/[a-z2-7]{26}$/);

  test('are added, changed and removed', async () => {
    const person = await house.person('many-faced');
    const added = await person.submit('/account/identities/new', '/account/identities', identity);
    expect(added.headers.location).toBe('/account/identities?done=added');
    const [url] = await links(person);
    expect((await person.get('/account/identities')).body).toContain('many-faced+shop@penncloud.test');
    expect((await person.submit(url!, url!, { tag: '', displayName: 'Bare' })).statusCode).toBe(303);
    expect((await person.get('/account/identities')).body).toMatch(
      /Bare<\/b><br><small>many-faced@penncloud/,
    );
    expect((await person.submit(url!, `${url}/remove`)).statusCode).toBe(303);
    expect(await links(person)).toEqual([]);
    expect((await person.get(url!)).statusCode).toBe(404);
  });

  test('receive mail at their addresses', async () => {
    const person = await house.person('received');
    await person.submit('/account/identities/new', '/account/identities', identity);
    const sender = await house.person('sender');
    const fields = { to: 'received+shop@penncloud.test', subject: 'To the tag', text: 'x' };
    expect((await sender.submit('/mail/compose', '/mail/compose', fields)).statusCode).toBe(303);
    await until('the message is there', async () =>
      (await person.get('/mail/inbox')).body.includes('To the tag') ? true : undefined,
    );
  });

  test('are not overwritten by the second of two tabs', async () => {
    const person = await house.person('faces-in-tabs');
    await person.submit('/account/identities/new', '/account/identities', identity);
    const [url] = await links(person);
    const forms = [formOn(await person.get(url!), url!), formOn(await person.get(url!), url!)];
    expect((await person.post(url!, { ...forms[0]!, displayName: 'One' })).statusCode).toBe(303);
    const late = await person.post(url!, { ...forms[1]!, displayName: 'Two' });
    expect([late.statusCode, alertOn(late)]).toEqual([409, expect.stringMatching(/changed elsewhere/)]);
    expect((await person.get('/account/identities')).body).toContain('>One<');
  });

  test.each([
    ['a foreign domain', { domain: 'example.org' }, /none of those served/],
    ['a tag with a quote', { tag: '"x' }, /Tag must be/],
    ['a tag with a line break', { tag: 'x\nBcc: y' }, /control characters/],
    ['a tag with an at sign', { tag: 'x@evil' }, /Tag must be/],
    ['a long tag', { tag: 'x'.repeat(65) }, /at most 64 bytes/],
  ])('refuse %s', async (_case, fields, alert) => {
    const person = await elsewhere('many-faced');
    const answer = await person.submit('/account/identities/new', '/account/identities', {
      ...identity,
      ...fields,
    });
    expect([answer.statusCode, alertOn(answer)]).toEqual([400, expect.stringMatching(alert)]);
  });

  test('of someone else are nobody’s: ids that were guessed lead nowhere', async () => {
    const [owner, thief] = [await house.person('owner-of-it'), await house.person('thief-of-it')];
    for (const person of [owner, thief])
      await person.submit('/account/identities/new', '/account/identities', identity);
    const [theirs] = await links(owner);
    const [own] = await links(thief);
    expect((await thief.get(theirs!)).statusCode).toBe(404);
    const form = formOn(await thief.get(own!), own!);
    expect((await thief.post(theirs!, form)).statusCode).toBe(404);
    await thief.post(`${theirs}/remove`, form);
    expect((await owner.get(theirs!)).statusCode).toBe(200);
  });

  test('are at most twenty', async () => {
    const person = await house.person('legion');
    const page = '/account/identities/new';
    for (let n = 0; n < 20; n++)
      expect(
        (await person.submit(page, '/account/identities', { ...identity, tag: `n${n}` })).statusCode,
      ).toBe(303);
    const more = await person.submit(page, '/account/identities', { ...identity, tag: 'more' });
    expect([more.statusCode, alertOn(more)]).toEqual([409, expect.stringMatching(/20 identities, the most/)]);
    expect((await person.get('/account/identities')).body).not.toContain('Add an identity');
  });
});

describe('dates', () => {
  test('are written in the zone and language chosen, without the script too', async () => {
    const person = await house.person('dated');
    const chosen = { zone: 'Asia/Tokyo', locale: 'de-DE' };
    const saved = await person.submit('/account/dates', '/account/dates', chosen);
    expect(saved.headers.location).toBe('/account/dates?done=saved');
    await house.receive('dated', 'From: a@example.org\r\nSubject: At noon\r\n\r\nx');
    const page = await person.get('/account/sessions');
    const [, iso, words] =
      /Since <time datetime="([^"]+)" data-form="full" dir="auto" lang="de-DE">([^<]+)</.exec(page.body)!;
    const tokyo = new Intl.DateTimeFormat('de-DE', {
      timeZone: 'Asia/Tokyo',
      dateStyle: 'medium',
      timeStyle: 'short',
    });
    expect(words).toBe(tokyo.format(new Date(iso!)));
    expect(page.body).toMatch(/<body [^>]*data-zone="Asia\/Tokyo" data-locale="de-DE"/);
    // In a list: the clock alone, today.
    const inbox = await until('the message is there', async () => {
      const { body } = await person.get('/mail/inbox');
      return body.includes('At noon') ? body : undefined;
    });
    expect(inbox).toMatch(/data-form="list" dir="auto" lang="de-DE">\d\d:\d\d</);
    const form = await person.get('/account/dates');
    expect(form.body).toMatch(/value="Asia\/Tokyo" selected/);
    expect(form.body).toMatch(/value="de-DE" lang="de-DE" selected>Deutsch \(Deutschland\)/);
  });

  test('stand in UTC, and say so, for those who have chosen nothing', async () => {
    const person = await house.person('undated');
    expect((await person.get('/account/sessions')).body).toMatch(/\d{4}, \d\d:\d\d UTC<\/time>/);
  });

  test.each([
    ['zone', { zone: 'Mars/Olympus' }],
    ['zone', { zone: '../../etc/passwd' }],
    ['locale', { locale: 'klingon"><b>' }],
    ['locale', { locale: 'xx-invalid-locale-that-is-long' }],
  ])('refuse a made-up %s', async (_field, fields) => {
    const person = await elsewhere('undated');
    const answer = await person.submit('/account/dates', '/account/dates', {
      zone: '',
      locale: '',
      ...fields,
    });
    expect(answer.statusCode).toBe(400);
    expect(answer.body).not.toContain('"><b>');
  });
});

describe('sessions', () => {
  test('are shown with browser and time, this one marked, and all others are ended at once', async () => {
    const here = await house.person('everywhere');
    const others = [await elsewhere('everywhere'), await elsewhere('everywhere')];
    const firefox = house.visitor();
    const form = { ...formOn(await firefox.get('/'), '/login'), username: 'everywhere', password: PASSWORD };
    await firefox.post('/login', form, {
      'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0',
    });
    const page = await here.get('/account/sessions');
    expect(page.body.match(/Since /g)).toHaveLength(4);
    expect(page.body.match(/this one/g)).toHaveLength(1);
    expect(page.body).toContain('Firefox on Linux');
    const ended = await here.submit('/account/sessions', '/account/sessions/end-others');
    expect(ended.headers.location).toBe('/account/sessions?done=others');
    for (const other of [...others, firefox]) expect(await isIn(other)).toBe(false);
    expect((await here.get('/account/sessions')).body.match(/Since /g)).toHaveLength(1);
    // What is opened afterwards counts.
    expect(await isIn(await elsewhere('everywhere'))).toBe(true);
  });

  test('of someone else cannot be ended, also by who knows their hash', async () => {
    const [victim, attacker] = [await house.person('victim-s'), await house.person('attacker-s')];
    await elsewhere('attacker-s');
    const form = formOn(await attacker.get('/account/sessions'), '/account/sessions/end');
    const session = sessionHash(victim.cookies.get('pc_session')!);
    await attacker.post('/account/sessions/end', { ...form, session });
    expect(await isIn(victim)).toBe(true);
    const odd = await attacker.post('/account/sessions/end', { ...form, session: '../x' });
    expect(odd.statusCode).toBe(400);
  });

  test('that are over are cleared away by the next log-in', async () => {
    const here = await house.person('tidy');
    for (let n = 0; n < 3; n++) await elsewhere('tidy');
    await here.submit('/account/sessions', '/account/sessions/end-others');
    await elsewhere('tidy');
    const owner = accountStream('tidy');
    const listed = await house.store.read(owner, [
      rowScan(sessionsRow(owner), { reverse: false, limit: 10 }),
    ]);
    expect(listed.results[0]).toHaveLength(2);
  });

  test('say that they are in use when an hour has passed, and not before', async () => {
    const here = await house.person('seen');
    await here.get('/account');
    const owner = accountStream('seen');
    const hash = sessionHash(here.cookies.get('pc_session')!);
    const row = async () =>
      readSessionRow(
        (await house.store.read(owner, [{ get: sessionCell(owner, hash) }])).results[0]![0]!.bytes!,
      );
    expect(await row()).not.toHaveProperty('seenAt');
    const see = (id: string) =>
      house.store.execute({
        id,
        expiresAt: Date.now() + 60_000,
        stream: owner,
        type: 'account.SeeSession',
        data: { sessionHash: hash },
        parts: [],
        actor: 'seen',
        session: hash,
        action: 'Use session',
      });
    const first = await see('seen-1');
    expect((await row()).seenAt).toBe(first.time);
    const again = await see('seen-2');
    expect((await row()).seenAt).toBe(first.time);
    expect(again.seq).toBe(first.seq);
  });

  test('go on after a change of the password where that is wished', async () => {
    const here = await house.person('stays-on');
    const there = await elsewhere('stays-on');
    const form = formOn(await here.get('/account/password'), '/account/password');
    const { endOthers: _unchecked, ...rest } = form;
    const fields = { ...rest, current: PASSWORD, password: NEW_PASSWORD };
    expect((await here.post('/account/password', fields)).headers.location).toBe(
      '/account/password?done=changed',
    );
    expect([await isIn(here), await isIn(there)]).toEqual([true, true]);
  });
});
