/** What can be done with a message: delete it, move it, mark it as unread. Each is one command, and acts once. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isFolder } from '../../../domain/mail/events.ts';
import { metaCell } from '../../../projections/keys.ts';
import { readMessageMeta } from '../../../projections/message.ts';
import type { Pages } from '../../pages/pages.ts';
import { badField } from '../../pages/refusals.ts';
import { cellOf } from '../../pages/visit.ts';
import type { MessageRoute } from './open-message.ts';

export function registerMessageActions(app: FastifyInstance, pages: Pages): void {
  app.post<MessageRoute>('/mail/:folder/:message/delete', (request, reply) =>
    deleteMessage(pages, request, reply),
  );
  app.post<MessageRoute>('/mail/:folder/:message/move', (request, reply) =>
    moveMessage(pages, request, reply),
  );
  app.post<MessageRoute>('/mail/:folder/:message/unread', (request, reply) =>
    markUnread(pages, request, reply),
  );
}

async function deleteMessage(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const forGood = request.params.folder === 'trash';
  // A page that is out of date must not delete for good what only was to go into the trash.
  if (forGood || !(await isInTrash(pages, request))) {
    await act(
      pages,
      request,
      'mail.DeleteMessage',
      {},
      forGood ? 'Delete message for good' : 'Delete message',
    );
  }
  return reply.redirect(`${listUrl(request)}?done=${forGood ? 'deleted' : 'trashed'}`, 303);
}

async function isInTrash(pages: Pages, request: FastifyRequest<MessageRoute>): Promise<boolean> {
  pages.form(request);
  const visit = await pages.visits.require(request, (owner) => [
    { get: metaCell(owner, request.params.message) },
  ]);
  return cellOf(visit.results[0], readMessageMeta)?.folder === 'trash';
}

async function moveMessage(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { folder } = (request.body ?? {}) as { folder?: unknown };
  if (!isFolder(folder)) throw badField('Folder must be one of inbox, sent, archive, spam, trash.');
  await act(pages, request, 'mail.MoveMessage', { folder }, 'Move message');
  return reply.redirect(`${listUrl(request)}?done=moved`, 303);
}

async function markUnread(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  await act(pages, request, 'mail.MarkMessage', { read: false }, 'Mark message as unread');
  return reply.redirect(`${listUrl(request)}?done=unread`, 303);
}

async function act(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  type: string,
  data: object,
  action: string,
) {
  const { commandId } = pages.form(request);
  const visit = await pages.visits.require(request);
  await pages.send(
    { actor: visit.account.name, sessionHash: visit.sessionHash },
    {
      id: commandId,
      stream: visit.stream,
      type,
      data: { messageId: request.params.message, ...data },
      action,
    },
  );
}

function listUrl(request: FastifyRequest<MessageRoute>): string {
  return `/mail/${isFolder(request.params.folder) ? request.params.folder : 'inbox'}`;
}
