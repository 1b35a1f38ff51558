/**
 * Logging in and out. The first step is the password; where two-step log-in is on it leaves no session
 * but leads to the page that asks for a code (second-step.ts).
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isAccountName } from '../../../domain/account/names.ts';
import { accountStream } from '../../../domain/streams.ts';
import { readAccountCredentials } from '../../../projections/account.ts';
import { credentialsCell, lockCell, secondFactorCell } from '../../../projections/keys.ts';
import { readLock, readSecondFactor, type Lock } from '../../../projections/second-factor.ts';
import { Rejected } from '../../../storage-nodes/client/client.ts';
import { field, typed } from '../../pages/form.ts';
import { PASSWORD_BYTES_MAX, type Passwords } from '../../passwords/passwords.ts';
import type { Pages } from '../../pages/pages.ts';
import { spanInWords } from '../../pages/wording.ts';
import { cellOf } from '../../pages/visit.ts';
import type { LogInLimits, Try } from './log-in-limits.ts';
import { alreadyOpen, openSession } from './open-session.ts';

/** Log-ins that one address may try in a minute, right or wrong. */
export const TRIES_PER_ADDRESS_MAX = 300;

/** What the store knows of an account that someone wants to log in to; nothing, if there is none. */
type Known = {
  readonly passwordHash: string | undefined;
  readonly passwordVersion: number;
  readonly hasFactor: boolean;
  readonly lock: Lock | undefined;
};

/** 'code': the password was right, and a code is needed; the visitor has a cookie that says so. */
type FirstStep = 'open' | 'code' | 'wrong';

export class LogIn {
  private readonly pages: Pages;
  private readonly passwords: Passwords;
  private readonly limits: LogInLimits;

  constructor(pages: Pages, passwords: Passwords, limits: LogInLimits) {
    this.pages = pages;
    this.passwords = passwords;
    this.limits = limits;
  }

  register(app: FastifyInstance): void {
    const config = { rateLimit: { max: TRIES_PER_ADDRESS_MAX, timeWindow: 60_000 } };
    app.post('/login', { config }, (request, reply) => this.logIn(request, reply));
    app.get('/login', (_request, reply) => reply.redirect('/', 303));
    app.post('/logout', (request, reply) => this.logOut(request, reply));
  }

  /** The log-in form, with what was typed (never the password) and what was wrong with it. */
  show(
    request: FastifyRequest,
    reply: FastifyReply,
    view: { alert?: string; done?: string; status?: number } = {},
  ) {
    const given = { ...(request.query as object), ...(request.body as object | undefined) } as Record<
      string,
      unknown
    >;
    return this.pages.show(request, reply, {
      title: 'Log in',
      template: 'web/account/log-in.hbs',
      ...view,
      data: typed(given, ['username', 'next']),
    });
  }

  /** Logs in whoever has just signed up. False: the name is another's, or two-step log-in is on. */
  async enter(
    request: FastifyRequest,
    reply: FastifyReply,
    name: string,
    password: string,
    commandId: string,
  ): Promise<boolean> {
    const known = await this.know(name);
    // The store knows commands by their ids alone: a form's may be one that was accepted for another name.
    const attempt = this.attempt(request, name);
    if (this.limits.begin(attempt, known.lock, Date.now()) > 0) return false;
    const outcome = await this.firstStep(request, reply, known, name, password, commandId);
    if (outcome === 'wrong') this.limits.failed(attempt, known.passwordHash !== undefined);
    else this.limits.succeeded(attempt);
    return outcome === 'open';
  }

  private attempt(request: FastifyRequest, name: string): Try {
    const known = this.pages.cookies.known(request, name);
    return { kind: 'password', name, address: request.ip, known };
  }

  private async know(name: string): Promise<Known> {
    const owner = accountStream(name);
    const answer = isAccountName(name)
      ? await this.pages.deps.store.read(owner, [
          { get: credentialsCell(owner) },
          { get: secondFactorCell(owner) },
          { get: lockCell(owner, 'password') },
        ])
      : undefined;
    const credentials = cellOf(answer?.results[0], readAccountCredentials);
    return {
      passwordHash: credentials?.passwordHash,
      passwordVersion: credentials?.passwordVersion ?? 0,
      hasFactor: cellOf(answer?.results[1], readSecondFactor)?.on ?? false,
      lock: cellOf(answer?.results[2], readLock),
    };
  }

  private async firstStep(
    request: FastifyRequest,
    reply: FastifyReply,
    { passwordHash, passwordVersion, hasFactor }: Known,
    name: string,
    password: string,
    commandId: string,
  ): Promise<FirstStep> {
    if (!(await this.passwords.holds(passwordHash, password))) return 'wrong';
    if (hasFactor) {
      this.pages.cookies.setFirstStep(request, reply, { account: name, passwordVersion }, Date.now());
      return 'code';
    }
    if (await alreadyOpen(this.pages, request, reply, { name, commandId })) return 'open';
    try {
      await openSession(this.pages, request, reply, { name, passwordVersion, commandId });
      return 'open';
    } catch (error) {
      // Changed or deleted between the check and the opening.
      if (isRejected(error, 'WrongPassword', 'NoSuchAccount')) return 'wrong';
      if (!isRejected(error, 'CodeNeeded')) throw error;
      this.pages.cookies.setFirstStep(request, reply, { account: name, passwordVersion }, Date.now());
      return 'code';
    }
  }

  private async logIn(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { fields, commandId } = this.pages.form(request);
    const name = field(fields, 'username', { label: 'Username', bytesMax: 256 }).trim().toLowerCase();
    const password = field(fields, 'password', { label: 'Password', bytesMax: PASSWORD_BYTES_MAX });
    const known = await this.know(name);
    const attempt = this.attempt(request, name);
    const waitMs = this.limits.begin(attempt, known.lock, Date.now());
    if (waitMs > 0) {
      void reply.header('retry-after', Math.ceil(waitMs / 1000));
      const alert = `Too many wrong passwords: try again in ${spanInWords(waitMs)}.`;
      return this.show(request, reply, { status: 429, alert });
    }
    const outcome = await this.firstStep(request, reply, known, name, password, commandId);
    if (outcome === 'wrong') {
      this.limits.failed(attempt, known.passwordHash !== undefined);
      return this.show(request, reply, { status: 401, alert: 'Wrong username or password.' });
    }
    this.limits.succeeded(attempt);
    const next = safeNext(fields['next']);
    if (outcome === 'open') return reply.redirect(next, 303);
    return reply.redirect(next === '/' ? '/login/code' : `/login/code?${new URLSearchParams({ next })}`, 303);
  }

  private async logOut(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { commandId } = this.pages.form(request);
    const visit = await this.pages.visits.find(request);
    if (visit !== undefined) {
      await this.pages.send(
        { actor: visit.account.name, sessionHash: visit.sessionHash },
        {
          id: commandId,
          stream: visit.stream,
          type: 'account.CloseSession',
          data: { sessionHash: visit.sessionHash },
          action: 'Log out',
        },
      );
    }
    this.pages.cookies.clear(reply, 'pc_session');
    return reply.redirect('/?left=1', 303);
  }
}

/** Whether the store refused for one of these reasons. */
export function isRejected(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Rejected && codes.includes(error.rejection.code);
}

/** Only a path on this host: never a way to lead someone who has just logged in elsewhere. */
export function safeNext(next: unknown): string {
  if (typeof next !== 'string' || !/^\/[^/\\]/.test(next) || /[\0-\x1f\x7f\\]/.test(next)) return '/';
  return next.startsWith('/logout') || next.startsWith('/login') ? '/' : next;
}
