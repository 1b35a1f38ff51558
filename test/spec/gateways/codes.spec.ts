import fc from 'fast-check';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HOTP, Secret } from 'otpauth';
import { decodeQR } from 'qr/decode.js';
import { describe, expect, test } from 'vitest';
import { Cookies, STEP_MS } from '../../../gateways/pages/cookies.ts';
import { OneTimeCodes, qrPath, recoveryCodeHash } from '../../../gateways/pages/one-time-codes.ts';
import { Seal } from '../../../gateways/pages/seal.ts';
import { timeInWords } from '../../../gateways/pages/wording.ts';
import { network } from '../../../gateways/pages/network.ts';

const SECRET = 'a secret of this deployment';
const NOW = Date.UTC(2026, 10, 23, 14, 0, 7);
const STEP = Math.floor(NOW / 30_000);

describe('what is sealed', () => {
  const seal = new Seal({ secret: SECRET, purpose: 'second factor' });

  test('is opened as it was, and looks different each time', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (plain, about) => {
        const text = plain.toWellFormed();
        expect(seal.open(seal.close(text, about), about)).toBe(text);
      }),
    );
    expect(seal.close('x', 'alice')).not.toBe(seal.close('x', 'alice'));
  });

  test('opens for nobody else, under no other secret, and for no other purpose', () => {
    const sealed = seal.close('GEZDGNBV', 'alice');
    expect(seal.open(sealed, 'bob')).toBeUndefined();
    expect(new Seal({ secret: 'another', purpose: 'second factor' }).open(sealed, 'alice')).toBeUndefined();
    expect(new Seal({ secret: SECRET, purpose: 'another' }).open(sealed, 'alice')).toBeUndefined();
  });

  test('does not open once any character is changed, added or gone', () => {
    const sealed = seal.close('GEZDGNBV', 'alice');
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), (at) => {
        const other = sealed[at] === 'A' ? 'B' : 'A';
        for (const changed of [
          sealed.slice(0, at) + other + sealed.slice(at + 1),
          sealed.slice(0, at) + sealed.slice(at + 1),
          sealed.slice(0, at) + other + sealed.slice(at),
        ]) {
          expect(seal.open(changed, 'alice')).toBeUndefined();
        }
      }),
    );
    for (const none of ['', '1.', 'x', '1.****', `1.${'A'.repeat(5000)}`])
      expect(seal.open(none, 'alice')).toBeUndefined();
  });
});

describe('codes of an app', () => {
  const codes = new OneTimeCodes(SECRET);
  const sealed = codes.newSealed('alice');
  const { secret, uri } = codes.setUp(sealed, 'alice', 'penncloud.test')!;
  const code = (step: number) => new HOTP({ secret: Secret.fromBase32(secret) }).generate({ counter: step });

  test('are known by their time step: now, one before, one after, and no other', () => {
    for (const step of [STEP - 1, STEP, STEP + 1])
      expect(codes.stepOf(sealed, 'alice', code(step), NOW)).toBe(step);
    for (const step of [STEP - 3, STEP + 3])
      expect(codes.stepOf(sealed, 'alice', code(step), NOW)).toBeUndefined();
  });

  test('may be typed with spaces; what is no code is none', () => {
    const [digits] = [code(STEP)];
    expect(codes.stepOf(sealed, 'alice', ` ${digits.slice(0, 3)} ${digits.slice(3)} `, NOW)).toBe(STEP);
    for (const typed of ['', '12345', '1234567', 'abcdef', '١٢٣٤٥٦', '-1', '0x1234'])
      expect(codes.stepOf(sealed, 'alice', typed, NOW)).toBeUndefined();
    expect(codes.stepOf(sealed, 'bob', digits, NOW)).toBeUndefined();
    expect(codes.stepOf('', 'alice', digits, NOW)).toBeUndefined();
  });

  test('are set up by a URI that a camera reads from the QR code', () => {
    expect(uri).toMatch(/^otpauth:\/\/totp\/PennCloud:alice%40penncloud\.test\?/);
    const { path, size } = qrPath(uri);
    const scale = 4;
    const side = size * scale;
    const data = new Uint8Array(side * side * 4).fill(255);
    for (const [, x, y, run] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
      for (let row = Number(y) * scale; row < (Number(y) + 1) * scale; row++) {
        const from = (row * side + Number(x) * scale) * 4;
        for (let at = from; at < from + Number(run) * scale * 4; at++) if (at % 4 !== 3) data[at] = 0;
      }
    }
    expect(decodeQR({ width: side, height: side, data })).toBe(uri);
  });
});

describe('recovery codes', () => {
  const codes = new OneTimeCodes(SECRET);

  test('are ten different ones for each form and account, and the same when the form is sent again', () => {
    const made = codes.recoveryCodes('alice', 'form-1', 10);
    expect(new Set(made).size).toBe(10);
    for (const code of made) expect(code).toMatch(/^[a-z2-7]{4}(-[a-z2-7]{4}){3}$/);
    expect(codes.recoveryCodes('alice', 'form-1', 10)).toEqual(made);
    const others = [
      codes.recoveryCodes('alice', 'form-2', 10),
      codes.recoveryCodes('bob', 'form-1', 10),
    ].flat();
    expect(others.some((code) => made.includes(code))).toBe(false);
  });

  test('are known by a hash, however they are typed, and by another one for another account', () => {
    const hash = recoveryCodeHash('alice', 'abcd-efgh-ijkl-mnop');
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    for (const typed of ['ABCD EFGH IJKL MNOP', 'abcdefghijklmnop', ' abcd-efghijkl mnop\n'])
      expect(recoveryCodeHash('alice', typed)).toBe(hash);
    expect(recoveryCodeHash('bob', 'abcd-efgh-ijkl-mnop')).not.toBe(hash);
    for (const none of ['', '123456', 'abcd-efgh-ijkl', 'abcd-efgh-ijkl-mno1', 'x'.repeat(64)])
      expect(recoveryCodeHash('alice', none)).toBeUndefined();
  });
});

describe('a first step', () => {
  const cookies = new Cookies({ secure: false, secret: SECRET });
  const request = (held: Record<string, string>) => ({ cookies: held }) as unknown as FastifyRequest;
  const visitor = 'v'.repeat(43);
  function shown(now: number): string {
    const set: Record<string, string> = {};
    const reply = {
      setCookie: (name: string, value: string) => {
        set[name] = value;
      },
    } as unknown as FastifyReply;
    const step = { account: 'alice.b-c', passwordVersion: 12 };
    cookies.setFirstStep(request({ pc_visitor: visitor }), reply, step, now);
    return set['pc_step']!;
  }

  test('is believed of the visitor who made it, for ten minutes', () => {
    const held = request({ pc_visitor: visitor, pc_step: shown(NOW) });
    expect(cookies.firstStep(held, NOW)).toEqual({ account: 'alice.b-c', passwordVersion: 12 });
    expect(cookies.firstStep(held, NOW + STEP_MS - 1)).toBeDefined();
    expect(cookies.firstStep(held, NOW + STEP_MS)).toBeUndefined();
    expect(
      cookies.firstStep(request({ pc_visitor: 'w'.repeat(43), pc_step: shown(NOW) }), NOW),
    ).toBeUndefined();
    expect(cookies.firstStep(request({ pc_step: shown(NOW) }), NOW)).toBeUndefined();
  });

  test('is not believed once any character is changed', () => {
    const value = shown(NOW);
    fc.assert(
      fc.property(fc.nat(value.length - 1), (at) => {
        const changed = value.slice(0, at) + (value[at] === '1' ? '2' : '1') + value.slice(at + 1);
        expect(cookies.firstStep(request({ pc_visitor: visitor, pc_step: changed }), NOW)).toBeUndefined();
      }),
    );
  });
});

describe('a browser that is known', () => {
  const cookies = new Cookies({ secure: false, secret: SECRET });
  const request = (value?: string) =>
    ({ cookies: value === undefined ? {} : { pc_known: value } }) as unknown as FastifyRequest;
  function remembered(account: string, held?: string): string | undefined {
    let set: string | undefined;
    const reply = {
      setCookie: (_name: string, value: string) => {
        set = value;
      },
    } as unknown as FastifyReply;
    cookies.setKnown(request(held), reply, account);
    return set;
  }

  test('is known to the account it has logged in to, and by the same name ever after', () => {
    const value = remembered('alice.b-c')!;
    expect(cookies.known(request(value), 'alice.b-c')).toMatch(/^[\w-]{22}$/);
    expect(remembered('alice.b-c', value)).toBeUndefined();
    expect(cookies.known(request(value), 'alice')).toBeUndefined();
    expect(cookies.known(request(), 'alice.b-c')).toBeUndefined();
    expect(cookies.known(request(remembered('bob', value)), 'alice.b-c')).toBeUndefined();
  });

  test('is a stranger once any character of its cookie is changed', () => {
    const value = remembered('alice')!;
    fc.assert(
      fc.property(fc.nat(value.length - 1), (at) => {
        const changed = value.slice(0, at) + (value[at] === 'x' ? 'y' : 'x') + value.slice(at + 1);
        for (const name of ['alice', changed.slice(0, 5)])
          expect(cookies.known(request(changed), name)).toBeUndefined();
      }),
    );
  });
});

describe('the network that failures are counted for', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff::9', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('of %s is %s', (address, expected) => expect(network(address)).toBe(expected));
});

describe('a time in words', () => {
  const at = Date.UTC(2026, 10, 23, 5, 12);

  test('is UTC for who has chosen nothing, and says so', () => {
    expect(timeInWords(at)?.words).toBe('23 Nov 2026, 05:12 UTC');
    expect(timeInWords(at, { zone: '', locale: '' }, 'list')?.words).toBe('23 Nov 2026, 05:12 UTC');
    expect(timeInWords(at, { zone: '', locale: 'de-DE' })?.words).toBe('23.11.2026, 05:12 UTC');
  });

  test('stands in the zone that was chosen', () => {
    expect(timeInWords(at, { zone: 'Asia/Tokyo', locale: '' })?.words).toBe('23 Nov 2026, 14:12');
    expect(timeInWords(at, { zone: 'America/New_York', locale: 'en-US' })?.words).toMatch(
      /^Nov 23, 2026, 12:12\sAM$/,
    );
  });

  test('is short in a list: the clock today, the day this year, all of it before', () => {
    const inList = (now: number) =>
      timeInWords(at, { zone: 'Asia/Tokyo', locale: 'en-GB' }, 'list', now)?.words;
    expect(inList(at + 3_600_000)).toBe('14:12');
    // Midnight in Tokyo, not in London.
    expect(inList(Date.UTC(2026, 10, 23, 15, 0))).toBe('23 Nov');
    expect(inList(Date.UTC(2027, 0, 2))).toBe('23 Nov 2026');
  });

  test('is written in UTC or English where this Node does not know what was chosen', () => {
    expect(timeInWords(at, { zone: 'Mars/Olympus', locale: 'xx-broken_tag' })?.words).toBe(
      '23 Nov 2026, 05:12',
    );
    expect(timeInWords(Number.NaN)).toBeUndefined();
  });
});
