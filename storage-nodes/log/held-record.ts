/** A record that is in the journal and not in its tablet's segments: prepared, or committed and not copied yet. */
import type { Fault } from '../faults.ts';

/** What a record was appended with; it is told once all of it is durable. */
export type Append = {
  readonly last: number;
  readonly resolve: () => void;
  readonly fail: (fault: Fault) => void;
};

export class Held {
  readonly seq: number;
  readonly epoch: number;
  readonly bytes: Buffer;
  /** Where in the journal its newest copy is; 0 until it is durable. */
  generation = 0;
  readonly #append: Append | undefined;

  constructor(seq: number, epoch: number, bytes: Buffer, append?: Append) {
    this.seq = seq;
    this.epoch = epoch;
    this.bytes = bytes;
    this.#append = append;
  }
  written(generation: number): void {
    this.generation = generation;
    if (this.#append?.last === this.seq) this.#append.resolve();
  }
  failed(fault: Fault): void {
    this.#append?.fail(fault);
  }
}
