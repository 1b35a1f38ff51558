/** Words in the one spelling in which they are compared. */
import { describe, expect, it } from 'vitest';
import { folded, wordsOf } from '../../../gateways/message/fold.ts';

describe('words', () => {
  it.each([
    ['Crème Brûlée', 'creme brulee'],
    ['STRASSE', 'strasse'],
    ['Straße', 'strasse'],
    ['ΟΔΟΣ οδός', 'οδοσ οδοσ'],
    ['ﬁne ２０２６', 'fine 2026'],
    ['Ångström', 'angstrom'],
  ])('of %s are one spelling', (text, spelt) => {
    expect(folded(text)).toBe(spelt);
  });

  it.each([
    ["don't stop-me now_2", ['don', 't', 'stop', 'me', 'now', '2']],
    ['日本語のメール', ['日本', '本語', '語の', 'のメ', 'メー', 'ール', 'ル']],
    ['東京 Tokyo', ['東京', '京', 'tokyo']],
    ['हिन्दी मेल', ['हिन्दी', 'मेल']],
    ['안녕하세요', ['안녕하세요']],
    ['', []],
    ['x'.repeat(60), []],
  ])('of %j are %j', (text, words) => {
    expect(wordsOf(text, 100).map((word) => word.normalize('NFC'))).toEqual(words);
  });

  it('are as many as asked for, at most', () => {
    expect(wordsOf('a b c d', 2)).toEqual(['a', 'b']);
  });
});
