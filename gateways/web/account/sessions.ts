/** Where one is logged in: each session with its browser, since when, and when it was last seen; each can be ended. */
import type { FastifyInstance } from 'fastify';
import { readSessionRow, sessionCounts, type SessionRow } from '../../../projections/account.ts';
import { sessionsRow } from '../../../projections/keys.ts';
import type { ReadCell } from '../../../storage-nodes/client/client.ts';
import type { Pages } from '../../pages/pages.ts';
import { rowScan } from '../../pages/paging.ts';
import { badField } from '../../pages/refusals.ts';
import type { Visit } from '../../pages/visit.ts';
import { doneWords, sendOwn, showAccountPage } from './account-page.ts';
import { isRejected } from './log-in.ts';
import { SESSIONS_READ_MAX } from './open-session.ts';

const DONE = { ended: 'That session is ended.', others: 'Every other session is ended.' };

export function registerSessions(app: FastifyInstance, pages: Pages): void {
  app.get('/account/sessions', async (request, reply) => {
    const visit = await pages.visits.require(request, (owner) => [
      rowScan(sessionsRow(owner), { reverse: false, limit: SESSIONS_READ_MAX }),
    ]);
    const sessions = liveSessions(visit, visit.results[0] ?? [], Date.now())
      .map(({ hash, row }) => ({
        ...row,
        hash,
        agent: agentInWords(row.agent),
        seenAt: row.seenAt ?? row.openedAt,
        current: hash === visit.sessionHash,
      }))
      .sort((a, b) => Number(b.current) - Number(a.current) || b.seenAt - a.seenAt);
    return showAccountPage(pages, request, reply, {
      title: 'Sessions',
      name: 'sessions',
      done: doneWords(request, DONE),
      data: { sessions, several: sessions.length > 1 },
    });
  });

  app.post('/account/sessions/end', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    const hash = fields['session'];
    if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash))
      throw badField('The field session is malformed.');
    try {
      await sendOwn(pages, visit, {
        id: commandId,
        type: 'account.CloseSession',
        data: { sessionHash: hash },
        action: 'End session',
      });
    } catch (error) {
      // Ended already, which is what was wanted; another account's session is none of this one's.
      if (!isRejected(error, 'SessionEnded')) throw error;
    }
    return reply.redirect('/account/sessions?done=ended', 303);
  });

  app.post('/account/sessions/end-others', async (request, reply) => {
    const { commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    await sendOwn(pages, visit, {
      id: commandId,
      type: 'account.EndOtherSessions',
      data: { keeps: visit.sessionHash },
      action: 'End other sessions',
    });
    return reply.redirect('/account/sessions?done=others', 303);
  });
}

/** Those of the row's cells that still count. */
export function liveSessions(
  { profile }: Visit,
  cells: readonly ReadCell[],
  now: number,
): { hash: string; row: SessionRow }[] {
  return cells
    .flatMap(({ column, bytes }) =>
      bytes === undefined ? [] : [{ hash: column, row: readSessionRow(bytes) }],
    )
    .filter(({ hash, row }) => sessionCounts(hash, row, profile, now));
}

const BROWSERS = [
  [/\bEdg\//, 'Edge'],
  [/\bFirefox\//, 'Firefox'],
  [/\b(?:Headless)?Chrome\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
  [/^curl\//, 'curl'],
] as const;
const SYSTEMS = [
  [/Android/, 'Android'],
  [/iPhone|iPad/, 'iOS'],
  [/Windows/, 'Windows'],
  [/Mac OS X/, 'macOS'],
  [/Linux/, 'Linux'],
] as const;

/** "Firefox on Linux", from what the browser says of itself. */
export function agentInWords(agent: string): string {
  const browser = BROWSERS.find(([pattern]) => pattern.test(agent))?.[1];
  const system = SYSTEMS.find(([pattern]) => pattern.test(agent))?.[1];
  if (browser !== undefined && system !== undefined) return `${browser} on ${system}`;
  return browser ?? system ?? 'An unknown browser';
}
