/**
 * Properties of the sanitiser, checked on the tree that an HTML parser of the browsers' kind (parse5) makes of its
 * result: only what is on the lists is there, whatever came in, and sanitising again changes nothing that matters.
 */
import fc from 'fast-check';
import { parse, type DefaultTreeAdapterTypes as Tree } from 'parse5';
import { describe, expect, test } from 'vitest';
import { sanitiseMail } from '../../../gateways/web/mail/reading/html/html-mail.ts';
import { HTML_ROWS } from '../../e2e/hostile/html-rows.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
const RUNS = { seed: SEED, numRuns: 1500 };

const sanitised = (html: string, remoteImages = false) =>
  sanitiseMail(html, { inlineImages: new Map([['logo@x', 'data:image/png;base64,AA==']]), remoteImages });

const KNOWN = new Set(
  (
    'a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del dfn div dl dt ' +
    'em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q s samp ' +
    'section small span strike strong sub sup table tbody td tfoot th thead time tr tt u ul var wbr'
  ).split(' '),
);
const OURS = new Set(['html', 'head', 'body', 'meta', 'style']);
const ATTRIBUTES = new Set(
  (
    'class style align valign bgcolor dir lang title width height href target rel src alt color face size border ' +
    'cellpadding cellspacing colspan rowspan nowrap scope start type'
  ).split(' '),
);
const BAD_STYLE = /url|@import|@font-face|expression|position|image-set|var\(|[<\\]/i;

/** What is wrong with the document, in words. */
function faults(document: string, remoteImages: boolean): string[] {
  const found: string[] = [];
  const root = parse(document);
  walk(root, (element) => {
    const { tagName, attrs } = element;
    const ours = OURS.has(tagName) && element.namespaceURI.endsWith('xhtml');
    if (!KNOWN.has(tagName) && !ours) found.push(`<${tagName}> in ${element.namespaceURI}`);
    if (tagName === 'style') {
      for (const child of element.childNodes) {
        const text = 'value' in child ? child.value : '';
        if (BAD_STYLE.test(text)) found.push(`style ${text}`);
      }
    }
    for (const { name, value } of attrs) {
      if (ours && ['charset', 'name', 'content'].includes(name)) continue;
      if (!ATTRIBUTES.has(name)) found.push(`${tagName} ${name}`);
      if (name === 'style' && BAD_STYLE.test(value)) found.push(`style="${value}"`);
      if (name === 'href' && !/^(?:https?:\/\/|\/mail\/compose\?to=)/i.test(value))
        found.push(`href ${value}`);
      const pictures = remoteImages ? /^(?:data:image\/|https?:\/\/)/i : /^data:image\//;
      if (name === 'src' && (tagName !== 'img' || !pictures.test(value))) found.push(`src ${value}`);
    }
    if (tagName === 'style' && element.parentNode !== null && 'tagName' in element.parentNode) {
      if (element.parentNode.tagName !== 'head') found.push('a sheet in the body');
    }
  });
  return found;
}

function walk(node: Tree.Node, visit: (element: Tree.Element) => void): void {
  if ('tagName' in node) visit(node);
  if ('content' in node) walk(node.content, visit);
  if ('childNodes' in node) for (const child of node.childNodes) walk(child, visit);
}

const names = fc.constantFrom(
  ...[
    'p',
    'a',
    'img',
    'svg',
    'math',
    'style',
    'title',
    'template',
    'noscript',
    'table',
    'td',
    'form',
    'select',
  ],
  ...['mtext', 'mglyph', 'annotation-xml', 'foreignObject', 'desc', 'textarea', 'xmp', 'plaintext', 'iframe'],
  ...[
    'script',
    'base',
    'meta',
    'link',
    'object',
    'body',
    'html',
    'noembed',
    'noframes',
    'option',
    'frameset',
  ],
);
const attribute = fc
  .tuple(
    fc.constantFrom(
      'href',
      'src',
      'style',
      'title',
      'id',
      'onerror',
      'class',
      'media',
      'xlink:href',
      'srcdoc',
      '"',
    ),
    fc.constantFrom('"', "'", ''),
    fc.constantFrom(
      ...[
        'javascript:x()',
        'java&Tab;script:x()',
        'http://e.example/1',
        '//e.example',
        'cid:logo@x',
        '/logout',
      ],
      ...['</style><img src=x onerror=x()>', '--><svg onload=x()>', 'color:red;background:url(//e)', '`'],
      ...[
        'all{}p{color:red}',
        'mailto:a@b.example?x',
        'data:text/html,x',
        'data:image/png;base64,AA==',
        '\0',
      ],
    ),
  )
  .map(([name, quote, value]) => ` ${name}=${quote}${value}${quote}`);
const opening = fc
  .tuple(names, fc.array(attribute, { maxLength: 3 }), fc.constantFrom('>', '/>', '', '\n>'))
  .map(([name, attributes, end]) => `<${name}${attributes.join('')}${end}`);
const closing = names.map((name) => `</${name}>`);
const noise = fc.constantFrom(
  ...[
    '<!--',
    '-->',
    '--!>',
    '<![CDATA[',
    ']]>',
    '<!',
    '<?',
    '&lt;img src=x onerror=x()&gt;',
    '\0',
    '"',
    "'",
    '>',
  ],
  ...['p{color:red}', '@import "x";', '@media all{p{background:url(x)}}', '}', 'words', '&#x3c;script&#x3e;'],
);
const nasty = fc
  .array(fc.oneof({ weight: 4, arbitrary: opening }, { weight: 3, arbitrary: closing }, noise), {
    maxLength: 25,
  })
  .map((pieces) => pieces.join(''));

describe(`sanitised mail (FUZZ_SEED=${SEED} repeats this run)`, () => {
  test.each(HTML_ROWS.map(({ name, html }) => [name, html]))(
    'has only what is allowed: %s',
    (_name, html) => {
      expect(faults(sanitised(html), false)).toEqual([]);
      expect(faults(sanitised(html, true), true)).toEqual([]);
    },
  );

  test('has only what is allowed, whatever came in', () => {
    fc.assert(
      fc.property(nasty, fc.boolean(), (html, remoteImages) => {
        expect(faults(sanitised(html, remoteImages), remoteImages)).toEqual([]);
      }),
      RUNS,
    );
  });

  test('is the same when sanitised again', () => {
    // What matters: the words, and every link, picture and style. (How many empty paragraphs a parser makes
    // of a `</p>` that stands alone does not.) Links into our own pages are written by the first pass and
    // dropped by the second, as any mail's would be.
    const matters = (document: string) => {
      const seen = new Set<string>();
      let words = '';
      walk(parse(document), ({ tagName, attrs, childNodes }) => {
        const kept = attrs.filter(({ value }) => !value.startsWith('/mail/compose'));
        if (kept.length > 0)
          seen.add([tagName, ...kept.map(({ name, value }) => `${name}=${value}`)].join(' '));
        for (const child of childNodes) words += 'value' in child ? child.value : '';
      });
      return { seen: [...seen].sort(), letters: [...words.replace(/\s+/g, '')].sort().join('') };
    };
    const body = (document: string) => document.slice(document.indexOf('<body>') + '<body>'.length);
    fc.assert(
      fc.property(nasty, (html) => {
        const once = body(sanitised(html, true));
        expect(matters(body(sanitised(once, true)))).toEqual(matters(once));
      }),
      RUNS,
    );
  });

  test('takes no longer than its length allows: 16 times as much takes not 100 times as long', () => {
    /** In ms of the processor: what else runs on this machine does not count. */
    const timed = (html: string) => {
      const started = process.cpuUsage();
      sanitised(html);
      const { user, system } = process.cpuUsage(started);
      return (user + system) / 1000;
    };
    for (const piece of [
      '<div>',
      '<svg>',
      '<b></i>',
      '<li><ul>',
      '<a href="x">',
      '<p a="',
      '{',
      '<!--',
      '<style>p{',
    ]) {
      const of = (chars: number) => piece.repeat(chars / piece.length);
      const small = Math.max(5, Math.min(timed(of(62_500)), timed(of(62_500))));
      expect([piece, timed(of(1_000_000)) / small < 100]).toEqual([piece, true]);
    }
  });

  test('keeps the words of a mail that nests too deeply', () => {
    const deep = sanitised(`<p>before</p>${'<div>'.repeat(5_000)}<b>after</b><script>x()</script>`);
    expect(deep).toContain('<p>before</p>');
    expect(deep).toContain('after');
    expect(faults(deep, false)).toEqual([]);
  });
});
