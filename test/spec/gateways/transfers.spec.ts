import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byteRange } from '../../../gateways/pages/byte-range.ts';
import { attachmentDisposition, downloadName } from '../../../gateways/pages/content-disposition.ts';
import { Bounded, chunked } from '../../../gateways/chunks/chunker.ts';
import { chunksOf } from '../../../gateways/chunks/chunk-pieces.ts';
import { numberedName } from '../../../gateways/web/drive/upload.ts';

async function* stream(pieces: readonly Uint8Array[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) yield Buffer.from(piece);
}

async function cut(pieces: readonly Uint8Array[], chunkBytes: number): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of chunked(stream(pieces), chunkBytes)) chunks.push(chunk);
  return chunks;
}

describe('cutting a stream into chunks', () => {
  test('loses and adds nothing, and fills every chunk but the last', async () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(pieces, fc.integer({ min: 1, max: 32 }), async (given, size) => {
        const chunks = await cut(given, size);
        expect(Buffer.concat(chunks)).toEqual(Buffer.concat(given));
        expect(chunks.slice(0, -1).every(({ length }) => length === size)).toBe(true);
        expect(chunks.every(({ length }) => length > 0)).toBe(true);
      }),
    );
  });

  test('makes no chunk of an empty file', async () => expect(await cut([], 4)).toEqual([]));

  test('hands out memory that later chunks do not write over', async () => {
    const chunks = await cut([Buffer.from('aaaabbbb')], 4);
    expect(chunks.map(String)).toEqual(['aaaa', 'bbbb']);
  });
});

describe('work in bounds', () => {
  test('never has more than so many pieces under way, and does them all', async () => {
    let running = 0;
    let most = 0;
    let done = 0;
    const bounded = new Bounded(3);
    for (let i = 0; i < 20; i++) {
      await bounded.add(async () => {
        most = Math.max(most, ++running);
        await new Promise(setImmediate);
        running--;
        done++;
      });
    }
    await bounded.done();
    expect([most, done]).toEqual([3, 20]);
  });

  test('tells a failure at the next step, and starts nothing after it', async () => {
    const bounded = new Bounded(1);
    await bounded.add(() => Promise.reject(new Error('the store said no')));
    let started = false;
    const next = bounded.add(() => Promise.resolve((started = true)));
    await expect(next).rejects.toThrow('the store said no');
    await expect(bounded.done()).rejects.toThrow('the store said no');
    expect(started).toBe(false);
  });
});

describe('the name of a download', () => {
  test('is given twice: plainly for old clients, exactly for others', () => {
    expect(attachmentDisposition('Übersicht "1".pdf')).toBe(
      `attachment; filename="_bersicht _1_.pdf"; filename*=UTF-8''%C3%9Cbersicht%20%221%22.pdf`,
    );
  });

  test.each([
    ['../../../etc/passwd', 'passwd'],
    ['C:\\Windows\\evil.exe', 'evil.exe'],
    ['a\0b\r\nSet-Cookie: x.txt', 'abSet-Cookie: x.txt'],
    ['invoice\u202Efdp.exe', 'invoicefdp.exe'],
    ['..', 'download'],
    ['', 'download'],
    ['folder/', 'download'],
  ])('is one harmless path segment: %j', (given, name) => expect(downloadName(given)).toBe(name));

  test('is printable ASCII in the header whatever the name, and can be read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const header = attachmentDisposition(name);
        expect(header).toMatch(/^attachment; filename="[\x20-\x7e]*"; filename\*=UTF-8''[\x21-\x7e]*$/);
        expect(header.match(/"/g)).toHaveLength(2);
        expect(decodeURIComponent(header.split("UTF-8''")[1]!)).toBe(downloadName(name));
      }),
    );
  });
});

describe('a byte range', () => {
  test.each([
    ['bytes=0-99', { offset: 0, length: 100 }],
    ['bytes=900-', { offset: 900, length: 100 }],
    ['bytes=-10', { offset: 990, length: 10 }],
    ['bytes=-5000', { offset: 0, length: 1000 }],
    ['bytes=500-5000', { offset: 500, length: 500 }],
    ['bytes=1000-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=5-1', 'whole'],
    ['bytes=0-1,5-6', 'whole'],
    ['lines=1-2', 'whole'],
    ['bytes=-', 'whole'],
    [undefined, 'whole'],
  ])('%s of 1000 bytes', (header, range) => expect(byteRange(header, 1000)).toEqual(range));

  test('lies in chunks that together are the range, in order', () => {
    const spans = fc.tuple(fc.nat(500), fc.nat(500), fc.integer({ min: 1, max: 64 }));
    fc.assert(
      fc.property(spans, ([offset, length, chunkBytes]) => {
        const places = chunksOf({ offset, length }, chunkBytes).flatMap((piece) =>
          Array.from({ length: piece.length }, (_, i) => piece.chunk * chunkBytes + piece.offset + i),
        );
        expect(places).toEqual(Array.from({ length }, (_, i) => offset + i));
      }),
    );
  });
});

describe('a name that is taken', () => {
  test.each([
    ['notes.txt', 2, 'notes (2).txt'],
    ['backup.tar.gz', 3, 'backup (3).tar.gz'],
    ['README', 2, 'README (2)'],
    ['.profile', 2, '.profile (2)'],
  ])('gets a number before its ending: %s', (name, number, numbered) => {
    expect(numberedName(name, number)).toBe(numbered);
  });

  test('stays within 255 bytes and whole characters', () => {
    const numbered = numberedName(`${'ä'.repeat(125)}.text`, 12);
    expect(Buffer.byteLength(numbered)).toBeLessThanOrEqual(255);
    expect(numbered).toMatch(/^ä+ \(12\)\.text$/);
  });
});
