/**
 * Changing one's password. Asks for the old one, and ends every other session: whoever was logged in with
 * the old password has to know the new one.
 */
import type { FastifyInstance } from 'fastify';
import { readAccountCredentials } from '../../../projections/account.ts';
import { credentialsCell, sessionsRow } from '../../../projections/keys.ts';
import { Rejected } from '../../../storage-nodes/client/client.ts';
import { Attempts } from '../../pages/attempts.ts';
import { field } from '../../pages/form.ts';
import { newPassword } from '../../pages/new-account.ts';
import { PASSWORD_BYTES_MAX, type Passwords } from '../../pages/passwords.ts';
import type { Pages } from '../../pages/pages.ts';
import { PageRefusal } from '../../pages/refusals.ts';
import { cellOf, type Visit } from '../../pages/visit.ts';
import { spanInWords } from '../../pages/wording.ts';
import { SESSIONS_MAX, showAccount } from './account.ts';

export function registerPassword(app: FastifyInstance, pages: Pages, passwords: Passwords): void {
  const attempts = new Attempts({ failuresMax: 10, windowMs: 5 * 60_000 });

  app.post('/account/password', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request, (owner) => [{ get: credentialsCell(owner) }]);
    const { name } = visit.account;
    const credentials = cellOf(visit.results[0], readAccountCredentials);
    const refuse = (status: number, alert: string) => showAccount(pages, request, reply, { status, alert });
    try {
      const current = field(fields, 'current', { label: 'Current password', bytesMax: PASSWORD_BYTES_MAX });
      const chosen = newPassword(fields, 'password', 'New password');
      const waitMs = attempts.waitMs(name, Date.now());
      if (waitMs > 0)
        return await refuse(429, `Too many wrong passwords: try again in ${spanInWords(waitMs)}.`);
      if (credentials === undefined || !(await passwords.holds(credentials.passwordHash, current))) {
        // Sent before: the new password is in force already.
        if (await passwords.holds(credentials?.passwordHash, chosen))
          return await reply.redirect('/account?done=password', 303);
        attempts.failed(name, Date.now());
        return await refuse(401, 'Current password is wrong: nothing was changed.');
      }
      await pages.send(visitor(visit), {
        id: commandId,
        stream: visit.stream,
        type: 'account.ChangePassword',
        data: { passwordVersion: credentials.passwordVersion },
        parts: [Buffer.from(await passwords.hash(chosen))],
        action: 'Change password',
      });
    } catch (error) {
      if (error instanceof PageRefusal) return refuse(error.status, error.message);
      if (!(error instanceof Rejected && error.rejection.code === 'WrongPassword')) throw error;
      return refuse(409, 'The password was changed elsewhere meanwhile: nothing was changed here.');
    }
    await endOtherSessions(pages, visit, commandId);
    return reply.redirect('/account?done=password', 303);
  });
}

function visitor({ account, sessionHash }: Visit) {
  return { actor: account.name, sessionHash };
}

async function endOtherSessions(pages: Pages, visit: Visit, commandId: string): Promise<void> {
  const row = sessionsRow(visit.stream);
  const range = { from: { row, column: '' }, to: { row: `${row}\0`, column: '' } };
  const answer = await pages.deps.store.read(visit.stream, [{ scan: { ...range, limit: SESSIONS_MAX } }]);
  const others = (answer.results[0] ?? [])
    .map(({ column }) => column)
    .filter((hash) => hash !== visit.sessionHash);
  for (const hash of others) {
    try {
      await pages.send(visitor(visit), {
        id: `${commandId}-${hash.slice(0, 32)}`,
        stream: visit.stream,
        type: 'account.CloseSession',
        data: { sessionHash: hash },
        action: 'Change password',
      });
    } catch (error) {
      // Ended meanwhile: that is what was wanted.
      if (!(error instanceof Rejected && error.rejection.code === 'SessionEnded')) throw error;
    }
  }
}
