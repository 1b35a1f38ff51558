/** Out of office in the pages: set, shown, undone; and whom it answers, between accounts and over SMTP. */
import { createTransport } from 'nodemailer';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSmtpIntake, type SmtpIntake } from '../../gateways/smtp/inbound/intake.ts';
import { ownCertificate } from '../../gateways/smtp/session/own-certificate.ts';
import { until } from './cluster.ts';
import { arrived, openHouse, type House } from './pages-house.ts';
import { alertOn, formOn, type Answer, type Visitor } from './visitor.ts';

const PAGE = '/mail/out-of-office';
const HOSTNAME = 'mx.penncloud.test';

let house: House;
let intake: SmtpIntake;
/** Away in the first tests, and found so by those who write. */
let alma: Visitor;
let bert: Visitor;

beforeAll(async () => {
  house = await openHouse();
  const logger = pino({ level: 'silent' });
  const tls = await ownCertificate(HOSTNAME, Date.now());
  const limits = { messageBytesMax: 1_000_000, hostname: HOSTNAME };
  intake = createSmtpIntake({ store: house.store, domains: ['penncloud.test'], logger, tls, ...limits });
  await intake.listen(0, '127.0.0.1');
  [alma, bert] = [await house.person('alma', 'Alma Ölund'), await house.person('bert')];
});
afterAll(async () => {
  await intake?.close();
  await house?.close();
});

/** Boxes that are not ticked are not sent. */
const save = (visitor: Visitor, fields: Record<string, string>) =>
  visitor.submit(PAGE, PAGE, { on: '', contactsOnly: '', ...fields });
const away = (text: string) => ({ on: 'yes', text });
const write = (visitor: Visitor, to: string, subject: string) =>
  visitor.submit('/mail/compose', '/mail/compose', { to, subject, text: 'Hello' });
async function undo(visitor: Visitor, after: Answer): Promise<Answer> {
  return visitor.post('/undo', formOn(await visitor.get(after.headers.location!), '/undo'));
}
/** The words of the inbox's line, without markup; undefined: there is none. */
async function lineOf(visitor: Visitor): Promise<string | undefined> {
  const { body } = await visitor.get('/mail/inbox');
  const line = /<div class="absence"><p>(.*?)<\/p>/s.exec(body)?.[1];
  return line?.replace(/<[^>]*>/g, '').trim();
}
/** Hands a message over as another mail server does. */
async function comesBySmtp(from: string, to: string, lines: readonly string[]): Promise<void> {
  const transport = createTransport({
    host: '127.0.0.1',
    port: intake.port,
    tls: { rejectUnauthorized: false },
  });
  try {
    await transport.sendMail({ envelope: { from, to: [to] }, raw: `${lines.join('\r\n')}\r\n\r\nHello\r\n` });
  } finally {
    transport.close();
  }
}
/** What a message's page says of a reply, without markup. */
async function replyOn(visitor: Visitor, subject: string): Promise<string | undefined> {
  const page = await visitor.get(await arrived(visitor, subject));
  return /<p class="soft replied">(.*?)<\/p>/s
    .exec(page.body)?.[1]
    ?.replace(/<[^>]*>/g, '')
    .trim();
}

describe('somebody who is away', () => {
  test('says so on a form, which the inbox then shows', async () => {
    expect(await lineOf(alma)).toBeUndefined();
    const saved = await save(alma, away('I am in the mountains.\nBack on Monday. Grüße'));
    expect([saved.statusCode, saved.headers.location]).toEqual([
      303,
      expect.stringMatching(/done=awayOn&undo=/),
    ]);
    expect(await lineOf(alma)).toBe('Out-of-office replies are on.');
    alma.moveTo(house.gateways[1]);
    expect(formOn(await alma.get(PAGE), PAGE)).toMatchObject({
      text: 'I am in the mountains.\nBack on Monday. Grüße',
      everyDays: '7',
    });
    alma.moveTo(house.gateways[0]);
  });

  test('answers who writes, in the same conversation, once', async () => {
    await write(bert, 'alma@penncloud.test', 'Lunch on Friday?');
    const reply = await bert.get(await arrived(bert, 'Auto: Lunch on Friday?'));
    expect(reply.body).toContain('I am in the mountains.');
    expect(reply.body).toContain('Alma Ölund');
    expect(reply.body).toContain('2 messages');
    await write(bert, 'alma@penncloud.test', 'And on Sunday?');
    await arrived(alma, 'And on Sunday?');
    expect(await replyOn(alma, 'Lunch on Friday?')).toBe(
      'Your out-of-office reply was sent to bert@penncloud.test.',
    );
    expect(await replyOn(alma, 'And on Sunday?')).toBeUndefined();
    const why = await alma.get(`${await arrived(alma, 'Lunch on Friday?')}/why`);
    expect(why.body).toContain('It was answered with your out-of-office reply.');
    expect((await bert.get('/mail/inbox')).body).not.toContain('Auto: And on Sunday?');
    expect((await alma.get('/mail/sent')).body).not.toContain('Auto:');
  });

  test('answers with a message that says what it is, quotes nothing, and is answered by nobody', async () => {
    const url = await arrived(bert, 'Auto: Lunch on Friday?');
    const source = (await bert.get(`${url}/raw`)).body;
    expect(source).toMatch(/^Auto-Submitted: auto-replied\r?$/m);
    expect(source).toMatch(/^In-Reply-To: <[^>]+>\r?$/m);
    expect(source).toMatch(/^References: <[^>]+>\r?$/m);
    expect(source).toMatch(/^From: =\?utf-8\?B\?[^?]+\?= <alma@penncloud\.test>\r?$/m);
    expect(source).not.toContain('Hello');
    await save(bert, away('Away, too.'));
    await write(alma, 'bert@penncloud.test', 'Are you there?');
    await arrived(alma, 'Auto: Are you there?');
    await write(bert, 'alma@penncloud.test', 'I am not');
    await arrived(alma, 'I am not');
    const mails = [await bert.get('/mail/inbox'), await alma.get('/mail/inbox')];
    expect(mails.map(({ body }) => body.split('>Auto: ').length - 1)).toEqual([1, 1]);
    await save(bert, { text: 'Away, too.' });
  });

  test('answers what comes over SMTP: to accounts at once, to others when mail goes out', async () => {
    const carl = await house.person('carl');
    const letter = (subject: string, ...more: string[]) => [
      'From: Carl <carl@penncloud.test>',
      'To: Alma <ALMA+post@penncloud.test>',
      `Subject: ${subject}`,
      `Message-ID: <${subject.length}@carl.example>`,
      ...more,
    ];
    await comesBySmtp('carl@penncloud.test', 'alma@penncloud.test', letter('By another server'));
    await arrived(carl, 'Auto: By another server');
    await comesBySmtp('dora@elsewhere.example', 'alma@penncloud.test', letter('From elsewhere'));
    expect(await replyOn(alma, 'From elsewhere')).toBe(
      'Your out-of-office reply to dora@elsewhere.example: waits to be taken to another system.',
    );
  });

  test.each<[string, string, readonly string[]]>([
    ['nobody', '', []],
    ['a list', 'list@lists.example', ['List-Id: <talk.lists.example>']],
    ['another answer', 'eve@elsewhere.example', ['Auto-Submitted: auto-replied']],
    ['bulk mail', 'shop@elsewhere.example', ['Precedence: bulk']],
    ['a robot', 'no-reply@elsewhere.example', []],
    ['oneself', 'alma@penncloud.test', []],
  ])('does not answer %s', async (who, sender, more) => {
    const subject = `Mail of ${who}`;
    const lines = [
      'From: X <x@elsewhere.example>',
      'To: alma@penncloud.test',
      `Subject: ${subject}`,
      ...more,
    ];
    await comesBySmtp(sender, 'alma@penncloud.test', lines);
    expect(await replyOn(alma, subject)).toBeUndefined();
  });

  test('does not answer who has not named them, but sent a blind copy', async () => {
    const lines = ['From: F <f@elsewhere.example>', 'To: bert@penncloud.test', 'Subject: Blind'];
    await comesBySmtp('f@elsewhere.example', 'alma@penncloud.test', lines);
    expect(await replyOn(alma, 'Blind')).toBeUndefined();
    const greta = await house.person('greta');
    const form = { to: 'bert@penncloud.test', bcc: 'alma@penncloud.test', subject: 'Blind, too', text: 'x' };
    await greta.submit('/mail/compose', '/mail/compose', form);
    expect(await replyOn(alma, 'Blind, too')).toBeUndefined();
  });

  test('switches it off in the inbox, and has a way back', async () => {
    const off = await alma.submit('/mail/inbox', `${PAGE}/off`);
    expect(off.headers.location).toMatch(/^\/mail\/inbox\?done=awayOff&undo=/);
    expect(await lineOf(alma)).toBeUndefined();
    await undo(alma, off);
    expect(await lineOf(alma)).toBe('Out-of-office replies are on.');
    const page = await alma.get('/mail/inbox');
    await alma.submit('/mail/inbox', `${PAGE}/off`);
    const again = await alma.post(`${PAGE}/off`, formOn(page, `${PAGE}/off`));
    expect(again.headers.location).toBe('/mail/inbox?done=awayOff');
  });
});

describe('the days of an absence', () => {
  let hana: Visitor;
  beforeAll(async () => {
    hana = await house.person('hana');
    await hana.submit('/account/dates', '/account/dates', { zone: 'Pacific/Auckland', locale: 'de-DE' });
  });

  test('that lie ahead answer nobody yet; the inbox says when they begin, in the reader’s language', async () => {
    expect((await save(hana, { ...away('x'), first: '2090-12-24', last: '2091-01-06' })).statusCode).toBe(
      303,
    );
    expect(await lineOf(hana)).toBe('Out-of-office replies begin on 24. Dezember 2090.');
    await write(bert, 'hana@penncloud.test', 'Too early');
    expect(await replyOn(hana, 'Too early')).toBeUndefined();
  });

  test('end at midnight in the account’s time zone, and are shown as they were chosen', async () => {
    await save(hana, { ...away('x'), first: '2020-01-01', last: '2091-01-06' });
    expect(await lineOf(hana)).toBe('Out-of-office replies are on until 6. Januar 2091.');
    const page = await hana.get(PAGE);
    expect(formOn(page, PAGE)).toMatchObject({ first: '2020-01-01', last: '2091-01-06' });
    expect(page.body).toContain('Pacific/Auckland');
    await write(bert, 'hana@penncloud.test', 'In time');
    expect(await replyOn(hana, 'In time')).toBe('Your out-of-office reply was sent to bert@penncloud.test.');
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['no text', { on: 'yes', text: '  ' }, /Message is missing/],
    ['too long a text', away('x'.repeat(8193)), /Message is too long: at most 8192 bytes/],
    ['a last day that is over', { ...away('x'), first: '', last: '2021-05-05' }, /Last day is over/],
    [
      'a last day before the first',
      { ...away('x'), first: '2090-02-02', last: '2090-02-01' },
      /before the first/,
    ],
    ['a day that there is not', { ...away('x'), first: '2090-02-30' }, /First day must look like/],
    ['no interval', { ...away('x'), everyDays: '0' }, /from 1 to 31/],
    ['too long an interval', { ...away('x'), everyDays: '32' }, /from 1 to 31/],
    ['control characters', { ...away('x'), subject: 'a\u0007b' }, /control characters/],
    ['too long a subject', { ...away('x'), subject: 'é'.repeat(300) }, /Subject is too long/],
  ])('with %s are refused, and what was typed is kept', async (_what, fields, alert) => {
    const before = await hana.get(PAGE);
    const page = await save(hana, fields);
    expect([page.statusCode, alertOn(page)]).toEqual([400, expect.stringMatching(alert)]);
    expect(formOn(page, PAGE)['text']).toBe(fields['text']);
    expect(formOn(await hana.get(PAGE), PAGE)['text']).toBe(formOn(before, PAGE)['text']);
  });
});

describe('the setting', () => {
  test('is for contacts alone, if one likes', async () => {
    const ilse = await house.person('ilse');
    await save(ilse, { ...away('Away'), contactsOnly: 'yes' });
    await comesBySmtp('jan@elsewhere.example', 'ilse@penncloud.test', [
      'To: ilse@penncloud.test',
      'Subject: Unknown',
    ]);
    expect(await replyOn(ilse, 'Unknown')).toBeUndefined();
    const made = await ilse.submit('/contacts/new', '/contacts/new', {
      name: 'Jan',
      addresses: 'Jan@elsewhere.example',
    });
    expect(made.statusCode).toBe(303);
    await comesBySmtp('jan@elsewhere.example', 'ilse@penncloud.test', [
      'To: ilse@penncloud.test',
      'Subject: Known',
    ]);
    expect(await replyOn(ilse, 'Known')).toMatch(
      /^Your out-of-office reply to jan@elsewhere\.example: waits/,
    );
  });

  test('that another tab has changed meanwhile is not overwritten unseen', async () => {
    const kurt = await house.person('kurt');
    const form = { ...formOn(await kurt.get(PAGE), PAGE), contactsOnly: '' };
    await save(kurt, away('First tab'));
    const page = await kurt.post(PAGE, { ...form, ...away('Second tab') });
    expect([page.statusCode, alertOn(page)]).toEqual([409, expect.stringMatching(/changed elsewhere/)]);
    expect(formOn(page, PAGE)['text']).toBe('Second tab');
    await kurt.post(PAGE, { ...formOn(page, PAGE), contactsOnly: '' });
    await until('the second text stands', async () =>
      formOn(await kurt.get(PAGE), PAGE)['text'] === 'Second tab' ? true : undefined,
    );
  });

  test('sent twice by one form is one change, undone by one', async () => {
    const lena = await house.person('lena');
    const form = { ...formOn(await lena.get(PAGE), PAGE), contactsOnly: '', ...away('Twice') };
    const first = await lena.post(PAGE, form);
    expect((await lena.post(PAGE, form)).headers.location).toBe(`${PAGE}?done=awayOn`);
    await undo(lena, first);
    expect(formOn(await lena.get(PAGE), PAGE)['text']).toBe('');
  });

  test('of somebody else is out of reach', async () => {
    const { csrf, commandId } = formOn(await bert.get(PAGE), PAGE);
    expect((await alma.post(PAGE, { csrf: csrf!, commandId: commandId!, ...away('x') })).statusCode).toBe(
      403,
    );
    expect((await house.visitor().get(PAGE)).statusCode).toBe(303);
    expect((await alma.post(`${PAGE}/off`, {})).statusCode).toBe(403);
  });
});
