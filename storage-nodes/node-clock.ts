/**
 * The time that a node gives to entries. Log time never goes back, so a single clock that is hours ahead,
 * used once, would have every later command count as expired. Hence no node believes its own clock alone:
 *
 *   time = the lower median of this node's wall clock and of its peers', as they last told them
 *
 * One wrong clock among three moves nothing; of two that differ, the one behind counts, which holds log
 * time up (entries never go back) but spoils nothing. A node that has heard nobody uses its own.
 *
 * What a peer told goes on at the pace of the monotonic clock. That is as good as hearing it anew for long
 * after the peer fell silent: it is forgotten only when drift might matter. A node that stood still or was
 * cut off therefore does not fall back on a wrong clock of its own. What a message took to arrive is not
 * corrected for: clocks of a healthy cluster differ by more.
 */
import type { Logger } from 'pino';
import { pause, type Timers } from './timers.ts';
import type { NodeId } from './words.ts';

const TELL_EVERY_MS = 1000;
/** Monotonic clocks drift by 100 parts in a million: 60 ms in this time. */
const FORGET_MS = 10 * 60 * 1000;
const OFF_MS_MAX = 5000;
const SETTLE_MS_MAX = 2000;
const SETTLE_LOOK_MS = 10;

export type NodeClockOptions = {
  /** How many other nodes there are. */
  readonly peerCount: number;
  /** This node's wall clock, ms since 1970. */
  readonly wall: () => number;
  /** Monotonic, ms. */
  readonly now: () => number;
  /** Tells all peers this node's wall clock. */
  readonly tell: (wall: number) => void;
  readonly timers: Timers;
  readonly logger: Logger;
};

/** A peer's wall clock, as its distance from this node's monotonic clock. */
type Told = { readonly ahead: number; readonly at: number };

export class NodeClock {
  readonly #options: NodeClockOptions;
  readonly #told = new Map<NodeId, Told>();
  #lastTold = -Infinity;
  #wasOff = false;

  constructor(options: NodeClockOptions) {
    this.#options = options;
  }

  /** `wall`: what the peer's wall clock showed when it sent this. */
  heard(peer: NodeId, wall: number): void {
    const at = this.#options.now();
    this.#told.set(peer, { ahead: wall - at, at });
  }

  /** For an entry, ms since 1970. May go back; entries do not. */
  time(): number {
    const clocks = [this.wall(), ...this.#others()].sort((a, b) => a - b);
    return Math.floor(clocks[(clocks.length - 1) >> 1]!);
  }

  /** This node's own. */
  wall(): number {
    return this.#options.wall();
  }

  /**
   * How far this node's own clock is ahead of the others' (behind: negative), ms; 0 while it is within the
   * middle of theirs, or nobody was heard.
   */
  get offBy(): number {
    const others = this.#others().sort((a, b) => a - b);
    if (others.length === 0) return 0;
    const low = others[(others.length - 1) >> 1]!;
    const high = others[others.length >> 1]!;
    const own = this.wall();
    return own > high ? own - high : own < low ? own - low : 0;
  }

  get alarm(): string | undefined {
    const { offBy } = this;
    if (Math.abs(offBy) <= OFF_MS_MAX) return undefined;
    const seconds = Math.round(Math.abs(offBy) / 1000);
    const where = offBy > 0 ? 'ahead of' : 'behind';
    return `this node's clock is ${seconds} s ${where} the other nodes': set it right (entries get the time that most clocks agree on)`;
  }

  /** To be called several times a second. */
  tick(): void {
    const { now, tell, logger } = this.#options;
    if (now() - this.#lastTold < TELL_EVERY_MS) return;
    this.#lastTold = now();
    tell(this.wall());
    const { alarm, offBy } = this;
    if (alarm && !this.#wasOff) logger.warn({ offByMs: Math.round(offBy) }, alarm);
    if (!alarm && this.#wasOff) logger.info("this node's clock agrees with the others' again");
    this.#wasOff = alarm !== undefined;
  }

  /** Resolves when the own clock is no longer believed alone; also when nobody is heard for 2 s. */
  async settled(): Promise<void> {
    const { peerCount, timers } = this.#options;
    for (let waited = 0; waited < SETTLE_MS_MAX; waited += SETTLE_LOOK_MS) {
      if (this.#told.size * 2 >= peerCount) return;
      await pause(timers, SETTLE_LOOK_MS);
    }
  }

  #others(): number[] {
    const now = this.#options.now();
    const clocks: number[] = [];
    for (const [peer, { ahead, at }] of this.#told) {
      if (now - at > FORGET_MS) this.#told.delete(peer);
      else clocks.push(ahead + now);
    }
    return clocks;
  }
}
