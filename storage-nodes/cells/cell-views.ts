/**
 * Views of a tablet's cells that are being read, each over a snapshot of RocksDB taken when it was opened,
 * and what was not there yet.
 * One that nobody closes is closed with the store.
 */
import { Fault } from '../faults.ts';
import { seq, type Seq, type TabletId } from '../words.ts';
import { compareKeys, prefixEnd, spaceKey } from './cell-key.ts';
import { PieceWriter } from './cell-piece.ts';
import { damagedRecord, isSound } from './cell-value.ts';
import type { CellPiece, CellView } from './cells.ts';
import { mergedCursor } from './merged-walk.ts';
import type { Cursor, Put, RocksBinding } from './rocksdb-binding.ts';

const AHEAD_BYTES = 64 * 1024;
const FIRST_SPACE = 1;

type Tablet = { readonly id: TabletId; readonly prefix: Buffer; readonly applied: Seq };

export class CellViews {
  readonly #cursors = new Set<Cursor>();

  /** `puts`: what of the tablet is not in RocksDB yet. Undefined: it has no cells. */
  open(binding: RocksBinding, tablet: Tablet | undefined, puts: readonly Put[]): CellView {
    if (!tablet) {
      const nothing = { bytes: Buffer.alloc(0), isLast: true };
      return { at: seq(0), next: async () => nothing, close: async () => undefined };
    }
    const walk = { start: spaceKey(tablet.prefix, FIRST_SPACE), aheadBytes: AHEAD_BYTES };
    const cursor = mergedCursor(binding, walk, puts);
    this.#cursors.add(cursor);
    return {
      at: tablet.applied,
      next: (maxBytes) => this.#next(tablet, cursor, maxBytes),
      close: () => this.#close(cursor),
    };
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#cursors].map((cursor) => this.#close(cursor)));
  }

  async #next(tablet: Tablet, cursor: Cursor, maxBytes: number): Promise<CellPiece> {
    if (!this.#cursors.has(cursor))
      throw new Fault('Closed', `a view of the cells of ${tablet.id} is closed: open another`);
    const to = prefixEnd(tablet.prefix);
    const piece = new PieceWriter();
    let isLast = false;
    const stopped = await cursor.walk((key, value) => {
      if (!isSound(key, value)) throw damagedRecord(tablet.id, 'a record');
      isLast = compareKeys(key, to) >= 0;
      if (!isLast) piece.add(key.subarray(tablet.prefix.length), value);
      return !isLast && piece.bytes < maxBytes;
    });
    if (!stopped) throw damagedRecord(tablet.id, 'the end of the store');
    return { bytes: piece.finish(), isLast };
  }

  async #close(cursor: Cursor): Promise<void> {
    if (this.#cursors.delete(cursor)) await cursor.end();
  }
}
