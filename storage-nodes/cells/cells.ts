/**
 * The cells of a node: sorted, rebuildable from the log. One CellStore serves all tablets of a node;
 * the key space of a tablet is divided by *space*. Each cell carries a checksum and the seq of the
 * entry that wrote it. The applied index is written in the same batch as the cells it stands for.
 *
 * Keys order by (tablet, generation, space, row, column), row and column in UTF-8 byte order.
 */
import type { Seq, TabletId } from '../words.ts';

/** What kind of cell: apart in the key space, so that rebuilding one never touches another. */
export const SPACE = {
  /** Read models and kv values: what GET, scans and pages see. */
  table: 1,
  /** State slices that decisions read: row = stream, column = state key. */
  state: 2,
  /** Command ids and their answers: row = '', column = expiry and id. */
  commands: 3,
  /** Reactions not yet settled: row = '', column = seq and number. */
  reactions: 4,
  /** Each stream's newest entry: row = stream; and where entries are by time. */
  index: 5,
} as const;
export type Space = (typeof SPACE)[keyof typeof SPACE];

/** The form of a store that was not told another. */
export const FIRST_FORM = 1;

/** A cell's value: its bytes, or the place in the tablet's log where they are. */
export type CellContent =
  | { readonly bytes: Uint8Array }
  | { readonly part: { readonly seq: Seq; readonly part: number; readonly length: number } };

export type Cell = {
  readonly row: string;
  readonly column: string;
  /** The entry that wrote it. */
  readonly seq: Seq;
  readonly content: CellContent;
};

export type CellAddress = {
  readonly space: Space;
  readonly row: string;
  readonly column: string;
  /** What `cellName` says, where it is known already. */
  readonly name?: string;
};

/** One string per address of a tablet, for maps: the row's length tells where the row ends. */
export function cellName({ space, row, column, name }: CellAddress): string {
  return name ?? `${space}/${row.length}/${row}${column}`;
}

/** With its name: for addresses that are looked up more than once. */
export function namedAddress(space: Space, row: string, column: string): CellAddress {
  return { space, row, column, name: cellName({ space, row, column }) };
}

export type CellWrite = CellAddress & {
  readonly content: CellContent | undefined /* undefined: delete */;
  readonly seq: Seq;
};

/** Positions are (row, column) pairs. Bounds: `from` inclusive, `to` exclusive; null = open. */
export type CellScan = {
  readonly space: Space;
  readonly from: { readonly row: string; readonly column: string };
  readonly to: { readonly row: string; readonly column: string } | null;
  readonly limit: number;
  /** Newest-first: starts below `to` and goes down to `from`. */
  readonly reverse?: boolean;
};

/** A piece of a view, in the form that `importPiece` takes (cell-piece.ts). */
export type CellPiece = { readonly bytes: Uint8Array; readonly isLast: boolean };

/** All cells of a tablet as of entry `at`, read a piece at a time while the tablet goes on. */
export interface CellView {
  readonly at: Seq;
  /** About `maxBytes`, or one cell if that is larger. A record that fails its checksum: Fault Damaged. */
  next(maxBytes: number): Promise<CellPiece>;
  close(): Promise<void>;
}

/** How far the import of a snapshot has come. */
export type ImportProgress = {
  readonly snapshot: string;
  /** The last piece that is here, from 1. */
  readonly chunk: number;
  /** The entry that the snapshot stands at. */
  readonly at: Seq;
  readonly isLast: boolean;
};

/** What a scrub found, and whether there is more that nobody has verified since it was written. */
export type CellScrub = { readonly damage: string | undefined; readonly isBehind: boolean };

export interface CellStore {
  /** What the code makes of a log, as a number (decision 0028). Cells of another form are of no use here. */
  readonly form: number;
  /**
   * Opens; a store whose batch chain has a gap, or whose cells are of another form, is condemned: all is
   * dropped and `applied` answers 0.
   */
  open(): Promise<{ condemned: string | undefined }>;
  /** Waits for operations in flight. After it every call is refused with Fault Closed. */
  close(): Promise<void>;
  /** Up to which entry the tablet's cells are complete (0: nothing). */
  applied(tablet: TabletId): Seq;
  /** One consistent lookup of several cells, in the order asked. A cell that fails its checksum: Fault Damaged. */
  get(tablet: TabletId, addresses: readonly CellAddress[]): Promise<(Cell | undefined)[]>;
  /** As `get`, at once and without a disk, if all of them are in memory; undefined if not. */
  peek(tablet: TabletId, addresses: readonly CellAddress[]): (Cell | undefined)[] | undefined;
  /** From one snapshot. Every cell's checksum is checked. */
  scan(tablet: TabletId, scan: CellScan): Promise<Cell[]>;
  /**
   * Writes the cells of entries up to `applied`, atomically, in call order. Reads that follow see them at
   * once; they reach the disk a little later, unsynced, several writes as one. Their bytes are copied.
   * A promise: there is too much on the way to the disk, wait for it before the next write. Throws (and the
   * promise rejects with) Fault DiskFull if there is no room; after looking at `applied`, writing may be
   * tried again until there is.
   */
  write(tablet: TabletId, applied: Seq, writes: readonly CellWrite[]): Promise<void> | undefined;
  /** sha256 (hex) over all cells of the tablet in key order, with the applied index of that same snapshot. */
  digest(tablet: TabletId): Promise<{ applied: Seq; digest: string; cells: number }>;
  /** Close it before the store: `close` ends those that are open. */
  view(tablet: TabletId): Promise<CellView>;
  /**
   * Writes one piece of a snapshot beside the tablet's cells, where nobody reads it. Piece 1 begins, and
   * forgets what was imported before. Survives a restart as far as `write` does. Fault Malformed: not a piece.
   */
  importPiece(tablet: TabletId, progress: ImportProgress, bytes: Uint8Array): Promise<void>;
  imported(tablet: TabletId): ImportProgress | undefined;
  /** Makes what was imported the tablet's cells, atomically. Requires its last piece. */
  adoptImport(tablet: TabletId): Promise<void>;
  abandonImport(tablet: TabletId): Promise<void>;
  /** Removes every cell of the tablet. What is being imported stays. */
  drop(tablet: TabletId): Promise<void>;
  /** Verifies another part of what is on disk. After damage the process must end: the next `open` condemns the store. */
  scrub(): Promise<CellScrub>;
}
