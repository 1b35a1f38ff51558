/**
 * Keys of the node's cells, so that byte order is the order of (tablet, generation, space, row, column),
 * text in UTF-8 byte order. Drawn byte by byte:
 *
 *   cell     01 | tablet… 00 01 | generation u32 | space u8 | row… 00 01 | column… to the end
 *   applied  01 | tablet… 00 01 | generation u32 | 00            the tablet's applied index sorts first
 *   chain    00 01                     first marker that is kept
 *            00 02 | number u48        marker of one batch
 *   tablets  00 03 | tablet… to the end   the generation that is live
 *            00 04                     the last generation that was given out
 *   imports  00 05 | tablet… to the end   a generation that is being imported (cell-import.ts)
 *   end      ff                        the last record of the store: which form its cells are in
 *
 * Numbers are big endian. In `tablet…` and `row…` a byte 00 is written 00 ff and the text ends with
 * 00 01, so that a text sorts before every longer text that starts with it, and nothing in a row can look
 * like the start of a column. The column is last and needs neither.
 *
 * A generation is given to one tablet once and never again: dropping a tablet forgets its generation, and
 * whatever was left behind can't be mistaken for cells. Strings with lone surrogates have no UTF-8 form
 * (two of them would collide) and are refused.
 */
import { Fault } from '../faults.ts';

declare global {
  interface String {
    /** ES2024; in every Node that this runs on. */
    isWellFormed(): boolean;
  }
}

const META = 0x00;
const CELL = 0x01;

export const GENERATION_MAX = 0xffff_ffff;

export const CHAIN_BASE_KEY = Buffer.from([META, 0x01]);
export const LAST_GENERATION_KEY = Buffer.from([META, 0x04]);
/** Sorts after everything: a walk that meets no end has lost records. */
export const END_KEY = Buffer.from([0xff]);
export const CELLS_FROM = Buffer.from([CELL]);
export const CELLS_TO = Buffer.from([CELL + 1]);

/** Byte order. */
export function compareKeys(a: Buffer, b: Buffer): number {
  return Buffer.compare(a, b);
}

export function markerKey(number: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  key[0] = META;
  key[1] = 0x02;
  key.writeUIntBE(number, 2, 6);
  return key;
}

/** The number of a marker, or undefined if the key is none. */
export function markerNumber(key: Buffer): number | undefined {
  return key.length === 8 && key[0] === META && key[1] === 0x02 ? key.readUIntBE(2, 6) : undefined;
}

export const TABLETS_FROM = Buffer.from([META, 0x03]);

export function tabletKey(tablet: string): Buffer {
  return Buffer.concat([TABLETS_FROM, utf8('tablet', tablet)]);
}

/** The tablet that a record of the live generations is for, or undefined if the key is none. */
export function tabletOfKey(key: Buffer): string | undefined {
  return key.length >= 2 && key[0] === META && key[1] === 0x03 ? key.toString('utf8', 2) : undefined;
}

export const IMPORTS_FROM = Buffer.from([META, 0x05]);

export function importKey(tablet: string): Buffer {
  return Buffer.concat([IMPORTS_FROM, utf8('tablet', tablet)]);
}

/** The tablet that an import is for, or undefined if the key is none. */
export function tabletOfImport(key: Buffer): string | undefined {
  return key.length >= 2 && key[0] === META && key[1] === 0x05 ? key.toString('utf8', 2) : undefined;
}

/** What all keys of one generation of a tablet start with. Throws Fault Malformed on text without a UTF-8 form. */
export function tabletPrefix(tablet: string, generation: number): Buffer {
  const tail = Buffer.alloc(4);
  tail.writeUInt32BE(generation);
  return Buffer.concat([CELLS_FROM, escaped('tablet', tablet), tail]);
}

/** The key that the applied index is kept under. */
export function appliedKey(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.from([0])]);
}

/** Where a space starts; `spaceKey(prefix, space + 1)` is where it ends. */
export function spaceKey(prefix: Buffer, space: number): Buffer {
  return Buffer.concat([prefix, Buffer.from([space])]);
}

/** Where the generation's keys end. */
export function prefixEnd(prefix: Buffer): Buffer {
  return spaceKey(prefix, 0xff);
}

/** Throws Fault Malformed, naming the field, on text without a UTF-8 form. */
export function cellKey(prefix: Buffer, space: number, row: string, column: string): Buffer {
  requireWellFormed('row', row);
  requireWellFormed('column', column);
  if (row.includes('\0')) {
    return Buffer.concat([prefix, Buffer.from([space]), escaped('row', row), Buffer.from(column, 'utf8')]);
  }
  const rowBytes = Buffer.byteLength(row, 'utf8');
  const at = prefix.length + 1;
  const key = Buffer.allocUnsafe(at + rowBytes + 2 + Buffer.byteLength(column, 'utf8'));
  prefix.copy(key, 0);
  key[at - 1] = space;
  key.write(row, at, 'utf8');
  key[at + rowBytes] = 0x00;
  key[at + rowBytes + 1] = 0x01;
  key.write(column, at + rowBytes + 2, 'utf8');
  return key;
}

export type CellPlace = { readonly space: number; readonly row: string; readonly column: string };

/** Reads what follows a tablet's prefix; undefined if `cellKey` cannot have written it. */
export function decodeCellKey(key: Buffer, prefixLength: number): CellPlace | undefined {
  const row = unescaped(key, prefixLength + 1);
  if (row === undefined) return undefined;
  return { space: key[prefixLength]!, row: row.text, column: key.toString('utf8', row.end) };
}

/** Splits a cell's key into its tablet and generation, and tells how long that prefix is. */
export function decodePrefix(
  key: Buffer,
): { tablet: string; generation: number; length: number } | undefined {
  if (key[0] !== CELL) return undefined;
  const tablet = unescaped(key, 1);
  if (tablet === undefined || key.length < tablet.end + 4) return undefined;
  return { tablet: tablet.text, generation: key.readUInt32BE(tablet.end), length: tablet.end + 4 };
}

function requireWellFormed(field: string, text: string): void {
  if (!text.isWellFormed()) {
    throw new Fault(
      'Malformed',
      `${field}: holds a lone surrogate, which has no UTF-8 form; send well-formed text`,
    );
  }
}

function utf8(field: string, text: string): Buffer {
  requireWellFormed(field, text);
  return Buffer.from(text, 'utf8');
}

function escaped(field: string, text: string): Buffer {
  const plain = utf8(field, text);
  const out: number[] = [];
  for (const byte of plain) {
    out.push(byte);
    if (byte === 0x00) out.push(0xff);
  }
  out.push(0x00, 0x01);
  return Buffer.from(out);
}

function unescaped(key: Buffer, from: number): { text: string; end: number } | undefined {
  let text = '';
  let start = from;
  for (;;) {
    const zero = key.indexOf(0x00, start);
    if (zero < 0 || zero + 1 >= key.length) return undefined;
    text += key.toString('utf8', start, zero);
    if (key[zero + 1] === 0x01) return { text, end: zero + 2 };
    if (key[zero + 1] !== 0xff) return undefined;
    text += '\0';
    start = zero + 2;
  }
}
