/**
 * Turning two-step log-in on and off. The page that sets it up makes a new secret each time it is opened and
 * hands it out sealed in its form: nothing is stored until one right code shows that the app has it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RECOVERY_CODES } from '../../../domain/account/second-factor.ts';
import { recoveryCodesCell, secondFactorCell } from '../../../projections/keys.ts';
import { readRecoveryCodes, readSecondFactor } from '../../../projections/second-factor.ts';
import { field, type Fields } from '../../pages/form.ts';
import { qrPath, recoveryCodeHash, type OneTimeCodes } from '../../pages/one-time-codes.ts';
import type { Pages } from '../../pages/pages.ts';
import { badField, PageRefusal } from '../../pages/refusals.ts';
import { cellOf, type Visit } from '../../pages/visit.ts';
import { doneWords, refusalOf, sendOwn, showAccountPage } from './account-page.ts';
import type { Confirmation } from './confirmation.ts';
import { isRejected } from './log-in.ts';
import { inForce, showCodes } from './recovery-codes.ts';
import { CODE_BYTES_MAX } from './second-step.ts';

const DONE = { off: 'Two-step log-in is off.' };
const STALE = 'Two-step log-in or the password was changed elsewhere meanwhile: nothing was changed here.';

type View = { status?: number; alert?: string };

export function registerTwoStep(
  app: FastifyInstance,
  pages: Pages,
  codes: OneTimeCodes,
  confirmation: Confirmation,
): void {
  const factorOf = async (request: FastifyRequest) => {
    const visit = await pages.visits.require(request, (owner) => [
      { get: secondFactorCell(owner) },
      { get: recoveryCodesCell(owner) },
    ]);
    const left = cellOf(visit.results[1], readRecoveryCodes)?.left ?? 0;
    return { visit, factor: cellOf(visit.results[0], readSecondFactor), left };
  };

  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    view: View = {},
  ): Promise<FastifyReply> => {
    const { factor, left } = await factorOf(request);
    return showAccountPage(pages, request, reply, {
      title: 'Two-step log-in',
      name: 'two-step',
      done: view.alert === undefined ? doneWords(request, DONE) : undefined,
      ...view,
      data: { on: factor?.on === true, since: factor?.since, factorVersion: factor?.version, left },
    });
  };

  const showSetUp = async (
    request: FastifyRequest,
    reply: FastifyReply,
    view: View & { sealed?: string } = {},
  ): Promise<FastifyReply> => {
    const { visit, factor } = await factorOf(request);
    if (factor?.on === true) return reply.redirect('/account/two-step', 303);
    const { name } = visit.account;
    const domain = pages.deps.domains[0] ?? 'localhost';
    const sealed = view.sealed ?? codes.newSealed(name);
    const setUp = codes.setUp(sealed, name, domain);
    if (setUp === undefined) throw badField('The field sealed is none of this page: open the page again.');
    return showAccountPage(pages, request, reply, {
      title: 'Set up two-step log-in',
      name: 'two-step-set-up',
      ...(view.status !== undefined && { status: view.status, alert: view.alert }),
      data: {
        sealed,
        factorVersion: factor?.version ?? 0,
        qr: qrPath(setUp.uri),
        uri: setUp.uri,
        secret: (setUp.secret.match(/.{1,4}/g) ?? []).join(' '),
      },
    });
  };

  app.get('/account/two-step', (request, reply) => show(request, reply));
  app.get('/account/two-step/set-up', (request, reply) => showSetUp(request, reply));

  app.post('/account/two-step/set-up', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    const { name } = visit.account;
    const sealed = typeof fields['sealed'] === 'string' ? fields['sealed'] : '';
    if (codes.setUp(sealed, name, '') === undefined)
      throw badField('The field sealed is none of this page: open the page again.');
    const made = codes.recoveryCodes(name, commandId, RECOVERY_CODES);
    try {
      const passwordVersion = await confirmation.passwordVersion(visit, fields);
      const step = await stepIn(visit, fields, sealed);
      const accepted = await sendOwn(pages, visit, {
        id: commandId,
        type: 'account.TurnOnSecondFactor',
        data: {
          factorVersion: factorVersionIn(fields),
          step,
          passwordVersion,
          codeHashes: made.map((code) => recoveryCodeHash(name, code)),
        },
        parts: [Buffer.from(sealed)],
        action: 'Turn on two-step log-in',
      });
      if (!(await inForce(pages, visit, accepted))) return await reply.redirect('/account/two-step', 303);
    } catch (error) {
      if (isRejected(error, 'Stale', 'WrongPassword'))
        return show(request, reply, { status: 409, alert: STALE });
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      return showSetUp(request, reply, { ...refusal, sealed });
    }
    return showCodes(pages, request, reply, {
      codes: made,
      done: 'Two-step log-in is on. From now on you log in with your password and a code of your app.',
    });
  });

  app.post('/account/two-step/off', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    try {
      const passwordVersion = await confirmation.passwordVersion(visit, fields);
      await sendOwn(pages, visit, {
        id: commandId,
        type: 'account.TurnOffSecondFactor',
        data: { factorVersion: factorVersionIn(fields), passwordVersion },
        action: 'Turn off two-step log-in',
      });
    } catch (error) {
      if (isRejected(error, 'Stale', 'WrongPassword'))
        return show(request, reply, { status: 409, alert: STALE });
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      return show(request, reply, refusal);
    }
    return reply.redirect('/account/two-step?done=off', 303);
  });

  /** Throws PageRefusal 400, 401 or 429. */
  async function stepIn(visit: Visit, fields: Fields, sealed: string): Promise<number> {
    const code = field(fields, 'code', { label: 'Code', bytesMax: CODE_BYTES_MAX, required: true });
    return confirmation.tried(visit, () => {
      const step = codes.stepOf(sealed, visit.account.name, code, Date.now());
      if (step !== undefined) return Promise.resolve(step);
      throw new PageRefusal(
        401,
        'Wrong code',
        'This code is wrong: check that the app shows PennCloud, and that the clock of your phone is right.',
      );
    });
  }
}

/** The version that the page was made on. Throws PageRefusal 400. */
function factorVersionIn(fields: Fields): number {
  const version = fields['factorVersion'];
  if (typeof version !== 'string' || !/^\d{1,9}$/.test(version)) {
    throw badField('The field factorVersion is missing: open the page again and send the form once more.');
  }
  return Number(version);
}
