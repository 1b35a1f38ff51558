/**
 * Opening a session: the last step of every log-in. A session is an event: the cookie's sha256 and an absolute
 * end, opened against the version of the password that was checked, so that a password changed meanwhile
 * wins; where two-step log-in is on, the decision asks for a code as well.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Proof } from '../../../domain/account/second-factor.ts';
import { accountStream } from '../../../domain/streams.ts';
import { readAccountProfile, readSessionRow, sessionCounts } from '../../../projections/account.ts';
import { profileCell, sessionCell, sessionsRow } from '../../../projections/keys.ts';
import { newCommandId } from '../../pages/command-ids.ts';
import { SESSION_MS, sessionHash } from '../../pages/cookies.ts';
import type { Pages } from '../../pages/pages.ts';
import { rowScan } from '../../pages/paging.ts';
import { cellOf } from '../../pages/visit.ts';

/** With one more, the oldest ends. */
export const SESSIONS_MAX = 100;
/** Of all that are listed, over or not. */
export const SESSIONS_READ_MAX = 200;

export type Opening = {
  readonly name: string;
  readonly passwordVersion: number;
  readonly proof?: Proof;
  /** The form's. */
  readonly commandId: string;
};

/** Sets the session's cookie. Throws Rejected: WrongPassword, WrongCode, CodeNeeded, NoSuchAccount. */
export async function openSession(
  pages: Pages,
  request: FastifyRequest,
  reply: FastifyReply,
  opening: Opening,
): Promise<void> {
  const { name, commandId } = opening;
  const cookie = pages.cookies.sessionFor(request, name, commandId);
  const open =
    (await tryOpen(pages, request, opening, cookie)) ||
    // The form's session was opened and closed already (sent again from the history): open a new one.
    (await tryOpen(
      pages,
      request,
      { ...opening, commandId: newCommandId() },
      pages.cookies.freshSession(name),
    ));
  if (open === false) throw new Error('defect: a session that was just opened is not there');
  pages.cookies.set(reply, 'pc_session', open, SESSION_MS);
  pages.cookies.setKnown(request, reply, name);
  pages.cookies.clear(reply, 'pc_step');
}

/** Whether this very form was sent before, and its session is open: then it is this visitor's. */
export async function alreadyOpen(
  pages: Pages,
  request: FastifyRequest,
  reply: FastifyReply,
  { name, commandId }: Pick<Opening, 'name' | 'commandId'>,
): Promise<boolean> {
  const cookie = pages.cookies.sessionFor(request, name, commandId);
  if (!(await isOpen(pages, name, cookie))) return false;
  pages.cookies.set(reply, 'pc_session', cookie, SESSION_MS);
  pages.cookies.clear(reply, 'pc_step');
  return true;
}

/** The cookie's value; false if its session is over already. */
async function tryOpen(
  pages: Pages,
  request: FastifyRequest,
  { name, passwordVersion, proof, commandId }: Opening,
  cookie: string,
): Promise<string | false> {
  const hash = sessionHash(cookie);
  const owner = accountStream(name);
  await pages.send(
    { actor: name, sessionHash: hash },
    {
      id: commandId,
      stream: owner,
      type: 'account.OpenSession',
      data: {
        sessionHash: hash,
        expiresAt: Date.now() + SESSION_MS,
        passwordVersion,
        ...proof,
        ends: await overdue(pages, owner),
      },
      parts: [Buffer.from((request.headers['user-agent'] ?? '').slice(0, 300))],
      action: 'Log in',
    },
  );
  return (await isOpen(pages, name, cookie)) && cookie;
}

async function isOpen(pages: Pages, name: string, cookie: string): Promise<boolean> {
  const owner = accountStream(name);
  const hash = sessionHash(cookie);
  const answer = await pages.deps.store.read(owner, [
    { get: sessionCell(owner, hash) },
    { get: profileCell(owner) },
  ]);
  const row = cellOf(answer.results[0], readSessionRow);
  const profile = cellOf(answer.results[1], readAccountProfile);
  return row !== undefined && profile !== undefined && sessionCounts(hash, row, profile, Date.now());
}

/** Sessions to end with the next one: those that are over, and the oldest beyond what there may be. */
async function overdue(pages: Pages, owner: string): Promise<string[]> {
  const answer = await pages.deps.store.read(owner, [
    { get: profileCell(owner) },
    rowScan(sessionsRow(owner), { reverse: false, limit: SESSIONS_READ_MAX }),
  ]);
  const profile = cellOf(answer.results[0], readAccountProfile);
  if (profile === undefined) return [];
  const now = Date.now();
  const listed = (answer.results[1] ?? []).flatMap(({ column, bytes }) =>
    bytes === undefined ? [] : [{ hash: column, row: readSessionRow(bytes) }],
  );
  const live = listed
    .filter(({ hash, row }) => sessionCounts(hash, row, profile, now))
    .sort((a, b) => b.row.openedAt - a.row.openedAt);
  const kept = new Set(live.slice(0, SESSIONS_MAX - 1).map(({ hash }) => hash));
  return listed.map(({ hash }) => hash).filter((hash) => !kept.has(hash));
}
