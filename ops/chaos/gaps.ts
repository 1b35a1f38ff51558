/** How long nothing was answered: the longest time without an answer, of the worst cell, within a window. */

/** Times of answers, ascending, per cell. */
export type Answers = ReadonlyMap<string, readonly number[]>;

/** In the unit of the times. What lies between the window's ends and the nearest answers counts too. */
export function longestGap(answers: Answers, from: number, to: number): number {
  let longest = 0;
  for (const times of answers.values()) longest = Math.max(longest, gapOf(times, from, to));
  return longest;
}

function gapOf(times: readonly number[], from: number, to: number): number {
  let longest = 0;
  let last = from;
  for (let at = firstAfter(times, from); at < times.length && times[at]! < to; at++) {
    longest = Math.max(longest, times[at]! - last);
    last = times[at]!;
  }
  return Math.max(longest, to - last);
}

function firstAfter(times: readonly number[], from: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! > from) high = middle;
    else low = middle + 1;
  }
  return low;
}
