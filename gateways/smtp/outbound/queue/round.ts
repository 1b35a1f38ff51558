/**
 * One round of tries of a message: all domains that it goes to now. What has failed in one waits a moment for the answers
 * of the others, so that the sender hears of all in one notice.
 */
import { setTimeout as pause } from 'node:timers/promises';

const MOMENT_MS = 5_000;

export class Round {
  #open: number;
  readonly #over: Promise<void>;
  #end: () => void = () => {};

  constructor(domains: number) {
    this.#open = domains;
    this.#over = new Promise((resolve) => (this.#end = resolve));
  }

  /** One of its domains has answered, or will not. */
  answered(): void {
    this.#open--;
    if (this.#open === 0) this.#end();
  }

  /** Resolves when all have, when the moment is over, or at the signal. */
  async others(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const moment = pause(MOMENT_MS, undefined, { signal: AbortSignal.any([signal, ended.signal]) });
    await Promise.race([this.#over, moment]).catch(() => undefined);
    ended.abort();
    await moment.catch(() => undefined);
  }
}
