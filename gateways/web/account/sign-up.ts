/** Signing up: a new account, logged in at once. A refusal shows the form again with what was typed. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { accountStream } from '../../../domain/streams.ts';
import { Rejected } from '../../../storage-nodes/client/client.ts';
import { typed, type Fields } from '../../pages/form.ts';
import { newAccount } from '../../pages/new-account.ts';
import { PASSWORD_CHARS_MIN, type Passwords } from '../../passwords/passwords.ts';
import type { Pages } from '../../pages/pages.ts';
import { PageRefusal, tell } from '../../pages/refusals.ts';
import type { LogIn } from './log-in.ts';

/** New accounts that one address may ask for in a minute. */
const TRIES_PER_ADDRESS_MAX = 120;

export function registerSignUp(app: FastifyInstance, pages: Pages, passwords: Passwords, logIn: LogIn): void {
  const show = (
    request: FastifyRequest,
    reply: FastifyReply,
    view: { alert?: string; status?: number } = {},
  ) =>
    pages.show(request, reply, {
      title: 'Sign up',
      template: 'web/account/sign-up.hbs',
      ...view,
      data: {
        ...typed((request.body ?? {}) as Fields, ['username', 'displayName']),
        domain: pages.deps.domains[0],
        passwordCharsMin: PASSWORD_CHARS_MIN,
      },
    });

  app.get('/signup', (request, reply) => show(request, reply));

  const config = { rateLimit: { max: TRIES_PER_ADDRESS_MAX, timeWindow: 60_000 } };
  app.post('/signup', { config }, async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    try {
      const { name, displayName, password } = newAccount(fields);
      const passwordHash = await passwords.hash(password);
      await pages.send(
        { actor: 'anonymous', sessionHash: '', visitor: pages.cookies.read(request, 'pc_visitor') },
        {
          id: commandId,
          stream: accountStream(name),
          type: 'account.SignUp',
          data: { name, admin: false },
          parts: [Buffer.from(passwordHash), Buffer.from(displayName)],
          action: 'Sign up',
        },
      );
      // Also when the form was sent before: only who knows the account's password gets in.
      if (await logIn.enter(request, reply, name, password, `${commandId}-1`))
        return reply.redirect('/?new=1', 303);
      return reply.redirect('/', 303);
    } catch (error) {
      if (!(error instanceof PageRefusal || error instanceof Rejected)) throw error;
      const told = tell(error);
      return show(request, reply, { status: told?.status ?? 400, alert: error.message });
    }
  });
}
