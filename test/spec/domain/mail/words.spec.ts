/** The words of a message as a part: whatever they are, they fit. */
import { describe, expect, it } from 'vitest';
import { WORDS_BYTES_MAX } from '../../../../domain/mail/fields.ts';
import { decodeWords, encodeWords, NO_WORDS } from '../../../../domain/mail/message/words.ts';

/** Three bytes a character, as long as a word may be. */
const long = (count: number) => Array.from({ length: count }, () => '\u0915'.repeat(48));

describe('the words of a message', () => {
  it('lose the end of its text first', () => {
    const words = { ...NO_WORDS, from: ['bob'], subject: ['lunch'], body: ['soup', ...long(12_000)] };
    const bytes = encodeWords(words);
    expect(bytes.length).toBeLessThanOrEqual(WORDS_BYTES_MAX);
    const read = decodeWords(bytes);
    expect([read.from, read.subject, read.body[0]]).toEqual([['bob'], ['lunch'], 'soup']);
  });

  it('fit also if those of its recipients alone are too many', () => {
    const words = { from: ['bob'], to: long(2000), subject: long(500), names: long(1000), body: ['soup'] };
    const bytes = encodeWords(words);
    expect(bytes.length).toBeLessThanOrEqual(WORDS_BYTES_MAX);
    expect(decodeWords(bytes).to.length).toBeGreaterThan(100);
  });
});
