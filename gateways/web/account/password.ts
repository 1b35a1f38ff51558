/**
 * Changing one's password. Asks for the old one, and ends every other session where that is wished, in the
 * same event: whoever was logged in with the old password then has to know the new one.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readAccountCredentials } from '../../../projections/account.ts';
import { credentialsCell } from '../../../projections/keys.ts';
import type { Fields } from '../../pages/form.ts';
import { newPassword } from '../../pages/new-account.ts';
import { PASSWORD_CHARS_MIN, type Passwords } from '../../passwords/passwords.ts';
import type { Pages } from '../../pages/pages.ts';
import { cellOf, type Visit } from '../../pages/visit.ts';
import { doneWords, refusalOf, sendOwn, showAccountPage } from './account-page.ts';
import type { Confirmation } from './confirmation.ts';
import { isRejected } from './log-in.ts';

const DONE = {
  changed: 'Your password is changed.',
  ended: 'Your password is changed, and every other session is ended.',
};

export function registerPassword(
  app: FastifyInstance,
  pages: Pages,
  passwords: Passwords,
  confirmation: Confirmation,
): void {
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    view: { status?: number; alert?: string } = {},
  ): Promise<FastifyReply> => {
    await pages.visits.require(request);
    return showAccountPage(pages, request, reply, {
      title: 'Password',
      name: 'password',
      done: view.alert === undefined ? doneWords(request, DONE) : undefined,
      ...view,
      data: { passwordCharsMin: PASSWORD_CHARS_MIN },
    });
  };

  app.get('/account/password', (request, reply) => show(request, reply));

  app.post('/account/password', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    const endsOthers = fields['endOthers'] === '1';
    const done = `/account/password?done=${endsOthers ? 'ended' : 'changed'}`;
    try {
      const chosen = newPassword(fields, 'password', 'New password');
      const passwordVersion = await confirmation.passwordVersion(visit, fields);
      await sendOwn(pages, visit, {
        id: commandId,
        type: 'account.ChangePassword',
        data: { passwordVersion, ...(endsOthers && { keeps: visit.sessionHash }) },
        parts: [Buffer.from(await passwords.hash(chosen))],
        action: 'Change password',
      });
    } catch (error) {
      if (isRejected(error, 'WrongPassword')) {
        const alert = 'The password was changed elsewhere meanwhile: nothing was changed here.';
        return show(request, reply, { status: 409, alert });
      }
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      // Sent before: the new password is in force already.
      if (refusal.status === 401 && (await inForce(visit, fields))) return reply.redirect(done, 303);
      return show(request, reply, refusal);
    }
    return reply.redirect(done, 303);
  });

  async function inForce({ stream }: Visit, fields: Fields): Promise<boolean> {
    const answer = await pages.deps.store.read(stream, [{ get: credentialsCell(stream) }]);
    const credentials = cellOf(answer.results[0], readAccountCredentials);
    return passwords.holds(credentials?.passwordHash, newPassword(fields, 'password', 'New password'));
  }
}
