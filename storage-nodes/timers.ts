/**
 * Waiting, as a port: what a tablet and its log do later goes through here, so that a simulator can run
 * them on a clock of its own. (Clocks are `now` and `clock` of tablet/tablet-host.ts.)
 */
export interface Timers {
  /** Runs once, `ms` later, unless cancelled by the function returned. Does not keep the process alive. */
  after(ms: number, run: () => void): () => void;
  /** Runs behind what this turn of the event loop has still to do. */
  soon(run: () => void): void;
}

export const realTimers: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  },
  soon(run) {
    setImmediate(run);
  },
};

export function pause(timers: Timers, ms: number): Promise<void> {
  return new Promise((resolve) => void timers.after(ms, resolve));
}

export function nextTurn(timers: Timers): Promise<void> {
  return new Promise((resolve) => timers.soon(resolve));
}
