/**
 * Simulated time: a queue of things to happen, in order of time and then of arrival. Nothing here
 * waits; a run of a minute takes as long as its events take to compute.
 */
import { Random } from './random.ts';

type Event = { readonly time: number; readonly order: number; readonly run: () => void };

/** A broken promise of the system under test. */
export class Violation extends Error {}

export class World {
  readonly random: Random;
  /** Milliseconds since the start of the run: the time that no node can see. */
  now = 0;
  /** What happened, newest last, when tracing. */
  readonly trace: string[] = [];
  readonly #tracing: boolean;
  readonly #heap: Event[] = [];
  #order = 0;
  /** A digest of all that happened: two runs of one seed must agree. */
  digest = 0;

  constructor(seed: number, tracing: boolean) {
    this.random = new Random(seed);
    this.#tracing = tracing;
  }

  after(delayMs: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ time: this.now + Math.max(0, delayMs), order: this.#order++, run });
    let i = heap.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(heap[i]!, heap[parent]!)) break;
      [heap[i], heap[parent]] = [heap[parent]!, heap[i]!];
      i = parent;
    }
  }

  /** Runs events until `until`, or until `done` says so; tells whether it did. */
  run(until: number, done: () => boolean = () => false): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (!next || next.time > until) {
        this.now = until;
        return done();
      }
      this.#pop();
      this.now = next.time;
      next.run();
      if (done()) return true;
    }
  }

  note(text: () => string): void {
    this.digest = (Math.imul(this.digest, 31) + Math.floor(this.now * 1000) + this.#order) | 0;
    if (this.#tracing) this.trace.push(`${this.now.toFixed(1).padStart(9)} ${text()}`);
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    heap[0] = last;
    let i = 0;
    for (;;) {
      const left = 2 * i + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const least = right < heap.length && isBefore(heap[right]!, heap[left]!) ? right : left;
      if (!isBefore(heap[least]!, heap[i]!)) return;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.time !== b.time ? a.time < b.time : a.order < b.order;
}
