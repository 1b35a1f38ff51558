/**
 * What an operator wishes of one process (`penncloud node drain|disable|restart`, the console's buttons):
 *
 *   drain     hand over what others can do, go on with the rest; ended by a restart
 *   restart   drain, stop, and be started again at once
 *   disable   drain, stop, and stay stopped until a restart is wished
 *
 * Wishes come over NATS, so they may come twice or never: whoever wishes repeats it until a heartbeat shows
 * that it came true. What cannot be drained goes on serving and says why; nothing is stopped then.
 */
import type { ControlWish, Heartbeat, Notices } from '../../storage-nodes/wire/notices.ts';
import type { Logger } from './logger.ts';

type Wish = ControlWish['wish'];

export class Wishes {
  readonly #logger: Logger;
  readonly #drain: () => Promise<void>;
  readonly #end: (how: 'disable' | 'restart') => void;
  #drained: Promise<void> | undefined;
  #ending = false;
  #refusal: string | undefined;

  constructor(options: {
    id: string;
    notices: Notices;
    logger: Logger;
    /** Rejects, with a sentence for the operator, if there is work that nobody else can take. */
    drain: () => Promise<void>;
    /** Stops the process; the launcher is to start it again, or not. */
    end: (how: 'disable' | 'restart') => void;
  }) {
    this.#logger = options.logger;
    this.#drain = options.drain;
    this.#end = options.end;
    options.notices.onControl(options.id, ({ wish }) => void this.#follow(wish));
  }

  /** Undefined: as the process itself says. */
  get status(): Heartbeat['status'] | undefined {
    return this.#drained ? 'draining' : undefined;
  }

  get alarms(): readonly string[] {
    return this.#refusal === undefined ? [] : [this.#refusal];
  }

  async #follow(wish: Wish): Promise<void> {
    if (this.#ending) return;
    if (!this.#drained) {
      this.#logger.info({ wish }, 'draining');
      this.#refusal = undefined;
    }
    this.#drained ??= this.#drain();
    try {
      await this.#drained;
    } catch (error) {
      this.#drained = undefined;
      this.#refusal = `cannot be drained: ${error instanceof Error ? error.message : String(error)}`;
      this.#logger.warn({ wish, reason: this.#refusal }, 'not drained');
      return;
    }
    if (wish === 'drain' || this.#ending) return;
    this.#ending = true;
    this.#end(wish);
  }
}
