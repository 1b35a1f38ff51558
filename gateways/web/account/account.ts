/** The account page: who one is, and where one is logged in; any other session can be ended. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readSessionRow } from '../../../projections/account.ts';
import { sessionsRow } from '../../../projections/keys.ts';
import { Rejected } from '../../../storage-nodes/client/client.ts';
import type { Pages, PageView } from '../../pages/pages.ts';
import { PASSWORD_CHARS_MIN } from '../../pages/passwords.ts';
import { badField } from '../../pages/refusals.ts';

/** How many sessions are listed, and ended by a change of the password. */
export const SESSIONS_MAX = 200;

const DONE_WORDS: Readonly<Record<string, string>> = {
  ended: 'That session is ended.',
  password: 'Your password is changed, and every other session is ended.',
};

export function registerAccount(app: FastifyInstance, pages: Pages): void {
  app.get<{ Querystring: Record<string, unknown> }>('/account', (request, reply) => {
    const { done } = request.query;
    return showAccount(pages, request, reply, {
      done: typeof done === 'string' ? DONE_WORDS[done] : undefined,
    });
  });

  app.post('/account/sessions/end', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    const hash = fields['session'];
    if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash))
      throw badField('The field session is malformed.');
    try {
      await pages.send(
        { actor: visit.account.name, sessionHash: visit.sessionHash },
        {
          id: commandId,
          stream: visit.stream,
          type: 'account.CloseSession',
          data: { sessionHash: hash },
          action: 'End session',
        },
      );
    } catch (error) {
      // Ended already: that is what was wanted.
      if (!(error instanceof Rejected && error.rejection.code === 'SessionEnded')) throw error;
    }
    return reply.redirect('/account?done=ended', 303);
  });
}

export async function showAccount(
  pages: Pages,
  request: FastifyRequest,
  reply: FastifyReply,
  view: Pick<PageView, 'status' | 'alert' | 'done'>,
): Promise<FastifyReply> {
  const visit = await pages.visits.require(request, (owner) => {
    const row = sessionsRow(owner);
    return [
      { scan: { from: { row, column: '' }, to: { row: `${row}\0`, column: '' }, limit: SESSIONS_MAX } },
    ];
  });
  const now = Date.now();
  const sessions = (visit.results[0] ?? [])
    .flatMap((cell) =>
      cell.bytes === undefined ? [] : [{ hash: cell.column, ...readSessionRow(cell.bytes) }],
    )
    .filter(({ expiresAt }) => expiresAt > now)
    .map((session) => ({
      ...session,
      agent: agentInWords(session.agent),
      current: session.hash === visit.sessionHash,
    }))
    .sort((a, b) => Number(b.current) - Number(a.current) || b.openedAt - a.openedAt);
  return pages.show(request, reply, {
    title: 'Account',
    template: 'web/account/account.hbs',
    section: 'account',
    ...view,
    data: {
      sessions,
      address: `${visit.account.name}@${pages.deps.domains[0]}`,
      passwordCharsMin: PASSWORD_CHARS_MIN,
    },
  });
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
