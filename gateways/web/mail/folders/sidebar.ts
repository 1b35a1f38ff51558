/** The folders beside every page of mail: those that every mailbox has, and one's own, with unread counts. */
import { SYSTEM_FOLDERS, type Folder, type SystemFolder } from '../../../../domain/mail/folders.ts';
import { folderCountsRow, ownFoldersRow } from '../../../../projections/keys.ts';
import { readFolderCounts, type FolderCounts } from '../../../../projections/mailbox-cells.ts';
import { readOwnFolder } from '../../../../projections/own-folders.ts';
import type { ReadCell, ReadQuery } from '../../../../storage-nodes/client/client.ts';
import { rowScan } from '../../../pages/paging.ts';

/** Those made and those deleted; more than there can be of both. */
const FOLDERS_READ_MAX = 2000;

const WORDS: Readonly<Record<SystemFolder, string>> = {
  inbox: 'Inbox',
  snoozed: 'Snoozed',
  drafts: 'Drafts',
  outbox: 'Outbox',
  sent: 'Sent',
  archive: 'Archive',
  spam: 'Spam',
  trash: 'Trash',
};

/** Unread counts help where mail comes in. */
const COUNTS_UNREAD: readonly Folder[] = ['inbox', 'archive', 'spam'];
/** How much lies there is what one wants to know. */
const COUNTS_ALL: readonly Folder[] = ['drafts', 'outbox', 'snoozed'];
/** Shown only while something lies in them. */
const SHOWN_IF_FILLED: readonly Folder[] = ['snoozed', 'outbox'];

export type OwnFolder = {
  readonly id: string;
  readonly name: string;
  readonly parent: string | null;
  /** 0 at the top. */
  readonly depth: number;
  /** "Work / Projects": as it is called where folders are chosen from. */
  readonly path: string;
};

/** What every page of mail knows of the mailbox. */
export type Mailbox = {
  readonly counts: Readonly<Record<string, FolderCounts>>;
  /** In the order in which they are listed: each behind its parent, by name. */
  readonly own: readonly OwnFolder[];
};

/** Their results, in this order, are what `mailboxFrom` takes. */
export function mailboxQueries(owner: string): ReadQuery[] {
  const everything = { reverse: false, limit: FOLDERS_READ_MAX };
  return [rowScan(folderCountsRow(owner), everything), rowScan(ownFoldersRow(owner), everything)];
}

export const MAILBOX_QUERIES = 2;

export function mailboxFrom(results: readonly (readonly ReadCell[])[]): Mailbox {
  const [counts = [], folders = []] = results;
  return {
    counts: Object.fromEntries(
      counts.flatMap(({ column, bytes }) => (bytes === undefined ? [] : [[column, readFolderCounts(bytes)]])),
    ),
    own: inOrder(
      folders.flatMap(({ column: id, bytes }) => {
        const row = bytes && readOwnFolder(bytes);
        return row === undefined || row.deleted
          ? []
          : [{ id, name: row.name || 'Unnamed', parent: row.parent }];
      }),
    ),
  };
}

/** Whether the address names a folder that is there. */
export function hasFolder(mailbox: Mailbox, folder: string): boolean {
  return folder in WORDS || mailbox.own.some(({ id }) => id === folder);
}

export function folderName(mailbox: Mailbox, folder: Folder): string {
  if (folder in WORDS) return WORDS[folder as SystemFolder];
  return mailbox.own.find(({ id }) => id === folder)?.name ?? 'A deleted folder';
}

/** `current`: the folder that the page is of; undefined: of none. */
export function sidebar(mailbox: Mailbox, current: Folder | undefined) {
  const { counts } = mailbox;
  const isShown = (folder: Folder) =>
    !SHOWN_IF_FILLED.includes(folder) || folder === current || (counts[folder]?.total ?? 0) > 0;
  return {
    system: SYSTEM_FOLDERS.filter(isShown).map((folder) => ({
      folder,
      words: WORDS[folder],
      icon: folder,
      current: folder === current,
      ...badge(folder, counts[folder]),
    })),
    own: mailbox.own.map(({ id, name, depth }) => ({
      folder: id,
      words: name,
      icon: 'folder',
      depth: Math.min(depth, 5),
      current: id === current,
      unread: counts[id]?.unread ?? 0,
    })),
  };
}

/** Where messages of this folder can be moved, for a choice. */
export function moveTargets(mailbox: Mailbox, from: Folder): { folder: Folder; words: string }[] {
  const system = (['inbox', 'archive', 'spam', 'trash'] as const).map((folder) => ({
    folder: folder as Folder,
    words: WORDS[folder],
  }));
  const own = mailbox.own.map(({ id, path }) => ({ folder: id, words: path }));
  return [...system, ...own].filter(({ folder }) => folder !== from);
}

function badge(folder: Folder, counts: FolderCounts | undefined): { unread?: number; total?: number } {
  if (COUNTS_UNREAD.includes(folder)) return { unread: counts?.unread ?? 0 };
  return COUNTS_ALL.includes(folder) ? { total: counts?.total ?? 0 } : {};
}

type Named = Pick<OwnFolder, 'id' | 'name' | 'parent'>;

function inOrder(folders: readonly Named[]): OwnFolder[] {
  const children = new Map<string | null, Named[]>();
  for (const folder of folders) {
    const beside = children.get(folder.parent);
    if (beside) beside.push(folder);
    else children.set(folder.parent, [folder]);
  }
  const below = (parent: string | null, depth: number, path: string): OwnFolder[] =>
    [...(children.get(parent) ?? [])]
      .sort((a, b) => a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1))
      .flatMap((folder) => {
        const named = path === '' ? folder.name : `${path} / ${folder.name}`;
        return [{ ...folder, depth, path: named }, ...below(folder.id, depth + 1, named)];
      });
  return below(null, 0, '');
}
