/**
 * Paging by key: a page is found by the key that it starts after, or ends before, never by counting, so
 * that page 100 costs what page 1 costs. The position ("51–100 of 200") is carried along in the link as
 * a hint for the reader; only keys decide what is shown.
 *
 *   ?after=KEY&at=51     the rows behind KEY, the first of which is number 51
 *   ?before=KEY&at=51    the rows in front of KEY, which itself was number 51
 *   ?end=1               the last rows
 */
import type { ReadQuery } from '../../storage-nodes/client/client.ts';

export type Cursor =
  | { readonly kind: 'first' }
  | { readonly kind: 'last' }
  | { readonly kind: 'after' | 'before'; readonly key: string; readonly at: number };

export type Page<Row> = {
  readonly rows: readonly Row[];
  /** Numbers of the first and last row shown; 0 and 0 when there is none. */
  readonly from: number;
  readonly to: number;
  readonly total: number;
  /** Query strings of the neighbours; undefined where there is none. */
  readonly links: {
    readonly newest?: string;
    readonly newer?: string;
    readonly older?: string;
    readonly oldest?: string;
  };
};

export function cursorOf(query: Readonly<Record<string, unknown>>): Cursor {
  const at = Math.max(1, Math.trunc(Number(query['at'])) || 1);
  if (typeof query['after'] === 'string') return { kind: 'after', key: query['after'], at };
  if (typeof query['before'] === 'string') return { kind: 'before', key: query['before'], at };
  return { kind: query['end'] === '1' ? 'last' : 'first' };
}

/** Part of a row's columns; `after` and `before` are exclusive. */
export type ColumnRange = {
  readonly after?: string;
  readonly before?: string;
  readonly reverse: boolean;
  readonly limit: number;
};

export function rowScan(row: string, { after, before, reverse, limit }: ColumnRange): ReadQuery {
  return {
    scan: {
      from: { row, column: after === undefined ? '' : `${after}\0` },
      to: before === undefined ? { row: `${row}\0`, column: '' } : { row, column: before },
      limit,
      reverse,
    },
  };
}

/** How to scan for a cursor: one row more than a page, which tells whether there is a further page. */
export function scanFor(cursor: Cursor, size: number): ColumnRange {
  switch (cursor.kind) {
    case 'first':
      return { reverse: false, limit: size + 1 };
    case 'last':
      return { reverse: true, limit: size + 1 };
    case 'after':
      return { after: cursor.key, reverse: false, limit: size + 1 };
    case 'before':
      return { before: cursor.key, reverse: true, limit: size + 1 };
  }
}

/** `scanned`: what the scan found, in the order in which it found it. */
export function pageOf<Row>(
  cursor: Cursor,
  scanned: readonly Row[],
  size: number,
  total: number,
  keyOf: (row: Row) => string,
): Page<Row> {
  const backwards = cursor.kind === 'last' || cursor.kind === 'before';
  const more = scanned.length > size;
  const kept = scanned.slice(0, size);
  const rows = backwards ? kept.reverse() : kept;
  const isFirst = backwards ? !more : cursor.kind === 'first';
  const isLast = backwards ? cursor.kind === 'last' : !more;
  const from = rows.length === 0 ? 0 : firstNumber(cursor, rows.length, total, isFirst, isLast);
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) {
    return { rows, from: 0, to: 0, total, links: cursor.kind === 'first' ? {} : { newest: '' } };
  }
  const to = from + rows.length - 1;
  return {
    rows,
    from,
    to,
    total: Math.max(total, to),
    links: {
      ...(isFirst ? {} : { newest: '', newer: query({ before: keyOf(first), at: String(from) }) }),
      ...(isLast
        ? {}
        : { older: query({ after: keyOf(last), at: String(to + 1) }), oldest: query({ end: '1' }) }),
    },
  };
}

function firstNumber(
  cursor: Cursor,
  length: number,
  total: number,
  isFirst: boolean,
  isLast: boolean,
): number {
  if (isFirst) return 1;
  if (isLast) return Math.max(1, total - length + 1);
  // A link is only text: it cannot make a page stand behind the end.
  if (cursor.kind === 'after') return Math.min(cursor.at, Math.max(1, total - length + 1));
  return cursor.kind === 'before' ? Math.max(1, cursor.at - length) : 1;
}

function query(pairs: Record<string, string>): string {
  return `?${new URLSearchParams(pairs).toString()}`;
}
