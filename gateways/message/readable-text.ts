/**
 * Text that came from a stranger, made fit to stand on a page or in a cell: bounded, one line,
 * without characters that hide, reorder or break what stands around them. Nothing here escapes HTML;
 * the page does that.
 *
 * Left out on purpose: look-alike letters. A name in Cyrillic is a name.
 */

/** C0 and C1 controls (tab, CR, LF, NUL among them) and the two Unicode line separators. */
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** Marks, embeddings, overrides and isolates that change the reading direction (UAX #9), and the invisible BOM. */
const DIRECTION_MARKS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

const VANISHING_CHARS_MAX = 64 * 1024;

/** One neutral line of at most `charsMax` UTF-16 units, cut between characters, runs of space collapsed. */
export function oneLine(text: string, charsMax: number): string {
  // Cut first, with room for what vanishes (mail holds kilobytes of indentation), so that the work is bounded.
  const bounded = text.slice(0, charsMax * 4 + VANISHING_CHARS_MAX);
  return cut(
    bounded.replace(CONTROLS, ' ').replace(DIRECTION_MARKS, '').replace(/\s+/g, ' ').trim(),
    charsMax,
  );
}

/** Many lines: line ends become LF, tabs stay, other controls become U+FFFD so that their place shows. */
export function manyLines(text: string, charsMax: number): string {
  return cut(text, charsMax)
    .replace(/\r\n?/g, '\n')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd')
    .replace(DIRECTION_MARKS, '');
}

/** At most `charsMax` UTF-16 units; never ends in half a character; well-formed. */
export function cut(text: string, charsMax: number): string {
  if (text.length <= charsMax) return wellFormed(text);
  const last = text.charCodeAt(charsMax - 1);
  return wellFormed(text.slice(0, last >= 0xd800 && last <= 0xdbff ? charsMax - 1 : charsMax));
}

/** Lone surrogates cannot be written as UTF-8. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}
