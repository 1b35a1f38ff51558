/**
 * What a tablet does when its cells cannot be read or written. Nothing is served meanwhile: decisions must
 * not see cells go, nor what is committed and not applied.
 *
 *   damaged   they hold only what the log can give again: dropped, and built from it
 *   full      applying waits for room, without a restart (rule 12); what is committed waits in the log
 */
import { Fault } from '../faults.ts';
import { pause } from '../timers.ts';
import type { TabletId } from '../words.ts';
import type { ApplyLoop } from './apply-loop.ts';
import type { TabletHost } from './tablet-host.ts';

/** Cells that are damaged again while they are being built are not built again at once. */
const REBUILD_AGAIN_MS = 500;
/** Between two attempts to write to a full disk. */
const ROOM_AGAIN_MS = 250;

export type CellMendingOptions = {
  readonly tablet: TabletId;
  readonly host: TabletHost;
  readonly apply: ApplyLoop;
  readonly alarms: Map<string, string>;
  readonly isStopped: () => boolean;
  readonly stopServing: () => void;
  /** Cells can be read again: applies what is committed, and serves if this copy is the primary. */
  readonly mended: () => void;
  /** Runs what is done to the cells or the whole copy one after the other. */
  readonly inTurn: (work: () => Promise<void>) => void;
};

export class CellMending {
  readonly #options: CellMendingOptions;
  #rebuilding = false;

  constructor(options: CellMendingOptions) {
    this.#options = options;
  }

  damaged(error: Error): void {
    const { tablet, host, apply, alarms, isStopped, stopServing, mended, inTurn } = this.#options;
    if (isStopped() || this.#rebuilding) return;
    this.#rebuilding = true;
    const pauseMs = alarms.has('cells') ? REBUILD_AGAIN_MS : 0;
    stopServing();
    alarms.set('cells', `${tablet}: the cells are damaged and are built again: ${error.message}`);
    host.logger.error(
      { tablet, reason: error.message },
      'cells are damaged: building them again from the log',
    );
    inTurn(async () => {
      await apply.pause(new Fault('NotServing', `the cells of ${tablet} are being built again`));
      await pause(host.timers, pauseMs);
      await this.drop();
      if (isStopped()) return;
      this.#rebuilding = false;
      mended();
    });
  }

  full(error: Error): void {
    const { tablet, host, apply, isStopped, stopServing, mended, inTurn } = this.#options;
    stopServing();
    this.#wantRoom(error);
    inTurn(async () => {
      await apply.pause(new Fault('NotServing', `${tablet} waits for room for its cells`));
      await pause(host.timers, ROOM_AGAIN_MS);
      if (isStopped()) return;
      mended();
    });
  }

  drop(): Promise<void> {
    const { tablet, host } = this.#options;
    return this.untilRoom(() => host.cells.drop(tablet));
  }

  /** Does something to the cells; tries until there is room for it, or the tablet is stopped. */
  async untilRoom(work: () => Promise<void>): Promise<void> {
    const { host, isStopped } = this.#options;
    while (!isStopped()) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'DiskFull') throw error;
        this.#wantRoom(error);
      }
      await pause(host.timers, ROOM_AGAIN_MS);
    }
  }

  #wantRoom(error: Error): void {
    const { tablet, host, alarms } = this.#options;
    if (!alarms.has('cells'))
      host.logger.error({ tablet, reason: error.message }, 'no room for cells: waiting until there is');
    alarms.set('cells', `${tablet}: committed entries wait to be applied: ${error.message}`);
  }
}
