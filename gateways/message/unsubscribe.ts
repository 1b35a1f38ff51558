/**
 * How to leave a mailing list, as its messages say: List-Unsubscribe (RFC 2369 §3.2), and List-Unsubscribe-Post
 * (RFC 8058) for one click. The ways are offered in the order of ease: one click, a letter, a page of the sender's.
 *
 * Always holds: one click only by https to a plain address without credentials; nothing is fetched here.
 */
import { isValidAddress } from './addresses.ts';
import type { HeaderBlock } from './header-block.ts';

export type Unsubscribe =
  | { readonly way: 'one-click'; readonly url: string; readonly host: string }
  | { readonly way: 'letter'; readonly to: string; readonly subject: string }
  | { readonly way: 'page'; readonly url: string; readonly host: string };

const FIELD_CHARS_MAX = 8_000;
const URL_CHARS_MAX = 2_000;

/** `isSigned`: whether a valid signature covers these fields: without one there is no single click (RFC 8058 §4). */
export function readUnsubscribe(
  header: Pick<HeaderBlock, 'all'>,
  isSigned: boolean,
): Unsubscribe | undefined {
  const fields = header.all('list-unsubscribe');
  const posts = header.all('list-unsubscribe-post');
  // RFC 8058 §3.1: exactly one of each; with more, nobody knows which was meant (or signed).
  const oneClick = isSigned && fields.length === 1 && posts.length === 1 && isOneClick(posts[0] ?? '');
  const uris = [...(fields[0] ?? '').slice(0, FIELD_CHARS_MAX).matchAll(/<\s*([^<>]*?)\s*>/g)].map(
    ([, uri]) => (uri ?? '').replace(/\s+/g, ''),
  );
  const pages = uris.flatMap((uri) => pageOf(uri) ?? []);
  const secure = pages.find(({ url }) => url.startsWith('https:'));
  if (oneClick && secure !== undefined) return { way: 'one-click', ...secure };
  const letter = uris.map(letterOf).find((found) => found !== undefined);
  if (letter !== undefined) return { way: 'letter', ...letter };
  const page = secure ?? pages[0];
  return page && { way: 'page', ...page };
}

function isOneClick(value: string): boolean {
  return /^list-unsubscribe=one-click$/i.test(value.trim());
}

function pageOf(uri: string): { url: string; host: string } | undefined {
  if (!/^https?:\/\//i.test(uri) || uri.length > URL_CHARS_MAX || !URL.canParse(uri)) return undefined;
  const url = new URL(uri);
  return url.username === '' && url.password === '' ? { url: url.href, host: url.host } : undefined;
}

function letterOf(uri: string): { to: string; subject: string } | undefined {
  if (!/^mailto:/i.test(uri) || !URL.canParse(uri)) return undefined;
  const url = new URL(uri);
  const to = decoded(url.pathname);
  // URLSearchParams reads '+' as a space, which in a mailto is a plus (RFC 6068 §5).
  const subject = new URLSearchParams(url.search.replaceAll('+', '%2B')).get('subject') ?? 'unsubscribe';
  return isValidAddress(to)
    ? { to, subject: subject.replace(/[\0-\x1f\x7f]/g, ' ').slice(0, 200) }
    : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
