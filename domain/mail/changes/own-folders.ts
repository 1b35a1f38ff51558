/**
 * Folders of one's own are made, renamed, moved under others, deleted with what lies in them, and brought back.
 * The name comes as a part, and folded (in one spelling) as another, which tells whether it is taken.
 */
import { ACCOUNT_KEY, accountFault } from '../../account/evolve.ts';
import type { CommandHandler, Content, EventHandler, StateKey } from '../../decider.ts';
import {
  fieldsOf,
  hasControlCharacter,
  parsed,
  partsAre,
  partText,
  randomId,
  refuse,
  whole,
} from '../../fields.ts';
import { bulkKey, type BulkSlice } from './bulk-slices.ts';
import { checkPages, started, undone } from './bulk.ts';
import { happened, noSuchFolder, nothing, refused } from '../decisions.ts';
import type { FolderChanged, FolderCreated, FolderDeleted, FolderRestored } from '../events.ts';
import {
  branchOf,
  depthOf,
  FOLDER_DEPTH_MAX,
  FOLDER_NAME_BYTES_MAX,
  FOLDERS_KEY,
  FOLDERS_MAX,
  foldersOf,
  isThere,
  type FoldersSlice,
} from '../folders.ts';

type PlacedFolder = { readonly folderId: string; readonly parent: string | null };
export type DeleteFolder = {
  readonly folderId: string;
  readonly bulkId: string;
  /** How many messages the pages' conversations are known to have there. */
  readonly messages: number;
};
export type RestoreFolder = { readonly folders: readonly string[]; readonly bulkId: string | null };

/** Parts: the name, the name folded. */
export const createFolder: CommandHandler<PlacedFolder> = {
  parse: parsePlacedFolder,
  reads: () => [ACCOUNT_KEY, FOLDERS_KEY],
  decide({ folderId, parent }, slices, { stream, content }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const folders = foldersOf(slices(FOLDERS_KEY));
    if (folders[folderId] !== undefined) return nothing;
    if (countOf(folders) >= FOLDERS_MAX) return tooMany;
    const misplaced = placeFault(folders, folderId, parent, 1, content.digest(1));
    if (misplaced) return misplaced;
    return happened({ type: 'mail.FolderCreated', version: 1, data: { folderId, parent } });
  },
};

/** A new name, a new place, or both. Parts: the name, the name folded, and both as they were. */
export const changeFolder: CommandHandler<PlacedFolder> = {
  parse: (data, content) =>
    parsed((): PlacedFolder => {
      partsAre(content, 'name', 'folded name', 'name before', 'folded name before');
      return placedFolder(data, content);
    }),
  reads: () => [ACCOUNT_KEY, FOLDERS_KEY],
  decide({ folderId, parent }, slices, { stream, content }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const folders = foldersOf(slices(FOLDERS_KEY));
    const folder = folders[folderId];
    if (folder === undefined || folder.deleted === true) return noSuchFolder(folderId);
    const name = content.digest(1);
    if (content.digest(3) !== folder.name) {
      return refused('ChangedSince', 'This folder has been renamed meanwhile.', 'name');
    }
    const branch = branchOf(folders, folderId);
    if (parent !== null && branch.includes(parent)) {
      return refused('Malformed', 'A folder cannot lie in itself, nor in a folder below it.', 'parent');
    }
    const height = Math.max(...branch.map((id) => depthOf(folders, id))) - depthOf(folders, folderId) + 1;
    const misplaced = placeFault(folders, folderId, parent, height, name);
    if (misplaced) return misplaced;
    if (folder.parent === parent && content.digest(0) === content.digest(2)) return nothing;
    return happened({
      type: 'mail.FolderChanged',
      version: 1,
      data: { folderId, parent, parentBefore: folder.parent },
    });
  },
};

/** Parts: pages of the conversations that lie in it and below it; none if there are none. */
export const deleteFolder: CommandHandler<DeleteFolder> = {
  parse: (data, content) =>
    parsed((): DeleteFolder => {
      const { folderId, bulkId, messages } = fieldsOf(data, ['folderId', 'bulkId', 'messages']);
      if (content.count > 0) checkPages(content, content.count);
      return {
        folderId: randomId(folderId, 'folderId'),
        bulkId: randomId(bulkId, 'bulkId'),
        messages: whole(messages, 'messages', 0, Number.MAX_SAFE_INTEGER),
      };
    }),
  reads: ({ bulkId }) => [ACCOUNT_KEY, FOLDERS_KEY, bulkKey(bulkId)],
  decide({ folderId, bulkId, messages }, slices, { stream, content }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const folders = foldersOf(slices(FOLDERS_KEY));
    if (!isThere(folders, folderId))
      return folders[folderId] === undefined ? noSuchFolder(folderId) : nothing;
    const branch = branchOf(folders, folderId);
    const lying = branch.reduce((sum, id) => sum + (folders[id]?.messages ?? 0), 0);
    if (lying !== messages) {
      return refused(
        'ChangedSince',
        'Messages were moved there meanwhile: please try again.',
        'messages',
        lying,
      );
    }
    const forgotten = longDeleted(folders);
    const deleted: FolderDeleted = {
      type: 'mail.FolderDeleted',
      version: 1,
      data: { folders: branch, ...(forgotten.length > 0 && { forgotten }) },
    };
    if (content.count === 0) return happened(deleted);
    return happened(
      deleted,
      started({ bulkId, in: branch, to: { folder: 'trash' } }, content, content.count),
    );
  },
};

export const restoreFolder: CommandHandler<RestoreFolder> = {
  parse: (data, content) =>
    parsed((): RestoreFolder => {
      const { folders, bulkId } = fieldsOf(data, ['folders', 'bulkId']);
      partsAre(content);
      if (!Array.isArray(folders) || folders.length < 1 || folders.length > FOLDERS_MAX) {
        refuse('Malformed', `Folders must be a list of 1 to ${FOLDERS_MAX} ids.`, {
          field: 'folders',
          limit: FOLDERS_MAX,
        });
      }
      return {
        folders: folders.map((id: unknown) => randomId(id, 'folders')),
        bulkId: bulkId === null ? null : randomId(bulkId, 'bulkId'),
      };
    }),
  reads: ({ bulkId }) => [ACCOUNT_KEY, FOLDERS_KEY, ...bulkReads(bulkId)],
  decide({ folders: branch, bulkId }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const folders = foldersOf(slices(FOLDERS_KEY));
    const unknown = branch.find((id) => folders[id] === undefined);
    if (unknown !== undefined) return noSuchFolder(unknown);
    if (branch.every((id) => folders[id]?.deleted !== true)) return nothing;
    // They were deleted as one; whether they can be there again is seen where all of them are.
    const after = withEach(folders, branch, back);
    if (countOf(after) > FOLDERS_MAX) return tooMany;
    for (const id of branch) {
      const misplaced = placeFault(after, id, after[id]?.parent ?? null, 1, after[id]?.name);
      if (misplaced) return misplaced;
    }
    const restored: FolderRestored = { type: 'mail.FolderRestored', version: 1, data: { folders: branch } };
    const bulk = bulkId === null ? undefined : (slices(bulkKey(bulkId)) as BulkSlice | undefined);
    if (bulkId === null || bulk === undefined || bulk.undone) return happened(restored);
    return happened(restored, undone(bulkId, bulk.pages));
  },
};

const touches = (): readonly StateKey[] => [FOLDERS_KEY];

export const folderCreated: EventHandler = {
  touches,
  evolve(_key, slice, event, content): FoldersSlice {
    const { folderId, parent } = (event as FolderCreated).data;
    return { ...foldersOf(slice), [folderId]: { parent, name: content.digest(1) ?? '', messages: 0 } };
  },
};

export const folderChanged: EventHandler = {
  touches,
  evolve(_key, slice, event, content): FoldersSlice {
    const { folderId, parent } = (event as FolderChanged).data;
    const folders = foldersOf(slice);
    const before = folders[folderId];
    if (before === undefined) return folders;
    return { ...folders, [folderId]: { ...before, parent, name: content.digest(1) ?? '' } };
  },
};

export const folderDeleted: EventHandler = {
  touches,
  evolve(_key, slice, event): FoldersSlice {
    const { folders: branch, forgotten = [] } = (event as FolderDeleted).data;
    const folders = foldersOf(slice);
    const staying = Object.entries(folders).filter(([id]) => !branch.includes(id) && !forgotten.includes(id));
    const leaving = branch.flatMap((id) =>
      folders[id] === undefined ? [] : [[id, { ...folders[id], deleted: true }] as const],
    );
    return Object.fromEntries([...staying, ...leaving]);
  },
};

export const folderRestored: EventHandler = {
  touches,
  evolve: (_key, slice, event) => withEach(foldersOf(slice), (event as FolderRestored).data.folders, back),
};

/** Deleted folders that can be restored; with them the folders of an account are bounded, too. */
const DELETED_KEPT = 100;

const tooMany = refused(
  'TooLarge',
  `There are ${FOLDERS_MAX} folders, which is the limit.`,
  'folder',
  FOLDERS_MAX,
);

/** Those deleted first, beyond what is kept for undo: they stand in the order in which they were deleted. */
function longDeleted(folders: FoldersSlice): string[] {
  const empty = Object.entries(folders).filter(([, { deleted, messages }]) => deleted && messages === 0);
  return empty.slice(0, -DELETED_KEPT).map(([id]) => id);
}

function countOf(folders: FoldersSlice): number {
  return Object.values(folders).filter(({ deleted }) => deleted !== true).length;
}

function back({ parent, name, messages }: FoldersSlice[string]): FoldersSlice[string] {
  return { parent, name, messages };
}

function withEach(
  folders: FoldersSlice,
  ids: readonly string[],
  change: (folder: FoldersSlice[string]) => FoldersSlice[string],
): FoldersSlice {
  const changed = ids.flatMap((id) =>
    folders[id] === undefined ? [] : [[id, change(folders[id])] as const],
  );
  return { ...folders, ...Object.fromEntries(changed) };
}

function bulkReads(bulkId: string | null): StateKey[] {
  return bulkId === null ? [] : [bulkKey(bulkId)];
}

/** `height`: how many levels the folder has, itself included. */
function placeFault(
  folders: FoldersSlice,
  folderId: string,
  parent: string | null,
  height: number,
  name: string | undefined,
): ReturnType<typeof refused> | undefined {
  if (parent !== null && !isThere(folders, parent)) return noSuchFolder(parent);
  const depth = parent === null ? 0 : depthOf(folders, parent);
  if (depth + height > FOLDER_DEPTH_MAX) {
    const message = `Folders lie at most ${FOLDER_DEPTH_MAX} deep.`;
    return refused('TooLarge', message, 'parent', FOLDER_DEPTH_MAX);
  }
  const isTaken = Object.entries(folders).some(
    ([id, other]) =>
      id !== folderId && other.parent === parent && other.name === name && other.deleted !== true,
  );
  return isTaken
    ? refused('NameTaken', 'There is a folder of this name: choose another name.', 'name')
    : undefined;
}

function parsePlacedFolder(data: unknown, content: Content) {
  return parsed((): PlacedFolder => {
    partsAre(content, 'name', 'folded name');
    return placedFolder(data, content);
  });
}

function placedFolder(data: unknown, content: Content): PlacedFolder {
  const { folderId, parent } = fieldsOf(data, ['folderId', 'parent']);
  for (let part = 0; part < content.count; part++) {
    const name = partText(content, part, 'name', 1, FOLDER_NAME_BYTES_MAX);
    if (hasControlCharacter(name)) {
      refuse('Malformed', 'Name must not contain control characters.', { field: 'name' });
    }
  }
  return {
    folderId: randomId(folderId, 'folderId'),
    parent: parent === null ? null : randomId(parent, 'parent'),
  };
}
