/**
 * A message as the routes need it: its cells, read together with the session, and the raw bytes parsed
 * for showing. Everything is read from the account's own rows: an id that belongs to someone else does
 * not exist here.
 */
import type { FastifyRequest } from 'fastify';
import { isFolder, type Folder } from '../../../domain/mail/events.ts';
import type { FolderCounts } from '../../../projections/folder.ts';
import { metaCell, rawCell } from '../../../projections/keys.ts';
import { readMessageMeta, type MessageMeta } from '../../../projections/message.ts';
import type { ReadCell } from '../../../storage-nodes/client/client.ts';
import type { Pages } from '../../pages/pages.ts';
import { notFound } from '../../pages/refusals.ts';
import { cellOf, type Visit } from '../../pages/visit.ts';
import { countsFrom, countsQuery } from './folder.ts';

export type MessageParams = { readonly folder: string; readonly message: string };
export type MessageRoute = { Params: MessageParams; Querystring: Record<string, unknown> };

export type OpenedMessage = {
  readonly visit: Visit;
  readonly counts: Partial<Record<Folder, FolderCounts>>;
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
    countsQuery(owner),
    ...(known ? [{ get: metaCell(owner, messageId) }, { get: rawCell(owner, messageId) }] : []),
  ]);
  const [counts, meta, raw] = visit.results;
  const found = cellOf(meta, readMessageMeta);
  if (found === undefined) throw notFound('There is no such message: it may have been deleted.');
  return { visit, counts: countsFrom(counts ?? []), meta: found, raw: raw?.[0] };
}

export async function rawBytes(pages: Pages, raw: ReadCell | undefined): Promise<Buffer> {
  if (raw === undefined) throw notFound('The bytes of this message were erased.');
  return raw.bytes ?? pages.deps.store.bytes(raw);
}

/** True if the address in the browser still says where the message is. */
export function inFolder(meta: MessageMeta, folder: string): boolean {
  return isFolder(folder) && meta.folder === folder;
}
