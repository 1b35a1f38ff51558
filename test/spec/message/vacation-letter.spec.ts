/** The answer of somebody who is away: a message that any mail program reads as it was written. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeSummary } from '../../../domain/mail/message/summary.ts';
import { dateText, vacationLetter, type Letter } from '../../../domain/mail/vacation/vacation-letter.ts';
import { NO_WORDS } from '../../../domain/mail/message/words.ts';
import { readHeaderBlock } from '../../../gateways/message/header-block.ts';
import { readMessage } from '../../../gateways/message/read-message.ts';
import { oneLine } from '../../../gateways/message/readable-text.ts';

const seed = Number(process.env['PENNCLOUD_SEED'] ?? Date.now() % 2 ** 31);
const AT = Date.UTC(2026, 10, 23, 17, 25, 48);
const LETTER: Letter = {
  subject: '',
  text: 'Away.',
  name: 'Alice',
  address: 'alice@penncloud.test',
  words: '',
};
const HOW = { address: 'bob@elsewhere.example', messageId: '<two@x>', references: ['<zero@x>', '<one@x>'] };

function letter(more: Partial<Letter> = {}, subject = 'Lunch', how = HOW) {
  const [raw, summary] = vacationLetter(
    { ...LETTER, ...more },
    { how, subject, words: NO_WORDS },
    'name',
    AT,
  );
  return { raw: Buffer.from(raw!), summary: decodeSummary(summary) };
}

describe('an answer', () => {
  it('is this, byte for byte', () => {
    expect(letter().raw.toString()).toBe(
      [
        'From: "Alice" <alice@penncloud.test>',
        'To: bob@elsewhere.example',
        'Subject: Auto: Lunch',
        'Date: Mon, 23 Nov 2026 17:25:48 +0000',
        'Message-ID: <name@penncloud.test>',
        'In-Reply-To: <two@x>',
        'References: <zero@x>',
        ' <one@x>',
        ' <two@x>',
        'Auto-Submitted: auto-replied',
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: 7bit',
        '',
        'Away.',
        '',
      ].join('\r\n'),
    );
  });

  it('names no ids where there are none', () => {
    const { raw } = letter({}, 'Lunch', { ...HOW, messageId: '', references: [] });
    expect(raw.toString()).not.toMatch(/In-Reply-To|References/);
  });

  it.each([
    ['ASCII', 'Back soon.'],
    ['umlauts', 'Grüße aus den Bergen'],
    ['Japanese', '休暇中です。'.repeat(40)],
    ['emoji', '🏔️ 👩‍👩‍👧‍👦'.repeat(20)],
    ['what looks like an encoded word', '=?utf-8?B?SGk=?='],
  ])('is read as it was written: %s', async (_what, words) => {
    const text = `${words}\n\n${words}\n.\nFrom me`;
    const { raw, summary } = letter({ subject: words, text, name: words.slice(0, 60).trim() });
    const read = await readMessage(raw);
    expect(read.problem).toBeUndefined();
    expect(read.text?.replace(/\r\n/g, '\n').trimEnd()).toBe(text);
    expect(read.headers.subject).toBe(oneLine(words, 998));
    expect(read.headers.from.address).toBe('alice@penncloud.test');
    expect([summary.from, summary.subject]).toEqual([read.headers.from, read.headers.subject]);
  });

  it('keeps any text at all, in lines that every server takes, and no field can begin another', async () => {
    const text = fc
      .string({ unit: 'binary', maxLength: 200 })
      .map((t) => t.replace(/[\0\r\ud800-\udfff]/g, ''));
    const line = text.map((t) => t.replace(/[\0-\x1f\x7f]/g, ''));
    await fc.assert(
      fc.asyncProperty(text, line, line, text, async (body, subject, name, answered) => {
        const { raw } = letter({ text: body, subject, name }, answered);
        const lines = raw.toString('latin1').split('\r\n');
        expect(lines.every((one) => one.length <= 998 && !/[\r\n\0]/.test(one))).toBe(true);
        expect(raw.every((byte) => byte < 128)).toBe(true);
        const fields = readHeaderBlock(raw).list();
        expect(fields.map((field) => field.name)).toEqual([
          ...['From', 'To', 'Subject', 'Date', 'Message-ID', 'In-Reply-To', 'References', 'Auto-Submitted'],
          ...['MIME-Version', 'Content-Type', 'Content-Transfer-Encoding'],
        ]);
        const encoding = readHeaderBlock(raw).first('content-transfer-encoding');
        const written = raw.subarray(readHeaderBlock(raw).bodyAt).toString();
        const decoded = encoding === 'base64' ? Buffer.from(written, 'base64').toString() : written;
        expect(decoded.replaceAll('\r\n', '\n')).toBe(`${body}\n`);
        expect((await readMessage(raw)).headers.from.address).toBe('alice@penncloud.test');
      }),
      { seed, numRuns: 60 },
    );
  });

  it('has a short subject, however long the one that it answers', () => {
    const { raw, summary } = letter({}, 'ü'.repeat(1000));
    expect(summary.subject.length).toBeLessThan(300);
    expect(
      raw
        .toString()
        .split('\r\n')
        .every(({ length }) => length <= 78),
    ).toBe(true);
  });
});

it(`dates are those of the calendar (seed ${seed})`, () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Date.UTC(2400, 1, 29) }), (at) => {
      expect(dateText(at)).toBe(new Date(at).toUTCString().replace('GMT', '+0000'));
    }),
    { seed, numRuns: 500 },
  );
});
