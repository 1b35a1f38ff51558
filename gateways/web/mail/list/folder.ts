/**
 * A folder of the mailbox: fifty conversations a page, newest first. Session, counts and lines come from one
 * read of the account's tablet; a page costs the same however long the folder is.
 */
import type { FastifyInstance } from 'fastify';
import type { Folder } from '../../../../domain/mail/folders.ts';
import { readBulkProgress } from '../../../../projections/bulk.ts';
import { bulkCell } from '../../../../projections/keys.ts';
import type { Pages } from '../../../pages/pages.ts';
import { cursorOf, pageOf, scanFor, type Cursor } from '../../../pages/paging.ts';
import { notFound } from '../../../pages/refusals.ts';
import type { ReadCell } from '../../../../storage-nodes/client/client.ts';
import { cellOf, type Visit } from '../../../pages/visit.ts';
import { listActions } from '../actions.ts';
import { doneWords } from '../done-words.ts';
import {
  folderQuery,
  LINES_PER_PAGE,
  linesFrom,
  lineView,
  type FolderRoute,
} from '../folders/folder-list.ts';
import {
  folderName,
  hasFolder,
  mailboxFrom,
  mailboxQueries,
  MAILBOX_QUERIES,
  moveTargets,
  sidebar,
} from '../folders/sidebar.ts';
import { awayNow, vacationFrom, vacationQuery } from '../vacation/away.ts';

const EMPTY_WORDS: Readonly<Record<string, string>> = {
  inbox: 'Nothing here yet. New messages appear by themselves.',
  snoozed: 'Nothing is snoozed. What you snooze comes back to the inbox at its time.',
  drafts: 'No drafts. What you begin to write is kept here.',
  outbox: 'Nothing waits to be sent.',
  sent: 'You have not sent anything yet.',
  archive: 'Nothing is archived. Archive a message to keep it out of the way.',
  spam: 'No spam. Lovely.',
  trash: 'The trash is empty.',
};

export function registerFolder(app: FastifyInstance, pages: Pages): void {
  app.get('/mail', (_request, reply) => reply.redirect('/mail/inbox', 303));

  app.get<FolderRoute>('/mail/:folder', async (request, reply) => {
    const { folder } = request.params;
    const bulkId = bulkIdOf(request.query);
    let cursor = cursorOf(request.query);
    let found = await readFolder(cursor);
    if (!hasFolder(found.mailbox, folder)) {
      throw notFound(`There is no folder “${folder.slice(0, 64)}”: choose one on the left.`);
    }
    // In front of a key there is less than a page: show the first page, whole.
    if (cursor.kind === 'before' && found.lines.length < LINES_PER_PAGE) {
      cursor = { kind: 'first' };
      found = await readFolder(cursor);
    }
    const { mailbox, lines } = found;
    const total = mailbox.counts[folder]?.total ?? 0;
    const page = pageOf(cursor, lines, LINES_PER_PAGE, total, ({ order }) => order);
    const view = {
      title: folderName(mailbox, folder),
      section: 'mail' as const,
      ...doneWords(request.query),
      data: {
        folders: sidebar(mailbox, folder),
        ...listData(folder),
        list: {
          rows: page.rows.map((line) => lineView(line, folder)),
          page,
          empty: EMPTY_WORDS[folder] ?? 'Nothing here yet. Move messages here from another folder.',
        },
        progress: found.progress,
        away: found.away,
        actions: listActions(folder, total),
        targets: moveTargets(mailbox, folder),
      },
    };
    if (request.query['fragment'] === 'list') {
      return pages.showFragment(request, reply, { ...view, template: 'web/mail/list/live-list.hbs' });
    }
    return pages.show(request, reply, { ...view, template: 'web/mail/list/folder.hbs' });

    async function readFolder(at: Cursor) {
      const visit = await pages.visits.require(request, (owner) => [
        ...mailboxQueries(owner),
        folderQuery(owner, folder, scanFor(at, LINES_PER_PAGE)),
        vacationQuery(owner),
        ...(bulkId === undefined ? [] : [{ get: bulkCell(owner, bulkId) }]),
      ]);
      const [lines = [], vacation, bulk] = visit.results.slice(MAILBOX_QUERIES);
      return {
        mailbox: mailboxFrom(visit.results),
        lines: linesFrom(lines),
        progress: progressOf(cellOf(bulk, readBulkProgress)),
        away: folder === 'inbox' ? awayHere(visit, vacation) : undefined,
      };
    }
  });
}

/** The inbox says so while the out-of-office replies are on. */
function awayHere({ profile }: Visit, vacation: readonly ReadCell[] | undefined) {
  const away = awayNow(vacationFrom(vacation), profile.locale ?? '', Date.now());
  return away?.state === 'over' ? undefined : away;
}

export function listData(folder: Folder) {
  return { folder, path: `/mail/${folder}`, act: `/mail/${folder}/do` };
}

function bulkIdOf(query: Record<string, unknown>): string | undefined {
  const { bulk } = query;
  return typeof bulk === 'string' && /^[a-z2-7]{26}$/.test(bulk) ? bulk : undefined;
}

/** How far a change to many conversations has come; undefined once it is done. */
function progressOf(progress: ReturnType<typeof readBulkProgress> | undefined) {
  if (progress === undefined) return undefined;
  const { pages, done, unmade, undone, conversations } = progress;
  const isDone = undone ? unmade >= pages : done >= pages;
  if (isDone) return undefined;
  return { undone, conversations, percent: Math.floor((100 * (undone ? unmade : done)) / pages) };
}
