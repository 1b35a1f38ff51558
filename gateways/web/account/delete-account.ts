/** Deleting one's account, for good: by the password and, where two-step log-in is on, a code. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { secondFactorCell } from '../../../projections/keys.ts';
import { readSecondFactor } from '../../../projections/second-factor.ts';
import { type OneTimeCodes } from '../../pages/one-time-codes.ts';
import type { Pages } from '../../pages/pages.ts';
import { PageRefusal } from '../../pages/refusals.ts';
import { cellOf } from '../../pages/visit.ts';
import { ownAddress, refusalOf, sendOwn, showAccountPage } from './account-page.ts';
import type { Confirmation } from './confirmation.ts';
import { isRejected } from './log-in.ts';
import { proofIn } from './second-step.ts';

export function registerDeleteAccount(
  app: FastifyInstance,
  pages: Pages,
  codes: OneTimeCodes,
  confirmation: Confirmation,
): void {
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    view: { status?: number; alert?: string } = {},
  ): Promise<FastifyReply> => {
    const visit = await pages.visits.require(request, (owner) => [{ get: secondFactorCell(owner) }]);
    return showAccountPage(pages, request, reply, {
      title: 'Delete account',
      name: 'delete-account',
      ...view,
      data: {
        address: ownAddress(pages, visit),
        hasFactor: cellOf(visit.results[0], readSecondFactor)?.on === true,
      },
    });
  };

  app.get('/account/delete', (request, reply) => show(request, reply));

  app.post('/account/delete', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request, (owner) => [{ get: secondFactorCell(owner) }]);
    const factor = cellOf(visit.results[0], readSecondFactor);
    try {
      const passwordVersion = await confirmation.passwordVersion(visit, fields);
      await confirmation.tried(visit, async () => {
        const proof = proofIn(fields, codes, visit.account.name, factor);
        if (proof === 'wrong') throw wrongCode();
        await sendOwn(pages, visit, {
          id: commandId,
          type: 'account.Delete',
          data: { passwordVersion, ...proof },
          action: 'Delete account',
        }).catch((error: unknown) => {
          throw isRejected(error, 'WrongCode', 'CodeNeeded') ? wrongCode() : error;
        });
      });
    } catch (error) {
      const refusal = isRejected(error, 'WrongPassword')
        ? { status: 409, alert: 'The password was changed elsewhere meanwhile: nothing was deleted.' }
        : refusalOf(error);
      if (refusal === undefined) throw error;
      return show(request, reply, refusal);
    }
    pages.cookies.clear(reply, 'pc_session');
    return reply.redirect('/?deleted=1', 303);
  });
}

function wrongCode(): PageRefusal {
  return new PageRefusal(401, 'Wrong code', 'This code is wrong, or was used already: nothing was deleted.');
}
