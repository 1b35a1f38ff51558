import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cut,
  decodeSummary,
  encodeSummary,
  SUMMARY_BYTES_MAX,
  type MailSummary,
} from '../../../domain/mail/message/summary.ts';

const words = (maxLength: number) => fc.string({ unit: 'binary', maxLength });
const address = fc.record({ name: words(300), address: words(400) });
const attachment = fc.record({ name: words(300), type: words(30), size: fc.maxSafeNat() });
const anySummary: fc.Arbitrary<MailSummary> = fc.record(
  {
    from: address,
    to: fc.array(address),
    cc: fc.array(address),
    bcc: fc.array(address),
    subject: words(2000),
    date: fc.option(fc.maxSafeInteger(), { nil: null }),
    snippet: words(300),
    attachments: fc.array(attachment),
    problem: words(50),
  },
  { requiredKeys: ['from', 'to', 'cc', 'subject', 'date', 'snippet', 'attachments'] },
);
const text = (value: string) => new TextEncoder().encode(value);

describe('the summary of a message', () => {
  it('is decoded as it was encoded, within its limits', () => {
    fc.assert(
      fc.property(anySummary, (summary) => {
        const bytes = encodeSummary(summary);
        expect(bytes.length).toBeLessThanOrEqual(SUMMARY_BYTES_MAX);
        const decoded = decodeSummary(bytes);
        expect(encodeSummary(decoded)).toEqual(bytes);
        expect(decoded.from.name).toBe(cut(summary.from.name, 255));
        expect(decoded.problem).toBe(summary.problem);
      }),
    );
  });

  it('of a message to thousands, with thousands of attachments, names the first ones', () => {
    const crowd = Array.from({ length: 5000 }, (_, n) => ({
      name: '€'.repeat(300),
      address: `${n}@example.org`,
    }));
    const files = Array.from({ length: 5000 }, (_, n) => ({
      name: '\u0001'.repeat(300),
      type: 'text/plain',
      size: n,
    }));
    const summary = {
      from: { name: '', address: '' },
      to: crowd,
      cc: crowd,
      bcc: crowd,
      subject: '\u0001'.repeat(5000),
      date: null,
      snippet: '\u0001'.repeat(5000),
      attachments: files,
      problem: '\u0001'.repeat(5000),
    };
    const bytes = encodeSummary(summary);
    expect(bytes.length).toBeLessThanOrEqual(SUMMARY_BYTES_MAX);
    expect(decodeSummary(bytes).to[0]?.address).toBe('0@example.org');
  });

  it('that was erased or cannot be read becomes an empty one that says why', () => {
    const unreadable = [
      undefined,
      text(''),
      text('{'),
      text('null'),
      text('[]'),
      text('{"subject":"Lunch"}'),
      new Uint8Array([0xff, 0xfe]),
    ];
    for (const bytes of unreadable) {
      const summary = decodeSummary(bytes);
      expect(summary.problem).toMatch(/^The summary of this message /);
      expect(summary.to).toEqual([]);
    }
  });

  it.each(['from', 'to', 'cc', 'bcc', 'subject', 'date', 'snippet', 'attachments', 'problem'])(
    'with a wrong %s becomes an empty one that says why',
    (field) => {
      const good = {
        from: { name: '', address: '' },
        to: [],
        cc: [],
        subject: 'Lunch',
        date: 1,
        snippet: '',
        attachments: [],
      };
      for (const wrong of [false, { name: 1 }, [7], [null], 1.5]) {
        const summary = decodeSummary(text(JSON.stringify({ ...good, [field]: wrong })));
        expect(summary).toMatchObject({
          subject: '',
          problem: 'The summary of this message lacks some of its fields.',
        });
      }
    },
  );

  it('is read from any bytes without an exception', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodeSummary(bytes)));
    fc.assert(fc.property(fc.json(), (json) => void decodeSummary(text(json))));
  });

  it('is never cut inside a character', () => {
    expect(cut('ab😀', 3)).toBe('ab');
    expect(cut('ab😀', 4)).toBe('ab😀');
  });
});
