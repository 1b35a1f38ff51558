/**
 * Who may send a form: the page that we showed to this very visitor. Two checks, both needed: the form
 * carries a token bound to the visitor's or session's cookie, and the browser, if it says where the
 * request came from, names this same host.
 *
 *   token = salt "." HMAC-SHA256(secret, "form" NUL salt NUL subject)     both base64url; salt: 16 random bytes
 *
 * The salt makes each page's token different, so that compression leaks nothing about it (BREACH).
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** `subject`: the cookie that the form hangs on. */
export function csrfToken(secret: string, subject: string): string {
  const salt = randomBytes(16).toString('base64url');
  return `${salt}.${sign(secret, salt, subject)}`;
}

export function csrfTokenHolds(secret: string, subject: string, token: string): boolean {
  const [salt, mac, ...rest] = token.split('.');
  if (!salt || !mac || rest.length > 0) return false;
  // Compared as text: base64 has several spellings of the same bytes, and only ours is taken.
  const given = Buffer.from(mac);
  const expected = Buffer.from(sign(secret, salt, subject));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** False if the browser says that another site sent this. Clients that say nothing (curl) are not browsers. */
export function fromThisHost(headers: IncomingHttpHeaders): boolean {
  const { origin, host } = headers;
  if (origin !== undefined) return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
  const site = headers['sec-fetch-site'];
  return site === undefined || site === 'same-origin' || site === 'none';
}

function sign(secret: string, salt: string, subject: string): string {
  return createHmac('sha256', secret).update(`form\0${salt}\0${subject}`).digest('base64url');
}
