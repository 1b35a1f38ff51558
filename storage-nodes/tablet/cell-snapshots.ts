/**
 * Performs what the core asks for when cells travel as a snapshot (rule 13, replication/snapshot.ts): as
 * primary, reads views of its own cells piece by piece; as learner, writes what comes beside its cells and
 * puts it in their place in the end. While an import is under way the copy does not project.
 */
import type { Logger } from 'pino';
import { crc32 } from 'node:zlib';
import type { CellStore, CellView } from '../cells/cells.ts';
import { Fault } from '../faults.ts';
import type { CellsOrder, Input, SnapshotPiece } from '../replication/messages.ts';
import type { TabletId } from '../words.ts';
import type { ApplyLoop } from './apply-loop.ts';

type Read = Extract<CellsOrder, { kind: 'read' }>;
type ImportPiece = Extract<CellsOrder, { kind: 'import' }>;

export type CellSnapshotsOptions = {
  readonly tablet: TabletId;
  readonly cells: CellStore;
  readonly apply: ApplyLoop;
  readonly logger: Logger;
  readonly report: (input: Input) => void;
  /** One after the other, also with other things that are done to the cells as a whole. */
  readonly inTurn: (work: () => Promise<void>) => void;
  /** Tries until there is room, or the tablet is stopped. */
  readonly untilRoom: (work: () => Promise<void>) => Promise<void>;
  /** Our own cells failed a checksum. */
  readonly damaged: (error: Fault) => void;
  /** The copy may project again, and serve if it is to. */
  readonly goOn: () => void;
};

export class CellSnapshots {
  readonly #options: CellSnapshotsOptions;
  readonly #views = new Map<string, Promise<CellView>>();

  constructor(options: CellSnapshotsOptions) {
    this.#options = options;
  }

  perform(order: CellsOrder): void {
    switch (order.kind) {
      case 'read':
        return void this.#read(order);
      case 'close':
        return void this.#close(order.snapshot);
      case 'begin':
        return this.#begin();
      case 'import':
        return this.#options.inTurn(() => this.#import(order));
      case 'adopt':
        return this.#options.inTurn(() => this.#adopt(order.snapshot));
      case 'abandon':
        return this.#abandon();
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#views.keys()].map((snapshot) => this.#close(snapshot)));
  }

  async #read({ peer, snapshot, chunk, maxBytes }: Read): Promise<void> {
    const { tablet, cells, report, damaged } = this.#options;
    let found: SnapshotPiece | undefined;
    try {
      if (chunk === 1) this.#views.set(snapshot, cells.view(tablet));
      const view = await this.#views.get(snapshot);
      if (view) {
        const { bytes, isLast } = await view.next(maxBytes);
        found = { at: view.at, isLast, bytes, crc: crc32(bytes) };
      }
    } catch (error) {
      await this.#close(snapshot);
      if (error instanceof Fault && error.code === 'Damaged') damaged(error);
      else if (!(error instanceof Fault && error.code === 'Closed')) throw error;
    }
    report({ kind: 'cellsRead', peer, snapshot, chunk, found });
  }

  async #close(snapshot: string): Promise<void> {
    const view = this.#views.get(snapshot);
    this.#views.delete(snapshot);
    await view?.then(
      (opened) => opened.close(),
      () => undefined,
    );
  }

  #begin(): void {
    const { apply, tablet, logger, inTurn } = this.#options;
    logger.info({ tablet }, 'far behind: taking the cells from the primary');
    inTurn(() => apply.pause(new Fault('NotServing', `the cells of ${tablet} are being fetched`)));
  }

  async #import({ snapshot, chunk, at, isLast, bytes, crc }: ImportPiece): Promise<void> {
    const { cells, tablet, logger, report } = this.#options;
    try {
      if (crc32(bytes) !== crc) throw new Fault('Malformed', 'its checksum does not match');
      await cells.importPiece(tablet, { snapshot, chunk, at, isLast }, bytes);
    } catch (error) {
      // Without room for it, what is here is abandoned, and fetched again when there is.
      if (!(error instanceof Fault) || !['Malformed', 'DiskFull'].includes(error.code)) throw error;
      logger.warn({ tablet, snapshot, chunk, reason: error.message }, 'a piece of a snapshot is refused');
      return report({ kind: 'importFailed', snapshot });
    }
    report({ kind: 'cellsImported', snapshot, chunk, isLast });
  }

  async #adopt(snapshot: string): Promise<void> {
    const { cells, tablet, logger, report, goOn, untilRoom } = this.#options;
    await untilRoom(async () => {
      // A batch that was refused for want of room may have reached the disk all the same.
      if (cells.imported(tablet)) await cells.adoptImport(tablet);
    });
    logger.info({ tablet, snapshot, applied: cells.applied(tablet) }, 'took the cells from the primary');
    report({ kind: 'cellsAdopted' });
    goOn();
  }

  #abandon(): void {
    const { cells, tablet, inTurn, goOn, untilRoom } = this.#options;
    inTurn(async () => {
      await untilRoom(() => cells.abandonImport(tablet));
      goOn();
    });
  }
}
