/**
 * HTML mail, made harmless. Three walls stand one behind the other, and each has to hold alone: sanitising
 * (this file, with mail-styles.ts for its styles), a sandboxed frame without scripts and without our
 * origin, and that frame's own Content-Security-Policy, which loads nothing but data: images until the
 * reader asks for the sender's. The result is never touched again: it stands behind a head of ours, on paper also
 * behind lines of ours, and no string is put into it afterwards.
 *
 * Left out: pictures of styles (`background`), `srcset`, video and sound; they stay away, asked for or not.
 */
import { Parser } from 'htmlparser2';
import sanitize from 'sanitize-html';
import { boundNesting } from './html-nesting.ts';
import { filterDeclarations, filterSheet } from './mail-styles.ts';

export type MailRendering = {
  /** data: URIs of the message's own images by Content-ID. */
  readonly inlineImages: ReadonlyMap<string, string>;
  readonly remoteImages: boolean;
  /** Lines of ours in front of the mail, for paper. Requires HTML that is escaped where it holds foreign words. */
  readonly front?: string;
};

/** A whole document. */
export function sanitiseMail(html: string, rendering: MailRendering): string {
  const dirty = boundNesting(html);
  const body = sanitize(dirty, {
    allowedTags: TAGS,
    allowedAttributes: ATTRIBUTES,
    parseStyleAttributes: false,
    allowedSchemes: ['http', 'https', 'mailto'],
    allowedSchemesByTag: { img: ['http', 'https', 'data'] },
    allowProtocolRelative: false,
    disallowedTagsMode: 'discard',
    // Vanish with what stands in them.
    nonTextTags: ['script', 'style', 'textarea', 'option', 'noscript', 'title', 'xmp', 'template'],
    nestingLimit: 100,
    transformTags: {
      a: (tagName, attribs) => ({ tagName, attribs: link(attribs) }),
      img: (tagName, attribs) => ({ tagName, attribs: picture(attribs, rendering) }),
      '*': (tagName, attribs) => ({ tagName, attribs: styled(attribs) }),
    },
  });
  const head = `${HEAD}<style>${sheetsOf(dirty)}</style></head>`;
  return rendering.front === undefined ? `${head}<body>${body}` : onPaper(head, rendering.front, body);
}

/**
 * The mail's sheets and margins reach what stands around it: so that they neither hide nor cover the lines in front,
 * these resist every sheet, and the mail lies in a box that clips it. (The sanitiser closes what it
 * opens, so a mail cannot end the box.)
 */
function onPaper(head: string, front: string, body: string): string {
  const page = head.replace('<html>', `<html style="${UNMOVED}">`);
  const box = `${UNMOVED};overflow:hidden!important;padding:16px!important`;
  return `${page}<body style="${UNMOVED}">${front}<div style="${box}">${body}</div>`;
}

/** For a `style` attribute: as the page would show it if the mail had no sheets. */
export const UNMOVED = [
  ...[
    'display:block',
    'float:none',
    'width:auto',
    'min-width:0',
    'max-width:none',
    'height:auto',
    'min-height:0',
  ],
  ...['max-height:none', 'overflow:visible', 'margin:0', 'padding:0', 'border:0', 'opacity:1', 'color:#000'],
  ...[
    'background:#fff',
    'font:14px/1.5 system-ui,sans-serif',
    'letter-spacing:normal',
    'word-spacing:normal',
  ],
  ...['text-indent:0', 'text-align:left', 'text-transform:none', 'white-space:normal', 'direction:ltr'],
]
  .map((declaration) => `${declaration}!important`)
  .join(';');

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

/** Of all sheets together; newsletters have some 20,000. */
const SHEETS_CHARS_MAX = 400_000;

/** The style sheets of a mail, filtered, for the head of our document. */
function sheetsOf(dirty: string): string {
  let kept = '';
  let left = SHEETS_CHARS_MAX;
  let sheet: { text: string; readonly media: string | undefined } | undefined;
  const parser = new Parser({
    onopentag(name, { media }) {
      if (name === 'style' && left > 0) sheet = { text: '', media };
    },
    ontext(text) {
      if (sheet === undefined) return;
      sheet.text += text;
      left -= text.length;
    },
    onclosetag(name) {
      if (name !== 'style' || sheet === undefined) return;
      kept += filterSheet(sheet.media === undefined ? sheet.text : `@media ${sheet.media}{${sheet.text}}`);
      sheet = undefined;
    },
  });
  parser.end(dirty);
  return kept;
}

/**
 * The sender's links open apart, and tell nobody where they were read; addresses of people lead to our compose page.
 * Nothing relative: it would lead into our own pages.
 */
function link({ href = '', title, style, class: names }: sanitize.Attributes): sanitize.Attributes {
  const given = href.trim();
  const target = REMOTE.test(given) ? given : mailTo(given);
  return {
    ...(target !== undefined && { href: target }),
    ...(title !== undefined && { title }),
    ...(style !== undefined && { style }),
    ...(names !== undefined && { class: names }),
    target: '_blank',
    rel: 'noopener noreferrer nofollow',
  };
}

function mailTo(href: string): string | undefined {
  const address = /^mailto:([^?#\s]{1,320})/i.exec(href)?.[1];
  return address && `/mail/compose?to=${encodeURIComponent(unescaped(address))}`;
}

const REMOTE = /^https?:\/\//i;
const DATA_IMAGE = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+$/;

function picture(attribs: sanitize.Attributes, rendering: MailRendering): sanitize.Attributes {
  const { src = '', alt = '', srcset: _, ...rest } = attribs;
  const url = pictureUrl(src.trim(), rendering);
  return { ...rest, alt, ...(url !== undefined && { src: url }) };
}

function pictureUrl(src: string, { inlineImages, remoteImages }: MailRendering): string | undefined {
  if (/^cid:/i.test(src)) return inlineImages.get(unescaped(src.slice(4)));
  if (DATA_IMAGE.test(src)) return src;
  return remoteImages && REMOTE.test(src) ? src : undefined;
}

function styled({ style, ...attribs }: sanitize.Attributes): sanitize.Attributes {
  const kept = style === undefined ? '' : filterDeclarations(style);
  return kept === '' ? attribs : { ...attribs, style: kept };
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const HEAD = `<!doctype html><html><head><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width"><style>
html{color-scheme:light;background:#fff}body{margin:16px;font:15px/1.5 system-ui,sans-serif;color:#1d1f23;overflow-wrap:anywhere}
img{max-width:100%;height:auto}table{max-width:100%}pre{white-space:pre-wrap}blockquote{margin:0 0 0 4px;padding-left:12px;border-left:2px solid #d0d3d9}
</style>`;

/** Text, lists, tables and pictures. */
const TAGS = [
  'a abbr address article aside b bdi bdo big blockquote br caption center cite code col',
  'colgroup dd del dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header',
  'hr i img ins kbd li main mark nav ol p pre q s samp section small span strike strong sub',
  'sup table tbody td tfoot th thead time tr tt u ul var wbr',
].flatMap((line) => line.split(' '));

const ATTRIBUTES: Record<string, string[]> = {
  '*': ['class', 'style', 'align', 'valign', 'bgcolor', 'dir', 'lang', 'title', 'width', 'height'],
  a: ['href', 'target', 'rel'],
  img: ['src', 'alt', 'width', 'height'],
  font: ['color', 'face', 'size'],
  table: ['border', 'cellpadding', 'cellspacing'],
  td: ['colspan', 'rowspan', 'nowrap'],
  th: ['colspan', 'rowspan', 'nowrap', 'scope'],
  ol: ['start', 'type'],
  ul: ['type'],
};
