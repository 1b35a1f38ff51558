/**
 * What can be done with conversations: the same form for the ones that are ticked in a list, for the one that
 * is open, and for all of a folder. Each is one command, acts once, and leads back to the list with a word of
 * what was done and a way to undo it.
 *
 *   POST /mail/<folder>/do    c=<conversation> …   or m=<message> …   or all=1;   action=archive
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PAGE_MAX } from '../../../domain/mail/changes/bulk.ts';
import { CONVERSATIONS_MAX } from '../../../domain/mail/changes/change.ts';
import { GONE, type Folder } from '../../../domain/mail/folders.ts';
import { LESSONS_MAX } from '../../../domain/mail/spam/lessons.ts';
import { parseOrder } from '../../../projections/keys.ts';
import type { Accepted, StoreClient } from '../../../storage-nodes/client/client.ts';
import { idFrom } from '../../pages/command-ids.ts';
import type { Fields } from '../../pages/form.ts';
import type { Pages } from '../../pages/pages.ts';
import { badField } from '../../pages/refusals.ts';
import type { Visit } from '../../pages/visit.ts';
import { folderQuery, type FolderRoute } from './folders/folder-list.ts';
import { lessonOf } from './lesson.ts';

type Change = {
  readonly folder?: Folder;
  readonly read?: boolean;
  readonly starred?: boolean;
  readonly snoozeUntil?: number;
};
/** `done`: what the next page says. */
type Action = {
  readonly words: string;
  readonly icon: string;
  readonly done: string;
  readonly change: Change;
};

const ACTIONS = {
  archive: { words: 'Archive', icon: 'archive', done: 'archive', change: { folder: 'archive' } },
  inbox: { words: 'Move to inbox', icon: 'inbox', done: 'inbox', change: { folder: 'inbox' } },
  spam: { words: 'Spam', icon: 'spam', done: 'spam', change: { folder: 'spam' } },
  notspam: { words: 'Not spam', icon: 'inbox', done: 'inbox', change: { folder: 'inbox' } },
  trash: { words: 'Delete', icon: 'trash', done: 'trash', change: { folder: 'trash' } },
  gone: { words: 'Delete for good', icon: 'trash', done: 'gone', change: { folder: GONE } },
  read: { words: 'Read', icon: 'opened', done: 'read', change: { read: true } },
  unread: { words: 'Unread', icon: 'unread', done: 'unread', change: { read: false } },
  star: { words: 'Star', icon: 'star', done: 'star', change: { starred: true } },
  unstar: { words: 'Remove star', icon: 'star', done: 'unstar', change: { starred: false } },
} satisfies Record<string, Action>;
type ActionName = keyof typeof ACTIONS;

export type ShownAction = { name: ActionName; words: string; icon: string; key?: string; danger?: boolean };

/** The buttons of a folder, in their order. */
export function folderActions(folder: Folder): ShownAction[] {
  const { first, last } = moves(folder);
  return [...first, 'read' as const, 'unread' as const, ...last].map((name) => ({
    name,
    words: ACTIONS[name].words,
    icon: ACTIONS[name].icon,
    ...(KEYS[name] !== undefined && { key: KEYS[name] }),
    ...((name === 'trash' || name === 'gone') && { danger: true }),
  }));
}

/** Of an open conversation: one button reads or unreads it. */
export function conversationActions(folder: Folder): (ShownAction & { isToggle: boolean })[] {
  return folderActions(folder)
    .filter(({ name }) => name !== 'read')
    .map((action) => ({ ...action, isToggle: action.name === 'unread' }));
}

export function readToggle(isUnread: boolean): ShownAction {
  const name = isUnread ? 'read' : 'unread';
  return { name, words: ACTIONS[name].words, icon: ACTIONS[name].icon };
}

const KEYS: Partial<Record<ActionName, string>> = { archive: 'e', trash: '#', gone: '#' };

export function listActions(folder: Folder, total: number) {
  return total === 0 || folder === 'outbox' ? undefined : { buttons: folderActions(folder), total };
}

function moves(folder: Folder): { first: ActionName[]; last: ActionName[] } {
  switch (folder) {
    case 'inbox':
      return { first: ['archive', 'spam'], last: ['trash'] };
    case 'spam':
      return { first: ['notspam'], last: ['gone'] };
    case 'trash':
      return { first: ['inbox'], last: ['gone'] };
    case 'drafts':
      return { first: [], last: ['gone'] };
    case 'sent':
      return { first: ['archive'], last: ['trash'] };
    default:
      return { first: ['inbox'], last: ['trash'] };
  }
}

export function registerActions(app: FastifyInstance, pages: Pages): void {
  app.post<FolderRoute>('/mail/:folder/do', async (request, reply) => act(pages, request, reply));
}

async function act(
  pages: Pages,
  request: FastifyRequest<FolderRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { folder } = request.params;
  const { fields, commandId } = pages.form(request);
  const visit = await pages.visits.require(request);
  const { change, done, word, only } = chosenAction(fields);
  if (fields['all'] === '1' && only === undefined) {
    if (change.snoozeUntil !== undefined) throw badField('All of a folder cannot be snoozed at once.');
    return changeAll(pages, reply, visit, { folder, change, commandId, word });
  }
  const selection = only === undefined ? chosen(fields, folder) : { conversations: [only], in: folder };
  const isDeletion = change.folder === GONE;
  const lesson = await lessonOf(pages.deps.store, visit.stream, {
    from: folder,
    to: change.folder,
    ...selection,
  });
  const accepted = await pages.send(
    { actor: visit.account.name, sessionHash: visit.sessionHash },
    {
      id: commandId,
      stream: visit.stream,
      type: isDeletion ? 'mail.DeleteMessages' : 'mail.ChangeMessages',
      data: isDeletion ? selection : { ...selection, ...change, ...lesson?.data },
      ...(lesson && { parts: lesson.parts }),
      action: word,
    },
  );
  const count = selection.conversations?.length ?? 1;
  return reply.redirect(backTo(fields, folder, { done, count, accepted }), 303);
}

/** The button that was pressed: an action of its own, a move to a folder, a snooze, or a star in the list. */
function chosenAction(fields: Fields): { change: Change; done: string; word: string; only?: string } {
  const action = fields['action'];
  if (typeof action !== 'string') throw badField('Choose what is to be done.');
  const starred = /^(star|unstar):([a-z2-7]{26}(?:-in)?)$/.exec(action);
  if (starred !== null) {
    const { change, done, words } = ACTIONS[starred[1] as 'star' | 'unstar'];
    return { change, done, word: words, only: starred[2]! };
  }
  if (action === 'move') {
    const to = fields['to'];
    if (typeof to !== 'string' || to === '') throw badField('Choose a folder to move to.');
    return { change: { folder: to }, done: 'move', word: 'Move' };
  }
  if (action === 'snooze') {
    return { change: { snoozeUntil: timeAhead(fields['until']) }, done: 'snooze', word: 'Snooze' };
  }
  if (!Object.hasOwn(ACTIONS, action)) throw badField('That cannot be done with a conversation.');
  const { change, done, words } = ACTIONS[action as ActionName];
  return { change, done, word: words };
}

/** `+3h`, or a time as ISO 8601 writes it with its zone. */
function timeAhead(until: unknown): number {
  const given = typeof until === 'string' ? until : '';
  const hours = /^\+(\d{1,4})h$/.exec(given)?.[1];
  const time = hours === undefined ? Date.parse(given) : Date.now() + Number(hours) * 3_600_000;
  if (Number.isNaN(time)) throw badField('Choose when it should come back.');
  return time;
}

function chosen(
  fields: Fields,
  folder: Folder,
): { messages?: string[]; conversations?: string[]; in?: Folder } {
  const messages = listed(fields['m']);
  if (messages.length > 0) return { messages };
  const conversations = listed(fields['c']);
  if (conversations.length === 0) throw badField('Nothing is selected: tick the conversations you mean.');
  if (conversations.length > CONVERSATIONS_MAX) {
    throw badField(
      `At most ${CONVERSATIONS_MAX} conversations can be selected; these are ${conversations.length}.`,
    );
  }
  return { conversations, in: folder };
}

function listed(value: unknown): string[] {
  const values = Array.isArray(value) ? value : [value];
  return values.filter((one): one is string => typeof one === 'string' && one !== '');
}

async function changeAll(
  pages: Pages,
  reply: FastifyReply,
  visit: Visit,
  asked: { folder: Folder; change: Change; commandId: string; word: string },
): Promise<FastifyReply> {
  const { folder, change, commandId, word } = asked;
  const conversations = await allOf(pages.deps.store, visit.stream, [folder]);
  const list = `/mail/${folder}`;
  if (conversations.length === 0) return reply.redirect(list, 303);
  const bulkId = idFrom(visit.account.name, commandId, 'bulk');
  // By the newest of them: a few dozen say as much as all.
  const moving = { from: folder, to: change.folder, conversations: conversations.slice(-LESSONS_MAX) };
  const lesson = await lessonOf(pages.deps.store, visit.stream, moving);
  const accepted = await pages.send(
    { actor: visit.account.name, sessionHash: visit.sessionHash },
    {
      id: commandId,
      stream: visit.stream,
      type: 'mail.StartBulk',
      data: { bulkId, in: [folder], to: change, ...lesson?.data },
      parts: [...pagesOf(conversations), ...(lesson?.parts ?? [])],
      action: `${word} all`,
    },
  );
  const said = new URLSearchParams({
    done: 'bulk',
    n: String(conversations.length),
    undo: entryOf(accepted),
    bulk: bulkId,
  });
  return reply.redirect(`${list}?${said.toString()}`, 303);
}

const SCAN = 2000;

/** Every conversation that has a message in these folders, each once. */
export async function allOf(
  store: StoreClient,
  owner: string,
  folders: readonly Folder[],
): Promise<string[]> {
  const found = new Set<string>();
  for (const folder of folders) {
    for (let after: string | undefined; ;) {
      const range = { reverse: false, limit: SCAN, ...(after !== undefined && { after }) };
      const cells = (await store.read(owner, [folderQuery(owner, folder, range)])).results[0] ?? [];
      for (const { column } of cells) {
        const order = parseOrder(column);
        if (order !== undefined) found.add(order.thread);
      }
      if (cells.length < SCAN) break;
      after = cells.at(-1)!.column;
    }
  }
  return [...found];
}

/** Pages of a bulk, as its command takes them. */
export function pagesOf(conversations: readonly string[]): Buffer[] {
  const pages: Buffer[] = [];
  for (let at = 0; at < conversations.length; at += PAGE_MAX) {
    pages.push(Buffer.from(conversations.slice(at, at + PAGE_MAX).join('\n')));
  }
  return pages;
}

/** The entry that can be undone, as an address names it. */
export function entryOf({ tablet, seq }: Accepted): string {
  return `${tablet}:${seq}`;
}

/** The list that the form was in, which is the folder's first page unless it says otherwise. */
function backTo(
  fields: Fields,
  folder: Folder,
  { done, count, accepted }: { done: string; count: number; accepted: Accepted },
): string {
  const { back } = fields;
  const isOurs = typeof back === 'string' && back.startsWith('/mail/') && !/[\0-\x1f\\]/.test(back);
  const url = new URL(isOurs ? back : `/mail/${folder}`, 'http://here');
  const nothing = (accepted.reply as { changed?: number } | null)?.changed === undefined;
  url.searchParams.set('done', done);
  url.searchParams.set('n', String(count));
  url.searchParams.delete('undo');
  if (!nothing) url.searchParams.set('undo', entryOf(accepted));
  return url.pathname + url.search;
}
