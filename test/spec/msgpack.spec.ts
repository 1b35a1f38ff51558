/** Heads of frames are MessagePack: the library reads what is written here, and the other way round. */
import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MsgpackWriter, readMsgpack } from '../../storage-nodes/msgpack.ts';

const seed = Number(process.env['PENNCLOUD_SEED'] ?? Date.now() % 2 ** 31);

function written(value: unknown): Buffer {
  const writer = new MsgpackWriter();
  writer.write(value);
  return Buffer.from(writer.bytes.subarray(0, writer.at));
}
const read = (bytes: Uint8Array): unknown => readMsgpack(Buffer.from(bytes), 0, bytes.length);
const nested = (depth: number, ...innermost: number[]): Buffer =>
  Buffer.from([...Array.from({ length: depth }, () => 0x91), ...innermost]);

/** What a head may hold. */
const values = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.integer({ min: -70_000, max: 70_000 }),
    fc.integer({ min: -200, max: 300 }),
    // The library writes -0 as 0.
    fc.double().filter((n) => !Object.is(n, -0)),
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ unit: 'binary-ascii', maxLength: 50 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('any'), { maxLength: 20 }),
    fc.dictionary(
      fc.string({ maxLength: 20 }).filter((key) => key !== '__proto__'),
      tie('any'),
      { maxKeys: 20, noNullPrototype: true },
    ),
  ),
})).any;

describe('heads of frames', () => {
  it(`come out as they went in (seed ${seed})`, () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(read(written(value))).toEqual(withBuffers(value));
      }),
      { seed, numRuns: 2000 },
    );
  });

  it(`are MessagePack as others read and write it (seed ${seed})`, () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(withBuffers(decode(written(value)))).toEqual(withBuffers(value));
        expect(read(encode(value))).toEqual(withBuffers(value));
      }),
      { seed, numRuns: 2000 },
    );
  });

  it.each([15, 16, 31, 32, 39, 40, 255, 256, 65_535, 65_536])(
    'have text, bytes and lists of length %d',
    (n) => {
      for (const value of [
        'x'.repeat(n),
        'ü'.repeat(n),
        Buffer.alloc(n, 7),
        Array.from({ length: n }, () => 1),
      ])
        expect(read(written(value))).toEqual(value);
    },
  );

  it('leave out of a map what is undefined, and write nil for it in a list', () => {
    expect(read(written([{ a: 1, b: undefined }, undefined]))).toEqual([{ a: 1 }, null]);
  });

  it.each([
    ['a function', () => 1],
    ['a bigint', 10n],
    ['a date', new Date(0)],
    ['a map object', new Map()],
  ])('are refused to the sender of %s', (_what, value) => {
    expect(() => written([value])).toThrow(/be sent$/);
  });

  it('are refused to the sender of what contains itself', () => {
    const circle: unknown[] = [];
    circle.push(circle);
    expect(() => written(circle)).toThrow('too deeply nested');
  });

  it.each([
    ['cut off', [0x92, 0x01]],
    ['with bytes behind them', [0x01, 0x01]],
    ['that claim 4,294,967,295 items', [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ['that claim 30 million items, in one another', [0xdd, 2, 0, 0, 0, 0xdd, 2, 0, 0, 0, 0xdd, 2, 0, 0, 0]],
    ['with a map of more entries than bytes', [0xdf, 0x7f, 0xff, 0xff, 0xff, 0x01]],
    ['with text beyond the end', [0xdb, 0xff, 0xff, 0xff, 0xff, 0x41]],
    ['with binary beyond the end', [0xc6, 0xff, 0xff, 0xff, 0xff, 0x41]],
    ['with an extension type', [0xd4, 0x01, 0x00]],
    ['with the type that is never used', [0xc1]],
    ['with a number that would lose digits', [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['with a key that is no text', [0x81, 0x01, 0x01]],
    ['with a key twice', [0x82, 0xa1, 0x61, 0x01, 0xa1, 0x61, 0x02]],
    ['with the key __proto__', [0x81, 0xa9, ...Buffer.from('__proto__'), 0x01]],
    ['nested deeper than 64', [...nested(65, 0xc0)]],
  ])('%s are refused', (_what, bytes) => {
    expect(() => read(Buffer.from(bytes))).toThrow('MessagePack: ');
  });

  it('may be nested 64 deep', () => {
    expect(() => read(nested(64, 0xc0))).not.toThrow();
  });
});

/** Binary comes out as Buffer. */
function withBuffers(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(withBuffers);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withBuffers(inner)]));
  return value;
}
