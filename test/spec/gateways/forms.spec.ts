import fc from 'fast-check';
import type { FastifyRequest } from 'fastify';
import { describe, expect, test } from 'vitest';
import { Attempts } from '../../../gateways/passwords/attempts.ts';
import {
  boundId,
  commandExpiry,
  idFrom,
  isCommandId,
  isCurrent,
  newCommandId,
} from '../../../gateways/pages/command-ids.ts';
import { claimedAccount, Cookies, sessionHash } from '../../../gateways/pages/cookies.ts';
import { csrfToken, csrfTokenHolds, fromThisHost } from '../../../gateways/pages/csrf.ts';
import { field } from '../../../gateways/pages/form.ts';
import { PageRefusal } from '../../../gateways/pages/refusals.ts';
import { safeNext } from '../../../gateways/web/account/log-in.ts';

const SECRET = 'a secret of this deployment';

describe('a form token', () => {
  test('holds for the visitor it was made for', () => {
    fc.assert(
      fc.property(fc.string(), (subject) => csrfTokenHolds(SECRET, subject, csrfToken(SECRET, subject))),
    );
  });

  test('holds for nobody else, and under no other secret', () => {
    const token = csrfToken(SECRET, 'alice');
    expect(csrfTokenHolds(SECRET, 'mallory', token)).toBe(false);
    expect(csrfTokenHolds('another secret', 'alice', token)).toBe(false);
  });

  test('is another one on every page, so that compression tells nothing about it', () => {
    expect(csrfToken(SECRET, 'alice')).not.toBe(csrfToken(SECRET, 'alice'));
  });

  test('does not hold once a character is changed', () => {
    const token = csrfToken(SECRET, 'alice');
    fc.assert(
      fc.property(fc.nat(token.length - 1), (at) => {
        const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
        return !csrfTokenHolds(SECRET, 'alice', changed);
      }),
    );
  });

  test.each(['', '.', 'a', 'a.b', 'a.b.c', '..', '\0'])('does not hold when it is none: %j', (token) => {
    expect(csrfTokenHolds(SECRET, 'alice', token)).toBe(false);
  });
});

describe('where a form comes from', () => {
  const host = 'cloud.example.org:8001';

  test.each([
    ['our own page', { origin: 'http://cloud.example.org:8001' }],
    ['our own page, over TLS', { origin: 'https://cloud.example.org:8001' }],
    ['our own page, by fetch metadata', { 'sec-fetch-site': 'same-origin' }],
    ['the address bar', { 'sec-fetch-site': 'none' }],
    ['a client that is no browser', {}],
  ])('is fine: %s', (_case, headers) => expect(fromThisHost({ host, ...headers })).toBe(true));

  test.each([
    ['another site', { origin: 'https://evil.example' }],
    ['another port of this host', { origin: 'http://cloud.example.org:9999' }],
    ['a name that begins like ours', { origin: 'http://cloud.example.org.evil.example:8001' }],
    ['a page without an origin', { origin: 'null' }],
    ['another site, by fetch metadata', { 'sec-fetch-site': 'cross-site' }],
    ['a sister site, by fetch metadata', { 'sec-fetch-site': 'same-site' }],
  ])('is refused: %s', (_case, headers) => expect(fromThisHost({ host, ...headers })).toBe(false));
});

describe('command ids', () => {
  test('are random, 128 bits and more, and recognised', () => {
    const made = Array.from({ length: 100 }, newCommandId);
    expect(new Set(made).size).toBe(100);
    expect(made.every(isCommandId)).toBe(true);
  });

  test.each([undefined, '', 'short', 'a'.repeat(65), 'has spaces in the middle of it', ['twice', 'sent']])(
    'are refused when they are none: %j',
    (id) => expect(isCommandId(id)).toBe(false),
  );

  test('expire a week after the form was shown, however often it is sent; none come from the future', () => {
    const shown = Date.UTC(2026, 10, 23);
    const week = 7 * 24 * 3600 * 1000;
    const id = newCommandId(shown);
    expect(commandExpiry(id)).toBe(shown + week);
    expect(commandExpiry(`${id}-12`)).toBe(shown + week);
    expect(
      [shown, shown + week - 1, shown + week, shown - 3_600_000].map((now) => isCurrent(id, now)),
    ).toEqual([true, true, false, false]);
  });

  test('reach the store bound to who sends them, and expire as they were issued', () => {
    const id = newCommandId();
    const sent = boundId(id, ['alice', '', '~user/alice']);
    expect(boundId(id, ['alice', '', '~user/alice'])).toBe(sent);
    expect(isCommandId(sent)).toBe(true);
    expect(commandExpiry(sent)).toBe(commandExpiry(id));
    for (const other of [
      ['bob', '', '~user/alice'],
      ['alice', '', '~user/bob'],
      ['alice', 'v', '~user/alice'],
    ]) {
      expect(boundId(id, other)).not.toBe(sent);
    }
    expect(boundId(`${id}-1`, ['alice', '', '~user/alice'])).not.toBe(sent);
  });

  test('give what a form creates the same id each time it is sent, and each account and purpose its own', () => {
    const id = newCommandId();
    expect(idFrom('alice', id, 'message')).toBe(idFrom('alice', id, 'message'));
    const ids = [idFrom('alice', id, 'message'), idFrom('alice', id, 'file'), idFrom('bob', id, 'message')];
    expect(new Set(ids).size).toBe(3);
    for (const made of ids) expect(made).toMatch(/^[a-z2-7]{26}$/);
  });
});

describe('session cookies', () => {
  const cookies = new Cookies({ secure: false, secret: SECRET });

  test('are the same for the same visitor and log-in form, unguessable from it, and others for others', () => {
    const by = (visitor: string) =>
      ({ cookies: { pc_visitor: visitor.repeat(43) } }) as unknown as FastifyRequest;
    const [first, other] = [newCommandId(), newCommandId()];
    const session = cookies.sessionFor(by('v'), 'alice', first);
    expect(cookies.sessionFor(by('v'), 'alice', first)).toBe(session);
    expect(cookies.sessionFor(by('v'), 'alice', other)).not.toBe(session);
    expect(cookies.sessionFor(by('w'), 'alice', first)).not.toBe(session);
    const elsewhere = new Cookies({ secure: false, secret: 'another secret' });
    expect(elsewhere.sessionFor(by('v'), 'alice', first)).not.toBe(session);
    const none = { cookies: {} } as unknown as FastifyRequest;
    expect(cookies.sessionFor(none, 'alice', first)).not.toBe(cookies.sessionFor(none, 'alice', first));
  });

  test('name the account that they claim', () => {
    expect(claimedAccount(cookies.freshSession('al.ice-1'))).toBe('al.ice-1');
  });

  test.each(['', 'alice', 'alice.', '../x.aaaa', `ALICE.${'a'.repeat(43)}`, `alice.${'a'.repeat(42)}`])(
    'name nobody when they are none: %j',
    (cookie) => expect(claimedAccount(cookie)).toBeUndefined(),
  );

  test('are known to the store by their hash alone', () => {
    const cookie = cookies.freshSession('alice');
    expect(sessionHash(cookie)).toMatch(/^[0-9a-f]{64}$/);
    expect(sessionHash(cookie)).not.toContain(cookie.slice(6, 20));
  });
});

describe('the way back after logging in', () => {
  test.each(['/mail/inbox?after=1', '/drive', '/admin'])('leads to a page here: %s', (next) => {
    expect(safeNext(next)).toBe(next);
  });

  test.each([
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    '',
    '/a\r\nb',
    '/logout',
    undefined,
    ['/a'],
  ])('never leads elsewhere: %j', (next) => expect(safeNext(next)).toBe('/'));
});

describe('a field', () => {
  const rule = { label: 'Subject', bytesMax: 10 };
  const refusal = (value: unknown, more = {}) => {
    try {
      field({ subject: value }, 'subject', { ...rule, ...more });
    } catch (error) {
      return error instanceof PageRefusal ? error.message : error;
    }
    return undefined;
  };

  test('is its text, empty if it is absent', () => {
    expect(field({ subject: 'hello' }, 'subject', rule)).toBe('hello');
    expect(field({}, 'subject', rule)).toBe('');
  });

  test('over its limit is refused, naming field and limit; bytes are counted, not characters', () => {
    expect(refusal('x'.repeat(11))).toMatch(/Subject is too long: at most 10 bytes, this has 11/);
    expect(refusal('äöüäöü')).toMatch(/at most 10 bytes, this has 12/);
  });

  test('that must be there is refused when it is missing or blank', () => {
    expect(refusal(undefined, { required: true })).toMatch(/Subject is missing/);
    expect(refusal('   ', { required: true })).toMatch(/Subject is missing/);
  });

  test('is refused with control characters; only a text of many lines may have line ends', () => {
    expect(refusal('a\0b')).toMatch(/control characters/);
    expect(refusal('a\r\nb')).toMatch(/control characters/);
    expect(refusal('a\r\nb', { multiline: true })).toBeUndefined();
    expect(refusal('a\0b', { multiline: true })).toMatch(/control characters/);
  });

  test('sent twice is refused', () => expect(refusal(['a', 'b'])).toMatch(/more than once/));
});

describe('tries at a password', () => {
  const attempts = () => new Attempts({ failuresMax: 3, windowMs: 1000 });

  test('wait after so many failures, until the window has passed', () => {
    const tried = attempts();
    for (const at of [0, 10, 20]) {
      expect(tried.waitMs('alice', at)).toBe(0);
      tried.failed('alice', at);
    }
    expect(tried.waitMs('alice', 30)).toBe(970);
    expect(tried.waitMs('bob', 30)).toBe(0);
    expect(tried.waitMs('alice', 1000)).toBe(0);
  });

  test('are taken back one by one, and forgotten oldest first', () => {
    const tried = attempts();
    for (const at of [0, 1, 2]) tried.failed('10.0.0.1', at);
    tried.takenBack('10.0.0.1');
    expect(tried.waitMs('10.0.0.1', 3)).toBe(0);
    tried.failed('10.0.0.1', 3);
    expect(tried.waitMs('10.0.0.1', 3)).toBe(997);
    for (let n = 0; n < 10_000; n++) tried.failed(`name-${n}`, 4);
    expect(tried.waitMs('10.0.0.1', 5)).toBe(0);
  });

  test('begin anew after the right password', () => {
    const tried = attempts();
    for (const at of [0, 1]) tried.failed('alice', at);
    tried.succeeded('alice');
    tried.failed('alice', 2);
    expect(tried.waitMs('alice', 3)).toBe(0);
  });
});
