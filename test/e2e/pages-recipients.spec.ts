/** To whom a message goes: every bad address named, blind copies hidden, headers that stay one line. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrived, openHouse, PASSWORD, type House } from './pages-house.ts';
import { alertOn, formOn, type Visitor } from './visitor.ts';
import { COMPOSE, formAt, ledTo, write } from './writing-person.ts';

let house: House;
let cleo: Visitor;
let dan: Visitor;
const DAN = 'to-dan@penncloud.test';

beforeAll(async () => {
  house = await openHouse();
  [cleo, dan] = [await house.person('to-cleo', 'Cleo'), await house.person('to-dan', 'Dan')];
});
afterAll(() => house?.close());

describe('addresses', () => {
  test.each([
    ['nobody has', { to: 'nobody-here@penncloud.test' }, /nobody at nobody-here@penncloud\.test/],
    ['cannot be a name', { to: DAN, cc: 'A@penncloud.test' }, /nobody at A@penncloud\.test/],
    [
      'are none',
      { to: 'not an address, @x' },
      /To holds “not an address”, “@x”, which are not mail addresses/,
    ],
    ['are wrong in several fields', { to: 'a b', bcc: 'c d' }, /To holds “a b”.*Bcc holds “c d”/],
    ['are missing', { to: '' }, /To is missing/],
    ['are too many', { to: Array.from({ length: 101 }, (_, i) => `p${i}@x.example`).join() }, /at most 100/],
    [
      'are ten thousand',
      { to: Array.from({ length: 10_000 }, (_, i) => `p${i}@x.yz`).join() },
      /To is too long/,
    ],
  ])('that %s are named before anything is sent, and nothing typed is lost', async (_case, fields, alert) => {
    const sent = await write(cleo, { subject: 'Kept', text: 'Kept text', ...fields, action: 'send' });
    expect([sent.statusCode, alertOn(sent)]).toEqual([400, expect.stringMatching(alert)]);
    expect(formOn(sent, COMPOSE)).toMatchObject({ subject: 'Kept', text: 'Kept text' });
    expect((await cleo.get('/mail/outbox')).body).not.toContain('>Kept<');
  });

  test('of the postmaster are those of an administrator, who gets it once', async () => {
    await house.makeAdmin('to-root');
    const root = house.visitor();
    ledTo(await root.logIn('to-root', PASSWORD));
    const to = 'Postmaster@penncloud.test, to-root@penncloud.test';
    const faults = await cleo.get(`/mail/addresses/faults?list=${encodeURIComponent(`${to},`)}`);
    expect(faults.json()).toEqual([]);
    ledTo(await write(cleo, { to, subject: 'For whoever runs this', text: 'x', action: 'send' }));
    await arrived(root, 'For whoever runs this');
    expect((await root.get('/mail/inbox')).body.match(/>For whoever runs this</g)).toHaveLength(1);
  });

  test('are checked while they are typed', async () => {
    const list = `${DAN}, gone@penncloud.test, x y, far@example.org`;
    const faults = await cleo.get(`/mail/addresses/faults?list=${encodeURIComponent(list)}`);
    expect(faults.json()).toEqual([
      '“x y” is not a mail address: write it as name@domain.',
      'There is nobody at gone@penncloud.test.',
    ]);
  });

  test('are completed from whom one wrote to, and from an account only if it is named whole', async () => {
    const ask = async (q: string) =>
      (await cleo.get(`/mail/addresses?q=${encodeURIComponent(q)}`)).json() as { address: string }[];
    expect(await ask('to-d')).toEqual([]);
    expect(await ask('to-dan')).toEqual([{ name: '', address: DAN }]);
    ledTo(
      await write(cleo, {
        to: `"Old Friend" <friend@example.org>`,
        subject: 'Known',
        text: 'x',
        action: 'send',
      }),
    );
    await arrived(cleo, 'Known', 'sent');
    for (const q of ['fri', 'FRIEND@', 'old', 'Old Fr']) {
      expect(await ask(q)).toContainEqual({ name: 'Old Friend', address: 'friend@example.org' });
    }
    expect((await house.visitor().get('/mail/addresses?q=to-dan')).statusCode).toBe(303);
  });
});

test('a blind copy reaches its reader, and is seen by its sender alone', async () => {
  const blind = await house.person('to-blind', 'Blind');
  const form = {
    to: DAN,
    bcc: 'to-blind@penncloud.test, hidden@example.org',
    subject: 'Whispered',
    text: 'x',
  };
  ledTo(await write(cleo, { ...form, action: 'send' }));
  for (const reader of [dan, blind]) {
    const url = await arrived(reader, 'Whispered');
    for (const page of [url, `${url}/raw`]) {
      expect((await reader.get(page)).body).not.toMatch(/bcc|to-blind@|hidden@/i);
    }
  }
  const own = await arrived(cleo, 'Whispered', 'sent');
  expect((await cleo.get(own)).body).toContain('bcc to-blind@penncloud.test');
  expect((await cleo.get(`${own}/raw`)).body).not.toMatch(/hidden@/);
});

describe('a field', () => {
  test.each([
    ['subject', 'a\r\nBcc: x@example.org'],
    ['subject', 'a\nX-Evil: 1'],
    ['to', `${DAN}\r\nX-Evil: 1`],
    ['to', `"a\r\nX-Evil: 1" <${DAN}>`],
    ['cc', `${DAN}>\r\nX-Evil: 1`],
    ['bcc', `${DAN}\0`],
    ['answers', 'x>\r\nX-Evil: 1'],
  ])('cannot start another header: %s', async (name, value) => {
    const subject = `Header ${name} ${value.length}`;
    const sent = await write(cleo, { to: DAN, subject, text: 'x', [name]: value, action: 'send' });
    if (sent.statusCode === 400) return;
    ledTo(sent);
    const raw = (await dan.get(`${await arrived(dan, subject)}/raw`)).body;
    expect(raw).not.toMatch(/^(?:X-Evil|Bcc):/im);
  });

  test.each([
    ['subject', 'x'.repeat(5000), /Subject is too long: at most 998 bytes/],
    ['text', 'x'.repeat(2 * 1024 * 1024 + 1), /Message is too long/],
    ['html', `<p>${'x'.repeat(2 * 1024 * 1024)}</p>`, /Message is too long/],
    ['draft', '../../x', /draft’s id is malformed/],
    ['revision', '-1', /revision is malformed/],
    ['action', 'explode', /cannot be done/],
  ])('over its bounds is refused by name: %s', async (name, value, alert) => {
    const sent = await write(cleo, { to: DAN, subject: 's', text: 'x', action: 'send', [name]: value });
    expect([sent.statusCode, alertOn(sent)]).toEqual([400, expect.stringMatching(alert)]);
  });

  test('sent from elsewhere, or without our token, changes nothing', async () => {
    const form = await formAt(cleo, COMPOSE, { to: DAN, subject: 'Forged', text: 'x', action: 'send' });
    expect((await cleo.post(COMPOSE, form, { origin: 'https://evil.example' })).statusCode).toBe(403);
    expect((await cleo.post(COMPOSE, { ...form, csrf: '' })).statusCode).toBe(403);
    expect((await dan.post(COMPOSE, form)).statusCode).toBe(403);
    expect((await cleo.get('/mail/outbox')).body).not.toContain('>Forged<');
  });
});
