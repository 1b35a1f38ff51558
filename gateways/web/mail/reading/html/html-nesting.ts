/**
 * HTML nested so deeply that parsers lose their way: 800 KB of `<div>` hold htmlparser2, and all that stands on it,
 * for ten seconds (the work grows with the square of the depth), and the gateway with it. Browsers
 * themselves stop at 512 levels. From the place where a mail goes deeper, its tags are dropped and its words kept.
 *
 * Always holds: linear work; what nests less is returned as it came. The result is as dirty as what came in.
 */
import { Parser } from 'htmlparser2';

const LEVELS_MAX = 500;
/** How far a mail may go beyond the limit before that is noticed: each step can add a level for 3 characters. */
const STEP_CHARS = 2_048;

export function boundNesting(html: string): string {
  let levels = 0;
  const parser = new Parser({
    onopentagname: () => levels++,
    onclosetag: () => levels--,
  });
  for (let at = 0; at < html.length; at += STEP_CHARS) {
    parser.write(html.slice(at, at + STEP_CHARS));
    if (levels > LEVELS_MAX) return html.slice(0, at) + withoutTags(html.slice(at));
  }
  return html;
}

function withoutTags(html: string): string {
  return html.replace(/<[^<>]*>?/g, ' ');
}
