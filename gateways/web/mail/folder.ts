/**
 * A folder of the mailbox: fifty rows a page, newest first. Session, counts and rows come from one read
 * of the account's tablet; a page costs the same however long the folder is.
 */
import type { FastifyInstance } from 'fastify';
import { isFolder, FOLDERS, type Folder } from '../../../domain/mail/events.ts';
import { readFolderCounts, type FolderCounts } from '../../../projections/folder.ts';
import { readInboxRow, type InboxRow } from '../../../projections/inbox.ts';
import { folderCountsRow, folderRow } from '../../../projections/keys.ts';
import type { ReadCell, ReadQuery } from '../../../storage-nodes/client/client.ts';
import type { Pages } from '../../pages/pages.ts';
import { cursorOf, pageOf, rowScan, scanFor, type ColumnRange, type Cursor } from '../../pages/paging.ts';
import { notFound } from '../../pages/refusals.ts';

export const ROWS_PER_PAGE = 50;

const FOLDER_WORDS: Readonly<Record<Folder, string>> = {
  inbox: 'Inbox',
  sent: 'Sent',
  archive: 'Archive',
  spam: 'Spam',
  trash: 'Trash',
};

const EMPTY_WORDS: Readonly<Record<Folder, string>> = {
  inbox: 'Nothing here yet. New messages appear by themselves.',
  sent: 'You have not sent anything yet.',
  archive: 'Nothing is archived. Archive a message to keep it out of the way.',
  spam: 'No spam. Lovely.',
  trash: 'The trash is empty.',
};

const DONE_WORDS: Readonly<Record<string, string>> = {
  sent: 'Your message is sent.',
  trashed: 'The message is in the trash.',
  deleted: 'The message is deleted for good.',
  moved: 'The message is moved.',
  unread: 'The message is marked as unread.',
};

export function registerFolder(app: FastifyInstance, pages: Pages): void {
  app.get('/mail', (_request, reply) => reply.redirect('/mail/inbox', 303));

  app.get<{ Params: { folder: string }; Querystring: Record<string, unknown> }>(
    '/mail/:folder',
    async (request, reply) => {
      const { folder } = request.params;
      if (!isFolder(folder)) {
        await pages.visits.require(request);
        throw notFound(`There is no folder “${folder.slice(0, 64)}”: choose one on the left.`);
      }
      let cursor = cursorOf(request.query);
      let found = await readFolder(cursor);
      // In front of a key there is less than a page: show the first page, whole.
      if (cursor.kind === 'before' && found.rows.length < ROWS_PER_PAGE) {
        cursor = { kind: 'first' };
        found = await readFolder(cursor);
      }
      const page = pageOf(
        cursor,
        found.rows,
        ROWS_PER_PAGE,
        found.counts[folder as Folder]?.total ?? 0,
        (row) => row.order,
      );
      const view = {
        title: FOLDER_WORDS[folder],
        section: 'mail' as const,
        done: typeof request.query['done'] === 'string' ? DONE_WORDS[request.query['done']] : undefined,
        data: {
          folders: folderLinks(found.counts, folder),
          list: { rows: page.rows.map((row) => rowView(row, folder)), page, empty: EMPTY_WORDS[folder] },
          path: `/mail/${folder}`,
          folder,
        },
      };
      if (request.query['fragment'] === 'list') {
        return pages.showFragment(request, reply, { ...view, template: 'web/mail/live-list.hbs' });
      }
      return pages.show(request, reply, { ...view, template: 'web/mail/folder.hbs' });

      async function readFolder(at: Cursor) {
        const visit = await pages.visits.require(request, (owner) => [
          countsQuery(owner),
          folderQuery(owner, folder as Folder, scanFor(at, ROWS_PER_PAGE)),
        ]);
        return { counts: countsFrom(visit.results[0] ?? []), rows: rowsFrom(visit.results[1] ?? []) };
      }
    },
  );
}

export type FolderRow = InboxRow & { readonly order: string };

/** The counts of all folders: at most five cells. */
export function countsQuery(owner: string): ReadQuery {
  return rowScan(folderCountsRow(owner), { reverse: false, limit: FOLDERS.length });
}

export function countsFrom(cells: readonly ReadCell[]): Partial<Record<Folder, FolderCounts>> {
  return Object.fromEntries(
    cells.flatMap((cell) => (cell.bytes === undefined ? [] : [[cell.column, readFolderCounts(cell.bytes)]])),
  );
}

/** Rows of a folder in key order, newest first. */
export function folderQuery(owner: string, folder: Folder, range: ColumnRange): ReadQuery {
  return rowScan(folderRow(owner, folder), range);
}

export function rowsFrom(cells: readonly ReadCell[]): FolderRow[] {
  return cells.flatMap((cell) =>
    cell.bytes === undefined ? [] : [{ ...readInboxRow(cell.bytes), order: cell.column }],
  );
}

/** The folders as links, with the number of unread messages, which matters in neither Sent nor Trash. */
export function folderLinks(counts: Partial<Record<Folder, FolderCounts>>, current: Folder | undefined) {
  return FOLDERS.map((folder) => ({
    folder,
    words: FOLDER_WORDS[folder],
    current: folder === current,
    unread: folder === 'sent' || folder === 'trash' ? 0 : (counts[folder]?.unread ?? 0),
  }));
}

/** What a row of the list shows: in Sent, whom it went to; else, whom it came from. */
export function rowView(row: FolderRow, folder: Folder, selected?: string) {
  const who = folder === 'sent' ? row.to.first : row.from;
  const others = folder === 'sent' && row.to.count > 1 ? ` and ${row.to.count - 1} more` : '';
  return {
    url: `/mail/${folder}/${row.id}`,
    who: `${folder === 'sent' ? 'To ' : ''}${who?.name || who?.address || 'Unknown sender'}${others}`,
    subject: row.subject || '(no subject)',
    snippet: row.snippet,
    at: row.at,
    unread: !row.read,
    attachments: row.attachments > 0,
    selected: row.id === selected,
  };
}
