/**
 * "Why is this here": the events behind a message in this account, in words, each with its time and its entry. The
 * one that brought it is read from the log; those that followed are in the message's history. What is read is
 * bounded by what belongs to this message, however long the log is.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { historyCell } from '../../../../projections/keys.ts';
import {
  readMessageHistory,
  type Happening,
  type MessageHistory,
} from '../../../../projections/message-history.ts';
import type { MessageMeta } from '../../../../projections/message.ts';
import type { LoggedEntry, ReadCell, StoreClient } from '../../../../storage-nodes/client/client.ts';
import { readHeaderBlock } from '../../../message/header-block.ts';
import type { Pages } from '../../../pages/pages.ts';
import { cellOf } from '../../../pages/visit.ts';
import { openMessage, placeOf, type MessageRoute, type OpenedMessage } from '../reading/open-message.ts';
import { rulesFrom, rulesQuery } from '../rules/rule-list.ts';
import { folderName } from '../folders/sidebar.ts';
import { arrivalTold, receivedIn, type Names, type Told } from './arrival.ts';
import { happeningTold, outsideNotes } from './changes.ts';

const NO_HISTORY: MessageHistory = { happenings: [], left: 0 };
/** Where the fields that our own server writes stand. */
const TOP_BYTES = 4 * 1024;

export function registerWhy(app: FastifyInstance, pages: Pages): void {
  app.get<MessageRoute>('/mail/:folder/:message/why', (request, reply) => showWhy(pages, request, reply));
}

async function showWhy(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const opened = await openMessage(pages, request, request.params.message);
  const { meta, raw, visit } = opened;
  const { folder } = (await placeOf(pages, opened)).place;
  if (raw === undefined) return reply.redirect(`/mail/compose?draft=${meta.id}`, 303);
  const { store } = pages.deps;
  const { tablet, results } = await store.read(visit.stream, [
    { get: historyCell(visit.stream, meta.id) },
    rulesQuery(visit.stream),
  ]);
  const { happenings, left } = cellOf(results[0], readMessageHistory) ?? NO_HISTORY;
  const names: Names = {
    folder: (one) => `“${folderName(opened.mailbox, one)}”`,
    rules: rulesFrom(results[1]),
  };
  const [entry] = await entriesAt(store, tablet, raw.seq);
  const first =
    meta.via === 'sent'
      ? sendingTold(meta, happenings, raw.seq, names)
      : await arrival(store, opened, entry, raw, names);
  const events = [
    { ...first, at: entry?.time ?? meta.at, seq: raw.seq },
    ...happenings
      .filter(({ seq, what }) => what === 'changed' || seq !== raw.seq)
      .map((one) => ({ ...happeningTold(one, names), at: one.at, seq: one.seq })),
  ];
  return pages.show(request, reply, {
    title: `Why is this here: ${meta.subject || '(no subject)'}`,
    template: 'web/mail/why/why.hbs',
    section: 'mail',
    data: {
      url: `/mail/${folder}/${meta.id}`,
      subject: meta.subject || '(no subject)',
      folder: folderName(opened.mailbox, folder),
      since: lastMove(happenings),
      left,
      events: events.map((event) => ({
        ...event,
        tablet,
        entryUrl: visit.account.admin ? `/admin/events?tablet=${tablet}&seq=${event.seq}` : undefined,
      })),
    },
  });
}

/** When it came to its folder, and how; undefined: it came there first of all. */
function lastMove(happenings: readonly Happening[]): { at: number; words: string } | undefined {
  const move = happenings.findLast(
    ({ what, from, folder }) => what === 'released' || (what === 'changed' && from !== folder),
  );
  if (move === undefined) return undefined;
  const words =
    move.what === 'released' ? 'you sent it' : move.how === 'time' ? 'its time came' : 'you moved it';
  return { at: move.at, words };
}

function sendingTold(meta: MessageMeta, happenings: readonly Happening[], seq: number, names: Names): Told {
  const begun = happenings.find((one) => one.seq === seq) ?? { seq, at: meta.at, what: 'sent', how: 'hand' };
  return { ...happeningTold(begun, names), notes: outsideNotes(meta) };
}

async function arrival(
  store: StoreClient,
  { meta, visit }: OpenedMessage,
  entry: LoggedEntry | undefined,
  raw: ReadCell,
  names: Names,
): Promise<Told> {
  const data = entry?.stream === visit.stream ? receivedIn(entry, meta.id) : undefined;
  if (data === undefined) {
    const note = 'The entry of the log that tells how it came cannot be read now.';
    return { icon: 'inbox', words: 'Received', by: '', notes: [note] };
  }
  const cause = data.via === 'local' ? entry?.causation : undefined;
  const [[origin], header] = await Promise.all([
    cause === undefined ? [undefined] : entriesAt(store, cause.tablet, cause.seq),
    topOf(store, raw),
  ]);
  const told = arrivalTold(data, readHeaderBlock(header), origin, names);
  const answered = meta.reply === undefined ? [] : ['It was answered with your out-of-office reply.'];
  return { ...told, notes: [...told.notes, ...answered, ...outsideNotes(meta)] };
}

/** The one entry, if it is there. */
async function entriesAt(store: StoreClient, tablet: string, seq: number): Promise<LoggedEntry[]> {
  return (await store.readLog(tablet, seq, 1)).filter((entry) => entry.seq === seq);
}

async function topOf(store: StoreClient, { bytes, part }: ReadCell): Promise<Buffer> {
  if (bytes !== undefined || part === undefined) return bytes?.subarray(0, TOP_BYTES) ?? Buffer.alloc(0);
  const pieces: Buffer[] = [];
  const range = { offset: 0, length: Math.min(TOP_BYTES, part.length) };
  for await (const piece of store.readPart(part, range)) pieces.push(piece);
  return Buffer.concat(pieces);
}
