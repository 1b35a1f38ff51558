/** The one-time link that the start-up table prints: it opens one session of the console, once; and the way out. */
import { createHash, randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { CONSOLE_STREAM } from '../../domain/streams.ts';
import { Rejected } from '../../storage-nodes/client/client.ts';
import { newCommandId } from '../pages/command-ids.ts';
import { CONSOLE_SESSION_MS, sessionHash } from '../pages/cookies.ts';
import type { Pages } from '../pages/pages.ts';
import { badField } from '../pages/refusals.ts';

const TRIES_PER_ADDRESS_MAX = 30;

export function registerEnter(app: FastifyInstance, pages: Pages): void {
  const config = { rateLimit: { max: TRIES_PER_ADDRESS_MAX, timeWindow: 60_000 } };
  // Looking at a link must not use it up.
  app.head('/admin/enter', (_request, reply) => reply.header('cache-control', 'no-store').send());
  app.get<{ Querystring: { token?: unknown } }>(
    '/admin/enter',
    { config, exposeHeadRoute: false },
    async (request, reply) => {
      const { token } = request.query;
      if (typeof token !== 'string' || token.length < 16 || token.length > 256) {
        throw badField('The link is not complete: copy it whole from the start-up table.');
      }
      const cookie = randomBytes(32).toString('base64url');
      const hash = sessionHash(cookie);
      await pages.send(
        { actor: 'console', sessionHash: hash },
        {
          id: newCommandId(),
          stream: CONSOLE_STREAM,
          type: 'console.OpenSession',
          data: {
            linkHash: createHash('sha256').update(token).digest('hex'),
            sessionHash: hash,
            expiresAt: Date.now() + CONSOLE_SESSION_MS,
          },
          action: 'Enter console',
        },
      );
      pages.cookies.set(reply, 'pc_console', cookie, CONSOLE_SESSION_MS);
      return reply.redirect('/admin', 303);
    },
  );

  app.post('/admin/leave', async (request, reply) => {
    const { commandId } = pages.form(request);
    const cookie = pages.cookies.read(request, 'pc_console');
    if (cookie !== undefined) await closeSession(pages, sessionHash(cookie), commandId);
    pages.cookies.clear(reply, 'pc_console');
    return reply.redirect('/?left=1', 303);
  });
}

async function closeSession(pages: Pages, hash: string, commandId: string): Promise<void> {
  try {
    await pages.send(
      { actor: 'console', sessionHash: hash },
      {
        id: commandId,
        stream: CONSOLE_STREAM,
        type: 'console.CloseSession',
        data: { sessionHash: hash },
        action: 'Leave console',
      },
    );
  } catch (error) {
    // Ended already: that is what was wanted.
    if (!(error instanceof Rejected && error.rejection.code === 'SessionEnded')) throw error;
  }
}
