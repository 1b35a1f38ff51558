/**
 * The few cells that all callers meet on, in several tablets, and what stands in them. A value is a name,
 * unique to the write, followed by as many bytes as its cell's values have, all told by the name: a value
 * that comes back changed in any byte is none that anybody wrote.
 */
import { createHash } from 'node:crypto';
import type { CellContent } from './history.ts';

export interface Cell {
  readonly row: string;
  readonly column: string;
  /** Of each value; the second kind is long enough to live in a part segment. */
  readonly valueBytes: number;
}

const SHORT_BYTES = 100;
const LONG_BYTES = 100_000;

/** Rows in each of the tablets that hold kv rows. */
export const CELLS: readonly Cell[] = ['apple', 'berry', 'house', 'night', 'zebra', 'zinc', 'large'].map(
  (row) => {
    return { row, column: 'chaos', valueBytes: row === 'large' ? LONG_BYTES : SHORT_BYTES };
  },
);

export function bytesOf(name: string, { valueBytes }: Cell): Buffer {
  const bytes = Buffer.alloc(valueBytes, createHash('sha256').update(name).digest());
  bytes.write(`${name}\n`);
  return bytes;
}

/** The name of the value, or one that nobody ever wrote if its bytes are not what was written. */
export function contentOf(bytes: Buffer | undefined, cell: Cell): CellContent {
  if (bytes === undefined) return null;
  const name = bytes.toString('utf8', 0, Math.max(0, bytes.indexOf('\n')));
  return bytes.equals(bytesOf(name, cell)) ? name : `damaged: ${bytes.toString('base64', 0, 60)}`;
}

export function digestOf(name: string, cell: Cell): string {
  return createHash('sha256').update(bytesOf(name, cell)).digest('hex');
}
