import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameReader, type Message } from '../../../storage-nodes/wire/frame.ts';

const seed = Number(process.env['PENNCLOUD_SEED'] ?? Date.now() % 2 ** 31);

function whole(fields: readonly unknown[], blobs: readonly Uint8Array[]): Buffer {
  return Buffer.concat(encodeFrame(fields, blobs));
}

function readInPieces(bytes: Buffer, cuts: readonly number[]): Message[] {
  const reader = new FrameReader();
  const messages: Message[] = [];
  let at = 0;
  for (const cut of [...cuts.map((c) => c % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    messages.push(...reader.push(bytes.subarray(at, cut)));
    at = cut;
  }
  return messages;
}

describe('frames', () => {
  it(`come out as they went in, however the stream is cut (seed ${seed})`, () => {
    const message = fc.record({
      fields: fc.array(fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null))),
      blobs: fc.array(fc.uint8Array({ maxLength: 100_000 }), { maxLength: 5 }),
    });
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (sent, cuts) => {
          const got = readInPieces(Buffer.concat(sent.map((m) => whole(m.fields, m.blobs))), cuts);
          expect(got.map((m) => ({ fields: m.fields, blobs: m.blobs.map((b) => Buffer.from(b)) }))).toEqual(
            sent.map((m) => ({ fields: m.fields, blobs: m.blobs.map((b) => Buffer.from(b)) })),
          );
        },
      ),
      { seed, numRuns: 100 },
    );
  });

  it('refuses a frame over the limit before reading it', () => {
    const reader = new FrameReader({ bytesMax: 1000 });
    const start = Buffer.alloc(4);
    start.writeUInt32BE(1001);
    expect(() => reader.push(start)).toThrow('limit is 1000');
  });

  it('refuses to build a frame over the limit', () => {
    expect(() => encodeFrame(['x'], [new Uint8Array(97 * 1024 * 1024)])).toThrow('frame limit');
  });

  it.each([
    ['a head longer than the frame', [0, 0, 0, 6, 0, 0, 0, 99, 0x90, 0x90]],
    ['a head that is not msgpack', [0, 0, 0, 5, 0, 0, 0, 1, 0xc1]],
    ['a head that is not an array', [0, 0, 0, 5, 0, 0, 0, 1, 0x01]],
    ['blobs beyond its end', [0, 0, 0, 7, 0, 0, 0, 3, 0x91, 0x91, 0x05]],
    ['bytes left over', [0, 0, 0, 7, 0, 0, 0, 2, 0x91, 0x90, 0x00]],
    ['a negative blob length', [0, 0, 0, 7, 0, 0, 0, 3, 0x91, 0x91, 0xff]],
  ])('refuses %s', (_what, bytes) => {
    expect(() => new FrameReader().push(Buffer.from(bytes))).toThrow();
  });

  it(`never hangs or crashes on random bytes (seed ${seed})`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        try {
          new FrameReader({ bytesMax: 10_000 }).push(Buffer.from(bytes));
        } catch (error) {
          expect(error).toMatchObject({ name: 'Fault', code: 'Malformed' });
        }
      }),
      { seed, numRuns: 5000 },
    );
  });
});
