/**
 * Plain text as the page shows it: addresses of the web and of people become links, quoted lines fold.
 * The result is data for a template, which escapes every piece; nothing here makes HTML.
 */
export type Piece = { readonly text: string; readonly href?: string; readonly own?: boolean };
export type Block = { readonly quoted: boolean; readonly lines: number; readonly pieces: readonly Piece[] };

/** http, https and bare mail addresses. Bounded runs, so that no text can make matching slow. */
const LINK =
  /\bhttps?:\/\/[^\s<>"'`\\^{|}]{1,2000}|\b[a-z0-9][a-z0-9._%+-]{0,63}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}\b/gi;

export function linked(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(LINK)) {
    const found = withoutTrailing(match[0]);
    if (match.index > at) pieces.push({ text: text.slice(at, match.index) });
    pieces.push(linkTo(found));
    at = match.index + found.length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at) });
  return pieces;
}

/** Runs of lines that are quoted ('>') or not, each with its links. */
export function blocks(text: string): Block[] {
  const runs: { quoted: boolean; lines: string[] }[] = [];
  for (const line of text.trimEnd().split('\n')) {
    const quoted = line.startsWith('>');
    const run = runs.at(-1);
    if (run !== undefined && (run.quoted === quoted || (line.trim() === '' && !run.quoted)))
      run.lines.push(line);
    else runs.push({ quoted, lines: [line] });
  }
  return runs.map(({ quoted, lines }) => ({ quoted, lines: lines.length, pieces: linked(lines.join('\n')) }));
}

function linkTo(found: string): Piece {
  if (/^https?:/i.test(found)) return URL.canParse(found) ? { text: found, href: found } : { text: found };
  return { text: found, href: `/mail/compose?to=${encodeURIComponent(found)}`, own: true };
}

/** A sentence's full stop, and a bracket that was opened before the link, are not part of it. */
function withoutTrailing(link: string): string {
  let end = link.length;
  let unopened = count(link, ')') - count(link, '(');
  for (; end > 0; end--) {
    const last = link.charAt(end - 1);
    if (last === ')' && unopened > 0) unopened--;
    else if (!/[.,;:!?*\]]/.test(last)) break;
  }
  return link.slice(0, end);
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}
