/** An account's messages, oldest first, as an export writes them: all that can be read, drafts too. */
import { GONE, isOwnFolder, type Folder } from '../../domain/mail/folders.ts';
import { metaCell, ownFoldersRow, rawCell } from '../../projections/keys.ts';
import { readConversation } from '../../projections/mailbox-cells.ts';
import { readMessageMeta } from '../../projections/message.ts';
import { readOwnFolder, type OwnFolderRow } from '../../projections/own-folders.ts';
import type { StoreClient } from '../../storage-nodes/client/client.ts';
import { draftAsMessage } from './drafts.ts';
import { exportedFields } from './marks.ts';
import { mboxEntry } from './mbox.ts';

const CELLS_AT_ONCE = 200;

export type Listed = {
  readonly id: string;
  readonly folder: Folder;
  readonly read: boolean;
  readonly starred: boolean;
  readonly at: number;
};

/** In memory all at once: about 200 bytes for each. */
export async function messagesOf(store: StoreClient, owner: string): Promise<Listed[]> {
  const listed: Listed[] = [];
  const [from, to] = [`${owner}/mail/thread/`, `${owner}/mail/thread0`];
  let after: { row: string; column: string } | undefined;
  for (;;) {
    const cells = await store.scanTable({ from, to, ...(after && { after }), limit: CELLS_AT_ONCE });
    for (const cell of cells) {
      for (const { id, folder, read, starred, at } of readConversation(await store.bytes(cell)).messages) {
        if (folder !== GONE) listed.push({ id, folder, read, starred, at });
      }
    }
    const last = cells.at(-1);
    if (last === undefined || cells.length < CELLS_AT_ONCE) break;
    after = { row: last.row, column: last.column };
  }
  return listed.sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
}

/** Where folders lie: their names, outermost first. */
export async function folderPaths(
  store: StoreClient,
  owner: string,
): Promise<(folder: Folder) => readonly string[]> {
  const row = ownFoldersRow(owner);
  const scan = { from: { row, column: '' }, to: { row: `${row}\0`, column: '' }, limit: 1000 };
  const { results } = await store.read(owner, [{ scan }]);
  const own = new Map<string, OwnFolderRow>(
    results[0]!.flatMap(({ column, bytes }) => (bytes ? [[column, readOwnFolder(bytes)] as const] : [])),
  );
  const path = (folder: string): readonly string[] => {
    if (!isOwnFolder(folder)) return [folder];
    const { name, parent } = own.get(folder) ?? { name: 'archive', parent: null };
    return [...(parent === null ? [] : path(parent)), name];
  };
  return path;
}

/** The message as it stands in an mbox file; undefined if it was deleted meanwhile. */
export async function exported(
  store: StoreClient,
  owner: string,
  { id, read, starred, folder, at }: Listed,
  pathOf: (folder: Folder) => readonly string[],
): Promise<Buffer | undefined> {
  if (folder === 'drafts') return exportedDraft(store, owner, { id, read, starred, folder, at }, pathOf);
  const { results } = await store.read(owner, [{ get: rawCell(owner, id) }, { get: metaCell(owner, id) }]);
  const [raw, meta] = [results[0]?.[0], results[1]?.[0]];
  if (raw === undefined) return undefined;
  const message = await store.bytes(raw);
  const sender = meta === undefined ? '' : readMessageMeta(await store.bytes(meta)).from.address;
  const fields = exportedFields({ id, read, starred, dated: at, folder: pathOf(folder) });
  return mboxEntry(sender, at, Buffer.concat([Buffer.from(fields), message]));
}

async function exportedDraft(
  store: StoreClient,
  owner: string,
  { id, read, starred, folder, at }: Listed,
  pathOf: (folder: Folder) => readonly string[],
): Promise<Buffer | undefined> {
  const draft = await draftAsMessage(store, owner, id, at);
  if (draft === undefined) return undefined;
  const { from, typed, message } = draft;
  const fields = exportedFields({ id, read, starred, dated: at, folder: pathOf(folder), typed });
  return mboxEntry(from, at, Buffer.concat([Buffer.from(fields), message]));
}
