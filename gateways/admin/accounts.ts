/** Making an administrator's account: the first one comes from here or from the command line, never from a default password. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { accountStream } from '../../domain/streams.ts';
import { Rejected } from '../../storage-nodes/client/client.ts';
import { typed, type Fields } from '../pages/form.ts';
import { newAccount } from '../pages/new-account.ts';
import { PASSWORD_CHARS_MIN, Passwords } from '../passwords/passwords.ts';
import { PageRefusal, tell } from '../pages/refusals.ts';
import type { Console } from './console.ts';

export function registerAdminAccounts(app: FastifyInstance, consoles: Console): void {
  const passwords = new Passwords();
  const show = (
    request: FastifyRequest,
    reply: FastifyReply,
    view: { status?: number; alert?: string; done?: string },
  ) =>
    consoles.show(request, reply, {
      title: 'Accounts',
      tab: 'accounts',
      template: 'admin/accounts.hbs',
      ...view,
      data: {
        ...typed((request.body ?? {}) as Fields, ['username', 'displayName']),
        passwordCharsMin: PASSWORD_CHARS_MIN,
      },
    });

  app.get<{ Querystring: { made?: unknown } }>('/admin/accounts', async (request, reply) => {
    await consoles.admit(request);
    const { made } = request.query;
    const done =
      typeof made === 'string'
        ? `The account ${made.slice(0, 32)} is ready: its owner can log in.`
        : undefined;
    return show(request, reply, done === undefined ? {} : { done });
  });

  app.post('/admin/accounts', async (request, reply) => {
    const { fields, commandId } = consoles.pages.form(request);
    const visitor = await consoles.admit(request);
    try {
      const { name, displayName, password } = newAccount(fields);
      await consoles.pages.send(visitor, {
        id: commandId,
        stream: accountStream(name),
        type: 'account.SignUp',
        data: { name, admin: true },
        parts: [Buffer.from(await passwords.hash(password)), Buffer.from(displayName)],
        action: 'Make administrator',
      });
      return await reply.redirect(`/admin/accounts?${new URLSearchParams({ made: name })}`, 303);
    } catch (error) {
      if (!(error instanceof PageRefusal || error instanceof Rejected)) throw error;
      return show(request, reply, { status: tell(error)?.status ?? 400, alert: error.message });
    }
  });
}
