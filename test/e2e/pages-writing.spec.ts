/** Writing mail through the pages, without the script: drafts, formatting, undo, later, as whom. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeSummary } from '../../domain/mail/message/summary.ts';
import { accountStream, outboundStream } from '../../domain/streams.ts';
import { digestOf } from '../../gateways/message/digest.ts';
import { itemStateCell } from '../../projections/outbound-keys.ts';
import { until } from './cluster.ts';
import { arrived, openHouse, type House } from './pages-house.ts';
import { alertOn, formOn, linksOn, type Visitor } from './visitor.ts';
import { COMPOSE, draftPage, formAt, ledTo, write } from './writing-person.ts';

let house: House;
let ann: Visitor;
let ben: Visitor;
const BEN = 'write-ben@penncloud.test';

beforeAll(async () => {
  house = await openHouse({ undoSendMs: 10_000 });
  [ann, ben] = [await house.person('write-ann', 'Ann'), await house.person('write-ben', 'Ben')];
});
afterAll(() => house?.close());

const source = async (visitor: Visitor, subject: string, folder = 'inbox') =>
  (await visitor.get(`${await arrived(visitor, subject, folder)}/raw`)).body;
const now = (visitor: Visitor, fields: Record<string, string>, page?: string) =>
  write(visitor, { action: 'send', ...fields }, page);

describe('a draft', () => {
  test('is saved by its button, and gone on with on another gateway', async () => {
    const saved = await write(ann, { to: BEN, subject: 'Half', text: 'Half a letter', action: 'save' });
    const page = draftPage(saved);
    const there = house.visitor(1);
    for (const [name, value] of ann.cookies) there.cookies.set(name, value);
    expect(await formAt(there, page)).toMatchObject({ to: BEN, subject: 'Half', text: 'Half a letter' });
    const again = await write(there, { text: 'A whole letter', action: 'save' }, page);
    expect(draftPage(again)).toBe(page);
    expect((await formAt(ann, page))['text']).toBe('A whole letter');
    expect(linksOn(await ann.get('/mail/drafts'), /draft=/)).toContain(page);
  });

  test('keeps what was typed where two windows write it, and says so', async () => {
    const page = draftPage(await write(ann, { subject: 'Two windows', text: 'zero', action: 'save' }));
    const [one, two] = [await formAt(ann, page), await formAt(ann, page)];
    await ann.post(COMPOSE, { ...one, text: 'from one', action: 'save' });
    const behind = await ann.post(COMPOSE, { ...two, text: 'from two', action: 'save' });
    expect(behind.statusCode).toBe(409);
    expect(alertOn(behind)).toMatch(/changed in another window.*kept on this page/);
    expect(formOn(behind, COMPOSE)['text']).toBe('from two');
    expect(linksOn(behind, /draft=/)).toContain(page);
    expect((await formAt(ann, page))['text']).toBe('from one');
    // Told so, its writer may replace it.
    ledTo(await ann.post(COMPOSE, { ...formOn(behind, COMPOSE), action: 'save' }));
    expect((await formAt(ann, page))['text']).toBe('from two');
  });

  test('is not behind itself: a window whose answer was lost goes on', async () => {
    const page = draftPage(await write(ann, { subject: 'Lost answer', text: 'a', action: 'save' }));
    const form = await formAt(ann, page);
    await ann.post(COMPOSE, { ...form, text: 'b', action: 'save' });
    ledTo(await ann.post(COMPOSE, { ...form, text: 'c', action: 'save' }));
    expect((await formAt(ann, page))['text']).toBe('c');
  });

  test('is saved on what the script asks for, in one fragment', async () => {
    const form = await formAt(ann, COMPOSE, { subject: 'Typing', text: 'one', action: 'save' });
    const first = await ann.post(`${COMPOSE}?fragment=draft`, form);
    expect(first.body).not.toContain('<html');
    const keys = formOn({ body: `<form action="x">${first.body}</form>` }, 'x');
    expect(keys).toMatchObject({ revision: '1', draft: expect.stringMatching(/^[a-z2-7]{26}$/) });
    const second = await ann.post(`${COMPOSE}?fragment=draft`, { ...form, ...keys, text: 'two' });
    expect(formOn({ body: `<form action="x">${second.body}</form>` }, 'x')['revision']).toBe('2');
  });

  test('is discarded, which can be undone', async () => {
    const page = draftPage(await write(ann, { subject: 'Regretted', text: 'keep me', action: 'save' }));
    const away = ledTo(await write(ann, { action: 'discard' }, page));
    expect(away.pathname).toBe('/mail/drafts');
    expect((await ann.get(page)).statusCode).toBe(404);
    ledTo(await ann.submit(away.pathname + away.search, '/undo'));
    expect((await formAt(ann, page))['text']).toBe('keep me');
  });

  test('of someone else does not exist: neither to read, nor to send, nor to discard', async () => {
    const page = draftPage(
      await write(ann, { to: BEN, subject: 'Mine alone', text: 'secret', action: 'save' }),
    );
    const draft = page.split('=')[1]!;
    expect((await ben.get(page)).statusCode).toBe(404);
    for (const action of ['save', 'send', 'discard']) {
      const form = await formAt(ben, COMPOSE, { draft, revision: '1', to: BEN, subject: 'Theft', text: 'x' });
      const tried = await ben.post(COMPOSE, { ...form, action });
      expect([tried.statusCode, tried.body.includes('secret')]).toEqual([409, false]);
    }
    expect((await formAt(ann, page))['text']).toBe('secret');
  });

  test('sent in one window is told to the other, which goes on as a new one', async () => {
    const page = draftPage(await write(ann, { to: BEN, subject: 'Sent beside', text: 'x', action: 'save' }));
    const [one, two] = [await formAt(ann, page), await formAt(ann, page)];
    ledTo(await ann.post(COMPOSE, { ...one, action: 'send' }));
    const late = await ann.post(COMPOSE, { ...two, text: 'more words', action: 'save' });
    expect([late.statusCode, alertOn(late)]).toEqual([409, expect.stringMatching(/sent or discarded/)]);
    const anew = draftPage(await ann.post(COMPOSE, { ...formOn(late, COMPOSE), action: 'save' }));
    expect(anew).not.toBe(page);
    expect((await formAt(ann, anew))['text']).toBe('more words');
  });
});

describe('formatted text', () => {
  test('goes out with a plain alternative, and nothing that runs or loads', async () => {
    const html =
      '<p>Hello <b>there</b></p><ul><li>one</li></ul><script>alert(1)</script>' +
      '<img src="https://evil.example/x.png"><p style="background:url(https://evil.example/)" onclick="x()">end</p>' +
      '<a href="javascript:alert(1)">bad</a> <a href="https://good.example/">good</a><form action="https://evil.example"><input></form>';
    await now(ann, { to: BEN, subject: 'Formatted', text: '', html });
    const raw = await source(ben, 'Formatted');
    expect(raw).toMatch(/multipart\/alternative/);
    expect(raw).toMatch(/Hello there\r\n- one/);
    expect(raw).toContain('<b>there</b>');
    expect(raw).not.toMatch(/script|evil|onclick|javascript|<form|<img/i);
  });

  test('is kept as formatted without the script, unless its plain form is changed there', async () => {
    const page = draftPage(await write(ann, { text: '', html: '<p><i>slanted</i></p>', action: 'save' }));
    const form = await formAt(ann, page);
    expect(form).toMatchObject({ text: 'slanted', html: '<p><i>slanted</i></p>' });
    await ann.post(COMPOSE, { ...form, subject: 'Slanted', action: 'save' });
    expect((await formAt(ann, page))['html']).toBe('<p><i>slanted</i></p>');
    await write(ann, { text: 'upright', action: 'save' }, page);
    expect(await formAt(ann, page)).toMatchObject({ text: 'upright', html: '' });
  });
});

describe('sending', () => {
  /** Ann at the gateway where undo lasts as long as in the product. */
  const slow = () => {
    const visitor = house.visitor(1);
    for (const [name, value] of ann.cookies) visitor.cookies.set(name, value);
    return visitor;
  };

  test('is undone within its seconds: the message never leaves, and is a draft again', async () => {
    const sent = ledTo(await now(slow(), { to: BEN, subject: 'Undone', text: 'wait' }));
    const back = ledTo(await slow().submit(sent.pathname + sent.search, '/undo'));
    expect(back.searchParams.get('done')).toBe('back');
    expect(await formAt(ann, back.pathname + back.search)).toMatchObject({ subject: 'Undone', text: 'wait' });
    for (const folder of ['outbox', 'sent']) {
      expect((await ann.get(`/mail/${folder}`)).body).not.toContain('>Undone<');
    }
  });

  test('by a double click offers to undo what the first one sent', async () => {
    const form = await formAt(ann, COMPOSE, { to: BEN, subject: 'Double', text: 'x', action: 'send' });
    const [first, second] = [
      ledTo(await slow().post(COMPOSE, form)),
      ledTo(await slow().post(COMPOSE, form)),
    ];
    expect(second.href).toBe(first.href);
    expect(second.searchParams.get('undo')).toMatch(/^[\w-]+:\d+$/);
    ledTo(await slow().submit(second.pathname + second.search, '/undo'));
  });

  test('again from the page that was sent and taken back says so, and then sends', async () => {
    const form = await formAt(ann, COMPOSE, {
      to: BEN,
      subject: 'Back and forth',
      text: 'x',
      action: 'send',
    });
    const sent = ledTo(await slow().post(COMPOSE, form));
    await slow().submit(sent.pathname + sent.search, '/undo');
    const stale = await slow().post(COMPOSE, form);
    expect([stale.statusCode, alertOn(stale)]).toEqual([409, expect.stringMatching(/taken back/)]);
    ledTo(await ann.post(COMPOSE, { ...formOn(stale, COMPOSE), action: 'send' }));
    await arrived(ben, 'Back and forth');
  });

  test('twice with one form is once, on whichever gateway', async () => {
    const form = await formAt(ann, COMPOSE, { to: BEN, subject: 'Twice', text: 'x', action: 'send' });
    const there = house.visitor(1);
    for (const [name, value] of ann.cookies) there.cookies.set(name, value);
    const both = await Promise.all([ann.post(COMPOSE, form), there.post(COMPOSE, form)]);
    both.forEach(ledTo);
    await arrived(ben, 'Twice');
    ledTo(await ann.post(COMPOSE, form));
    expect((await ben.get('/mail/inbox')).body.match(/>Twice</g)).toHaveLength(1);
    expect((await ann.get('/mail/drafts')).body).not.toContain('>Twice<');
  });

  test('later waits in the outbox, says when, and is cancelled there', async () => {
    const later = ledTo(
      await write(ann, { to: BEN, subject: 'Tomorrow', text: 'x', delay: '24h', action: 'later' }),
    );
    expect(later.searchParams.get('done')).toBe('scheduled');
    const url = await arrived(ann, 'Tomorrow', 'outbox');
    expect((await ann.get(url)).body).toMatch(/not sent yet: it goes out/);
    const back = ledTo(await ann.submit(url, `${url}/cancel`));
    expect(await formAt(ann, back.pathname + back.search)).toMatchObject({ subject: 'Tomorrow' });
    expect((await ann.get('/mail/outbox')).body).not.toContain('>Tomorrow<');
    expect((await ann.post(`${url}/cancel`, await formAt(ann))).statusCode).toBe(409);
  });

  test('at a time of one’s own takes the clock’s offset from UTC', async () => {
    const wall = new Date(Date.now() + 3 * 3_600_000).toISOString().slice(0, 16);
    await write(ann, {
      to: BEN,
      subject: 'On the hour',
      text: 'x',
      at: wall,
      offset: '+01:00',
      action: 'later',
    });
    const page = await ann.get(await arrived(ann, 'On the hour', 'outbox'));
    const due = /goes out <time datetime="([^"]+)"/.exec(page.body)![1]!;
    expect(Date.parse(due)).toBe(Date.parse(`${wall}+01:00`));
  });

  test.each([
    ['is missing', {}, /When it should be sent is missing/],
    ['has passed', { at: '2020-01-01T10:00', offset: '+00:00' }, /lies in the past/],
    ['is too far', { at: '2999-01-01T10:00', offset: '+00:00' }, /too far ahead/],
    ['is no time', { at: 'soon', offset: '+00:00' }, /must look like/],
    ['has no offset', { at: '2030-01-01T10:00', offset: '+99:00' }, /UTC offset/],
  ])('later is refused when the time %s, keeping what was typed', async (_case, fields, alert) => {
    const sent = await write(ann, { to: BEN, subject: 'S', text: 'kept', ...fields, action: 'later' });
    expect([sent.statusCode, alertOn(sent)]).toEqual([400, expect.stringMatching(alert)]);
    expect(formOn(sent, COMPOSE)['text']).toBe('kept');
  });

  test('to an address outside waits, visibly, for delivery', async () => {
    await now(ann, { to: `Far <far@example.org>, ${BEN}`, subject: 'Both ways', text: 'x' });
    await arrived(ben, 'Both ways');
    const url = await arrived(ann, 'Both ways', 'sent');
    await until('ben has it', async () => (await ann.get(url)).body.includes('<b>write-ben</b> delivered'));
    expect((await ann.get(url)).body).toContain('<b>far@example.org</b> waits to be taken to another system');
  });

  test('that an earlier release took nowhere is sent once its writer asks for it', async () => {
    const messageId = Array.from('leftbehind', (letter) => letter.repeat(3))
      .join('')
      .slice(0, 26);
    const raw = Buffer.from(
      'From: write-ann@penncloud.test\r\nTo: far@example.org\r\nSubject: Left behind\r\n\r\nStill here.\r\n',
    );
    const { summary, words } = await digestOf(raw);
    await house.store.execute({
      id: `left-${messageId}`,
      expiresAt: Date.now() + 60_000,
      stream: accountStream('write-ann'),
      type: 'mail.SendMessage',
      data: { messageId, recipients: [], outside: 1, size: raw.length, ids: [], dueAt: null, draftId: null },
      parts: [
        raw,
        ...[summary, summary].map(encodeSummary),
        ...[words, words],
        Buffer.from('["far@example.org"]'),
      ],
      actor: 'write-ann',
      session: '',
      action: 'Send message',
    });
    const url = await arrived(ann, 'Left behind', 'sent');
    const before = await ann.get(url);
    expect(before.body).toContain('<b>far@example.org</b> was not sent: it was written before');
    expect(before.body).toContain('Send it now');
    const action = `/mail/sent/${messageId}/send-now`;
    const [one, two] = [formOn(before, action), formOn(await ann.get(url), action)];
    for (const form of [one, two, one]) {
      const done = await ann.post(action, form);
      expect([done.statusCode, done.headers.location]).toEqual([303, `${url}?done=onItsWay`]);
    }
    const { body } = await ann.get(`${url}?done=onItsWay`);
    expect(body).toContain('Your message is on its way.');
    expect(body.split('far@example.org</b> waits to be taken to another system')).toHaveLength(2);
    expect(body).not.toContain('Send it now');
    const queue = outboundStream(messageId);
    const { results } = await house.store.read(queue, [{ get: itemStateCell(queue, messageId) }]);
    expect(results[0]).toHaveLength(1);
    expect((await ben.post(action, formOn(await ben.get('/mail/compose'), COMPOSE))).statusCode).toBe(404);
  });

  test('answers everybody but oneself, in their conversation', async () => {
    await now(ann, {
      to: `${BEN}, third@example.org`,
      cc: 'fourth@example.org',
      subject: 'Round',
      text: 'Who comes?',
    });
    const link = linksOn(await ben.get(await arrived(ben, 'Round')), /replyAll=/)[0]!;
    const form = await formAt(ben, link);
    expect(form).toMatchObject({
      to: expect.stringContaining('write-ann@penncloud.test'),
      subject: 'Re: Round',
    });
    expect(form['cc']).toContain('third@example.org');
    expect(form['cc']).toContain('fourth@example.org');
    expect(form['cc']).not.toContain('write-ben');
    expect(form['text']).toContain('> Who comes?');
  });
});

describe('as whom', () => {
  test('is chosen among one’s identities, each with its signature; an answer is written as who was asked', async () => {
    const eve = await house.person('write-eve', 'Eve');
    ledTo(await eve.submit('/account/profile', '/account/profile', { signature: 'Eve, at home' }));
    const identity = { tag: 'club', domain: 'penncloud.test', displayName: 'Eve (chess club)' };
    ledTo(
      await eve.submit('/account/identities/new', '/account/identities', {
        ...identity,
        signature: 'Chess!',
      }),
    );
    const page = await eve.get(COMPOSE);
    expect(formOn(page, COMPOSE)['text']).toBe('\n\n-- \nEve, at home');
    const id = /<option value="([a-z2-7]{26})"[^>]*>Eve \(chess club\)/.exec(page.body)![1]!;
    ledTo(await eve.post(COMPOSE, { ...formOn(page, COMPOSE), from: id, to: BEN, subject: 'Game' }));
    expect(await source(ben, 'Game')).toMatch(
      /^From: "?Eve \(chess club\)"? <write-eve\+club@penncloud\.test>/m,
    );

    const reply = linksOn(await ben.get(await arrived(ben, 'Game')), /reply=/)[0]!;
    ledTo(await write(ben, { action: 'send' }, reply));
    const answer = linksOn(await eve.get(await arrived(eve, 'Re: Game')), /reply=/)[0]!;
    const shown = await eve.get(answer);
    expect(shown.body).toContain(`<option value="${id}" selected`);
    expect(formOn(shown, COMPOSE)['text']).toContain('-- \nChess!');
    // Without the script the signature comes with the form.
    const changed = { ...formOn(await eve.get(COMPOSE), COMPOSE), from: id, action: 'save' };
    const draft = (await eve.post(COMPOSE, changed)).headers.location!;
    const kept = formOn(await eve.get(draft), COMPOSE);
    expect([kept['text'], kept['signed']]).toEqual(['\n\n-- \nChess!', id]);
    // Whose identity it is not, cannot write as it.
    const forged = await write(ben, { from: id, to: BEN, subject: 'As Eve', text: 'x', action: 'send' });
    expect([forged.statusCode, alertOn(forged)]).toEqual([
      400,
      expect.stringMatching(/identity in From is gone/),
    ]);
  });
});

test('a time to send at is meant by the clock in the zone of one’s dates, and one that it skips is named', async () => {
  const zoe = await house.person('write-zoe', 'Zoe');
  ledTo(await zoe.submit('/account/dates', '/account/dates', { zone: 'Pacific/Auckland', locale: 'en-GB' }));
  const page = await zoe.get(COMPOSE);
  expect(page.body).toContain('By the clock in Pacific/Auckland');
  const year = new Date().getUTCFullYear();
  const later = { ...formOn(page, COMPOSE), to: BEN, subject: 'In Auckland', text: 'x', action: 'later' };
  // The last Sunday of September, at two: 1 hour is left out.
  const sunday = lastSundayOfSeptember(new Date() < lastSundayOfSeptember(year) ? year : year + 1);
  const skipped = `${sunday.toISOString().slice(0, 10)}T02:30`;
  const refused = await zoe.post(COMPOSE, { ...later, at: skipped });
  expect([refused.statusCode, alertOn(refused)]).toEqual([400, expect.stringMatching(/choose 03:30/)]);
  expect(formOn(refused, COMPOSE)['at']).toBe(skipped);
  ledTo(
    await zoe.post(COMPOSE, {
      ...formOn(refused, COMPOSE),
      at: skipped.replace('02:30', '03:30'),
      action: 'later',
    }),
  );
  const waiting = await zoe.get(await arrived(zoe, 'In Auckland', 'outbox'));
  expect(waiting.body).toContain(`datetime="${new Date(sunday.getTime() - 9.5 * 3600_000).toISOString()}"`);
});

/** Midnight of that day, as if in UTC. */
function lastSundayOfSeptember(year: number): Date {
  const last = new Date(Date.UTC(year, 8, 30));
  last.setUTCDate(30 - last.getUTCDay());
  return last;
}

test('a sent message is found by its words, blind copies by their sender alone', async () => {
  const hidden = 'write-ann@penncloud.test';
  await now(ann, { to: BEN, bcc: hidden, subject: 'Quokka', text: 'marsupials of Rottnest' });
  await arrived(ben, 'Quokka');
  const found = async (who: Visitor, q: string) =>
    (await who.get(`/mail/search?q=${encodeURIComponent(q)}`)).body.includes('>Quokka<');
  await until('ben finds it', () => found(ben, 'rottnest'));
  expect(await found(ann, 'marsupials in:sent')).toBe(true);
  expect(await found(ben, `to:${hidden}`)).toBe(false);
});
