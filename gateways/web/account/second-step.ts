/**
 * The second step of logging in: a code from the app, or a recovery code in its place. Between the steps
 * there is no session, only a cookie that says that the password was right (cookies.ts).
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Proof } from '../../../domain/account/second-factor.ts';
import { accountStream } from '../../../domain/streams.ts';
import { lockCell, secondFactorCell } from '../../../projections/keys.ts';
import { readLock, readSecondFactor, type SecondFactor } from '../../../projections/second-factor.ts';
import { field, typed, type Fields } from '../../pages/form.ts';
import { recoveryCodeHash, type OneTimeCodes } from '../../pages/one-time-codes.ts';
import type { Pages } from '../../pages/pages.ts';
import { cellOf } from '../../pages/visit.ts';
import { spanInWords } from '../../pages/wording.ts';
import { isRejected, safeNext, TRIES_PER_ADDRESS_MAX } from './log-in.ts';
import type { LogInLimits, Try } from './log-in-limits.ts';
import { alreadyOpen, openSession } from './open-session.ts';

export const CODE_BYTES_MAX = 64;

export function registerSecondStep(
  app: FastifyInstance,
  pages: Pages,
  codes: OneTimeCodes,
  limits: LogInLimits,
): void {
  const show = (
    request: FastifyRequest,
    reply: FastifyReply,
    view: { status?: number; alert?: string } = {},
  ) =>
    pages.show(request, reply, {
      title: 'Log in',
      template: 'web/account/second-step.hbs',
      ...view,
      data: typed({ ...(request.query as Fields), ...(request.body as Fields | undefined) }, ['next']),
    });
  const anew = (reply: FastifyReply) => reply.redirect('/?again=1', 303);

  app.get('/login/code', (request, reply) =>
    pages.cookies.firstStep(request, Date.now()) === undefined ? anew(reply) : show(request, reply),
  );

  const config = { rateLimit: { max: TRIES_PER_ADDRESS_MAX, timeWindow: 60_000 } };
  app.post('/login/code', { config }, async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const step = pages.cookies.firstStep(request, Date.now());
    if (step === undefined) return anew(reply);
    const { account: name, passwordVersion } = step;
    if (await alreadyOpen(pages, request, reply, { name, commandId }))
      return reply.redirect(safeNext(fields['next']), 303);

    const owner = accountStream(name);
    const answer = await pages.deps.store.read(owner, [
      { get: secondFactorCell(owner) },
      { get: lockCell(owner, 'code') },
    ]);
    const factor = cellOf(answer.results[0], readSecondFactor);
    const attempt: Try = { kind: 'code', name, address: request.ip };
    const waitMs = limits.begin(attempt, cellOf(answer.results[1], readLock), Date.now());
    if (waitMs > 0) {
      void reply.header('retry-after', Math.ceil(waitMs / 1000));
      return show(request, reply, {
        status: 429,
        alert: `Too many wrong codes: try again in ${spanInWords(waitMs)}.`,
      });
    }
    const proof = proofIn(fields, codes, name, factor);
    try {
      if (proof === 'wrong') throw wrong;
      await openSession(pages, request, reply, {
        name,
        passwordVersion,
        commandId,
        ...(proof !== undefined && { proof }),
      });
    } catch (error) {
      if (isRejected(error, 'WrongPassword', 'NoSuchAccount')) {
        pages.cookies.clear(reply, 'pc_step');
        return anew(reply);
      }
      if (error !== wrong && !isRejected(error, 'WrongCode', 'CodeNeeded')) throw error;
      limits.failed(attempt, true);
      return show(request, reply, {
        status: 401,
        alert: 'This code is wrong, or was used already. Wait for the next one and try again.',
      });
    }
    limits.succeeded(attempt);
    return reply.redirect(safeNext(fields['next']), 303);
  });
}

const wrong = new Error('The code is none.');

/**
 * What the field `code` proves: six digits of the app, or a recovery code. Undefined where the factor is off
 * and nothing need be proven. Throws PageRefusal 400.
 */
export function proofIn(
  fields: Fields,
  codes: OneTimeCodes,
  account: string,
  factor: SecondFactor | undefined,
): Proof | 'wrong' | undefined {
  if (factor?.on !== true) return undefined;
  const code = field(fields, 'code', { label: 'Code', bytesMax: CODE_BYTES_MAX });
  const codeHash = recoveryCodeHash(account, code);
  if (codeHash !== undefined) return { codeHash };
  const step = codes.stepOf(factor.sealed, account, code, Date.now());
  return step === undefined ? 'wrong' : { factorVersion: factor.version, step };
}
