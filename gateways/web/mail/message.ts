/**
 * The page of one message. Opening it marks it as read, by a command that follows the answer: the page
 * itself is only a read.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Folder } from '../../../domain/mail/events.ts';
import type { DeliveryState, MessageMeta } from '../../../projections/message.ts';
import { readMessage, type ReadableMessage } from '../../message/read-message.ts';
import { newCommandId } from '../../pages/command-ids.ts';
import type { Pages } from '../../pages/pages.ts';
import { attachmentsView } from './attachments.ts';
import { folderLinks, folderQuery, ROWS_PER_PAGE, rowsFrom, rowView } from './folder.ts';
import { invitationView } from './invitation.ts';
import { inFolder, openMessage, rawBytes, type MessageRoute, type OpenedMessage } from './open-message.ts';
import { blocks } from './plain-text.ts';
import { unsubscribeView } from './unsubscribe.ts';

export function registerMessage(app: FastifyInstance, pages: Pages): void {
  app.get<MessageRoute>('/mail/:folder/:message', (request, reply) => showMessage(pages, request, reply));
}

async function showMessage(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const opened = await openMessage(pages, request, request.params.message);
  const { meta, visit } = opened;
  if (!inFolder(meta, request.params.folder)) return reply.redirect(`/mail/${meta.folder}/${meta.id}`, 303);
  const [raw, neighbours] = await Promise.all([
    rawBytes(pages, opened.raw),
    readNeighbours(pages, visit.stream, meta),
  ]);
  const message = await readMessage(raw);
  if (!meta.read && request.method === 'GET' && !isPrefetch(request)) markReadAfter(pages, reply, opened);
  const folder = meta.folder;
  const url = `/mail/${folder}/${meta.id}`;
  const asText = request.query['view'] === 'text' || message.html === undefined;
  const withImages = request.query['images'] === '1';
  return pages.show(request, reply, {
    title: meta.subject || '(no subject)',
    template: 'web/mail/message.hbs',
    section: 'mail',
    data: {
      folders: folderLinks(withoutThis(opened), folder),
      list: {
        rows: neighbours.map((row) =>
          rowView(row.id === meta.id ? { ...row, read: true } : row, folder, meta.id),
        ),
      },
      folder,
      path: `/mail/${folder}`,
      id: meta.id,
      url,
      message: headings(meta, message),
      others: message.headers.to.length + message.headers.cc.length > 1,
      moves: movesFrom(folder),
      inTrash: folder === 'trash',
      asText,
      blocks: asText ? blocks(message.text ?? '') : [],
      frame: asText ? undefined : frame(message.html ?? '', withImages),
      hasHtml: message.html !== undefined,
      withImages,
      delivery: deliveryWords(meta.delivery),
      attachments: attachmentsView(url, message, asText),
      invitation: await invitationView(raw, message),
      unsubscribe: unsubscribeView(raw, url, folder),
    },
  });
}

/** The list beside the message: some newer ones, and the older ones up to a page. */
async function readNeighbours(pages: Pages, owner: string, meta: MessageMeta) {
  const newerMax = 10;
  const answer = await pages.deps.store.read(owner, [
    folderQuery(owner, meta.folder, { before: meta.order, reverse: true, limit: newerMax }),
    folderQuery(owner, meta.folder, {
      after: beforeKey(meta.order),
      reverse: false,
      limit: ROWS_PER_PAGE - newerMax,
    }),
  ]);
  return [...rowsFrom(answer.results[0] ?? []).reverse(), ...rowsFrom(answer.results[1] ?? [])];
}

/** A key in front of which nothing lies but what lies in front of `order` too. */
function beforeKey(order: string): string {
  return order.slice(0, -1);
}

function headings(meta: MessageMeta, message: ReadableMessage) {
  const { from, to, cc } = message.headers;
  const sender = from.name || from.address || 'Unknown sender';
  return {
    from,
    sender,
    initial: ([...sender][0] ?? '?').toUpperCase(),
    to,
    cc,
    bcc: meta.bcc ?? [],
    subject: meta.subject,
    at: meta.at,
    problem: message.problem ?? meta.problem,
  };
}

/** How tall the frame should be: it has no scripts that could tell, so the beginning of its text is weighed. */
function frame(whole: string, withImages: boolean) {
  const html = whole.slice(0, 200_000);
  const textLength = html.replace(/<[^<>]*>/g, '').length;
  const lines = textLength / 80 + (html.match(/<(?:p|br|div|tr|li|h\d|img)\b/gi)?.length ?? 0);
  const height = lines < 12 ? 'short' : lines < 40 ? 'medium' : lines < 120 ? 'tall' : 'long';
  const remote = /<img\b[^<>]*\bsrc\s*=\s*["']?\s*https?:/i.test(html);
  return { height, offersImages: remote && !withImages };
}

/** The counts as they are once this message is marked as read. */
function withoutThis({ counts, meta }: OpenedMessage): OpenedMessage['counts'] {
  const of = counts[meta.folder];
  if (meta.read || of === undefined) return counts;
  return { ...counts, [meta.folder]: { ...of, unread: Math.max(0, of.unread - 1) } };
}

function movesFrom(folder: Folder): { folder: Folder; words: string; icon: string }[] {
  switch (folder) {
    case 'inbox':
      return [
        { folder: 'archive', words: 'Archive', icon: 'archive' },
        { folder: 'spam', words: 'Spam', icon: 'spam' },
      ];
    case 'sent':
      return [{ folder: 'archive', words: 'Archive', icon: 'archive' }];
    case 'spam':
      return [{ folder: 'inbox', words: 'Not spam', icon: 'inbox' }];
    case 'archive':
    case 'trash':
      return [{ folder: 'inbox', words: 'Move to inbox', icon: 'inbox' }];
  }
}

function deliveryWords(
  delivery: MessageMeta['delivery'],
): { name: string; words: string; failed: boolean }[] {
  return Object.entries(delivery ?? {}).map(([name, state]) => ({ name, ...stateWords(state) }));
}

function stateWords(state: DeliveryState): { words: string; failed: boolean } {
  if (state === 'pending') return { words: 'on its way', failed: false };
  if (state === 'delivered') return { words: 'delivered', failed: false };
  return {
    words: state === 'NoSuchAccount' ? 'not delivered: there is no such account' : 'not delivered',
    failed: true,
  };
}

function isPrefetch(request: FastifyRequest): boolean {
  return /prefetch|prerender/.test(
    `${request.headers['sec-purpose'] ?? ''}${request.headers['purpose'] ?? ''}`,
  );
}

function markReadAfter(pages: Pages, reply: FastifyReply, { visit, meta }: OpenedMessage): void {
  reply.raw.once('finish', () => {
    pages
      .send(
        { actor: visit.account.name, sessionHash: visit.sessionHash },
        {
          id: newCommandId(),
          stream: visit.stream,
          type: 'mail.MarkMessage',
          data: { messageId: meta.id, read: true },
          action: 'Read message',
        },
      )
      // The message stays unread: the next opening tries again.
      .catch((error: unknown) => pages.deps.logger.warn({ err: error }, 'marking a message as read failed'));
  });
}
