/**
 * A message that its writer addressed to other systems before this one took mail there, and that went nowhere, is sent
 * to them when its writer asks for it.
 *
 *   POST /mail/<folder>/<message>/send-now
 */
import type { FastifyInstance } from 'fastify';
import { encodeEnvelope } from '../../../../domain/outbound/envelope.ts';
import type { MessageMeta } from '../../../../projections/message.ts';
import type { Pages } from '../../../pages/pages.ts';
import { openMessage, placeOf, rawBytes, type MessageRoute } from './open-message.ts';

/** The addresses that it was never sent to. */
export function leftBehind({ delivery = {} }: MessageMeta): string[] {
  return Object.entries(delivery).flatMap(([address, state]) => (state === 'queued' ? [address] : []));
}

export function registerSendNow(app: FastifyInstance, pages: Pages): void {
  app.post<MessageRoute>('/mail/:folder/:message/send-now', async (request, reply) => {
    const { commandId } = pages.form(request);
    const opened = await openMessage(pages, request, request.params.message);
    const { visit, meta } = opened;
    const { folder } = (await placeOf(pages, opened)).place;
    const to = leftBehind(meta);
    // Another window was quicker.
    if (to.length > 0) {
      const envelope = encodeEnvelope({ from: meta.from.address, to, prepend: '' });
      await pages.send(
        { actor: visit.account.name, sessionHash: visit.sessionHash },
        {
          id: commandId,
          stream: visit.stream,
          type: 'mail.SendOutside',
          data: { messageId: meta.id, outside: to.length },
          parts: [await rawBytes(pages, opened.raw), envelope],
          action: 'Send message',
        },
      );
    }
    return reply.redirect(`/mail/${folder}/${meta.id}?done=onItsWay`, 303);
  });
}
