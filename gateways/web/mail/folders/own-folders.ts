/** The page on which folders of one's own are made, renamed, moved under others and deleted. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { FOLDER_NAME_BYTES_MAX } from '../../../../domain/mail/folders.ts';
import { Rejected } from '../../../../storage-nodes/client/client.ts';
import { idFrom } from '../../../pages/command-ids.ts';
import { field, type Fields } from '../../../pages/form.ts';
import type { Pages } from '../../../pages/pages.ts';
import { notFound } from '../../../pages/refusals.ts';
import type { Visit } from '../../../pages/visit.ts';
import { allOf, entryOf, pagesOf } from '../actions.ts';
import { doneWords } from '../done-words.ts';
import { mailboxFrom, mailboxQueries, sidebar, type Mailbox, type OwnFolder } from './sidebar.ts';
import { readConversation } from '../../../../projections/mailbox-cells.ts';
import { threadCell } from '../../../../projections/keys.ts';
import { cellOf } from '../../../pages/visit.ts';

type FolderRoute = { Params: { folder: string } };

export function registerOwnFolders(app: FastifyInstance, pages: Pages): void {
  app.get<{ Querystring: Record<string, unknown> }>('/mail/folders', async (request, reply) => {
    const visit = await pages.visits.require(request, mailboxQueries);
    const mailbox = mailboxFrom(visit.results);
    return pages.show(request, reply, {
      title: 'Folders',
      template: 'web/mail/folders/own-folders.hbs',
      section: 'mail',
      ...doneWords(request.query),
      data: { folders: sidebar(mailbox, undefined), ...listed(mailbox) },
    });
  });
  app.post('/mail/folders', (request, reply) => createFolder(pages, request, reply));
  app.post<FolderRoute>('/mail/folders/:folder/change', (request, reply) =>
    changeFolder(pages, request, reply),
  );
  app.post<FolderRoute>('/mail/folders/:folder/delete', (request, reply) =>
    deleteFolder(pages, request, reply),
  );
}

function listed({ own, counts }: Mailbox) {
  return {
    own: own.map((folder) => ({
      ...folder,
      total: counts[folder.id]?.total ?? 0,
      // A folder cannot hang below itself.
      parents: own
        .filter(({ id, path }) => id !== folder.id && !path.startsWith(`${folder.path} / `))
        .map(({ id, path }) => ({ id, path, chosen: id === folder.parent })),
    })),
  };
}

async function createFolder(pages: Pages, request: FastifyRequest, reply: FastifyReply) {
  const { fields, commandId } = pages.form(request);
  const visit = await pages.visits.require(request);
  const accepted = await pages.send(sender(visit), {
    id: commandId,
    stream: visit.stream,
    type: 'mail.CreateFolder',
    data: { folderId: idFrom(visit.account.name, commandId, 'folder'), parent: parentOf(fields) },
    parts: nameParts(nameOf(fields)),
    action: 'Make folder',
  });
  return leadBack(reply, { done: 'folder', undo: entryOf(accepted) });
}

async function changeFolder(pages: Pages, request: FastifyRequest<FolderRoute>, reply: FastifyReply) {
  const { fields, commandId } = pages.form(request);
  const { visit, folder } = await ownFolder(pages, request);
  const accepted = await pages.send(sender(visit), {
    id: commandId,
    stream: visit.stream,
    type: 'mail.ChangeFolder',
    data: { folderId: folder.id, parent: parentOf(fields) },
    parts: [...nameParts(nameOf(fields)), ...nameParts(folder.name)],
    action: 'Change folder',
  });
  return leadBack(reply, { done: 'renamed', undo: entryOf(accepted) });
}

/** Messages may be moved into it between the look and the command; then it is looked at again. */
const TRIES = 5;

async function deleteFolder(pages: Pages, request: FastifyRequest<FolderRoute>, reply: FastifyReply) {
  const { commandId } = pages.form(request);
  const { visit, folder, mailbox } = await ownFolder(pages, request);
  const branch = mailbox.own.filter(
    ({ id, path }) => id === folder.id || path.startsWith(`${folder.path} / `),
  );
  for (let attempt = 1; ; attempt++) {
    const folders = branch.map(({ id }) => id);
    const conversations = await allOf(pages.deps.store, visit.stream, folders);
    const messages = await messagesIn(pages, visit.stream, conversations, new Set(folders));
    try {
      const accepted = await pages.send(sender(visit), {
        id: commandId,
        stream: visit.stream,
        type: 'mail.DeleteFolder',
        data: {
          folderId: folder.id,
          bulkId: idFrom(visit.account.name, commandId, 'bulk'),
          messages,
        },
        parts: pagesOf(conversations),
        action: 'Delete folder',
      });
      return leadBack(reply, { done: 'removed', undo: entryOf(accepted) });
    } catch (error) {
      const isBehind = error instanceof Rejected && error.rejection.code === 'ChangedSince';
      if (!isBehind || attempt === TRIES) throw error;
    }
  }
}

const CONVERSATIONS_AT_ONCE = 200;

async function messagesIn(
  pages: Pages,
  owner: string,
  conversations: readonly string[],
  folders: ReadonlySet<string>,
): Promise<number> {
  let count = 0;
  for (let at = 0; at < conversations.length; at += CONVERSATIONS_AT_ONCE) {
    const some = conversations.slice(at, at + CONVERSATIONS_AT_ONCE);
    const { results } = await pages.deps.store.read(
      owner,
      some.map((thread) => ({ get: threadCell(owner, thread) })),
    );
    for (const cells of results) {
      const messages = cellOf(cells, readConversation)?.messages ?? [];
      count += messages.filter(({ folder }) => folders.has(folder)).length;
    }
  }
  return count;
}

async function ownFolder(
  pages: Pages,
  request: FastifyRequest<FolderRoute>,
): Promise<{ visit: Visit; folder: OwnFolder; mailbox: Mailbox }> {
  const visit = await pages.visits.require(request, mailboxQueries);
  const mailbox = mailboxFrom(visit.results);
  const folder = mailbox.own.find(({ id }) => id === request.params.folder);
  if (folder === undefined) throw notFound('There is no such folder: it may have been deleted.');
  return { visit, folder, mailbox };
}

function nameOf(fields: Fields): string {
  return field(fields, 'name', { label: 'Name', bytesMax: FOLDER_NAME_BYTES_MAX, required: true })
    .trim()
    .normalize('NFC');
}

/** The name, and what is compared to tell whether it is taken. */
function nameParts(name: string): Buffer[] {
  return [Buffer.from(name), Buffer.from(name.normalize('NFKC').toLowerCase())];
}

function parentOf(fields: Fields): string | null {
  const { parent } = fields;
  return typeof parent === 'string' && parent !== '' ? parent : null;
}

function sender(visit: Visit) {
  return { actor: visit.account.name, sessionHash: visit.sessionHash };
}

function leadBack(reply: FastifyReply, said: Record<string, string>): FastifyReply {
  return reply.redirect(`/mail/folders?${new URLSearchParams(said).toString()}`, 303);
}
