/**
 * The signature under what is written: RFC 3676 §4.3, two hyphens and a space announce it. It follows From: when
 * another identity is chosen its signature takes the place of the one before. One that was changed by hand is the
 * writer's own text, and stays.
 */
export function signed(signature: string): string {
  return signature === '' ? '' : `\n\n-- \n${signature}`;
}

/** Where a text that is answered or forwarded begins. */
const QUOTED = /\n\n(?=[^\n]* wrote:\n>|-{5,})/;

/** `text` with the signature `now` in the place of `before`, its lines parted by LF. */
export function signedAnew(text: string, before: string, now: string): string {
  if (before === '') {
    const at = text.search(QUOTED);
    return at < 0 ? text.trimEnd() + signed(now) : text.slice(0, at) + signed(now) + text.slice(at);
  }
  const old = signed(before);
  for (let at = text.indexOf(old); at >= 0; at = text.indexOf(old, at + 1)) {
    const end = at + old.length;
    if (end === text.length || text[end] === '\n') return text.slice(0, at) + signed(now) + text.slice(end);
  }
  return text;
}
