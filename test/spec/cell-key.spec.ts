/** Keys and values of cells: byte order is logical order, decode after encode is identity, damage is seen. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as keys from '../../storage-nodes/cells/cell-key.ts';
import { decodeCell, decodeNumber, encodeCell, encodeNumber } from '../../storage-nodes/cells/cell-value.ts';
import type { CellContent } from '../../storage-nodes/cells/cells.ts';
import { crc32c } from '../../storage-nodes/cells/crc32c.ts';
import { compareRows, seq } from '../../storage-nodes/words.ts';

/** Texts that are apt to be confused: prefixes of each other, escapes, surrogate pairs. */
const word = fc.oneof(
  fc.constantFrom(
    '',
    'a',
    'ab',
    '\0',
    'a\0',
    'a\0\0',
    'a\0b',
    '\u0001',
    'a\u0001',
    '\u00ff',
    '\uffff',
    '😀',
    'a\u{10ffff}',
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
);
const place = fc.record({
  tablet: word,
  generation: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: keys.GENERATION_MAX })),
  space: fc.integer({ min: 1, max: 5 }),
  row: word,
  column: word,
});
type Place = typeof place extends fc.Arbitrary<infer T> ? T : never;

const encode = (p: Place): Buffer =>
  keys.cellKey(keys.tabletPrefix(p.tablet, p.generation), p.space, p.row, p.column);
const compare = (a: Place, b: Place): number =>
  compareRows(a.tablet, b.tablet) ||
  a.generation - b.generation ||
  a.space - b.space ||
  compareRows(a.row, b.row) ||
  compareRows(a.column, b.column);

describe('keys', () => {
  test('order like (tablet, generation, space, row, column)', () => {
    fc.assert(
      fc.property(
        place,
        place,
        fc.subarray(['tablet', 'generation', 'space', 'row', 'column'] as const),
        (a, other, same) => {
          const b: Place = { ...other, ...Object.fromEntries(same.map((field) => [field, a[field]])) };
          expect(Math.sign(Buffer.compare(encode(a), encode(b)))).toBe(Math.sign(compare(a, b)));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('are decoded to what was encoded', () => {
    fc.assert(
      fc.property(place, (p) => {
        const key = encode(p);
        const prefix = keys.decodePrefix(key)!;
        expect({ tablet: prefix.tablet, generation: prefix.generation }).toEqual({
          tablet: p.tablet,
          generation: p.generation,
        });
        expect(keys.decodeCellKey(key, prefix.length)).toEqual({
          space: p.space,
          row: p.row,
          column: p.column,
        });
      }),
    );
  });

  test('of a tablet lie between its applied index and the end of its prefix, apart from the store’s own records', () => {
    fc.assert(
      fc.property(place, fc.nat(2 ** 47), (p, number) => {
        const prefix = keys.tabletPrefix(p.tablet, p.generation);
        const inOrder = [
          keys.CHAIN_BASE_KEY,
          keys.markerKey(number),
          keys.markerKey(number + 1),
          keys.tabletKey(p.tablet),
          keys.LAST_GENERATION_KEY,
          keys.appliedKey(prefix),
          encode(p),
          keys.prefixEnd(prefix),
          keys.CELLS_TO,
          keys.END_KEY,
        ];
        for (const [i, key] of inOrder.slice(1).entries())
          expect(Buffer.compare(inOrder[i]!, key)).toBeLessThan(0);
        expect(keys.markerNumber(keys.markerKey(number))).toBe(number);
        expect(keys.tabletOfKey(keys.tabletKey(p.tablet))).toBe(p.tablet);
      }),
    );
  });

  test('refuse text that has no UTF-8 form, naming the field', () => {
    const prefix = keys.tabletPrefix('t', 1);
    expect(() => keys.cellKey(prefix, 1, '\ud800', 'c')).toThrow(/^row:/);
    expect(() => keys.cellKey(prefix, 1, 'r', 'a\udc00')).toThrow(/^column:/);
    expect(() => keys.tabletPrefix('\udfff', 1)).toThrow(/^tablet:/);
  });
});

describe('values', () => {
  const number = fc.nat(2 ** 48 - 1);
  const content: fc.Arbitrary<CellContent> = fc.oneof(
    fc.uint8Array({ maxLength: 50 }).map((bytes) => ({ bytes: Buffer.from(bytes) })),
    fc
      .tuple(number, fc.nat(2 ** 32 - 1), number)
      .map(([at, part, length]) => ({ part: { seq: seq(at), part, length } })),
  );
  const key = fc.uint8Array({ minLength: 1, maxLength: 30 }).map((bytes) => Buffer.from(bytes));

  test('are decoded to what was encoded', () => {
    fc.assert(
      fc.property(key, number, content, (k, at, wanted) => {
        expect(decodeCell(k, encodeCell(k, seq(at), wanted))).toEqual({ seq: at, content: wanted });
        expect(decodeNumber(k, encodeNumber(k, at))).toBe(at);
      }),
    );
  });

  test('with any bit flipped, in the value or in the key, are seen to be damaged', () => {
    fc.assert(
      fc.property(key, number, content, fc.nat(), (k, at, wanted, where) => {
        const both = Buffer.concat([k, encodeCell(k, seq(at), wanted)]);
        const bit = where % (both.length * 8);
        both[bit >> 3]! ^= 1 << (bit & 7);
        expect(decodeCell(both.subarray(0, k.length), both.subarray(k.length))).toBeUndefined();
      }),
    );
  });
});

test('CRC-32C gives the check values of RFC 3720, appendix B.4', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
  expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, i) => i)))).toBe(0x46dd794e);
});
