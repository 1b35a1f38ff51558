/**
 * The import of a snapshot into a generation of its own, which no reader sees until it is adopted.
 *
 *   00 05 | tablet… to the end     generation u32 | at u48 | chunk u32 | isLast u8 | snapshot…
 *
 * The record stands for all pieces up to `chunk`: it is replaced in the batch that writes a piece, and
 * becomes the tablet's live generation, or goes, in one batch too.
 */
import type { Seq, TabletId } from '../words.ts';
import type { ImportProgress } from './cells.ts';
import { assert } from '../faults.ts';
import { importKey, tabletPrefix } from './cell-key.ts';
import { readPiece } from './cell-piece.ts';
import { isSound, sealAgain } from './cell-value.ts';
import type { Put } from './rocksdb-binding.ts';

const FIXED_BYTES = 22;
/** Stands where a cell's seq and flag do. */
const NOT_A_CELL = Buffer.from([0, 0, 0, 0, 0, 0, 3]);

export type Import = {
  readonly generation: number;
  readonly prefix: Buffer;
  readonly progress: ImportProgress;
};

function importRecord(tablet: TabletId, generation: number, progress: ImportProgress): Put {
  const key = importKey(tablet);
  const fixed = Buffer.alloc(FIXED_BYTES);
  NOT_A_CELL.copy(fixed);
  fixed.writeUInt32BE(generation, 7);
  fixed.writeUIntBE(progress.at, 11, 6);
  fixed.writeUInt32BE(progress.chunk, 17);
  fixed[21] = progress.isLast ? 1 : 0;
  return { key, value: sealAgain(key, Buffer.concat([fixed, Buffer.from(progress.snapshot)])) };
}

/** Undefined if the checksum or the form is wrong. */
export function readImportRecord(
  key: Buffer,
  value: Buffer,
): { generation: number; progress: ImportProgress } | undefined {
  if (!isSound(key, value) || value.length < 4 + FIXED_BYTES) return undefined;
  const rest = value.subarray(4);
  const progress = {
    at: rest.readUIntBE(11, 6) as Seq,
    chunk: rest.readUInt32BE(17),
    isLast: rest[21] === 1,
    snapshot: rest.toString('utf8', FIXED_BYTES),
  };
  return { generation: rest.readUInt32BE(7), progress };
}

/** The records of a piece under a generation's prefix. Throws Fault Malformed. */
function importedCells(prefix: Buffer, piece: Uint8Array): Put[] {
  return readPiece(piece).map(({ place, rest }) => {
    const key = Buffer.concat([prefix, place]);
    return { key, value: sealAgain(key, rest) };
  });
}

/** The imports that are under way, as the store's records have them. */
export class CellImports {
  readonly #imports: Map<TabletId, Import>;

  constructor(found: ReadonlyMap<TabletId, Import> = new Map()) {
    this.#imports = new Map(found);
  }

  get(tablet: TabletId): Import | undefined {
    return this.#imports.get(tablet);
  }

  delete(tablet: TabletId): void {
    this.#imports.delete(tablet);
  }

  complete(tablet: TabletId): Import {
    const found = this.#imports.get(tablet);
    assert(found?.progress.isLast, `the import of ${tablet} is not complete`);
    return found!;
  }

  /** The batch that writes a piece; `generation` is for the first one. Throws Fault Malformed: not a piece. */
  piece(
    tablet: TabletId,
    progress: ImportProgress,
    bytes: Uint8Array,
    generation: number,
  ): { puts: Put[]; record: Put } {
    const before = this.#imports.get(tablet);
    const chunk = before?.progress.chunk ?? 0;
    assert(progress.chunk === chunk + 1, `piece ${progress.chunk} of ${tablet} does not follow ${chunk}`);
    const prefix = before?.prefix ?? tabletPrefix(tablet, generation);
    const entry = { generation: before?.generation ?? generation, prefix, progress };
    const puts = importedCells(prefix, bytes);
    this.#imports.set(tablet, entry);
    return { puts, record: importRecord(tablet, entry.generation, progress) };
  }
}
