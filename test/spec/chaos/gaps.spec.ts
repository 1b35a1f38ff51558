import { describe, expect, it } from 'vitest';
import { longestGap } from '../../../ops/chaos/gaps.ts';

describe('the longest gap within a window', () => {
  it('is between two answers of one cell', () => {
    expect(longestGap(new Map([['a', [1, 2, 7, 8, 9, 10]]]), 0, 10)).toBe(5);
  });

  it('counts what lies before the first answer and behind the last', () => {
    expect(longestGap(new Map([['a', [4, 5]]]), 0, 6)).toBe(4);
    expect(longestGap(new Map([['a', [1, 2]]]), 0, 10)).toBe(8);
    expect(longestGap(new Map([['a', [50]]]), 0, 10)).toBe(10);
  });

  it('looks at nothing outside the window', () => {
    expect(longestGap(new Map([['a', [1, 100, 101, 102, 103, 500]]]), 100, 103)).toBe(1);
  });

  it("is the worst cell's, also when others answered meanwhile", () => {
    const answers = new Map([
      ['a', [1, 2, 3, 4, 5, 6, 7, 8, 9]],
      ['b', [1, 9]],
    ]);
    expect(longestGap(answers, 0, 10)).toBe(8);
  });
});
