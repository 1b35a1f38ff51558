/**
 * A message that waits in the outbox is taken back, for good: its draft is there again, to go on with.
 *
 *   POST /mail/outbox/<message>/cancel
 */
import type { FastifyInstance } from 'fastify';
import type { SendingCancelled } from '../../../domain/mail/events.ts';
import type { Pages } from '../../pages/pages.ts';
import { notFound } from '../../pages/refusals.ts';

type OutboxRoute = { Params: { message: string } };

export function registerCancel(app: FastifyInstance, pages: Pages): void {
  app.post<OutboxRoute>('/mail/outbox/:message/cancel', async (request, reply) => {
    const { commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    const messageId = request.params.message;
    if (!/^[a-z2-7]{26}$/.test(messageId)) throw notFound('There is no such message in the outbox.');
    const { tablet, seq } = await pages.send(
      { actor: visit.account.name, sessionHash: visit.sessionHash },
      {
        id: commandId,
        stream: visit.stream,
        type: 'mail.CancelSending',
        data: { messageId },
        action: 'Cancel sending',
      },
    );
    // What the command brought back is told by its event.
    const [entry] = await pages.deps.store.readLog(tablet, seq, 1);
    const event = entry?.events[0] as unknown as SendingCancelled | undefined;
    const draftId = event?.type === 'mail.SendingCancelled' ? event.data.draftId : null;
    return reply.redirect(
      draftId === null ? '/mail/inbox?done=back' : `/mail/compose?draft=${draftId}&done=back`,
      303,
    );
  });
}
