/** When a message goes out, as the form says it. */
import { describe, expect, test } from 'vitest';
import { chosenTime, DELAYS, OFFSETS } from '../../../gateways/web/writing/send-times.ts';

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
  ])('that is %j is refused', (fields, message) => {
    expect(() => chosenTime(fields, NOW)).toThrow(message);
  });
});
