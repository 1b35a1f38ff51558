/** What has happened to a cell of a user's own table. Stream: the row. */

/** The value is the entry's part `part`. */
export type CellPut = {
  readonly type: 'kv.CellPut';
  readonly version: 1;
  readonly data: { readonly column: string; readonly part: number };
};

export type CellDeleted = {
  readonly type: 'kv.CellDeleted';
  readonly version: 1;
  readonly data: { readonly column: string };
};

export type KvEvent = CellPut | CellDeleted;
