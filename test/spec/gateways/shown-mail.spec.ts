import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blocks, linked } from '../../../gateways/web/mail/reading/plain-text.ts';
import { framePolicy, sanitiseMail } from '../../../gateways/web/mail/reading/html/html-mail.ts';

const shown = (html: string, more: { remoteImages?: boolean; inline?: Record<string, string> } = {}) => {
  const inlineImages = new Map(Object.entries(more.inline ?? {}));
  const page = sanitiseMail(html, { inlineImages, remoteImages: more.remoteImages ?? false });
  return { body: page.slice(page.indexOf('<body>') + '<body>'.length) };
};
const PIXEL = 'data:image/png;base64,iVBORw0KGgo=';

describe('HTML mail', () => {
  test.each([
    ['a script', '<script>alert(1)</script>'],
    ['a handler', '<img src=x onerror=alert(1)><p onclick="alert(1)">x</p>'],
    ['a javascript: link', '<a href="javascript:alert(1)">x</a><a href=" java\tscript:alert(1)">y</a>'],
    ['a data: link', '<a href="data:text/html,<script>alert(1)</script>">x</a>'],
    ['a vbscript: link', '<a href="vbscript:msgbox(1)">x</a>'],
    ['a frame', '<iframe src="https://evil.example"></iframe><frame src="https://evil.example">'],
    ['an object', '<object data="evil.swf"></object><embed src="evil.swf"><applet code="x"></applet>'],
    ['a form', '<form action="https://evil.example"><input name=password><button>Log in</button></form>'],
    ['a refresh', '<meta http-equiv="refresh" content="0;url=https://evil.example">'],
    ['a base', '<base href="https://evil.example">'],
    [
      'a stylesheet',
      '<link rel=stylesheet href="https://evil.example/a.css"><style>@import "https://evil.example"</style>',
    ],
    ['an SVG', '<svg onload=alert(1)><script>alert(1)</script><use href="https://evil.example#x"/></svg>'],
    ['MathML', '<math><mi xlink:href="javascript:alert(1)">x</mi></math>'],
    ['a template', '<template><script>alert(1)</script></template>'],
    ['a comment that ends early', '<!--><script>alert(1)</script>-->'],
    ['a broken tag', '<scr<script>ipt>alert(1)</scr</script>ipt>'],
    [
      'a title that swallows',
      '<title><img src=x onerror=alert(1)></title><textarea><script>alert(1)</script></textarea>',
    ],
  ])('loses %s', (_case, html) => {
    const { body } = shown(html);
    expect(body).not.toMatch(
      /<(script|iframe|frame|object|embed|applet|form|input|meta|base|link|style|svg|math|template)/i,
    );
    expect(body).not.toMatch(/\son\w+\s*=|javascript:|vbscript:|evil\.example/i);
    expect(body).not.toMatch(/(href|src)="data:text/i);
  });

  test.each([
    ['url()', 'background:url(https://evil.example/track.gif)'],
    ['url() in another case', 'background-image:URL( "https://evil.example" )'],
    ['an escaped url()', 'background:u\\72l(https://evil.example)'],
    ['expression()', 'width:expression(alert(1))'],
    ['a binding', '-moz-binding:url(https://evil.example#x)'],
    ['an overlay', 'position:fixed;top:0;left:0;z-index:9999'],
    ['image-set()', 'background:image-set("https://evil.example" 1x)'],
  ])('loses styles with %s', (_case, style) => {
    expect(shown(`<p style='${style}'>x</p>`).body).not.toMatch(
      /evil|url|expression|position|binding|image-set/i,
    );
  });

  test('keeps what people write: structure, links, colours, tables', () => {
    const { body } = shown(
      '<h1 style="color:#fff;background-color:rgb(1, 2, 3)">Hi</h1><table><tr><td colspan="2">x</td></tr></table><b>bold</b>',
    );
    expect(body).toContain('<h1 style="color:#fff;background-color:rgb(1,2,3)">Hi</h1>');
    expect(body).toContain('<td colspan="2">x</td>');
    expect(body).toContain('<b>bold</b>');
  });

  test('keeps the look of newsletters: sheets and classes, for wide and narrow', () => {
    const sheet = (css: string, media = '') => {
      const page = sanitiseMail(`<style${media}>${css}</style><p class="lead">x</p>`, {
        inlineImages: new Map(),
        remoteImages: false,
      });
      expect(page).toContain('<p class="lead">x</p>');
      return page.slice(page.lastIndexOf('<style>') + '<style>'.length, page.lastIndexOf('</style>')).trim();
    };
    expect(sheet('<!-- .lead, td > p:first-child { COLOR: #123; margin: 0 auto !important } -->')).toBe(
      '.lead,td>p:first-child{color:#123;margin:0 auto!important}',
    );
    expect(sheet('@media (max-width:600px){.lead{width:100%}}')).toMatch(
      /^@media \(max-width:600px\)\{\.lead\{width:100%\}\s*\}$/,
    );
    expect(sheet('p{color:red}', ' media="screen"')).toMatch(/^@media screen\{p\{color:red\}\s*\}$/);
    // Mail stays on white paper.
    expect(sheet('@media (prefers-color-scheme:dark){p{color:#fff}}')).toBe('');
  });

  test('leads to our compose page where a mail address is linked, and never into other pages of ours', () => {
    expect(shown('<a href="mailto:bob%2Bx@example.org?subject=x">x</a>').body).toContain(
      'href="/mail/compose?to=bob%2Bx%40example.org"',
    );
    for (const own of ['/logout', '../../account', '?images=1', '#x', '', 'mailto:']) {
      expect(shown(`<a href="${own}">x</a>`).body).not.toContain('href');
    }
  });

  test('opens links apart, telling nobody where they were read', () => {
    expect(shown('<a href="https://example.org/x?a=1&b=2" target="_top" rel="opener">x</a>').body).toBe(
      '<a href="https://example.org/x?a=1&amp;b=2" target="_blank" rel="noopener noreferrer nofollow">x</a>',
    );
  });

  test('loads no picture from elsewhere until the reader asks', () => {
    const html =
      '<img src="https://tracker.example/1.gif" alt="logo"><img src="http://tracker.example/2.gif">';
    expect(shown(html).body).not.toContain('tracker.example');
    expect(shown(html).body).toContain('alt="logo"');
    expect(shown(html, { remoteImages: true }).body).toContain('src="https://tracker.example/1.gif"');
  });

  test('never loads a picture without a scheme, whatever the reader asks', () => {
    expect(
      shown('<img src="//tracker.example/1.gif"><img src="/logout">', { remoteImages: true }).body,
    ).not.toMatch(/src=/);
  });

  test('shows its own pictures by their Content-ID', () => {
    expect(shown('<img src="cid:logo%40x">', { inline: { 'logo@x': PIXEL } }).body).toContain(
      `src="${PIXEL}"`,
    );
    expect(shown('<img src="cid:other">', { inline: { 'logo@x': PIXEL } }).body).not.toContain('src=');
  });

  test('shows pictures that lie in the message itself, but no SVG', () => {
    expect(shown(`<img src="${PIXEL}">`).body).toContain(PIXEL);
    expect(shown('<img src="data:image/svg+xml;base64,PHN2Zz4=">').body).not.toContain('svg');
  });

  test('is never worse than harmless, whatever is thrown at it', () => {
    const bits = fc.constantFrom(
      '<',
      '>',
      '"',
      "'",
      '/',
      '=',
      ' ',
      'script',
      'img',
      'src',
      'onerror',
      'style',
      'x',
      '<!--',
      '-->',
      'svg',
      '\0',
      '&lt;',
    );
    fc.assert(
      fc.property(fc.array(bits, { maxLength: 30 }), (pieces) => {
        expect(shown(pieces.join('')).body).not.toMatch(/<script|<svg|<img[^>]*\sonerror/i);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the frame around HTML mail', () => {
  test('runs no script and is not of our origin', () => {
    const policy = framePolicy(false);
    expect(policy).toContain('sandbox allow-popups');
    expect(policy).not.toMatch(/allow-scripts|allow-same-origin|allow-forms|allow-top-navigation/);
    expect(policy).toContain("default-src 'none'");
  });

  test('loads data: pictures only, and others once the reader asks', () => {
    expect(framePolicy(false)).toContain('img-src data:;');
    expect(framePolicy(true)).toContain('img-src data: https: http:;');
  });
});

describe('plain text', () => {
  const hrefs = (text: string) => linked(text).flatMap(({ href }) => (href === undefined ? [] : [href]));

  test('has links where addresses stand, without the punctuation around them', () => {
    expect(
      hrefs('See https://example.org/a?b=1, (http://example.com/x_(y)) or <https://example.net>.'),
    ).toEqual(['https://example.org/a?b=1', 'http://example.com/x_(y)', 'https://example.net']);
  });

  test('links people to a new message to them', () => {
    expect(linked('ask bob@example.org!')).toContainEqual({
      text: 'bob@example.org',
      href: '/mail/compose?to=bob%40example.org',
      own: true,
    });
  });

  test.each(['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'ftp://example.org'])(
    'links nothing else: %s',
    (text) => expect(hrefs(text)).toEqual([]),
  );

  test('loses no character', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.constantFrom('see http://a.b/c. ', 'x@y.z ', 'http://', '\n> q\n'),
    );
    fc.assert(
      fc.property(fc.array(texts), (pieces) => {
        const text = pieces.join('');
        expect(
          linked(text)
            .map((piece) => piece.text)
            .join(''),
        ).toBe(text);
      }),
    );
  });

  test('folds what is quoted', () => {
    expect(
      blocks('Yes.\n\n> Shall we?\n> Today?\n\nBye').map(({ quoted, lines }) => [quoted, lines]),
    ).toEqual([
      [false, 2],
      [true, 2],
      [false, 2],
    ]);
  });
});
