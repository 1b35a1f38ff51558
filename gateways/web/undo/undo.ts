/**
 * Undo: the entry that a command became is read from the log, and a command that makes up for its events is
 * sent. What is undone is told by the log, never by the form, which only names the entry; so only one's own
 * actions can be undone, and each as it really was. If something has changed since, the store says so.
 *
 *   POST /undo    entry=<tablet>:<seq>, back=<page>
 */
import type { FastifyInstance } from 'fastify';
import type { ContactsEvent } from '../../../domain/contacts/events.ts';
import type { MailEvent } from '../../../domain/mail/events.ts';
import type { LoggedEntry, StoreClient } from '../../../storage-nodes/client/client.ts';
import { idFrom } from '../../pages/command-ids.ts';
import type { Pages } from '../../pages/pages.ts';
import { PageRefusal } from '../../pages/refusals.ts';

type Compensation = { readonly type: string; readonly data: object; readonly parts?: readonly Uint8Array[] };

export function registerUndo(app: FastifyInstance, pages: Pages): void {
  app.post('/undo', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    const entry = await ownEntry(pages.deps.store, fields['entry'], visit.stream, visit.account.name);
    const fresh = (purpose: string) => idFrom(visit.account.name, commandId, purpose);
    const compensation = await compensationFor(pages.deps.store, entry, fresh);
    await pages.send(
      { actor: visit.account.name, sessionHash: visit.sessionHash },
      { id: commandId, stream: visit.stream, action: `Undo: ${entry.action}`, ...compensation },
    );
    return reply.redirect(doneAt(fields['back'], entry), 303);
  });
}

async function ownEntry(
  store: StoreClient,
  named: unknown,
  stream: string,
  account: string,
): Promise<LoggedEntry> {
  const [, tablet = '', seq = ''] = /^([A-Za-z0-9-]{1,40}):(\d{1,15})$/.exec(String(named)) ?? [];
  const known = (await store.tablets()).some(({ id }) => id === tablet);
  const [entry] = known ? await store.readLog(tablet, Number(seq), 1) : [];
  if (entry?.seq !== Number(seq) || entry.stream !== stream || entry.actor !== account) {
    throw new PageRefusal(404, 'Nothing to undo', 'There is no action of yours to undo here.');
  }
  return entry;
}

/** The command that makes up for an entry's events. Throws PageRefusal for what cannot be undone. */
async function compensationFor(
  store: StoreClient,
  entry: LoggedEntry,
  fresh: (purpose: string) => string,
): Promise<Compensation> {
  const events = entry.events as unknown as readonly (MailEvent | ContactsEvent)[];
  const deleted = events.find((event) => event.type === 'mail.FolderDeleted');
  const bulk = events.find((event) => event.type === 'mail.BulkStarted');
  if (deleted !== undefined) {
    const { folders } = deleted.data;
    return { type: 'mail.RestoreFolder', data: { folders, bulkId: bulk?.data.bulkId ?? null } };
  }
  const lesson = events.find((one) => one.type === 'mail.SpamLearned');
  const teaches = lesson && { teaches: lesson.data.as };
  if (bulk !== undefined) {
    const parts = lesson && [await partOf(store, entry, lesson.data.part ?? 0)];
    return { type: 'mail.UndoBulk', data: { bulkId: bulk.data.bulkId, ...teaches }, ...(parts && { parts }) };
  }
  const [event] = events;
  if (event?.type === 'mail.MessagesChanged') {
    const changes = event.data.members.map(({ id, thread, from, to }) => ({ id, thread, from, to }));
    return {
      type: 'mail.UndoChange',
      data: { changes, undoes: entry.commandId, ...teaches },
      ...(lesson && { parts: await partsOf(store, entry) }),
    };
  }
  if (event?.type === 'mail.MessageScheduled') {
    return { type: 'mail.CancelSending', data: { messageId: event.data.messageId } };
  }
  if (event?.type === 'mail.FolderCreated') {
    const { folderId } = event.data;
    return { type: 'mail.DeleteFolder', data: { folderId, bulkId: fresh('bulk'), messages: 0 } };
  }
  if (event?.type === 'mail.FolderChanged') {
    const [name, folded, nameBefore, foldedBefore] = await partsOf(store, entry);
    const parts = [nameBefore!, foldedBefore!, name!, folded!];
    const { folderId, parentBefore } = event.data;
    return { type: 'mail.ChangeFolder', data: { folderId, parent: parentBefore }, parts };
  }
  if (event?.type === 'mail.RulesChanged') {
    const [rules, rulesBefore] = await partsOf(store, entry);
    return { type: 'mail.ChangeRules', data: {}, parts: [rulesBefore!, rules!] };
  }
  if (event?.type === 'mail.VacationChanged') {
    const [settings, settingsBefore] = await partsOf(store, entry);
    return { type: 'mail.ChangeVacation', data: {}, parts: [settingsBefore!, settings!] };
  }
  if (event?.type === 'contacts.CollectingSet') {
    return { type: 'contacts.SetCollecting', data: { on: event.data.before } };
  }
  if (event?.type === 'contacts.BookChanged') {
    const parts = await partsOf(store, entry);
    const changes = event.data.changes.map(({ id, kind, was, is }) => ({ id, kind, was: is, is: was }));
    // In pairs: as it is, as it was.
    const back = changes.flatMap((_change, i) => [parts[2 * i + 1]!, parts[2 * i]!]);
    return { type: 'contacts.ChangeBook', data: { changes }, parts: back };
  }
  throw new PageRefusal(409, 'Not to be undone', 'This action cannot be undone.');
}

/** All parts of an entry whose parts are small. */
function partsOf(store: StoreClient, entry: LoggedEntry): Promise<Buffer[]> {
  return Promise.all(entry.parts.map((_, part) => partOf(store, entry, part)));
}

async function partOf(
  store: StoreClient,
  { tablet, seq, parts }: LoggedEntry,
  part: number,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const length = parts[part]?.length ?? 0;
  for await (const piece of store.readPart({ tablet, seq, part, length })) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The page where the undo was asked for; a message that was taken back is a draft to go on with. */
function doneAt(back: unknown, entry: LoggedEntry): string {
  const [event] = entry.events as unknown as readonly MailEvent[];
  if (event?.type === 'mail.MessageScheduled' && event.data.draftId !== null) {
    return `/mail/compose?draft=${event.data.draftId}&done=back`;
  }
  const isOurs = typeof back === 'string' && /^\/[^/\\]/.test(back) && !/[\0-\x1f\\]/.test(back);
  const url = new URL(isOurs ? back : '/mail/inbox', 'http://here');
  for (const name of ['done', 'n', 'undo', 'bulk']) url.searchParams.delete(name);
  url.searchParams.set('done', event?.type === 'mail.MessageScheduled' ? 'back' : 'undone');
  return url.pathname + url.search;
}
