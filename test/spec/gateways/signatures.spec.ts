/** The signature of whom one writes as, under what is written. */
import { describe, expect, test } from 'vitest';
import { signed, signedAnew } from '../../../gateways/web/writing/signatures.ts';

describe('when another identity is chosen', () => {
  const QUOTE = '\n\nOn Monday, Bob wrote:\n> Shall we?\n> -- \n> Bob\n';

  test.each([
    ['under a new text', 'Dear Ann', 'Dear Ann'],
    ['above what is answered', 'Yes.', `Yes.${QUOTE}`],
  ])('its signature takes the place of the one %s', (_where, mine, whole) => {
    const rest = whole.slice(mine.length);
    const text = `${mine}${signed('Home')}${rest}`;
    expect(signedAnew(text, 'Home', 'Work\n+49 30')).toBe(`${mine}\n\n-- \nWork\n+49 30${rest}`);
  });

  test('without a signature the one before goes, and comes back', () => {
    const text = `Yes.${signed('Home')}${QUOTE}`;
    expect(signedAnew(text, 'Home', '')).toBe(`Yes.${QUOTE}`);
    expect(signedAnew(`Yes.${QUOTE}`, '', 'Home')).toBe(text);
    expect(signedAnew('Yes.\n', '', 'Home')).toBe('Yes.\n\n-- \nHome');
  });

  test.each(['Yes.\n\n-- \nHome, sweet home', 'Yes.', 'Yes.\n-- Home', `Yes.${QUOTE}`])(
    'what its writer changed stays: %j',
    (text) => {
      expect(signedAnew(text, 'Home', 'Work')).toBe(text);
    },
  );
});
