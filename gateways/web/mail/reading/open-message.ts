/**
 * A message as the routes need it: its cells, read together with the session, and the conversation that it is
 * of. Everything is read from the account's own rows: an id that belongs to someone else does not exist here.
 */
import type { FastifyRequest } from 'fastify';
import { GONE } from '../../../../domain/mail/folders.ts';
import { metaCell, rawCell, threadCell } from '../../../../projections/keys.ts';
import {
  readConversation,
  type Conversation,
  type ConversationMessage,
} from '../../../../projections/mailbox-cells.ts';
import { readMessageMeta, type MessageMeta } from '../../../../projections/message.ts';
import type { ReadCell } from '../../../../storage-nodes/client/client.ts';
import type { Pages } from '../../../pages/pages.ts';
import { notFound } from '../../../pages/refusals.ts';
import { cellOf, type Visit } from '../../../pages/visit.ts';
import { mailboxFrom, mailboxQueries, MAILBOX_QUERIES, type Mailbox } from '../folders/sidebar.ts';

export type MessageParams = { readonly folder: string; readonly message: string };
export type MessageRoute = { Params: MessageParams; Querystring: Record<string, unknown> };

export type OpenedMessage = {
  readonly visit: Visit;
  readonly mailbox: Mailbox;
  readonly meta: MessageMeta;
  /** The cell of the raw message; its bytes may have to be fetched. */
  readonly raw: ReadCell | undefined;
};

const MESSAGE_ID = /^[a-z2-7]{26}(?:-in)?$/;

/** Throws PageRefusal 404, also for an id that cannot be one. */
export async function openMessage(
  pages: Pages,
  request: FastifyRequest,
  messageId: string,
): Promise<OpenedMessage> {
  const known = MESSAGE_ID.test(messageId);
  const visit = await pages.visits.require(request, (owner) => [
    ...mailboxQueries(owner),
    ...(known ? [{ get: metaCell(owner, messageId) }, { get: rawCell(owner, messageId) }] : []),
  ]);
  const [meta, raw] = visit.results.slice(MAILBOX_QUERIES);
  const found = cellOf(meta, readMessageMeta);
  if (found === undefined) throw gone();
  return { visit, mailbox: mailboxFrom(visit.results), meta: found, raw: raw?.[0] };
}

/** Where a message lies and how it is marked, among the messages of its conversation. */
export type Placed = { readonly conversation: Conversation; readonly place: ConversationMessage };

/** Throws PageRefusal 404 if it was deleted meanwhile. */
export async function placeOf(pages: Pages, { visit, meta }: OpenedMessage): Promise<Placed> {
  const cell = threadCell(visit.stream, meta.thread);
  const conversation = cellOf(
    (await pages.deps.store.read(visit.stream, [{ get: cell }])).results[0],
    readConversation,
  );
  const place = conversation?.messages.find(({ id }) => id === meta.id);
  if (conversation === undefined || place === undefined || place.folder === GONE) throw gone();
  return { conversation, place };
}

export async function rawBytes(pages: Pages, raw: ReadCell | undefined): Promise<Buffer> {
  if (raw === undefined) throw notFound('The bytes of this message were erased.');
  return raw.bytes ?? pages.deps.store.bytes(raw);
}

function gone() {
  return notFound('There is no such message: it may have been deleted.');
}
