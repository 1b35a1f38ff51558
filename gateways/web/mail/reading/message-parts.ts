/**
 * What of a message leaves on its own: its HTML for the frame, its paper form, its source, its attachments. All of it is a
 * stranger's: sanitised and sandboxed, or plain text, or a download.
 */
import type { FastifyInstance } from 'fastify';
import type { Pages } from '../../../pages/pages.ts';
import { AS_SENT } from '../../../pages/representation.ts';
import { sendAll, sendAttachment, showAttachment } from './attachments.ts';
import { showBody, showPrintable } from './html/body-frame.ts';
import type { MessageParams, MessageRoute } from './open-message.ts';
import { registerSendNow } from './send-now.ts';
import { sendRaw, showHeaders } from './source.ts';
import { registerUnsubscribe } from './unsubscribe.ts';

type AttachmentRoute = { Params: MessageParams & { index: string } };

export function registerMessageParts(app: FastifyInstance, pages: Pages): void {
  const at = '/mail/:folder/:message';
  app.get<MessageRoute>(`${at}/body`, AS_SENT, (request, reply) => showBody(pages, request, reply));
  app.get<MessageRoute>(`${at}/print`, AS_SENT, (request, reply) => showPrintable(pages, request, reply));
  app.get<MessageRoute>(`${at}/raw`, AS_SENT, (request, reply) => sendRaw(pages, request, reply));
  app.get<MessageRoute>(`${at}/headers`, (request, reply) => showHeaders(pages, request, reply));
  app.get<MessageRoute>(`${at}/attachments.zip`, (request, reply) => sendAll(pages, request, reply));
  app.get<AttachmentRoute>(`${at}/attachment/:index`, AS_SENT, (request, reply) =>
    sendAttachment(pages, request, reply),
  );
  app.get<AttachmentRoute>(`${at}/attachment/:index/view`, AS_SENT, (request, reply) =>
    showAttachment(pages, request, reply),
  );
  registerUnsubscribe(app, pages);
  registerSendNow(app, pages);
}
