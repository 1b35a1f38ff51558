/** Mail between users, through the pages. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accountStream } from '../../domain/streams.ts';
import { until } from './cluster.ts';
import { arrived, openHouse, type House } from './pages-house.ts';
import { alertOn, formOn, linksOn, type Visitor } from './visitor.ts';

type Person = { readonly name: string; readonly visitor: Visitor };
let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house?.close());

describe('mail between users (WM-1, WM-2)', () => {
  let alice: Visitor;
  let bob: Visitor;
  beforeAll(async () => {
    [alice, bob] = [await house.person('mail-alice', 'Alice'), await house.person('mail-bob', 'Bob')];
  });

  const write = (visitor: Visitor, fields: Record<string, string>) =>
    visitor.submit('/mail/compose', '/mail/compose', fields);

  /** Presses a button of an open conversation. */
  const act = (visitor: Visitor, url: string, action: string, fields: Record<string, string> = {}) =>
    visitor.submit(url, `${url.slice(0, url.lastIndexOf('/'))}/do`, { action, ...fields });

  test('arrives once, also when the form is sent twice', async () => {
    const form = {
      ...formOn(await alice.get('/mail/compose'), '/mail/compose'),
      ...{ to: 'Bob <mail-bob@penncloud.test>', subject: 'Twice', text: 'Hello & <goodbye>' },
    };
    alice.moveTo(house.gateways[1]);
    for (let sent = 0; sent < 2; sent++) {
      expect((await alice.post('/mail/compose', form)).headers.location).toMatch(/^\/mail\/inbox\?done=sent/);
      alice.moveTo(house.gateways[0]);
    }
    const url = await arrived(bob, 'Twice');
    const page = await bob.get('/mail/inbox');
    expect(page.body.match(/>Twice</g)).toHaveLength(1);
    expect(page.body).toContain('1–1 of 1');
    const message = await bob.get(url);
    expect(message.body).toContain('Hello &amp; &lt;goodbye&gt;');
    expect(message.body).toContain('mail-alice@penncloud.test');
  });

  test('is marked as read by opening it, after the page is answered', async () => {
    await write(alice, { to: 'mail-bob@localhost', subject: 'Read me', text: 'x' });
    const url = await arrived(bob, 'Read me');
    const row = async () =>
      (await bob.get('/mail/inbox')).body.split('<li').find((one) => one.includes('>Read me<'))!;
    expect(await row()).toContain('class="unread"');
    await bob.request({ method: 'HEAD', url });
    expect(await row()).toContain('class="unread"');
    expect((await bob.get(url)).statusCode).toBe(200);
    await until('the message is read', async () => !(await row()).includes('class="unread"'));
    await act(bob, url, 'unread', { m: url.split('/').at(-1)! });
    expect(await row()).toContain('class="unread"');
  });

  test('is answered with what it said, to whom it came from, in its thread', async () => {
    await write(alice, { to: 'mail-bob@localhost', subject: 'Question', text: 'Shall we?' });
    const url = await arrived(bob, 'Question');
    const reply = linksOn(await bob.get(url), /compose\?reply=/)[0]!;
    const form = formOn(await bob.get(reply), '/mail/compose');
    expect(form).toMatchObject({
      subject: 'Re: Question',
      to: expect.stringContaining('mail-alice@penncloud.test'),
    });
    expect(form['text']).toContain('> Shall we?');
    await bob.post('/mail/compose', { ...form, text: `Yes.${form['text']}` });
    const answer = await arrived(alice, 'Re: Question');
    const source = (await alice.get(`${answer}/raw`)).body;
    expect(source).toMatch(/^In-Reply-To: <[a-z2-7]{26}@penncloud\.test>/m);
  });

  test('is forwarded with its text', async () => {
    await write(alice, { to: 'mail-bob@localhost', subject: 'News', text: 'It rains.' });
    const forward = linksOn(await bob.get(await arrived(bob, 'News')), /compose\?forward=/)[0]!;
    const form = formOn(await bob.get(forward), '/mail/compose');
    expect(form).toMatchObject({ subject: 'Fwd: News', to: '' });
    expect(form['text']).toMatch(/Forwarded message[^]*From: .*mail-alice@penncloud\.test[^]*It rains\./);
  });

  test('goes to the trash when deleted, and away when deleted there; twice is once', async () => {
    await write(alice, { to: 'mail-bob@localhost', subject: 'Old', text: 'x' });
    const url = await arrived(bob, 'Old');
    const form = { ...formOn(await bob.get(url), '/mail/inbox/do'), action: 'trash' };
    const said: string[] = [];
    for (let sent = 0; sent < 2; sent++) {
      said.push((await bob.post('/mail/inbox/do', form)).headers.location!);
    }
    expect(said[0]).toMatch(/^\/mail\/inbox\?done=trash&n=1&undo=/);
    expect(said[1]).toBe(said[0]);
    expect((await bob.get('/mail/inbox')).body).not.toContain('>Old<');
    const trashed = await arrived(bob, 'Old', 'trash');
    expect((await bob.get(url)).headers.location).toBe(trashed);
    await act(bob, trashed, 'gone');
    expect([(await bob.get(trashed)).statusCode, (await bob.get('/mail/trash')).body]).toEqual([
      404,
      expect.not.stringContaining('>Old<'),
    ]);
  });

  test('an id from someone else’s form neither gives their result away nor does anything for them', async () => {
    const [ida, ivo] = await inOneTablet();
    const trashing = async (visitor: Visitor, subject: string): Promise<Record<string, string>> => {
      const url = await arrived(visitor, subject);
      return { ...formOn(await visitor.get(url), '/mail/inbox/do'), action: 'trash' };
    };
    await write(alice, { to: `${ida.name}@localhost, ${ivo.name}@localhost`, subject: 'To both', text: 'x' });
    const [idas, ivos] = [await trashing(ida.visitor, 'To both'), await trashing(ivo.visitor, 'To both')];
    const first = await ida.visitor.post('/mail/inbox/do', idas);
    const taken = { ...ivos, commandId: idas['commandId']! };
    const second = await ivo.visitor.post('/mail/inbox/do', taken);
    const undo = (answer: { headers: { location?: string | undefined } }) =>
      new URL(answer.headers.location!, 'http://here').searchParams.get('undo');
    expect(undo(second), 'an entry of its own').not.toBe(undo(first));
    await arrived(ivo.visitor, 'To both', 'trash');
    expect(undo(await ida.visitor.post('/mail/inbox/do', idas)), 'a repeat').toBe(undo(first));
  });

  /** Two people whose commands are remembered side by side. */
  async function inOneTablet(): Promise<[Person, Person]> {
    const tablets = await house.store.tablets();
    const tabletOf = (name: string) =>
      tablets.find(
        ({ from, to }) => accountStream(name) >= from && (to === null || accountStream(name) < to),
      )!.id;
    const names = Array.from({ length: 100 }, (_, n) => `beside-${n}`);
    const first = names.pop()!;
    const second = names.find((name) => tabletOf(name) === tabletOf(first))!;
    const person = async (name: string) => ({ name, visitor: await house.person(name) });
    return [await person(first), await person(second)];
  }

  test('tells the sender that it was delivered', async () => {
    await write(alice, { to: 'mail-bob@localhost', subject: 'Certified', text: 'x' });
    const url = await arrived(alice, 'Certified', 'sent');
    await until('it is delivered', async () =>
      (await alice.get(url)).body.includes('<b>mail-bob</b> delivered'),
    );
  });

  test('hides blind copies from all but the sender', async () => {
    await write(alice, {
      to: 'mail-bob@localhost',
      bcc: 'mail-alice@localhost',
      subject: 'Blind',
      text: 'x',
    });
    const url = await arrived(bob, 'Blind');
    expect((await bob.get(url)).body).not.toMatch(/\bbcc\b/i);
    expect((await bob.get(`${url}/raw`)).body).not.toMatch(/\bbcc\b/i);
    expect((await alice.get(await arrived(alice, 'Blind', 'sent'))).body).toContain(
      'bcc mail-alice@localhost',
    );
  });

  test.each([
    ['nobody has', { to: 'nobody-at-all@penncloud.test' }, /nobody at nobody-at-all@penncloud\.test/],
    ['is no name', { cc: 'A@penncloud.test', to: 'mail-bob@localhost' }, /nobody at A@penncloud\.test/],
    ['is none', { to: 'not an address' }, /To holds “not an address”, which is not a mail address/],
    ['is missing', { to: '' }, /To is missing/],
  ])('is refused by name when an address %s, keeping what was typed', async (_case, fields, alert) => {
    const sent = await write(alice, { subject: 'Kept subject', text: 'Kept text', ...fields });
    expect([sent.statusCode, alertOn(sent)]).toEqual([400, expect.stringMatching(alert)]);
    expect(formOn(sent, '/mail/compose')).toMatchObject({
      subject: 'Kept subject',
      text: 'Kept text',
      ...fields,
    });
    expect((await alice.get('/mail/sent')).body).not.toContain('>Kept subject<');
  });

  test('is refused when a field is over its limit, naming both', async () => {
    const sent = await write(alice, { to: 'mail-bob@localhost', subject: 'x'.repeat(5000) });
    expect(alertOn(sent)).toMatch(/Subject is too long: at most 998 bytes, this has 5000/);
  });

  test('of someone else does not exist', async () => {
    await write(alice, { to: 'mail-bob@localhost', subject: 'Private', text: 'x' });
    const url = await arrived(bob, 'Private');
    for (const path of [url, `${url}/raw`, `${url}/attachment/0`, `${url}/body`]) {
      expect((await alice.get(path)).statusCode).toBe(404);
    }
    expect((await alice.get('/mail/inbox/not-an-id')).statusCode).toBe(404);
    expect((await alice.get('/mail/nowhere')).statusCode).toBe(404);
  });
});
