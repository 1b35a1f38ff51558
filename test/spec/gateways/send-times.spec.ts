/** When a message goes out, as the form says it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chosenTime, DELAYS, OFFSETS } from '../../../gateways/web/writing/send-times.ts';
import { momentIn } from '../../../gateways/web/writing/wall-time.ts';

const NOW = Date.parse('2026-03-28T12:00:00Z');

describe('a time to send at', () => {
  test.each(DELAYS)('$words: is that far from now', ({ value, ms }) => {
    expect(chosenTime({ delay: value }, NOW)).toBe(NOW + ms);
  });

  test.each(OFFSETS)('on a clock at UTC%s is the same moment everywhere', (offset) => {
    const time = chosenTime({ at: '2026-03-30T08:00', offset }, NOW);
    expect(time).toBe(Date.parse(`2026-03-30T08:00:00${offset}`));
  });

  test('of one’s own counts more than a delay', () => {
    const time = chosenTime({ at: '2026-03-30T08:00', offset: '+02:00', delay: '1h' }, NOW);
    expect(new Date(time).toISOString()).toBe('2026-03-30T06:00:00.000Z');
  });

  test.each([
    [{}, /missing/],
    [{ delay: '2y' }, /missing/],
    [{ delay: ['1h', '3h'] }, /missing/],
    [{ at: '2026-03-28T12:00', offset: '+00:00' }, /in the past/],
    [{ at: '2027-04-01T12:00', offset: '+00:00' }, /at most 366 days/],
    [{ at: '2026-13-28T12:00', offset: '+00:00' }, /must look like/],
    [{ at: '2026-03-30T08:00Z', offset: '+00:00' }, /must look like/],
    [{ at: '2026-03-30T08:00', offset: '+01:07' }, /UTC offset/],
    [{ at: '2026-06-31T08:00', zone: 'Europe/Berlin' }, /must look like/],
    [{ at: '2026-03-30T08:00', zone: 'Mars/Olympus' }, /“Mars\/Olympus” is not known here/],
    [
      { at: '2026-03-29T02:30', zone: 'Europe/Berlin' },
      /^On 2026-03-29 clocks in Europe\/Berlin are put forward and never show 02:30: choose 03:30, or another/,
    ],
    [{ at: '2026-10-04T02:10', zone: 'Australia/Lord_Howe' }, /never show 02:10: choose 02:40/],
  ])('that is %j is refused', (fields, message) => {
    expect(() => chosenTime(fields, NOW)).toThrow(message);
  });
});

describe('the clock on the wall of a zone', () => {
  test.each([
    ['Europe/Berlin', '2026-03-29T01:59', '2026-03-29T00:59:00.000Z'],
    ['Europe/Berlin', '2026-03-29T03:00', '2026-03-29T01:00:00.000Z'],
    ['America/New_York', '2026-07-01T08:00', '2026-07-01T12:00:00.000Z'],
    ['Asia/Kathmandu', '2026-07-01T08:00', '2026-07-01T02:15:00.000Z'],
    ['UTC', '2026-07-01T08:00', '2026-07-01T08:00:00.000Z'],
  ])('in %s at %s is the moment %s', (zone, wall, moment) => {
    expect(new Date(momentIn(zone, wall)!).toISOString()).toBe(moment);
    expect(chosenTime({ at: wall, zone, offset: '+09:00' }, Date.parse(moment) - 1)).toBe(Date.parse(moment));
  });

  test('that shows an hour twice means the first', () => {
    expect(new Date(momentIn('Europe/Berlin', '2026-10-25T02:30')!).toISOString()).toBe(
      '2026-10-25T00:30:00.000Z',
    );
  });

  test('is read back as it was written, in every zone, at every minute that it shows', () => {
    const minutes = fc.integer({ min: Date.UTC(2026, 0, 1) / 60_000, max: Date.UTC(2030, 0, 1) / 60_000 });
    fc.assert(
      fc.property(fc.constantFrom(...Intl.supportedValuesOf('timeZone')), minutes, (zone, minute) => {
        const style = { timeZone: zone, dateStyle: 'short', timeStyle: 'short' } as const;
        const shownAt = (at: number) => new Intl.DateTimeFormat('sv-SE', style).format(at).replace(' ', 'T');
        const [at, wall] = [minute * 60_000, shownAt(minute * 60_000)];
        const found = momentIn(zone, wall)!;
        expect(found <= at && at - found <= 3 * 3600_000 && shownAt(found) === wall).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
