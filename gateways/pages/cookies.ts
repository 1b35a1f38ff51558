/**
 * The cookies of the pages. None is ever stored: the store knows only the sha256 of a session.
 *
 *   pc_visitor   32 random bytes; every visitor gets one, and the forms of a visitor who is not logged in hang on it
 *   pc_session   <account name>.<32 random bytes>; made anew at each log-in
 *   pc_step      who has shown the right password and still owes a code; ten minutes
 *   pc_known     which account this browser has logged in to last, signed; guessers elsewhere do not lock it out
 *   pc_console   32 random bytes; made when a one-time console link is used
 *
 * All are HttpOnly and SameSite=Lax; under TLS also Secure with the __Host- prefix.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

export const SESSION_MS = 30 * 24 * 3600 * 1000;
export const CONSOLE_SESSION_MS = 12 * 3600 * 1000;

export const STEP_MS = 10 * 60 * 1000;
const YEAR_MS = 365 * 24 * 3600 * 1000;

export type CookieName = 'pc_visitor' | 'pc_session' | 'pc_step' | 'pc_known' | 'pc_console';

/** A first step of logging in: the password of this version was right. */
export type FirstStep = { readonly account: string; readonly passwordVersion: number };

export class Cookies {
  private readonly secure: boolean;
  private readonly secret: string;

  constructor(options: { secure: boolean; secret: string }) {
    this.secure = options.secure;
    this.secret = options.secret;
  }

  read(request: FastifyRequest, name: CookieName): string | undefined {
    const value = request.cookies[this.nameOf(name)];
    return value !== undefined && /^[A-Za-z0-9._-]{16,128}$/.test(value) ? value : undefined;
  }

  set(reply: FastifyReply, name: CookieName, value: string, ageMs: number): void {
    reply.setCookie(this.nameOf(name), value, {
      path: '/',
      httpOnly: true,
      sameSite: 'lax',
      secure: this.secure,
      maxAge: Math.floor(ageMs / 1000),
    });
  }

  clear(reply: FastifyReply, name: CookieName): void {
    reply.clearCookie(this.nameOf(name), { path: '/', httpOnly: true, sameSite: 'lax', secure: this.secure });
  }

  /** The visitor's own cookie, made if the request brought none. */
  visitor(request: FastifyRequest, reply: FastifyReply): string {
    const known = this.read(request, 'pc_visitor');
    if (known !== undefined) return known;
    const made = randomBytes(32).toString('base64url');
    this.set(reply, 'pc_visitor', made, YEAR_MS);
    request.cookies[this.nameOf('pc_visitor')] = made;
    return made;
  }

  /**
   * A session value that nobody without the deployment's secret can guess, yet the same each time the same
   * visitor sends the same log-in form: a double click opens one session, not two. Another visitor who learns
   * the form's id (it stands in the log) gets another value.
   */
  sessionFor(request: FastifyRequest, account: string, commandId: string): string {
    const visitor = this.read(request, 'pc_visitor') ?? randomBytes(32).toString('base64url');
    const token = createHmac('sha256', this.secret)
      .update(`session\0${visitor}\0${account}\0${commandId}`)
      .digest('base64url');
    return `${account}.${token}`;
  }

  freshSession(account: string): string {
    return `${account}.${randomBytes(32).toString('base64url')}`;
  }

  /**
   * Remembers, in the browser alone, that the password was right: no session yet.
   *
   *   value = account "." version "." end (ms since 1970, base 36) "." HMAC-SHA256 over these and the visitor's cookie
   */
  setFirstStep(request: FastifyRequest, reply: FastifyReply, step: FirstStep, now: number): void {
    const said = `${step.account}.${step.passwordVersion}.${(now + STEP_MS).toString(36)}`;
    const mac = this.signStep(this.visitor(request, reply), said);
    this.set(reply, 'pc_step', `${said}.${mac}`, STEP_MS);
  }

  /** Undefined if there is none, if it is another visitor's, or too old. */
  firstStep(request: FastifyRequest, now: number): FirstStep | undefined {
    const value = this.read(request, 'pc_step') ?? '';
    const visitor = this.read(request, 'pc_visitor');
    const [, said, account, version, end, mac] =
      /^(([a-z0-9][a-z0-9._-]{1,31})\.(\d{1,12})\.([0-9a-z]{8,9}))\.([\w-]{43})$/.exec(value) ?? [];
    if (said === undefined || account === undefined || mac === undefined || visitor === undefined)
      return undefined;
    if (!isSame(mac, this.signStep(visitor, said))) return undefined;
    if (Number.parseInt(end ?? '', 36) <= now) return undefined;
    return { account, passwordVersion: Number(version) };
  }

  /**
   * Remembers in the browser that it has logged in to this account; it opens nothing.
   *
   *   value = account "." 16 random bytes "." HMAC-SHA256 over these
   */
  setKnown(request: FastifyRequest, reply: FastifyReply, account: string): void {
    if (this.known(request, account) !== undefined) return;
    const said = `${account}.${randomBytes(16).toString('base64url')}`;
    this.set(reply, 'pc_known', `${said}.${this.signKnown(said)}`, YEAR_MS);
  }

  /** What the browser is known by to this account; undefined if it never logged in to it, or to another since. */
  known(request: FastifyRequest, account: string): string | undefined {
    const value = this.read(request, 'pc_known') ?? '';
    const [, said = '', name, id, mac = ''] = /^((.{2,32})\.([\w-]{22}))\.([\w-]{43})$/.exec(value) ?? [];
    return name === account && isSame(mac, this.signKnown(said)) ? id : undefined;
  }

  private signKnown(said: string): string {
    return createHmac('sha256', this.secret).update(`known\0${said}`).digest('base64url');
  }

  private signStep(visitor: string, said: string): string {
    return createHmac('sha256', this.secret).update(`step\0${visitor}\0${said}`).digest('base64url');
  }

  private nameOf(name: CookieName): string {
    return this.secure ? `__Host-${name}` : name;
  }
}

/** What the store keeps of a session: 64 hex digits. */
export function sessionHash(cookie: string): string {
  return createHash('sha256').update(cookie).digest('hex');
}

/** The account that a session cookie claims to be of; undefined if it is not shaped like one. */
export function claimedAccount(cookie: string): string | undefined {
  return /^([a-z0-9][a-z0-9._-]{1,31})\.[A-Za-z0-9_-]{43}$/.exec(cookie)?.[1];
}

/** Without telling by its time how much of it is the same. */
function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
