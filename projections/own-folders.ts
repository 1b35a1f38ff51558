/** The folders that someone made, by name, and where they hang. A deleted one is kept, out of sight, as long as it can be restored. */
import type { Content } from '../domain/decider.ts';
import { decodeText } from '../domain/fields.ts';
import type { FolderChanged, FolderCreated, FolderDeleted, FolderRestored } from '../domain/mail/events.ts';
import { cellFormat, flag, orNull, record, text } from './cell-format.ts';
import { ownFolderCell } from './keys.ts';
import type { CellKey, Mutation, Projection } from './projection.ts';

export type OwnFolderRow = {
  /** '' once it was erased. */
  readonly name: string;
  readonly parent: string | null;
  readonly deleted: boolean;
};

const row = cellFormat<OwnFolderRow>('a folder', record({ name: text, parent: orNull(text), deleted: flag }));

/** Throws on bytes that this projection cannot have written. */
export const readOwnFolder = (bytes: Uint8Array): OwnFolderRow => row.read(bytes);

type Heard = FolderCreated | FolderChanged | FolderDeleted | FolderRestored;
const types: readonly Heard['type'][] = [
  'mail.FolderCreated',
  'mail.FolderChanged',
  'mail.FolderDeleted',
  'mail.FolderRestored',
];

export const ownFoldersProjection: Projection = {
  name: 'own folders',
  listensTo: new Set(types),
  priors: (event: Heard, entry): CellKey[] =>
    'folders' in event.data ? event.data.folders.map((id) => ownFolderCell(entry.stream, id)) : [],
  project(event: Heard, entry, content, prior): Mutation[] {
    const owner = entry.stream;
    if (!('folders' in event.data)) {
      const { folderId, parent } = event.data;
      return [put(ownFolderCell(owner, folderId), { name: nameOf(content), parent, deleted: false })];
    }
    const deleted = event.type === 'mail.FolderDeleted';
    const { forgotten = [] } = event.type === 'mail.FolderDeleted' ? event.data : {};
    const gone = forgotten.map((id): Mutation => ({ delete: ownFolderCell(owner, id) }));
    const changed = event.data.folders.flatMap((id) => {
      const cell = ownFolderCell(owner, id);
      const bytes = prior(cell);
      return bytes === undefined ? [] : [put(cell, { ...row.read(bytes), deleted })];
    });
    return [...changed, ...gone];
  },
};

function put(cell: CellKey, model: OwnFolderRow): Mutation {
  return { put: cell, value: { bytes: row.write(model) } };
}

function nameOf(content: Content): string {
  return decodeText(content.bytes(0)) ?? '';
}
