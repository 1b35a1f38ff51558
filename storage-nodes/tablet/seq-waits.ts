/**
 * Those who wait until an index (the commit index, the applied index) reaches a seq. Each is answered
 * exactly once: by the index, or by the fault that ended the waiting.
 */
import type { Seq } from '../words.ts';

type Waiting = { readonly seq: Seq; readonly resolve: () => void; readonly reject: (error: Error) => void };

export class SeqWaits {
  #waiting: Waiting[] = [];

  until(seq: Seq): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ seq, resolve, reject }));
  }

  reached(upTo: Seq): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) {
      if (one.seq <= upTo) one.resolve();
      else this.#waiting.push(one);
    }
  }

  fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(error);
  }
}
