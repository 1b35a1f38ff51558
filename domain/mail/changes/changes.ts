/**
 * How messages change: what of each is different, before and after. One list of members says it all: read
 * models change by it, and its inverse undoes it.
 */
import type { EventHandler, Json, Slices, StateKey } from '../../decider.ts';
import { messagesOf, threadKey, withMarks, type Marks, type MessageState } from '../conversation.ts';
import { bulkStepKey, type BulkStepSlice } from './bulk-slices.ts';
import type { Change, MemberChange, MessagesChanged } from '../events.ts';
import { counted, FOLDERS_KEY, foldersOf, isOwnFolder, isThere, type FoldersSlice } from '../folders.ts';

/** The member for a message that shall have these marks; undefined if it has them. */
export function memberChange(
  message: MessageState,
  thread: string,
  wanted: Partial<Marks>,
): MemberChange | undefined {
  const names = (Object.keys(wanted) as (keyof Marks)[]).filter((name) => message[name] !== wanted[name]);
  if (names.length === 0) return undefined;
  const from = Object.fromEntries(names.map((name) => [name, message[name]])) as Partial<Marks>;
  const to = Object.fromEntries(names.map((name) => [name, wanted[name]])) as Partial<Marks>;
  return { id: message.id, thread, doc: message.doc, folder: message.folder, from, to };
}

/**
 * The members that lead back: each to what it was, if it still is what the change made of it. `blocked`: how
 * many are not, or are gone.
 */
export function undoing(
  changes: readonly Change[],
  slices: Slices,
): { members: MemberChange[]; blocked: number } {
  const members: MemberChange[] = [];
  let blocked = 0;
  for (const { id, thread, from, to } of changes) {
    const now = messagesOf(slices(threadKey(thread))).find((message) => message.id === id);
    const isAsLeft =
      now !== undefined && (Object.keys(to) as (keyof Marks)[]).every((name) => now[name] === to[name]);
    const back = isAsLeft ? memberChange(now, thread, from) : undefined;
    if (back === undefined) blocked++;
    else members.push(back);
  }
  return { members, blocked };
}

/** Whether a message can have these marks again: the folder, if it was in one of one's own, is there. */
export function isStillThere(folders: FoldersSlice, { folder }: Partial<Marks>): boolean {
  return folder === undefined || !isOwnFolder(folder) || isThere(folders, folder);
}

export const messagesChanged: EventHandler = {
  touches(event) {
    const { members, bulk } = (event as MessagesChanged).data;
    return [
      ...new Set(members.map(({ thread }) => threadKey(thread))),
      ...(members.some(changesFolderCounts) ? [FOLDERS_KEY] : []),
      ...(bulk === undefined ? [] : [bulkStepKey(bulk.id, bulk.page)]),
    ];
  },
  evolve(key, slice, event) {
    const { members, bulk } = (event as MessagesChanged).data;
    if (key === FOLDERS_KEY) return recounted(slice, members);
    if (bulk !== undefined && key === bulkStepKey(bulk.id, bulk.page)) {
      return bulk.undo
        ? undefined
        : ({
            members: members.map(({ id, thread, from, to }) => ({ id, thread, from, to })),
          } satisfies BulkStepSlice);
    }
    const own = members.filter(({ thread }) => threadKey(thread) === key);
    return withMarks(slice, new Map(own.map(({ id, to }) => [id, to])));
  },
};

/** The slices that a change of these conversations may touch. */
export function changeTouches(threads: Iterable<string>): StateKey[] {
  return [FOLDERS_KEY, ...[...new Set(threads)].map(threadKey)];
}

function changesFolderCounts({ from, to }: MemberChange): boolean {
  return to.folder !== undefined && (isOwnFolder(to.folder) || isOwnFolder(from.folder ?? ''));
}

function recounted(slice: Json | undefined, members: readonly MemberChange[]): Json {
  let folders = foldersOf(slice);
  for (const { from, to } of members) {
    if (to.folder === undefined || from.folder === undefined) continue;
    folders = counted(counted(folders, from.folder, -1), to.folder, 1);
  }
  return folders;
}
