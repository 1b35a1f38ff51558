/**
 * A planned stop of a node (rule 16): every tablet that it leads is handed to another in-sync copy, and no
 * write waits for its disk any more, as far as two other copies remain. Leads go one after the other: a
 * tablet stands still while the config store works on its change, and should not wait for the others' too.
 * What was begun is kept up, tick by tick, until the node stops.
 */
import { Fault } from './faults.ts';
import type { Tablet } from './tablet/tablet.ts';
import { pause, type Timers } from './timers.ts';
import type { NodeId, TabletId } from './words.ts';

/** A copy says so again well within the time for which one word of it counts (`suspectMs`). */
const STAND_DOWN_EVERY_MS = 200;
/** After so long it is the next tablet's turn. */
const MOVE_MS = 1000;
const LOOK_MS = 20;

export class Drain {
  readonly #options: {
    readonly self: NodeId;
    readonly tablets: () => readonly Tablet[];
    readonly now: () => number;
    readonly timers: Timers;
  };
  #draining = false;
  #standDownAt = 0;
  /** The tablet whose turn it is, and until when. */
  #moving: TabletId | undefined;
  #movingUntil = 0;

  constructor(options: {
    self: NodeId;
    tablets: () => readonly Tablet[];
    now: () => number;
    timers: Timers;
  }) {
    this.#options = options;
  }

  /**
   * Resolves when nothing depends on this node any more, or when it leads nothing and more can't be had
   * within the time. Rejects, and gives up, if it still leads a tablet then: the message names them.
   */
  async run(withinMs: number): Promise<void> {
    const { self, tablets, now, timers } = this.#options;
    const until = now() + withinMs;
    this.#draining = true;
    for (;;) {
      this.tick();
      const views = tablets().map(({ id, view }) => ({ id, ...view }));
      const led = views.filter(({ role }) => role === 'primary');
      const isCounted = views.some(
        ({ configuration: c }) => c && c.inSync.length > 2 && c.inSync.includes(self),
      );
      if (led.length === 0 && !isCounted) return;
      if (now() >= until) {
        if (led.length === 0) return;
        this.#draining = false;
        const names = led.map(({ id }) => id).join(', ');
        const why = `no other in-sync copy takes over ${names}, or the config store does not answer`;
        throw new Fault('NotServing', `${why}; see \`penncloud status\``);
      }
      await pause(timers, LOOK_MS);
    }
  }

  tick(): void {
    if (!this.#draining) return;
    const now = this.#options.now();
    const tablets = this.#options.tablets();
    const led = tablets.filter(({ view }) => view.role === 'primary');
    const isMoving = led.some(({ id }) => id === this.#moving) && now < this.#movingUntil;
    if (!isMoving && led.length > 0) {
      const next = led[(led.findIndex(({ id }) => id === this.#moving) + 1) % led.length]!;
      this.#moving = next.id;
      this.#movingUntil = now + MOVE_MS;
      next.input({ kind: 'standDown' });
    }
    if (now < this.#standDownAt) return;
    this.#standDownAt = now + STAND_DOWN_EVERY_MS;
    for (const tablet of tablets) if (tablet.view.role !== 'primary') tablet.input({ kind: 'standDown' });
  }
}
