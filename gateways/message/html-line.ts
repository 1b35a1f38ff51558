/**
 * The words of a piece of HTML on one line, for a snippet. One linear pass, no parser: tags and
 * comments vanish, so does what stands in `head`, `style`, `script` and `title`; the common entities
 * are decoded. The result is plain text, to be escaped like any other.
 */
import { oneLine } from './readable-text.ts';

const SILENT = new Set(['head', 'style', 'script', 'title']);

const ENTITIES = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', ' '],
]);

export function htmlToLine(html: string, charsMax: number): string {
  let text = '';
  let at = 0;
  // Elements known not to be closed any more: looked for once, so that the pass stays linear.
  const unclosed = new Set<string>();
  while (at < html.length) {
    const open = html.indexOf('<', at);
    text += html.slice(at, open < 0 ? html.length : open);
    if (open < 0) break;
    const comment = html.startsWith('<!--', open);
    const close = comment ? html.indexOf('-->', open) + 2 : html.indexOf('>', open);
    if (close < open) break;
    const name = /^<([a-z]+)/i.exec(html.slice(open, open + 12))?.[1]?.toLowerCase() ?? '';
    const end = SILENT.has(name) && !unclosed.has(name) ? endTag(html, close, name) : -1;
    if (end < 0 && SILENT.has(name)) unclosed.add(name);
    at = Math.max(end, close + 1);
    text += ' ';
  }
  return oneLine(decodeEntities(text), charsMax);
}

/** Where `</name` begins, or -1. */
function endTag(html: string, from: number, name: string): number {
  const end = new RegExp(`</${name}`, 'ig');
  end.lastIndex = from;
  return end.exec(html)?.index ?? -1;
}

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,4}));?/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES.get(String(name).toLowerCase()) ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
  });
}
