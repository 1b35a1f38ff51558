/** What is left of formatted text, and the plain text that is made of it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plainOf, sanitiseWritten } from '../../../gateways/message/rich-text.ts';

describe('formatted text', () => {
  test.each([
    ['scripts', '<p>a</p><script>alert(1)</script>', '<p>a</p>'],
    ['handlers', '<b onclick="x()" onerror=y>a</b>', '<b>a</b>'],
    ['styles and classes', '<p style="background:url(//evil)" class=x id=y>a</p>', '<p>a</p>'],
    ['pictures and frames', '<img src=x onerror=y>a<iframe src=//evil></iframe><svg onload=x>', 'a'],
    ['links that run', '<a href="javascript:x">a</a>', '<a>a</a>'],
    ['links without a scheme', '<a href="//evil.example">a</a>', '<a>a</a>'],
    ['data links', '<a href="data:text/html,x">a</a>', '<a>a</a>'],
    ['forms', '<form action=//evil><button>a</button></form>', 'a'],
    ['meta and base', '<base href=//evil><meta http-equiv=refresh content=0>a', 'a'],
  ])('loses %s', (_what, html, clean) => {
    expect(sanitiseWritten(html)).toBe(clean);
  });

  test('keeps bold, italic, underline, lists, quotes and links', () => {
    const html =
      '<p><b>a</b><i>b</i><u>c</u></p><ol><li>d</li></ol><blockquote>e</blockquote><a href="mailto:x@y.zz">f</a>';
    expect(sanitiseWritten(html)).toBe(html);
  });

  test('without anything to read is no text at all', () => {
    expect(sanitiseWritten('<div><br></div><p>&nbsp;</p><img src=x>')).toBe('');
  });

  test('in whatever an editor or an attacker writes, is sound, and stays as it is when read again', () => {
    const tag = fc.constantFrom('p', 'div', 'b', 'script', 'img', 'a', 'ul', 'li', 'svg', 'style', 'xmp');
    const piece = fc.oneof(
      fc.string({ maxLength: 12 }),
      tag.map((name) => `<${name}>`),
      tag.map((name) => `</${name}>`),
      fc.constantFrom(
        '<a href="javascript:x">',
        '<img src=x onerror=y>',
        '<!--',
        '-->',
        '&lt;script&gt;',
        '"',
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const clean = sanitiseWritten(pieces.join(''));
        expect(clean).not.toMatch(/<(?!\/?(?:p|div|br|b|strong|i|em|u|ul|ol|li|a|blockquote)\b)/);
        expect(clean.replace(/&lt;[^&]*/g, '')).not.toMatch(/<[^>]*(?:javascript:|onerror|onclick)/);
        expect(sanitiseWritten(clean)).toBe(clean);
        expect(typeof plainOf(clean)).toBe('string');
      }),
      { examples: [[['<p>', '<A', '<p>', '-->', '<p>']]] },
    );
  });
});

describe('its plain form', () => {
  test('shows lists by their marks, quotes by ">", and addresses behind their words', () => {
    const html =
      '<p>See <a href="https://a.example/?b=1&amp;c">here</a>:</p><ul><li>one<ul><li>inner</li></ul></li><li>two</li></ul>' +
      '<ol><li>x</li><li>y</li></ol><blockquote><p>said</p><p>more</p></blockquote>';
    expect(plainOf(sanitiseWritten(html)).split('\n')).toEqual([
      'See here <https://a.example/?b=1&c>:',
      '- one',
      '  - inner',
      '- two',
      '1. x',
      '2. y',
      '> said',
      '> more',
    ]);
  });

  /** Each line as a browser's editor keeps it. */
  const richOf = (text: string): string =>
    text
      .split('\n')
      .map((line) => `<p>${line === '' ? '<br>' : escaped(line)}</p>`)
      .join('');

  test('of plain text is that text', () => {
    const line = fc.string({ maxLength: 30 }).map((text) => text.replace(/[\s\u00a0]+/g, ' ').trim());
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
        const text = lines.join('\n').trimEnd();
        expect(plainOf(richOf(text)).trimEnd()).toBe(text);
      }),
    );
  });
});

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
