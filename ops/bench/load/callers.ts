/**
 * Closed-loop callers against one system: each asks, waits for its answer, and asks again. Each key is
 * written by one caller at a time, so the last value acknowledged is known, and can be asked for
 * when the run is over.
 *
 *   warm-up | measured window | what is still in flight
 *
 * Counted are operations that end inside the window; one that fails counts as an error and as nothing else.
 */
import type { Client } from '../systems/system.ts';
import { Histogram } from './histogram.ts';
import { keyCount, keyName, randomFrom, Values, type Cell } from './workload.ts';

export type Window = { readonly warmUpMs: number; readonly windowMs: number };

/** Plain data. */
export type Measured = {
  readonly counts: readonly number[];
  readonly windowMs: number;
  /** Warm-up and what ended late included: what the processor time was spent on. */
  readonly operations: number;
  readonly errors: number;
  readonly firstError: string | undefined;
};

const PRELOAD_LANES = 64;
const PRELOAD_BYTES_IN_FLIGHT = 8 * 1024 * 1024;
const CHECKED_MAX = 500;

/** Keys and values of one length in one system, over all runs of a generator. */
export class Callers {
  readonly #client: Client;
  readonly #valueBytes: number;
  readonly #values: Values;
  /** The number of each key's last acknowledged put; NaN: a put failed, so nobody knows. */
  readonly #written: Float64Array;
  #runs = 0;

  constructor(client: Client, valueBytes: number) {
    this.#client = client;
    this.#valueBytes = valueBytes;
    this.#values = new Values(valueBytes);
    this.#written = new Float64Array(keyCount(valueBytes));
  }

  /** Every key once, so that a get finds something. */
  async preload(): Promise<void> {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < this.#written.length) await this.#put(next++);
    };
    const lanes = Math.ceil(Math.min(PRELOAD_LANES, PRELOAD_BYTES_IN_FLIGHT / this.#valueBytes));
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  async run({ work, callers }: Cell, { warmUpMs, windowMs }: Window): Promise<Measured> {
    const histogram = new Histogram();
    const putShare = { put: 1, get: 0, mixed: 0.5 }[work];
    let [operations, errors] = [0, 0];
    let firstError: string | undefined;
    const from = performance.now() + warmUpMs;
    const to = from + windowMs;
    const seed = ++this.#runs * 1009;
    const caller = async (number: number): Promise<void> => {
      const random = randomFrom(seed + number);
      const own = Math.floor((this.#written.length - 1 - number) / callers) + 1;
      for (let begun = performance.now(); begun < to;) {
        let failed = false;
        try {
          if (random() < putShare) await this.#put(number + callers * Math.floor(random() * own));
          else await this.#get(Math.floor(random() * this.#written.length));
        } catch (error) {
          failed = true;
          firstError ??= error instanceof Error ? error.message : String(error);
        }
        const ended = performance.now();
        operations++;
        if (ended >= from && ended < to) {
          if (failed) errors++;
          else histogram.record(ended - begun);
        }
        begun = ended;
      }
    };
    await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)));
    return { counts: [...histogram.counts], windowMs, operations, errors, firstError };
  }

  /** Reads a sample back. Throws if a value is not the one last acknowledged; resolves with how many it read. */
  async check(): Promise<number> {
    const step = Math.max(1, Math.floor(this.#written.length / CHECKED_MAX));
    let checked = 0;
    for (let key = 0; key < this.#written.length; key += step) {
      const number = this.#written[key]!;
      if (Number.isNaN(number)) continue;
      const value = await this.#client.get(keyName(this.#valueBytes, key));
      if (!value?.equals(this.#values.of(key, number))) {
        throw new Error(
          `key ${keyName(this.#valueBytes, key)} has ${value ? 'another value' : 'no value'}, though put ${number} was acknowledged`,
        );
      }
      checked++;
    }
    return checked;
  }

  async #put(key: number): Promise<void> {
    const number = (this.#written[key] || 0) + 1;
    this.#written[key] = NaN;
    await this.#client.put(keyName(this.#valueBytes, key), this.#values.of(key, number));
    this.#written[key] = number;
  }

  async #get(key: number): Promise<void> {
    const value = await this.#client.get(keyName(this.#valueBytes, key));
    if (value?.length !== this.#valueBytes) throw new Error(`a get found ${value?.length ?? 'no'} bytes`);
  }
}
