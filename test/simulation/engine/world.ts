/**
 * Simulated time: a queue of things to happen, in order of time and then of arrival. Nothing here waits;
 * a minute takes as long as its events take to compute. After each event everything that it set going
 * by promises is carried to its end before the next begins, so a run is a function of its seed.
 *
 *   digest = all moments at which something happened, and all that was drawn by then
 *
 * Requires that `run` is called from a macrotask (`inMacrotask`): inside a microtask Node does not run
 * others.
 */
import { Random } from './random.ts';

type Event = { readonly time: number; readonly order: number; readonly run: () => void };

/** Runs what was promised: the ticks and microtasks that Node would run before its next macrotask. */
const drain = (process as unknown as { _tickCallback: () => void })._tickCallback;

/** How often `run` asks whether it is done. */
const ASK_MS = 20;

export class World {
  readonly random: Random;
  readonly seed: number;
  /** Milliseconds since the start of the run: the time that no machine can see. */
  now = 0;
  /** The first promise that was broken. */
  violation: string | undefined;
  digest = 0;
  events = 0;
  /** What happened, newest last, when tracing. */
  readonly trace: string[] = [];
  readonly tracing: boolean;
  /** How often each kind of thing happened. */
  readonly counts = new Map<string, number>();
  readonly #heap: Event[] = [];
  #order = 0;

  constructor(seed: number, tracing = false) {
    this.seed = seed;
    this.random = new Random(seed);
    this.tracing = tracing;
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

  /** Runs events until `until`, or a violation, or until `done` says so; tells whether `done` did. */
  run(until: number, done: () => boolean = () => false): boolean {
    let askAt = this.now;
    for (;;) {
      if (this.violation !== undefined) return false;
      const next = this.#heap[0];
      if (!next || next.time > until) {
        this.now = until;
        return done();
      }
      this.#pop();
      this.now = next.time;
      this.events++;
      next.run();
      drain();
      this.digest = (Math.imul(this.digest ^ this.random.fingerprint, 0x01000193) + next.time * 1000) | 0;
      if (next.time < askAt) continue;
      if (done()) return true;
      askAt = next.time + ASK_MS;
    }
  }

  /** A broken promise of the system under test; the run ends behind this event. */
  fail(text: string): void {
    if (this.violation === undefined) this.note(() => `VIOLATION: ${text}`);
    this.violation ??= text;
  }

  count(kind: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  note(text: () => string): void {
    if (this.tracing) this.trace.push(`${this.now.toFixed(1).padStart(9)} ${text()}`);
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

/** Where `World.run` may be called: with nothing promised on the stack. */
export function inMacrotask<T>(work: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(work());
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
}

function isBefore(a: Event, b: Event): boolean {
  return a.time !== b.time ? a.time < b.time : a.order < b.order;
}
