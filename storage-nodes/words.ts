/** Branded words of the store: numbers and names that must not be confused (design.md §3). */
declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

export type TabletId = Branded<string, 'TabletId'>;
export type NodeId = Branded<string, 'NodeId'>;
/** A position in a tablet's log, from 1. 0 means "before the first". */
export type Seq = Branded<number, 'Seq'>;
/** Grows only when the primary changes; fences primaries. */
export type Epoch = Branded<number, 'Epoch'>;
/** Grows with every change of a tablet's membership. */
export type Version = Branded<number, 'Version'>;

export const tabletId = (id: string): TabletId => id as TabletId;
export const nodeId = (id: string): NodeId => id as NodeId;
export const seq = (n: number): Seq => n as Seq;
export const epoch = (n: number): Epoch => n as Epoch;
export const version = (n: number): Version => n as Version;

/** Rows r with from <= r < to in UTF-8 byte order; `to` null: no upper end. */
export type RowRange = { readonly from: string; readonly to: string | null };

/** UTF-8 byte order, which is code point order (JavaScript's `<` is not, beyond U+FFFF). */
export function compareRows(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    let x = a.charCodeAt(i);
    let y = b.charCodeAt(i);
    if (x !== y) {
      // Surrogates (code points above U+FFFF) sort after the rest of the basic plane.
      if (x >= 0xd800 && y >= 0xd800) {
        x = x >= 0xe000 ? x - 0x800 : x + 0x2000;
        y = y >= 0xe000 ? y - 0x800 : y + 0x2000;
      }
      return x - y;
    }
  }
  return a.length - b.length;
}

export function inRange(row: string, range: RowRange): boolean {
  return compareRows(row, range.from) >= 0 && (range.to === null || compareRows(row, range.to) < 0);
}
