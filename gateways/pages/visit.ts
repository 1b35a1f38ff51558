/**
 * Who is visiting. The session is checked on every request, in the same bundle of reads as the cells
 * that the page shows: all of an account's rows lie in one tablet, so a page costs one round trip and
 * shows one moment.
 */
import type { FastifyRequest } from 'fastify';
import { accountStream, CONSOLE_STREAM } from '../../domain/streams.ts';
import { SEEN_EVERY_MS } from '../../domain/account/sessions.ts';
import {
  readAccountProfile,
  readSessionRow,
  sessionCounts,
  type AccountProfile,
  type SessionRow,
} from '../../projections/account.ts';
import { readConsoleSession } from '../../projections/console.ts';
import { consoleSessionCell, profileCell, sessionCell } from '../../projections/keys.ts';
import type { ReadCell, ReadQuery, StoreClient } from '../../storage-nodes/client/client.ts';
import { claimedAccount, sessionHash, type Cookies } from './cookies.ts';
import { LoggedOut, PageRefusal } from './refusals.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set once the session was checked. */
    visit: Visit | undefined;
  }
}

export type Account = { readonly name: string; readonly displayName: string; readonly admin: boolean };

export type Visit = {
  readonly account: Account;
  readonly profile: AccountProfile;
  /** The account's stream: the prefix of its rows. */
  readonly stream: string;
  readonly sessionHash: string;
  /** Which state of the account's tablet the cells are of: `<tablet>:<seq>`. */
  readonly at: string;
  /** The cells asked for along with the session, one array per query. */
  readonly results: readonly (readonly ReadCell[])[];
};

/** Someone who may use the console: an admin's account, or the holder of a one-time link. */
export type ConsoleVisit = {
  readonly actor: string;
  readonly sessionHash: string;
  readonly account: Account | undefined;
};

export class Visits {
  private readonly store: StoreClient;
  private readonly cookies: Cookies;

  constructor(store: StoreClient, cookies: Cookies) {
    this.store = store;
    this.cookies = cookies;
  }

  /** The logged-in account, with the cells that the page wants. Throws LoggedOut. */
  async require(
    request: FastifyRequest,
    queries: (owner: string) => readonly ReadQuery[] = () => [],
  ): Promise<Visit> {
    const visit = await this.find(request, queries);
    if (visit === undefined) throw new LoggedOut();
    return visit;
  }

  async find(
    request: FastifyRequest,
    queries: (owner: string) => readonly ReadQuery[] = () => [],
  ): Promise<Visit | undefined> {
    const cookie = this.cookies.read(request, 'pc_session');
    const name = cookie === undefined ? undefined : claimedAccount(cookie);
    if (cookie === undefined || name === undefined) return undefined;
    const stream = accountStream(name);
    const hash = sessionHash(cookie);
    const answer = await this.store.read(stream, [
      { get: sessionCell(stream, hash) },
      { get: profileCell(stream) },
      ...queries(stream),
    ]);
    const session = cellOf(answer.results[0], readSessionRow);
    const profile = cellOf(answer.results[1], readAccountProfile);
    const now = Date.now();
    if (session === undefined || profile === undefined) return undefined;
    if (!sessionCounts(hash, session, profile, now)) return undefined;
    const account = { name, displayName: profile.displayName, admin: profile.admin };
    const results = answer.results.slice(2);
    const at = `${answer.tablet}:${answer.applied}`;
    const visit = { account, profile, stream, sessionHash: hash, at, results };
    request.visit = visit;
    this.see(visit, session, now);
    return visit;
  }

  /** Says at most hourly that the session is in use, beside the answer; on a failure the next request tries again. */
  private see({ account, stream, sessionHash }: Visit, session: SessionRow, now: number): void {
    if (now - (session.seenAt ?? session.openedAt) < SEEN_EVERY_MS) return;
    const hour = Math.floor(now / SEEN_EVERY_MS);
    this.store
      .execute({
        id: `seen-${sessionHash.slice(0, 40)}-${hour}`,
        expiresAt: (hour + 2) * SEEN_EVERY_MS,
        stream,
        type: 'account.SeeSession',
        data: { sessionHash },
        parts: [],
        actor: account.name,
        session: sessionHash,
        action: 'Use session',
      })
      .catch(() => undefined);
  }

  /** Throws LoggedOut for a visitor, PageRefusal 403 for an account without the right. */
  async requireConsole(request: FastifyRequest): Promise<ConsoleVisit> {
    const visit = await this.find(request);
    if (visit?.account.admin === true) {
      return { actor: visit.account.name, sessionHash: visit.sessionHash, account: visit.account };
    }
    const cookie = this.cookies.read(request, 'pc_console');
    if (cookie !== undefined) {
      const hash = sessionHash(cookie);
      const answer = await this.store.read(CONSOLE_STREAM, [{ get: consoleSessionCell(hash) }]);
      const session = cellOf(answer.results[0], readConsoleSession);
      if (session !== undefined && session.expiresAt > Date.now()) {
        return { actor: 'console', sessionHash: hash, account: visit?.account };
      }
    }
    if (visit === undefined) throw new LoggedOut();
    throw new PageRefusal(
      403,
      'For administrators',
      'This page is for administrators, and your account is not one.',
    );
  }
}

/** What the one cell of a `get` says; undefined if there is none. Read models are small: always inline. */
export function cellOf<Model>(
  cells: readonly ReadCell[] | undefined,
  read: (bytes: Uint8Array) => Model,
): Model | undefined {
  const bytes = cells?.[0]?.bytes;
  return bytes === undefined ? undefined : read(bytes);
}
