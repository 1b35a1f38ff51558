/**
 * A lost password: a recovery code stands for it, once, and a new one is set. It ends every session and
 * opens none: whoever has two-step log-in on still shows a code at the log-in that follows.
 *
 * An account that does not exist costs the same work and gets the same answer as a wrong code.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isAccountName } from '../../../domain/account/names.ts';
import { accountStream } from '../../../domain/streams.ts';
import { credentialsCell, lockCell } from '../../../projections/keys.ts';
import { readLock } from '../../../projections/second-factor.ts';
import { field, typed, type Fields } from '../../pages/form.ts';
import { newPassword } from '../../pages/new-account.ts';
import { recoveryCodeHash } from '../../pages/one-time-codes.ts';
import { PASSWORD_CHARS_MIN, type Passwords } from '../../passwords/passwords.ts';
import type { Pages } from '../../pages/pages.ts';
import { PageRefusal } from '../../pages/refusals.ts';
import { cellOf } from '../../pages/visit.ts';
import { spanInWords } from '../../pages/wording.ts';
import { isRejected, TRIES_PER_ADDRESS_MAX } from './log-in.ts';
import type { LogInLimits, Try } from './log-in-limits.ts';
import { CODE_BYTES_MAX } from './second-step.ts';

export function registerLostPassword(
  app: FastifyInstance,
  pages: Pages,
  passwords: Passwords,
  limits: LogInLimits,
): void {
  const show = (
    request: FastifyRequest,
    reply: FastifyReply,
    view: { status?: number; alert?: string } = {},
  ) =>
    pages.show(request, reply, {
      title: 'Lost password',
      template: 'web/account/lost-password.hbs',
      ...view,
      data: { ...typed((request.body ?? {}) as Fields, ['username']), passwordCharsMin: PASSWORD_CHARS_MIN },
    });

  app.get('/lost-password', (request, reply) => show(request, reply));

  const config = { rateLimit: { max: TRIES_PER_ADDRESS_MAX, timeWindow: 60_000 } };
  app.post('/lost-password', { config }, async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    try {
      const name = field(fields, 'username', { label: 'Username', bytesMax: 256 }).trim().toLowerCase();
      const code = field(fields, 'code', {
        label: 'Recovery code',
        bytesMax: CODE_BYTES_MAX,
        required: true,
      });
      const chosen = newPassword(fields, 'password', 'New password');
      const attempt: Try = {
        kind: 'recovery',
        name,
        address: request.ip,
        known: pages.cookies.known(request, name),
      };
      const wait = await reset(attempt, code, chosen, {
        commandId,
        visitor: pages.cookies.read(request, 'pc_visitor'),
      });
      if (wait === 'done') return await reply.redirect('/?reset=1', 303);
      if (wait === 'wrong')
        return show(request, reply, { status: 401, alert: 'Wrong username or recovery code.' });
      void reply.header('retry-after', Math.ceil(wait / 1000));
      return show(request, reply, {
        status: 429,
        alert: `Too many wrong codes: try again in ${spanInWords(wait)}.`,
      });
    } catch (error) {
      if (!(error instanceof PageRefusal)) throw error;
      return show(request, reply, { status: error.status, alert: error.message });
    }
  });

  /** Milliseconds to wait before any try, or how it went. */
  async function reset(
    attempt: Try,
    code: string,
    chosen: string,
    { commandId, visitor }: { commandId: string; visitor: string | undefined },
  ): Promise<'done' | 'wrong' | number> {
    const { name } = attempt;
    const owner = accountStream(name);
    const answer = isAccountName(name)
      ? await pages.deps.store.read(owner, [
          { get: credentialsCell(owner) },
          { get: lockCell(owner, 'recovery') },
        ])
      : undefined;
    const exists = answer?.results[0]?.[0] !== undefined;
    const waitMs = limits.begin(attempt, cellOf(answer?.results[1], readLock), Date.now());
    if (waitMs > 0) return waitMs;
    const passwordHash = await passwords.hash(chosen);
    const codeHash = recoveryCodeHash(name, code);
    try {
      if (!exists || codeHash === undefined) throw wrong;
      await pages.send(
        { actor: 'anonymous', sessionHash: '', visitor },
        {
          // Its own for this name: an id that was accepted for something else must not look like success.
          id: `${commandId}-reset-${name}`,
          stream: owner,
          type: 'account.ResetPassword',
          data: { codeHash },
          parts: [Buffer.from(passwordHash)],
          action: 'Set a new password by a recovery code',
        },
      );
    } catch (error) {
      if (error !== wrong && !isRejected(error, 'WrongCode', 'NoSuchAccount')) throw error;
      limits.failed(attempt, exists);
      return 'wrong';
    }
    limits.succeeded(attempt);
    return 'done';
  }
}

const wrong = new Error('The code is none.');
