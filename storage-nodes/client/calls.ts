/**
 * Requests under way at primaries of tablets. Each goes to the node that the map names; what a node refuses
 * with a retriable fault is sent again, the same, to whoever is primary then, until its deadline. Sending
 * again is safe: a command has its id, a read none. Whichever attempt answers first is the answer.
 *
 *   under way --answer--> done
 *       |--"another is primary"--> asked there at once (once; two nodes that name each other are asked slowly)
 *       |--connection broke, not serving, …--> waiting --newer map, or back-off over--> under way
 *       |--no answer for LOOK_AROUND_MS--> asked at the new primary too, if there is one
 *
 * A request costs one promise and no timer: one sweep looks after the deadlines of all. While requests
 * wait, the client asks all nodes for the map, one round at a time for all of them.
 */
import { Fault } from '../faults.ts';
import type { Answer, Asker, Requester } from '../wire/requests.ts';
import type { LearnedMap } from './learned-map.ts';
import type { NodePool } from './node-pool.ts';

const BACKOFF_MS = 20;
const BACKOFF_MS_MAX = 100;
/** Between two rounds of asking for the map, as long as somebody waits for a newer one. */
const LEARN_AGAIN_MS = 25;
/** A node that has not answered for so long is left if the tablet has another primary by then. */
const LOOK_AROUND_MS = 500;
const LOOK_AGAIN_MS = 100;
const SWEEP_MS = 25;

/** Goes as [tablet, ...args]. */
export type Request<T> = {
  readonly kind: string;
  /** It goes to the tablet that owns the row, or to the tablet named. */
  readonly to: { readonly row: string } | { readonly tablet: string };
  readonly args: readonly unknown[];
  readonly blobs: readonly Uint8Array[];
  readonly read: (tablet: string, answer: Answer) => T;
  /** Bytes of the log are the same on every copy: where one is damaged, another is asked. */
  readonly anyCopy?: boolean;
};

export class Calls {
  readonly pool: NodePool;
  readonly map: LearnedMap;
  readonly #calls = new Set<Call<unknown>>();
  readonly #waiting = new Set<Call<unknown>>();
  #sweeper: NodeJS.Timeout | undefined;
  #learning = false;
  #closed = false;

  constructor(pool: NodePool, map: LearnedMap) {
    this.pool = pool;
    this.map = map;
    map.onNews = () => {
      for (const call of [...this.#waiting]) call.heardNews();
    };
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Rejects with what the node refused it with, or Fault Unavailable after the deadline. */
  run<T>(request: Request<T>, deadlineMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = new Call(this, request, deadlineMs, resolve, reject);
      this.#calls.add(call as Call<unknown>);
      this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
      call.attempt();
    });
  }

  /** Whoever waits hears Fault Closed. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweeper);
    for (const call of [...this.#calls]) call.failed(new Fault('Closed', 'the client is closed'));
  }

  ended(call: Call<unknown>): void {
    this.#calls.delete(call);
    this.#waiting.delete(call);
  }

  /** The call is told of news until it goes on. */
  waits(call: Call<unknown>): void {
    this.#waiting.add(call);
    if (!this.#learning) void this.#learn();
  }

  goesOn(call: Call<unknown>): void {
    this.#waiting.delete(call);
  }

  async #learn(): Promise<void> {
    this.#learning = true;
    while (this.#waiting.size > 0 && !this.#closed) {
      await this.map.learn();
      await new Promise((resolve) => setTimeout(resolve, LEARN_AGAIN_MS));
    }
    this.#learning = false;
  }

  #sweep(): void {
    if (this.#calls.size === 0) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
      return;
    }
    const now = performance.now();
    let lookAround = false;
    for (const call of this.#calls) if (call.swept(now)) lookAround = true;
    if (lookAround) void this.map.learn();
  }
}

class Call<T> {
  readonly #calls: Calls;
  readonly #request: Request<T>;
  readonly #resolve: (answer: T) => void;
  readonly #reject: (error: Error) => void;
  readonly #deadlineMs: number;
  readonly #deadline: number;
  #lookAt: number;
  /** Newest last. Nearly always one. */
  readonly #attempts: Attempt[] = [];
  #ended = false;
  /** Who is said to be primary, in spite of the map. */
  #hint: string | undefined;
  /** Copies to ask that have not been asked since one was damaged. */
  #copies: string[] | undefined;
  #backoff = BACKOFF_MS;
  /** Why the last attempt that failed did. */
  #trouble: Fault | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The map's version of the tablet, when the call began to wait. */
  #knownVersion = 0;

  constructor(
    calls: Calls,
    request: Request<T>,
    deadlineMs: number,
    resolve: (answer: T) => void,
    reject: (error: Error) => void,
  ) {
    this.#calls = calls;
    this.#request = request;
    this.#deadlineMs = deadlineMs;
    this.#resolve = resolve;
    this.#reject = reject;
    const now = performance.now();
    this.#deadline = now + deadlineMs;
    this.#lookAt = now + LOOK_AROUND_MS;
  }

  /** Sends the request to whoever seems to be primary now. */
  attempt(): void {
    const { map, pool } = this.#calls;
    const configuration = this.#configuration();
    if (!configuration) {
      if ('tablet' in this.#request.to && map.all().length > 0)
        return this.#end(new Fault('Malformed', `there is no tablet ${this.#request.to.tablet}`));
      return this.#attemptFailed(new Fault('NotServing', `no tablet is known for it yet (${map.trouble})`));
    }
    const attempt = new Attempt(
      this as Call<unknown>,
      configuration.tablet,
      this.#hint ?? configuration.primary,
    );
    this.#attempts.push(attempt);
    const open = pool.open(attempt.node);
    if (open) return this.#ask(attempt, open);
    pool.to(attempt.node).then(
      (requester) => this.#ask(attempt, requester),
      (error: Error) => attempt.failed(error),
    );
  }

  answered(attempt: Attempt, answer: Answer): void {
    if (this.#ended) return;
    this.#leave();
    try {
      this.#resolve(this.#request.read(attempt.tablet, answer));
    } catch (error) {
      this.#reject(error as Error);
    }
  }

  /** Only what becomes of the newest attempt counts. */
  failed(error: Error, attempt = this.#attempts.at(-1)): void {
    if (this.#ended || attempt !== this.#attempts.at(-1)) return;
    this.#attemptFailed(error);
  }

  /** The map has changed. */
  heardNews(): void {
    const configuration = this.#configuration();
    if (configuration && configuration.version !== this.#knownVersion) this.#goOn();
  }

  /** Returns true if it wants to know whether there is another primary by now. */
  swept(now: number): boolean {
    if (now >= this.#deadline) {
      this.#endUnanswered();
      return false;
    }
    if (now < this.#lookAt || this.#timer !== undefined) return false;
    this.#lookAt = now + LOOK_AGAIN_MS;
    const primary = this.#configuration()?.primary;
    const asked = this.#attempts.at(-1)?.node;
    if (primary === undefined || asked === undefined || primary === asked) return true;
    this.#hint = undefined;
    this.#lookAt = now + LOOK_AROUND_MS;
    this.attempt();
    return false;
  }

  #ask(attempt: Attempt, requester: Requester): void {
    if (this.#ended) return;
    const { kind, args, blobs } = this.#request;
    attempt.requester = requester;
    attempt.request = requester.askFor(attempt, kind, [attempt.tablet, ...args], blobs);
  }

  #attemptFailed(error: Error): void {
    if (this.#calls.closed) return this.#end(new Fault('Closed', 'the client is closed', { cause: error }));
    if (this.#copies !== undefined || (this.#request.anyCopy && codeOf(error) === 'Damaged')) {
      this.#hint = this.#nextCopy();
      if (this.#hint !== undefined) return this.attempt();
    }
    if (!(error instanceof Fault) || !error.retry) return this.#end(error);
    this.#trouble = error;
    if (performance.now() + this.#backoff >= this.#deadline) return this.#endUnanswered();
    const hint = error.code === 'NotPrimary' ? error.hint : undefined;
    // Two nodes that name each other are asked ever more slowly.
    const isFirstHint = hint !== undefined && this.#hint === undefined;
    this.#hint = hint;
    if (isFirstHint) return this.attempt();
    this.#wait();
  }

  #wait(): void {
    this.#knownVersion = this.#configuration()?.version ?? 0;
    this.#timer = setTimeout(() => this.#goOn(), this.#backoff);
    this.#backoff = Math.min(this.#backoff * 2, BACKOFF_MS_MAX);
    this.#calls.waits(this as Call<unknown>);
  }

  #goOn(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#calls.goesOn(this as Call<unknown>);
    // What the map says now is newer than a hint that has led to nothing.
    if ((this.#configuration()?.version ?? 0) !== this.#knownVersion) this.#hint = undefined;
    this.#lookAt = performance.now() + LOOK_AROUND_MS;
    this.attempt();
  }

  /** Undefined: all have been asked. */
  #nextCopy(): string | undefined {
    const asked = this.#attempts.at(-1)?.node;
    this.#copies ??= this.#configuration()?.replicas.filter((node) => node !== asked) ?? [];
    const next = this.#copies.shift();
    if (next === undefined) this.#copies = undefined;
    return next;
  }

  #configuration() {
    const { to } = this.#request;
    return 'row' in to ? this.#calls.map.owner(to.row) : this.#calls.map.get(to.tablet);
  }

  /** Whether it was carried out is unknown. */
  #endUnanswered(): void {
    const reason = this.#trouble?.message ?? 'the node that was asked is silent; the outcome is unknown';
    const message = `no answer within ${this.#deadlineMs} ms: ${reason}`;
    this.#end(new Fault('Unavailable', message, { cause: this.#trouble }));
  }

  #end(error: Error): void {
    if (this.#ended) return;
    this.#leave();
    this.#reject(error);
  }

  #leave(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#calls.ended(this as Call<unknown>);
    // What a frozen node still answers does not outlive its reader.
    for (const attempt of this.#attempts) attempt.forget();
  }
}

/** One sending of a call to one node. */
class Attempt implements Asker {
  readonly #call: Call<unknown>;
  readonly tablet: string;
  readonly node: string;
  requester: Requester | undefined;
  request: number | undefined;

  constructor(call: Call<unknown>, tablet: string, node: string) {
    this.#call = call;
    this.tablet = tablet;
    this.node = node;
  }

  answered(answer: Answer): void {
    this.#call.answered(this, answer);
  }

  failed(error: Error): void {
    this.#call.failed(error, this);
  }

  forget(): void {
    if (this.request !== undefined) this.requester?.forget(this.request);
  }
}

function codeOf(error: Error): string | undefined {
  return error instanceof Fault ? error.code : undefined;
}
