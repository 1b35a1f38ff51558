/**
 * Doubly linked lists over the numbers 0..count-1, each number in one list at most, from which members are
 * taken out and put back in the reverse order ("dancing links", Knuth 2000): what a search that
 * backtracks needs to walk only what is left.
 */
export class LinkedOrder {
  readonly #count: number;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  /** `members`: in list order; `listOf` says which of the `lists` a member goes to. */
  constructor(count: number, lists: number, members: Iterable<number>, listOf: (member: number) => number) {
    this.#count = count;
    this.#next = new Int32Array(count + lists).fill(-1);
    this.#previous = new Int32Array(count + lists).fill(-1);
    for (let head = count; head < count + lists; head++) {
      this.#next[head] = head;
      this.#previous[head] = head;
    }
    for (const member of members) {
      const head = count + listOf(member);
      const last = this.#previous[head]!;
      this.#next[last] = member;
      this.#previous[member] = last;
      this.#next[member] = head;
      this.#previous[head] = member;
    }
  }

  /** The first member of a list, or -1. */
  first(list: number): number {
    return this.#member(this.#next[this.#count + list]!);
  }

  /** The member behind one, or -1. */
  after(member: number): number {
    return this.#member(this.#next[member]!);
  }

  take(member: number): void {
    const next = this.#next[member]!;
    if (next < 0) return;
    const previous = this.#previous[member]!;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  /** Requires: `member` was the last one taken that is not yet back. */
  putBack(member: number): void {
    const next = this.#next[member]!;
    if (next < 0) return;
    this.#next[this.#previous[member]!] = member;
    this.#previous[next] = member;
  }

  #member(index: number): number {
    return index < this.#count ? index : -1;
  }
}
