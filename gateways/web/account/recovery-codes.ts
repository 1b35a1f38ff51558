/**
 * Recovery codes: how many are left, and new ones, which are shown once, in the answer to the form that made
 * them (there is no address at which they could be seen again). The same form sent again shows the same
 * codes while they are in force, so that an answer that got lost is no loss.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RECOVERY_CODES } from '../../../domain/account/second-factor.ts';
import { recoveryCodesCell } from '../../../projections/keys.ts';
import { readRecoveryCodes } from '../../../projections/second-factor.ts';
import type { Accepted } from '../../../storage-nodes/client/client.ts';
import { recoveryCodeHash, type OneTimeCodes } from '../../pages/one-time-codes.ts';
import type { Pages } from '../../pages/pages.ts';
import { cellOf, type Visit } from '../../pages/visit.ts';
import { refusalOf, sendOwn, showAccountPage } from './account-page.ts';
import type { Confirmation } from './confirmation.ts';
import { isRejected } from './log-in.ts';

export function registerRecoveryCodes(
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
    const visit = await pages.visits.require(request, (owner) => [{ get: recoveryCodesCell(owner) }]);
    const made = cellOf(visit.results[0], readRecoveryCodes);
    return showAccountPage(pages, request, reply, {
      title: 'Recovery codes',
      name: 'recovery-codes',
      ...view,
      data: { made: made !== undefined, left: made?.left ?? 0, madeAt: made?.madeAt, count: RECOVERY_CODES },
    });
  };

  app.get('/account/recovery-codes', (request, reply) => show(request, reply));

  app.post('/account/recovery-codes', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    const { name } = visit.account;
    const made = codes.recoveryCodes(name, commandId, RECOVERY_CODES);
    try {
      const passwordVersion = await confirmation.passwordVersion(visit, fields);
      const accepted = await sendOwn(pages, visit, {
        id: commandId,
        type: 'account.MakeRecoveryCodes',
        data: { passwordVersion, codeHashes: made.map((code) => recoveryCodeHash(name, code)) },
        action: 'Make recovery codes',
      });
      if (!(await inForce(pages, visit, accepted))) return await show(request, reply, SENT_BEFORE);
    } catch (error) {
      const refusal = isRejected(error, 'WrongPassword')
        ? { status: 409, alert: 'The password was changed elsewhere meanwhile: nothing was changed here.' }
        : refusalOf(error);
      if (refusal === undefined) throw error;
      return show(request, reply, refusal);
    }
    return showCodes(pages, request, reply, { codes: made, done: 'Your new recovery codes are ready.' });
  });
}

/** For a form that was sent once more after others were made, or after one of its codes was used. */
const SENT_BEFORE = {
  status: 409,
  alert: 'This form was sent before, and its codes have been used or replaced since.',
};

/** Whether the codes of this command are still whole and the ones that work. */
export async function inForce(pages: Pages, { stream }: Visit, { seq }: Accepted): Promise<boolean> {
  const answer = await pages.deps.store.read(stream, [{ get: recoveryCodesCell(stream) }]);
  return answer.results[0]?.[0]?.seq === seq;
}

/** The codes, this once. Requires that the visit was checked. */
export function showCodes(
  pages: Pages,
  request: FastifyRequest,
  reply: FastifyReply,
  { codes, done }: { codes: readonly string[]; done: string },
): FastifyReply {
  return showAccountPage(pages, request, reply, {
    title: 'Your recovery codes',
    name: 'recovery-codes-shown',
    done,
    data: { codes },
  });
}
