/**
 * SMTP smuggling (Longin, SEC Consult, December 2023; CVE-2023-51764, -51765, -51766): a message ends at CRLF.CRLF and
 * nowhere else (RFC 5321 §4.1.1.4), and CR and LF stand only together (§2.3.8). What looks like an end to another server,
 * with commands behind it, is here one message or none, at both doors. (What leaves: outbound-bytes.spec.ts.)
 *
 * A dot that begins a line is taken away, doubled or not (§4.5.2; transparency.spec.ts).
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SmtpClient } from '../../e2e/smtp-client.ts';
import { openDoors, type Doors } from './doors.ts';

let doors: Doors;
beforeAll(async () => {
  doors = await openDoors();
});
afterAll(() => doors?.close());

/** Refused: the reply; kept: the bytes that stand where the form stood. */
type Row = readonly [what: string, form: string, refused: RegExp | undefined, kept?: string];

const BARE_LF = /^550 5\.5\.2 .*bare LF/;
const BARE_CR = /^550 5\.5\.2 .*bare CR/;
const FORMS: readonly Row[] = [
  ['LF.LF', '\n.\n', BARE_LF],
  ['LF.CRLF', '\n.\r\n', BARE_LF],
  ['LF.CR', '\n.\r', BARE_LF],
  ['CRLF.LF', '\r\n.\n', BARE_LF],
  ['CR.CR', '\r.\r', BARE_CR],
  ['CR.LF', '\r.\n', BARE_LF],
  ['CR.CRLF', '\r.\r\n', BARE_CR],
  ['CRLF.CR', '\r\n.\r', BARE_CR],
  ['CRLF.CRCRLF', '\r\n.\r\r\n', BARE_CR],
  ['CRCRLF.CRLF', '\r\r\n.x\r\n', BARE_CR],
  ['CRLFLF.LF', '\r\n\n.\n', BARE_LF],
  ['LFCR.LFCR', '\n\r.\n\r', BARE_LF],
  ['a bare LF alone', 'a\nb', BARE_LF],
  ['a bare CR alone', 'a\rb', BARE_CR],
  ['CRLF NUL . CRLF', '\r\n\0.\r\n', undefined],
  ['CRLF . NUL CRLF', '\r\n.\0\r\n', undefined, '\r\n\0\r\n'],
  ['CRLF . space CRLF', '\r\n. \r\n', undefined, '\r\n \r\n'],
  ['a dot that was not stuffed', '\r\n.foo\r\n', undefined, '\r\nfoo\r\n'],
  ['a stuffed dot', '\r\n..\r\n', undefined, '\r\n.\r\n'],
  ['three dots', '\r\n...\r\n', undefined, '\r\n..\r\n'],
  ['NEL (U+0085) as a line end', '\x85.\x85', undefined],
  ['UTF-8 line and paragraph separators', '\xe2\x80\xa8.\xe2\x80\xa9', undefined],
  ['VT and FF as line ends', '\x0b.\x0c', undefined],
  ['the end with its high bits set', '\x8d\x8a.\x8d\x8a', undefined],
];

const SMUGGLED =
  'MAIL FROM:<carol@penncloud.test>\r\nRCPT TO:<carol@penncloud.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nsecond\r\n.\r\n';

const DOORS = [
  ['intake', () => doors.mx(), () => doors.store.kept.map(({ account, raw }) => ({ account, raw }))],
  [
    'submission',
    () => doors.loggedIn('alice'),
    () => doors.store.sent.map(({ by, raw }) => ({ account: by, raw })),
  ],
] as const;

/** MAIL, RCPT and DATA; then the bytes, in pieces, and what is answered to them. */
async function handIn(client: SmtpClient, bytes: string, cutAt: number): Promise<string> {
  for (const command of ['MAIL FROM:<alice@penncloud.test>', 'RCPT TO:<alice@penncloud.test>', 'DATA']) {
    await client.say(`${command}\r\n`);
  }
  for (const piece of [bytes.slice(0, cutAt), bytes.slice(cutAt)]) {
    client.write(Buffer.from(piece, 'latin1'));
    // Read by the server before the next one, as a rule; the rule need not hold.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  return (await client.answer()).text;
}

const PLACES = [
  ['in the text', (form: string) => `From: alice@penncloud.test\r\n\r\nbefore${form}${SMUGGLED}`],
  ['in the header', (form: string) => `From: alice@penncloud.test\r\nX: y${form}${SMUGGLED}`],
] as const;

describe.each(DOORS)('an end of data that is none, at the %s', (_door, client, taken) => {
  let one: SmtpClient;
  beforeAll(async () => {
    one = await client();
  });

  it.each(FORMS.map(([what, form, refused, kept = form]) => ({ what, form, refused, kept })))(
    '$what: one message or none, wherever the bytes are cut',
    async ({ form, refused, kept }) => {
      for (const [, placed] of PLACES) {
        const bytes = placed(form);
        const at = bytes.indexOf(form);
        for (let cutAt = at - 1; cutAt <= at + form.length + 1; cutAt++) {
          const before = taken().length;
          const answer = await handIn(one, bytes, cutAt);
          expect(answer).toMatch(refused ?? /^250 2\.0\.0 /);
          // Had it seen a second message, its replies would stand here.
          expect((await one.say('NOOP\r\n')).text).toBe('250 2.0.0 OK');
          const added = taken().slice(before);
          expect(added.map(({ account }) => account)).toEqual(refused ? [] : ['alice']);
          const expected = Buffer.from(placed(kept).slice(0, -3), 'latin1');
          for (const { raw } of added) expect(raw.subarray(-expected.length)).toEqual(expected);
        }
      }
    },
  );

  it('is an end where a message has no line at all (RFC 5321 §4.1.1.4), and no dot of a stuffed line is', async () => {
    // The first CRLF of the end is that of the DATA line.
    expect(await handIn(one, '.\r\n', 1)).toMatch(/^(250|554) /);
    for (let cutAt = 0; cutAt < 6; cutAt++) {
      const before = taken().length;
      const answer = await handIn(one, '..\r\nFrom: alice@penncloud.test\r\n\r\n.\r\n', cutAt);
      expect(answer).toMatch(/^(250 2\.0\.0|554 5\.6\.0) /);
      expect((await one.say('NOOP\r\n')).text).toBe('250 2.0.0 OK');
      expect(taken().length - before).toBeLessThanOrEqual(1);
    }
  });

  it('offers no other way to send data: no CHUNKING, no BINARYMIME (RFC 3030)', async () => {
    expect((await one.say('EHLO x\r\n')).text).not.toMatch(/CHUNKING|BINARYMIME/);
    expect((await one.say('BDAT 5 LAST\r\n')).code).toBe(500);
    expect((await one.say('MAIL FROM:<alice@penncloud.test> BODY=BINARYMIME\r\n')).code).toBe(501);
  });
});

describe('whatever bytes are handed in', () => {
  const token = fc.constantFrom('\r', '\n', '\r\n', '.', '\r\n.', '..', 'a', '\0', '\xff', ' ');
  it('are one message, kept as they came, or are refused; and the next command is answered', async () => {
    const one = await doors.mx();
    await fc.assert(
      fc.asyncProperty(fc.array(token, { maxLength: 24 }), fc.nat(30), async (tokens, cut) => {
        // One end, ours: what stands before it holds none.
        const content = `S: x\r\n\r\n${tokens.join('')}z`;
        fc.pre(!content.includes('\r\n.\r\n'));
        const before = doors.store.kept.length;
        const answer = await handIn(one, `${content}\r\n.\r\n`, Math.min(cut, content.length));
        const isBare = /(^|[^\r])\n|\r(?!\n)/.test(content);
        expect(answer).toMatch(isBare ? /^550 5\.5\.2 / : /^250 2\.0\.0 /);
        expect((await one.say('NOOP\r\n')).code).toBe(250);
        const added = doors.store.kept.slice(before);
        expect(added.length).toBe(isBare ? 0 : 1);
        if (added[0] === undefined) return;
        const expected = Buffer.from(`${content.replaceAll('\r\n.', '\r\n')}\r\n`, 'latin1');
        expect(added[0].raw.subarray(-expected.length)).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });
});
