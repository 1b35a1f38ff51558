/**
 * HTML mail, made harmless. Three walls stand one behind the other: sanitising (this file), a sandboxed
 * frame without scripts and without our origin, and that frame's own Content-Security-Policy, which
 * loads nothing but data: images until the reader asks for the sender's. The result is never touched
 * again: no string is put into it afterwards.
 */
import sanitize from 'sanitize-html';

export type MailRendering = {
  /** data: URIs of the message's own images by Content-ID. */
  readonly inlineImages: ReadonlyMap<string, string>;
  readonly remoteImages: boolean;
};

/** A whole document. */
export function sanitiseMail(dirty: string, rendering: MailRendering): string {
  const body = sanitize(dirty, {
    allowedTags: TAGS,
    allowedAttributes: ATTRIBUTES,
    allowedStyles: { '*': STYLES },
    allowedSchemes: ['http', 'https', 'mailto'],
    allowedSchemesByTag: { img: ['http', 'https', 'data'] },
    allowProtocolRelative: false,
    disallowedTagsMode: 'discard',
    // Vanish with what stands in them.
    nonTextTags: ['script', 'style', 'textarea', 'option', 'noscript', 'title', 'xmp', 'template'],
    nestingLimit: 100,
    // The sender's links open apart, and tell nobody where they were read.
    transformTags: {
      a: (tagName, { href, title }) => ({
        tagName,
        attribs: {
          ...(href && { href }),
          ...(title && { title }),
          target: '_blank',
          rel: 'noopener noreferrer nofollow',
        },
      }),
      img: (tagName, attribs) => {
        const source = imageSource(attribs['src'] ?? '', rendering.inlineImages);
        const shown = source.url !== undefined && (!source.remote || rendering.remoteImages);
        const { width, height, alt, style } = attribs;
        return {
          tagName,
          attribs: {
            ...sized({ width, height, style }),
            alt: alt ?? '',
            ...(shown && { src: source.url ?? '' }),
          },
        };
      },
    },
  });
  return `${HEAD}${body}`;
}

/** The frame's own policy. `sandbox` lacks allow-scripts and allow-same-origin: the mail is nobody. */
export function framePolicy(remoteImages: boolean): string {
  return [
    'sandbox allow-popups allow-popups-to-escape-sandbox',
    "default-src 'none'",
    `img-src data:${remoteImages ? ' https: http:' : ''}`,
    "style-src 'unsafe-inline'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'self'",
  ].join('; ');
}

const DATA_IMAGE = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+$/;

function imageSource(
  src: string,
  inline: ReadonlyMap<string, string>,
): { url: string | undefined; remote: boolean } {
  const given = src.trim();
  if (/^cid:/i.test(given)) return { url: inline.get(contentId(given.slice(4))), remote: false };
  if (DATA_IMAGE.test(given)) return { url: given, remote: false };
  if (/^https?:\/\//i.test(given)) return { url: given, remote: true };
  return { url: undefined, remote: false };
}

function contentId(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function sized(attribs: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(attribs).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}

const HEAD = `<!doctype html><html><head><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width"><style>
html{color-scheme:light;background:#fff}body{margin:16px;font:15px/1.5 system-ui,sans-serif;color:#1d1f23;overflow-wrap:anywhere}
img{max-width:100%;height:auto}table{max-width:100%}pre{white-space:pre-wrap}blockquote{margin:0 0 0 4px;padding-left:12px;border-left:2px solid #d0d3d9}
</style></head><body>`;

const TAGS = [
  ...[
    'a',
    'abbr',
    'address',
    'article',
    'aside',
    'b',
    'bdi',
    'bdo',
    'big',
    'blockquote',
    'br',
    'caption',
    'center',
  ],
  ...[
    'cite',
    'code',
    'col',
    'colgroup',
    'dd',
    'del',
    'dfn',
    'div',
    'dl',
    'dt',
    'em',
    'figcaption',
    'figure',
    'font',
  ],
  ...[
    'footer',
    'h1',
    'h2',
    'h3',
    'h4',
    'h5',
    'h6',
    'header',
    'hr',
    'i',
    'img',
    'ins',
    'kbd',
    'li',
    'main',
    'mark',
  ],
  ...[
    'nav',
    'ol',
    'p',
    'pre',
    'q',
    's',
    'samp',
    'section',
    'small',
    'span',
    'strike',
    'strong',
    'sub',
    'sup',
  ],
  ...['table', 'tbody', 'td', 'tfoot', 'th', 'thead', 'time', 'tr', 'tt', 'u', 'ul', 'var', 'wbr'],
];

const ATTRIBUTES: Record<string, string[]> = {
  '*': ['style', 'align', 'valign', 'bgcolor', 'dir', 'lang', 'title', 'width', 'height'],
  a: ['href', 'target', 'rel'],
  img: ['src', 'alt', 'width', 'height'],
  font: ['color', 'face', 'size'],
  table: ['border', 'cellpadding', 'cellspacing'],
  td: ['colspan', 'rowspan', 'nowrap'],
  th: ['colspan', 'rowspan', 'nowrap', 'scope'],
  ol: ['start', 'type'],
  ul: ['type'],
};

/** Values without parentheses cannot call url(), expression() or anything else; rgb() is the one exception. */
const PLAIN = [/^[^()\\@<>;{}]{1,200}$/, /^rgba?\([\d\s.,%]{1,40}\)$/i];

const STYLES = Object.fromEntries(
  [
    ...[
      'color',
      'background',
      'background-color',
      'font',
      'font-family',
      'font-size',
      'font-style',
      'font-weight',
    ],
    ...['line-height', 'letter-spacing', 'text-align', 'text-decoration', 'text-indent', 'text-transform'],
    ...['vertical-align', 'white-space', 'word-break', 'direction', 'list-style-type'],
    ...['width', 'max-width', 'min-width', 'height', 'max-height', 'display', 'float', 'clear'],
    ...['margin', 'margin-top', 'margin-right', 'margin-bottom', 'margin-left'],
    ...['padding', 'padding-top', 'padding-right', 'padding-bottom', 'padding-left'],
    ...[
      'border',
      'border-top',
      'border-right',
      'border-bottom',
      'border-left',
      'border-color',
      'border-style',
    ],
    ...['border-width', 'border-radius', 'border-collapse', 'border-spacing', 'table-layout'],
  ].map((property) => [property, PLAIN]),
);
