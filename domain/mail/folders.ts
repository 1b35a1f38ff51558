/**
 * The folders of a mailbox: those that every mailbox has, and those that people make. A folder of one's own
 * is known by a random id; its name is user content and lies in parts, what decisions need of it is here: a
 * digest of its name in one spelling (so that no two folders side by side have the same), where it hangs,
 * and how many messages lie in it (so that none is overlooked when it is deleted).
 */
import type { Json, StateKey } from '../decider.ts';

export const SYSTEM_FOLDERS = [
  'inbox',
  'snoozed',
  'drafts',
  'outbox',
  'sent',
  'archive',
  'spam',
  'trash',
] as const;
export type SystemFolder = (typeof SYSTEM_FOLDERS)[number];

/** Where messages are between "delete for good" and its end, while it can be undone. No page shows it. */
export const GONE = 'gone';

/** How long a deletion for good can be undone. */
export const GONE_MS = 10 * 60 * 1000;

/** A system folder, `GONE`, or the id of a folder that someone made. */
export type Folder = string;

export function isSystemFolder(value: unknown): value is SystemFolder {
  return (SYSTEM_FOLDERS as readonly unknown[]).includes(value);
}

/** 26 base32 characters, as all ids that gateways choose. */
export function isOwnFolder(folder: Folder): boolean {
  return /^[a-z2-7]{26}$/.test(folder);
}

/** Folders that people can move messages to; to the others messages come by what is done with them. */
export function takesMoves(folder: Folder): boolean {
  return isOwnFolder(folder) || ['inbox', 'archive', 'spam', 'trash'].includes(folder);
}

/** What can be deleted for good; what lies elsewhere goes to the trash first. */
const DELETED_FROM: readonly Folder[] = ['trash', 'spam', 'drafts'];
/** Drafts and what waits to be sent are not moved about; they are deleted, or taken back. */
const STAYING: readonly Folder[] = ['drafts', 'outbox', GONE];

/** Whether a message can be moved by hand. */
export function canGo(from: Folder, to: Folder): boolean {
  return to === GONE ? DELETED_FROM.includes(from) : !STAYING.includes(from);
}

export const FOLDERS_MAX = 500;
export const FOLDER_DEPTH_MAX = 6;
export const FOLDER_NAME_BYTES_MAX = 255;

export type OwnFolder = {
  readonly parent: string | null;
  /** sha256 of the folded name; '' once it was erased. */
  readonly name: string;
  readonly messages: number;
  /** Out of sight; it takes no messages. */
  readonly deleted?: true;
};
export type FoldersSlice = { readonly [id: string]: OwnFolder };

export const FOLDERS_KEY: StateKey = 'folders';

export function foldersOf(slice: Json | undefined): FoldersSlice {
  return (slice ?? {}) as FoldersSlice;
}

/** Whether messages can be moved there. */
export function isThere(folders: FoldersSlice, folder: Folder): boolean {
  if (!isOwnFolder(folder)) return takesMoves(folder);
  return folders[folder] !== undefined && folders[folder].deleted !== true;
}

/** How deep a folder lies: 1 at the top. */
export function depthOf(folders: FoldersSlice, id: string): number {
  let depth = 0;
  for (let at: string | null = id; at !== null && depth <= FOLDERS_MAX; at = folders[at]?.parent ?? null)
    depth++;
  return depth;
}

/** The folder and all below it, itself first. */
export function branchOf(folders: FoldersSlice, id: string): string[] {
  const branch = [id];
  for (let i = 0; i < branch.length; i++) {
    for (const [child, { parent, deleted }] of Object.entries(folders))
      if (parent === branch[i] && deleted !== true) branch.push(child);
  }
  return branch;
}

/** `by` messages more (or fewer) in one's own folder; other folders are not counted here. */
export function counted(folders: FoldersSlice, id: Folder, by: number): FoldersSlice {
  const folder = folders[id];
  if (folder === undefined) return folders;
  return { ...folders, [id]: { ...folder, messages: folder.messages + by } };
}
