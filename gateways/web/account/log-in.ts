/**
 * Logging in and out. A session is an event: the cookie's sha256 and an absolute end, opened against
 * the version of the password that was checked, so that a password changed meanwhile wins.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { accountStream } from '../../../domain/streams.ts';
import { isAccountName } from '../../../domain/account/names.ts';
import { readAccountCredentials, type AccountCredentials } from '../../../projections/account.ts';
import { credentialsCell, sessionCell } from '../../../projections/keys.ts';
import { Rejected } from '../../../storage-nodes/client/client.ts';
import { Attempts } from '../../pages/attempts.ts';
import { newCommandId } from '../../pages/command-ids.ts';
import { SESSION_MS, sessionHash } from '../../pages/cookies.ts';
import { field, typed } from '../../pages/form.ts';
import { PASSWORD_BYTES_MAX, type Passwords } from '../../pages/passwords.ts';
import type { Pages } from '../../pages/pages.ts';
import { spanInWords } from '../../pages/wording.ts';
import { cellOf } from '../../pages/visit.ts';

/** Log-ins that one address may try in a minute, right or wrong. */
const TRIES_PER_ADDRESS_MAX = 300;

export class LogIn {
  private readonly pages: Pages;
  private readonly passwords: Passwords;
  private readonly attempts = new Attempts({ failuresMax: 20, windowMs: 5 * 60_000 });

  constructor(pages: Pages, passwords: Passwords) {
    this.pages = pages;
    this.passwords = passwords;
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

  /** Checks the password and opens a session; sets the cookie. False: wrong username or password. */
  async open(
    request: FastifyRequest,
    reply: FastifyReply,
    name: string,
    password: string,
    commandId: string,
  ): Promise<boolean> {
    const { store } = this.pages.deps;
    const cookie = this.pages.cookies.sessionFor(name, commandId);
    const owner = accountStream(name);
    const answer = isAccountName(name)
      ? await store.read(owner, [
          { get: credentialsCell(owner) },
          { get: sessionCell(owner, sessionHash(cookie)) },
        ])
      : undefined;
    const credentials = cellOf(answer?.results[0], readAccountCredentials);
    if (!(await this.passwords.holds(credentials?.passwordHash, password)) || credentials === undefined)
      return false;

    if (answer?.results[1]?.[0] !== undefined) {
      // This very form was sent before, and its session is open.
      this.pages.cookies.set(reply, 'pc_session', cookie, SESSION_MS);
      return true;
    }
    return (
      (await this.openSession(request, reply, name, credentials, cookie, commandId)) ||
      // The form's session was opened and closed already (sent again from the history): open a new one.
      this.openSession(
        request,
        reply,
        name,
        credentials,
        this.pages.cookies.freshSession(name),
        newCommandId(),
      )
    );
  }

  private async openSession(
    request: FastifyRequest,
    reply: FastifyReply,
    name: string,
    credentials: AccountCredentials,
    cookie: string,
    commandId: string,
  ): Promise<boolean> {
    const hash = sessionHash(cookie);
    await this.pages.send(
      { actor: name, sessionHash: hash },
      {
        id: commandId,
        stream: accountStream(name),
        type: 'account.OpenSession',
        data: {
          sessionHash: hash,
          expiresAt: Date.now() + SESSION_MS,
          passwordVersion: credentials.passwordVersion,
        },
        parts: [Buffer.from((request.headers['user-agent'] ?? '').slice(0, 300))],
        action: 'Log in',
      },
    );
    const owner = accountStream(name);
    const opened = await this.pages.deps.store.read(owner, [{ get: sessionCell(owner, hash) }]);
    if (opened.results[0]?.[0] === undefined) return false;
    this.pages.cookies.set(reply, 'pc_session', cookie, SESSION_MS);
    return true;
  }

  private async logIn(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { fields, commandId } = this.pages.form(request);
    const name = field(fields, 'username', { label: 'Username', bytesMax: 256 }).trim().toLowerCase();
    const password = field(fields, 'password', { label: 'Password', bytesMax: PASSWORD_BYTES_MAX });
    const waitMs = this.attempts.waitMs(name, Date.now());
    if (waitMs > 0) {
      void reply.header('retry-after', Math.ceil(waitMs / 1000));
      const alert = `Too many wrong passwords for this account: try again in ${spanInWords(waitMs)}.`;
      return this.show(request, reply, { status: 429, alert });
    }
    let open: boolean;
    try {
      open = await this.open(request, reply, name, password, commandId);
    } catch (error) {
      // The password was changed between the check and the opening.
      if (!(error instanceof Rejected && error.rejection.code === 'WrongPassword')) throw error;
      open = false;
    }
    if (!open) {
      this.attempts.failed(name, Date.now());
      return this.show(request, reply, { status: 401, alert: 'Wrong username or password.' });
    }
    this.attempts.succeeded(name);
    return reply.redirect(safeNext(fields['next']), 303);
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

/** Only a path on this host: never a way to lead someone who has just logged in elsewhere. */
export function safeNext(next: unknown): string {
  if (typeof next !== 'string' || !/^\/[^/\\]/.test(next) || /[\0-\x1f\x7f\\]/.test(next)) return '/';
  return next.startsWith('/logout') || next.startsWith('/login') ? '/' : next;
}
