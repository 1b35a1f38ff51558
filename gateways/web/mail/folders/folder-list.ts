/** The list of a folder: what is read for it, and what of it a page shows. */
import type { Folder } from '../../../../domain/mail/folders.ts';
import { folderRow } from '../../../../projections/keys.ts';
import { readFolderLine, type FolderLine } from '../../../../projections/mailbox-cells.ts';
import type { ReadCell, ReadQuery } from '../../../../storage-nodes/client/client.ts';
import { rowScan, type ColumnRange } from '../../../pages/paging.ts';

export const LINES_PER_PAGE = 50;

export type FolderRoute = { Params: { folder: string }; Querystring: Record<string, unknown> };

/** `order`: its column in the folder's row. */
export type ListedLine = FolderLine & { readonly order: string };

/** Lines of a folder in key order, newest first. */
export function folderQuery(owner: string, folder: Folder, range: ColumnRange): ReadQuery {
  return rowScan(folderRow(owner, folder), range);
}

export function linesFrom(cells: readonly ReadCell[]): ListedLine[] {
  return cells.flatMap(({ column, bytes }) =>
    bytes === undefined ? [] : [{ ...readFolderLine(bytes), order: column }],
  );
}

/** `selected`: the conversation that is open beside the list. */
export function lineView(line: ListedLine, folder: Folder, selected?: string) {
  const { thread, newest, subject, snippet, at, count, unread, starred, attachments, until } = line;
  return {
    thread,
    url: folder === 'drafts' ? `/mail/compose?draft=${newest}` : `/mail/${folder}/${newest}`,
    who: whoWords(line),
    subject: subject || '(no subject)',
    snippet,
    at,
    until: folder === 'snoozed' || folder === 'outbox' ? until : null,
    count: count > 1 ? count : undefined,
    unread: unread > 0,
    starred,
    attachments,
    selected: thread === selected,
  };
}

/** "Ann, me, Bob"; of one's own messages, "To Ann and 2 more". */
function whoWords({ who, own, others }: FolderLine): string {
  if (own) return `To ${who[0] || 'nobody yet'}${others > 0 ? ` and ${others} more` : ''}`;
  return who.map((name) => name || 'me').join(', ') || 'Unknown sender';
}
