import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { archiveNames } from '../../../gateways/message/archive-names.ts';
import { previewOf } from '../../../gateways/message/preview.ts';

const PNG = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010806000000', 'hex');
const GIF = Buffer.from('GIF89a\x01\0\x01\0\0\0\0;', 'latin1');
const PDF = Buffer.from('%PDF-1.7\n%âãÏÓ\n1 0 obj');
const HTML = Buffer.from('<html><script>alert(1)</script></html>');
const SVG = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>');

describe('a preview', () => {
  const shown = async (content: Buffer, type: string, name = 'file') => {
    const preview = await previewOf(content, { type, name });
    return preview && `${preview.kind} ${preview.mediaType}`;
  };

  test('is given of pictures, PDF and text, with the type that the bytes have', async () => {
    expect(await shown(PNG, 'image/png')).toBe('image image/png');
    expect(await shown(GIF, 'image/png')).toBe('image image/gif');
    expect(await shown(PNG, 'image/jpg')).toBe('image image/png');
    expect(await shown(PDF, 'application/pdf')).toBe('pdf application/pdf');
    expect(await shown(PDF, 'application/octet-stream', 'Paper.PDF')).toBe('pdf application/pdf');
    expect(await shown(HTML, 'text/plain')).toBe('text text/plain; charset=utf-8');
  });

  test.each([
    ['HTML called a picture', HTML, 'image/png'],
    ['SVG called a picture', SVG, 'image/png'],
    ['SVG', SVG, 'image/svg+xml'],
    ['HTML', HTML, 'text/html'],
    ['XHTML', HTML, 'application/xhtml+xml'],
    ['XML', SVG, 'text/xml'],
    ['HTML called a PDF', HTML, 'application/pdf'],
    ['a picture called a PDF', PNG, 'application/pdf'],
    ['a PDF called a picture', PDF, 'image/gif'],
    ['an empty picture', Buffer.alloc(0), 'image/png'],
    ['a script', HTML, 'text/javascript'],
  ])('is refused of %s', async (_case, content, type) => expect(await shown(content, type)).toBeUndefined());
});

describe('names in an archive', () => {
  test('are made unique, also where case does not count', () => {
    expect(archiveNames(['a.txt', 'A.TXT', 'a.txt', 'a (2).txt', 'b'])).toEqual([
      ...['a.txt', 'A (2).TXT', 'a (3).txt', 'a (2) (2).txt', 'b'],
    ]);
  });

  test.each([
    ['../../../etc/passwd', '.._.._.._etc_passwd'],
    ['C:\\autoexec.bat', 'C__autoexec.bat'],
    ['in\u202Etxt.exe', 'in_txt.exe'],
    ['a\0b', 'a_b'],
    ['NUL', '_NUL'],
    ['con.txt', '_con.txt'],
    ['trailing. . ', 'trailing'],
    ['..', 'attachment'],
  ])('are fit for every disk: %j', (name, safe) => expect(archiveNames([name])).toEqual([safe]));

  test('hold for any names', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (names) => {
        const safe = archiveNames(names);
        expect(safe).toHaveLength(names.length);
        expect(new Set(safe.map((name) => name.normalize('NFC').toLowerCase())).size).toBe(names.length);
        for (const name of safe) expect(name).not.toMatch(/[/\\\0]|^\.*$/);
      }),
    );
  });

  test('take a thousand equal names in a thousand steps', () => {
    expect(new Set(archiveNames(Array<string>(20_000).fill('x.png'))).size).toBe(20_000);
  });
});
