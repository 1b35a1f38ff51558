/**
 * The search for an order: Wing & Gong's (1993), with Lowe's (2017) memory of configurations seen, made
 * quick by what is known of registers. A configuration is what has been ordered so far, and the value.
 * What may come next was called before anything left was answered (*enabled*).
 *
 * No order is lost by these, each an exchange argument:
 *
 *   a read of the present value comes at once
 *   of two enabled writes of the same value, the one answered first comes first
 *   an open write comes directly before something that sees it, or before a refusal it explains
 *   a write whose readers are all enabled comes at once, unless a swap waits for the present value or a
 *   refusal may need the write later (*settled*, below)
 *   a value that somebody is still to read, and nobody can write again in time, is not left
 *
 * What remains is tried, most urgent first, and each configuration is entered once.
 */
import { LinkedOrder } from './linked-order.ts';
import { ABSENT, type Kind, type RegisterOperation } from './register.ts';

/** Beyond so many, a search is given up: the problem is NP-complete, and no real history came near. */
const CONFIGURATIONS_MAX = 400_000;

interface Choice {
  /** How many operations were in order when the choice was made. */
  readonly mark: number;
  readonly candidates: readonly number[];
  next: number;
}

/** The longest order found, and the value behind it. `complete` undefined: the search was given up. */
export interface Outcome {
  readonly complete: boolean | undefined;
  readonly order: readonly RegisterOperation[];
  readonly value: number;
}

export function searchOrder(operations: readonly RegisterOperation[]): Outcome {
  return new RegisterSearch(operations).run();
}

class RegisterSearch {
  readonly #operations: readonly RegisterOperation[];
  readonly #lists: readonly LinkedOrder[];
  /** What must be ordered, by call and by answer. */
  readonly #calls: LinkedOrder;
  readonly #answers: LinkedOrder;
  /** Per value: who must see it, the last called first, and the first answered first. */
  readonly #seersByCall: LinkedOrder;
  readonly #seersByAnswer: LinkedOrder;
  /** Per value: who may write it, and swaps that expect it, the first called first. */
  readonly #writers: LinkedOrder;
  readonly #swaps: LinkedOrder;
  readonly #refusals: LinkedOrder;
  /** Per value: refusals that expected it. */
  readonly #refusalsOf: LinkedOrder;
  readonly #open: LinkedOrder;
  /** Per operation: by when a later write is over, so that this one's value is gone. */
  readonly #goneBy: Float64Array;

  readonly #order: number[] = [];
  readonly #valuesBefore: number[] = [];
  readonly #entered = new Set<string>();
  #value: number = ABSENT;
  readonly #openTaken: number[] = [];
  #longest: { readonly order: readonly number[]; readonly value: number } = { order: [], value: ABSENT };

  constructor(operations: readonly RegisterOperation[]) {
    this.#operations = operations;
    const all = operations.map((_, index) => index);
    const values =
      1 + operations.reduce((most, { expected, written }) => Math.max(most, expected, written), 0);
    const list = (members: readonly number[], listOf?: (member: number) => number): LinkedOrder =>
      new LinkedOrder(operations.length, listOf ? values : 1, members, listOf ?? (() => 0));
    const is = (index: number): RegisterOperation => operations[index]!;
    const expected = (index: number): number => is(index).expected;
    const byAnswer = all
      .filter((index) => !is(index).open)
      .sort((one, other) => is(one).answered - is(other).answered || one - other);
    const byCall = byAnswer.toSorted((one, other) => one - other);
    const sees = (index: number): boolean => is(index).kind === 'read' || is(index).kind === 'swap';
    this.#calls = list(byCall);
    this.#answers = list(byAnswer);
    this.#seersByCall = list(byCall.toReversed().filter(sees), expected);
    this.#seersByAnswer = list(byAnswer.filter(sees), expected);
    this.#writers = list(
      all.filter((index) => is(index).written >= 0),
      (index) => is(index).written,
    );
    this.#swaps = list(
      all.filter((index) => is(index).kind === 'swap'),
      expected,
    );
    const refusals = all.filter((index) => is(index).kind === 'differ');
    this.#refusals = list(refusals);
    this.#refusalsOf = list(refusals, expected);
    this.#open = list(all.filter((index) => is(index).open));
    this.#lists = [
      this.#calls,
      this.#answers,
      this.#seersByCall,
      this.#seersByAnswer,
      this.#writers,
      this.#swaps,
      this.#refusals,
      this.#refusalsOf,
      this.#open,
    ];
    this.#goneBy = goneBy(operations);
  }

  run(): Outcome {
    const choices: Choice[] = [];
    for (;;) {
      this.#readPresent();
      if (this.#calls.first(0) < 0) return this.#outcome(true);
      choices.push({ mark: this.#order.length, candidates: this.#candidates(), next: 0 });
      const choice = this.#openChoice(choices);
      if (!choice) return this.#outcome(false);
      if (this.#entered.size > CONFIGURATIONS_MAX) return this.#outcome(undefined);
      this.#undo(choice.mark);
      this.#append(choice.candidates[choice.next++]!);
    }
  }

  /** The last choice with a candidate left. */
  #openChoice(choices: Choice[]): Choice | undefined {
    let choice = choices.at(-1);
    if (choice?.candidates.length === 0 && this.#order.length > this.#longest.order.length) {
      this.#longest = { order: [...this.#order], value: this.#value };
    }
    while (choice && choice.next === choice.candidates.length) {
      choices.pop();
      choice = choices.at(-1);
    }
    return choice;
  }

  #readPresent(): void {
    let index = this.#calls.first(0);
    while (index >= 0 && this.#at(index).called <= this.#deadline()) {
      const { kind, expected } = this.#at(index);
      const after = this.#calls.after(index);
      if (kind === 'read' && expected === this.#value) this.#append(index);
      if (kind === 'differ' && expected !== this.#value) this.#append(index);
      index = after;
    }
  }

  /** What may come next, the most urgent first. Requires: `readPresent` has run. */
  #candidates(): readonly number[] {
    if (this.#isLost(this.#value)) return this.#swapsOfPresent();
    const wanted = new Map<number, number>();
    const want = (value: number, by: number): void => {
      wanted.set(value, Math.min(by, wanted.get(value) ?? Infinity));
    };
    const found: number[] = this.#swapsOfPresent();
    const writes: number[] = [];
    let refused = false;
    for (let index = this.#calls.first(0); this.#isEnabled(index); index = this.#calls.after(index)) {
      const { kind, expected, answered } = this.#at(index);
      if (kind === 'differ') refused = true;
      else if (kind === 'write') writes.push(index);
      else if (expected !== this.#value) want(expected, answered);
    }
    writes.sort((one, other) => this.#at(one).answered - this.#at(other).answered);
    if (found.length === 0 && !this.#isEnabled(this.#swaps.first(this.#value))) {
      const settled = writes.find((write) => this.#isSettled(write));
      if (settled !== undefined) return [settled];
    }
    found.push(...writes.filter((write) => !this.#isPremature(write)), ...this.#openWrites(wanted, refused));
    const urgency = (index: number): number =>
      Math.min(this.#at(index).answered, wanted.get(this.#at(index).written) ?? Infinity);
    const candidates = this.#withoutTwins(found).sort((one, other) => urgency(one) - urgency(other));
    return candidates.length > 1 && !this.#enter() ? [] : candidates;
  }

  /** Somebody must still see `value`, and apart from `next` nobody can write it again in time. */
  #isLost(value: number, next = -1): boolean {
    let seer = this.#seersByAnswer.first(value);
    if (seer === next && seer >= 0) seer = this.#seersByAnswer.after(seer);
    return seer >= 0 && !this.#hasWriter(value, this.#at(seer).answered, next);
  }

  #hasWriter(value: number, until: number, besides: number): boolean {
    let writer = this.#writers.first(value);
    if (writer === besides && writer >= 0) writer = this.#writers.after(writer);
    return writer >= 0 && this.#at(writer).called <= until;
  }

  /** Swaps that took place and may do so now, the first answered first. */
  #swapsOfPresent(): number[] {
    const swaps: number[] = [];
    let index = this.#swaps.first(this.#value);
    for (; this.#isEnabled(index); index = this.#swaps.after(index)) {
      const { open, written } = this.#at(index);
      if (open || this.#isPremature(index)) continue;
      if (written === this.#value || !this.#isLost(this.#value, index)) swaps.push(index);
    }
    return swaps.sort((one, other) => this.#at(one).answered - this.#at(other).answered);
  }

  /**
   * All that must see the value of this write is enabled with it. Then the write may come now, unless some
   * refusal needs it where it would have come: behind what wrote the value that was refused.
   */
  #isSettled(write: number): boolean {
    const { written, answered } = this.#at(write);
    if (this.#swaps.first(written) >= 0) return false;
    const deadline = this.#deadlineBehind(write);
    const seer = this.#seersByCall.first(written);
    if (seer >= 0 && this.#at(seer).called > deadline) return false;
    let refusal = this.#refusals.first(0);
    while (refusal >= 0 && this.#at(refusal).called <= this.#goneBy[write]!) {
      const { expected, called } = this.#at(refusal);
      const comesToo = expected !== written && called <= deadline;
      if (expected !== written && !comesToo && this.#hasWriter(expected, answered, write)) return false;
      refusal = this.#refusals.after(refusal);
    }
    return true;
  }

  /** Something can see the value of this write only behind what must come after it. */
  #isPremature(write: number): boolean {
    const { written } = this.#at(write);
    let seer = this.#seersByCall.first(written);
    if (seer === write) seer = this.#seersByCall.after(seer);
    if (seer < 0 || this.#at(seer).called <= this.#deadlineBehind(write)) return false;
    return !this.#hasWriter(written, this.#at(seer).answered, write);
  }

  /** The deadline once a write is in order, and all that could be read behind it. */
  #deadlineBehind(write: number): number {
    const { written } = this.#at(write);
    let index = this.#answers.first(0);
    for (; index >= 0; index = this.#answers.after(index)) {
      const { kind, expected, answered } = this.#at(index);
      const comesToo =
        (kind === 'read' && expected === written) || (kind === 'differ' && expected !== written);
      if (index !== write && !comesToo) return answered;
    }
    return Infinity;
  }

  /** Open writes that something enabled wants, through any number of open swaps, or a refusal needs. */
  #openWrites(wanted: Map<number, number>, refused: boolean): readonly number[] {
    const found = new Set<number>();
    for (const [value, by] of wanted) {
      let writer = this.#writers.first(value);
      for (; this.#isEnabled(writer); writer = this.#writers.after(writer)) {
        const { open, kind, expected } = this.#at(writer);
        if (!open) continue;
        if (kind === 'write' || expected === this.#value) found.add(writer);
        else if (!wanted.has(expected)) wanted.set(expected, by);
      }
    }
    if (!refused) return [...found];
    const unseen = new Set<Kind>();
    for (let index = this.#open.first(0); this.#isEnabled(index); index = this.#open.after(index)) {
      const { kind, expected, written } = this.#at(index);
      if (written === this.#value || (kind === 'swap' && expected !== this.#value)) continue;
      const isTold = [this.#seersByCall, this.#swaps, this.#refusalsOf].some(
        (list) => list.first(written) >= 0,
      );
      // Those of values that nobody sees or refuses are all the same; a swap can come here only, a write later as well.
      if (isTold || !unseen.has(kind)) found.add(index);
      if (!isTold) unseen.add(kind);
    }
    return [...found];
  }

  /** Of operations that do the same, the first. */
  #withoutTwins(indexes: readonly number[]): number[] {
    const first = new Map<string, number>();
    for (const index of indexes) {
      const { expected, written } = this.#at(index);
      const does = `${expected} ${written}`;
      if (!first.has(does)) first.set(does, index);
    }
    return [...first.values()];
  }

  /** False if this configuration was entered before. What is enabled says what is in order. */
  #enter(): boolean {
    const enabled: number[] = [];
    for (let index = this.#calls.first(0); this.#isEnabled(index); index = this.#calls.after(index)) {
      enabled.push(index);
    }
    const taken = this.#openTaken.toSorted((one, other) => one - other);
    const key = `${this.#value}:${enabled.join()}:${taken.join()}`;
    if (this.#entered.has(key)) return false;
    this.#entered.add(key);
    return true;
  }

  #append(index: number): void {
    const { open, written } = this.#at(index);
    for (const list of this.#lists) list.take(index);
    this.#order.push(index);
    this.#valuesBefore.push(this.#value);
    if (open) this.#openTaken.push(index);
    if (written >= 0) this.#value = written;
  }

  #undo(mark: number): void {
    while (this.#order.length > mark) {
      const index = this.#order.pop()!;
      this.#value = this.#valuesBefore.pop()!;
      if (this.#at(index).open) this.#openTaken.pop();
      for (const list of this.#lists) list.putBack(index);
    }
  }

  #at(index: number): RegisterOperation {
    return this.#operations[index]!;
  }

  /** By when the next operation in order must have been called. */
  #deadline(): number {
    const first = this.#answers.first(0);
    return first < 0 ? Infinity : this.#at(first).answered;
  }

  #isEnabled(index: number): boolean {
    return index >= 0 && this.#at(index).called <= this.#deadline();
  }

  #outcome(complete: boolean | undefined): Outcome {
    const { order, value } = complete ? { order: this.#order, value: this.#value } : this.#longest;
    return { complete, order: order.map((index) => this.#at(index)), value };
  }
}

/** Per operation: when the first of the writes called after its answer was answered. */
function goneBy(operations: readonly RegisterOperation[]): Float64Array {
  const writes = operations.filter(({ open, written }) => !open && written >= 0);
  const earliest = new Float64Array(writes.length + 1).fill(Infinity);
  for (let at = writes.length - 1; at >= 0; at--) {
    earliest[at] = Math.min(earliest[at + 1]!, writes[at]!.answered);
  }
  return Float64Array.from(operations, ({ answered }) => {
    let low = 0;
    let high = writes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (writes[middle]!.called > answered) high = middle;
      else low = middle + 1;
    }
    return earliest[low]!;
  });
}
