/**
 * The page of a conversation, opened at one of its messages: that one and what is unread are shown whole, the
 * others as a line each. Opening marks what is shown as read, by a command that follows the answer: the page
 * itself is only a read.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { addressKey } from '../../../../domain/contacts/book.ts';
import type { Folder } from '../../../../domain/mail/folders.ts';
import { readKnownAddress } from '../../../../projections/contacts-cells.ts';
import { bookAddressCell, metaCell, orderOf, rawCell } from '../../../../projections/keys.ts';
import { shownIn, type ConversationMessage } from '../../../../projections/mailbox-cells.ts';
import { readMessageMeta, type MessageMeta } from '../../../../projections/message.ts';
import type { ReadCell } from '../../../../storage-nodes/client/client.ts';
import { isValidAddress } from '../../../message/addresses.ts';
import { readMessage } from '../../../message/read-message.ts';
import { newCommandId } from '../../../pages/command-ids.ts';
import type { Pages } from '../../../pages/pages.ts';
import { cellOf } from '../../../pages/visit.ts';
import { conversationActions, readToggle } from '../actions.ts';
import { doneWords } from '../done-words.ts';
import { listData } from '../list/folder.ts';
import { isCalendar } from './invitation.ts';
import { folderQuery, LINES_PER_PAGE, linesFrom, lineView } from '../folders/folder-list.ts';
import { deliveriesView, messageView } from './message-view.ts';
import {
  openMessage,
  placeOf,
  rawBytes,
  type MessageRoute,
  type OpenedMessage,
  type Placed,
} from './open-message.ts';
import { moveTargets, sidebar, type Mailbox } from '../folders/sidebar.ts';

/** Messages that are shown whole; more than that would be slow to read and to lay out. */
const WHOLE_MAX = 10;

export function registerMessage(app: FastifyInstance, pages: Pages): void {
  app.get<MessageRoute>('/mail/:folder/:message', (request, reply) => showMessage(pages, request, reply));
}

async function showMessage(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const opened = await openMessage(pages, request, request.params.message);
  const { meta, mailbox } = opened;
  const placed = await placeOf(pages, opened);
  const { folder } = placed.place;
  if (folder !== request.params.folder) return reply.redirect(`/mail/${folder}/${meta.id}`, 303);
  if (folder === 'drafts') return reply.redirect(`/mail/compose?draft=${meta.id}`, 303);

  const shown = shownIn(placed.conversation.messages, folder);
  if (request.query['fragment'] === 'list') return showBeside(pages, request, reply, opened, placed);
  const whole = wholeOnes(shown, meta.id);
  const { cells, lines, contact } = await readRest(pages, opened, placed, whole);
  const messages = await Promise.all(
    shown.map(async (message) => {
      const own = cells.get(message.id);
      if (own === undefined) return lineOf(message);
      const url = `/mail/${message.folder}/${message.id}`;
      const raw = await rawBytes(pages, own.raw);
      const read = await readMessage(raw, isCalendar);
      const chosen = message.id === meta.id ? request.query : {};
      return messageView(own.meta, message, raw, read, {
        ...{ url, query: chosen, isOnly: shown.length === 1 },
        hostname: pages.deps.domains[0]!,
      });
    }),
  );
  const unread = whole.filter(({ read }) => !read).map(({ id }) => id);
  if (unread.length > 0 && request.method === 'GET' && !isPrefetch(request)) {
    markReadAfter(pages, reply, opened, unread);
  }
  const subject = (placed.place.subject ?? placed.conversation.subject) || '(no subject)';
  return pages.show(request, reply, {
    title: subject,
    template: 'web/mail/reading/message.hbs',
    section: 'mail',
    ...doneWords(request.query),
    data: {
      folders: sidebar(readHere(mailbox, folder, shown, unread), folder),
      ...listData(folder),
      list: { rows: lines.map((line) => lineView(asRead(line, meta.thread), folder, meta.thread)) },
      id: meta.id,
      thread: meta.thread,
      url: `/mail/${folder}/${meta.id}`,
      subject,
      count: shown.length > 1 ? shown.length : undefined,
      seen: shown.length,
      starred: placed.place.starred,
      messages,
      answers: answersTo(shown, meta, messages),
      sender: canAdd(meta) ? { contact } : undefined,
      canBlock: meta.via !== 'sent' && meta.from.address !== '',
      waiting: folder === 'outbox' ? { dueAt: meta.dueAt } : undefined,
      buttons: conversationActions(folder),
      toggle: readToggle(false),
      targets: moveTargets(mailbox, folder),
      canSnooze: folder === 'inbox' || folder === 'archive' || folder === 'snoozed',
    },
  });
}

/**
 * What changes of the page while it is open: counts, the list beside, deliveries, and word of what is new in the
 * conversation.
 */
async function showBeside(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
  opened: OpenedMessage,
  placed: Placed,
): Promise<FastifyReply> {
  const { meta, mailbox } = opened;
  const { folder } = placed.place;
  const shown = shownIn(placed.conversation.messages, folder);
  const [{ lines }, metas] = await Promise.all([
    readRest(pages, opened, placed, []),
    readMetas(pages, opened, shown),
  ]);
  const { seen } = request.query;
  const newer = typeof seen === 'string' && shown.length > Number(seen) ? shown.at(-1) : undefined;
  return pages.showFragment(request, reply, {
    title: 'Conversation',
    template: 'web/mail/reading/live-message.hbs',
    ...doneWords(request.query),
    data: {
      ...listData(folder),
      folders: sidebar(mailbox, folder),
      list: { rows: lines.map((line) => lineView(line, folder, meta.thread)) },
      newer: newer && { url: `/mail/${newer.folder}/${newer.id}` },
      messages: metas.map((one) => ({ id: one.id, ...deliveriesView(one) })),
      id: meta.id,
      url: `/mail/${folder}/${meta.id}`,
      starred: placed.place.starred,
      toggle: readToggle(shown.some(({ read }) => !read)),
    },
  });
}

/** The one asked for, and the newest of the unread ones. */
function wholeOnes(shown: readonly ConversationMessage[], id: string): ConversationMessage[] {
  const unread = shown.filter((message) => !message.read && message.id !== id).slice(1 - WHOLE_MAX);
  return shown.filter((message) => message.id === id || unread.includes(message));
}

type OwnCells = { readonly meta: MessageMeta; readonly raw: ReadCell | undefined };

/**
 * The messages to be shown whole, the sender's contact, and the lines beside: some newer ones, and older ones up to
 * a page.
 */
async function readRest(
  pages: Pages,
  { visit, meta, raw }: OpenedMessage,
  { conversation, place }: Placed,
  whole: readonly ConversationMessage[],
) {
  const owner = visit.stream;
  const others = whole.filter(({ id }) => id !== meta.id);
  const here = conversation.messages.filter(({ folder }) => folder === place.folder);
  const order = orderOf(Math.max(...here.map(({ top }) => top)), meta.thread);
  const newerMax = 10;
  const { results } = await pages.deps.store.read(owner, [
    folderQuery(owner, place.folder, { before: order, reverse: true, limit: newerMax }),
    folderQuery(owner, place.folder, {
      // A key in front of which nothing lies but what lies in front of `order` too.
      after: order.slice(0, -1),
      reverse: false,
      limit: LINES_PER_PAGE - newerMax,
    }),
    ...others.flatMap(({ id }) => [{ get: metaCell(owner, id) }, { get: rawCell(owner, id) }]),
    ...(canAdd(meta) ? [{ get: bookAddressCell(owner, addressKey(meta.from.address)) }] : []),
  ]);
  const cells = new Map<string, OwnCells>([[meta.id, { meta, raw }]]);
  for (const [i, { id }] of others.entries()) {
    const found = cellOf(results[2 + 2 * i], readMessageMeta);
    if (found !== undefined) cells.set(id, { meta: found, raw: results[3 + 2 * i]?.[0] });
  }
  const contact = canAdd(meta) ? cellOf(results.at(-1), readKnownAddress)?.contact : undefined;
  return {
    cells,
    contact,
    lines: [...linesFrom(results[0] ?? []).reverse(), ...linesFrom(results[1] ?? [])],
  };
}

/**
 * The opened one and the newest of the others: which of them the page shows whole, it knows by itself, for what was
 * unread when it was opened is read by now.
 */
async function readMetas(
  pages: Pages,
  { visit, meta }: OpenedMessage,
  shown: readonly ConversationMessage[],
): Promise<MessageMeta[]> {
  const others = shown.filter(({ id }) => id !== meta.id).slice(1 - WHOLE_MAX);
  if (others.length === 0) return [meta];
  const gets = others.map(({ id }) => ({ get: metaCell(visit.stream, id) }));
  const { results } = await pages.deps.store.read(visit.stream, gets);
  return [meta, ...results.flatMap((cells) => cellOf(cells, readMessageMeta) ?? [])];
}

function canAdd({ via, from }: MessageMeta): boolean {
  return via !== 'sent' && isValidAddress(from.address);
}

/** A message of the conversation that is not opened. */
function lineOf({ id, folder, own, who, others, snippet, at, attachments, starred }: ConversationMessage) {
  const to = `me, to ${who}${others > 0 ? ` and ${others} more` : ''}`;
  return {
    line: {
      url: `/mail/${folder}/${id}`,
      who: own ? to : who || 'Unknown sender',
      snippet,
      at,
      attachments: attachments > 0,
      starred,
    },
  };
}

/** What Reply, Reply all and Forward of the page answer: the newest message, or the one that was asked for. */
function answersTo(
  shown: readonly ConversationMessage[],
  meta: MessageMeta,
  views: readonly ({ line: unknown } | { whole: { id: string; others: boolean } })[],
) {
  const whole = views.flatMap((view) => ('whole' in view ? [view.whole] : []));
  const newest = shown.at(-1)?.id;
  const chosen = whole.find(({ id }) => id === newest) ?? whole.find(({ id }) => id === meta.id);
  return { id: chosen?.id ?? meta.id, others: chosen?.others ?? false };
}

/** The counts as they are once these messages are marked as read. */
function readHere(
  mailbox: Mailbox,
  folder: Folder,
  shown: readonly ConversationMessage[],
  read: readonly string[],
): Mailbox {
  const of = mailbox.counts[folder];
  const unread = shown.filter((message) => message.folder === folder && !message.read);
  if (of === undefined || unread.length === 0 || !unread.every(({ id }) => read.includes(id))) return mailbox;
  return {
    ...mailbox,
    counts: { ...mailbox.counts, [folder]: { ...of, unread: Math.max(0, of.unread - 1) } },
  };
}

function asRead<Line extends { readonly thread: string; readonly unread: number }>(
  line: Line,
  thread: string,
): Line {
  return line.thread === thread ? { ...line, unread: 0 } : line;
}

function isPrefetch(request: FastifyRequest): boolean {
  return /prefetch|prerender/.test(
    `${request.headers['sec-purpose'] ?? ''}${request.headers['purpose'] ?? ''}`,
  );
}

function markReadAfter(
  pages: Pages,
  reply: FastifyReply,
  { visit }: OpenedMessage,
  messages: readonly string[],
): void {
  reply.raw.once('finish', () => {
    pages
      .send(
        { actor: visit.account.name, sessionHash: visit.sessionHash },
        {
          id: newCommandId(),
          stream: visit.stream,
          type: 'mail.ChangeMessages',
          data: { messages, read: true },
          action: 'Read message',
        },
      )
      // The message stays unread: the next opening tries again.
      .catch((error: unknown) => pages.deps.logger.warn({ err: error }, 'marking a message as read failed'));
  });
}
