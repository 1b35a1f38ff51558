/**
 * The state that drive decisions read. In a chunk's stream: 'chunk'. In the account's stream: one slice
 * per file, and one per name in use in a folder, which is what makes names unique.
 */
import type { Content, EventHandler, StateKey } from '../decider.ts';
import { decodeText } from '../fields.ts';
import type { ChunkStored, DriveEvent, FileAdded } from './events.ts';

/** `digest` is null once the bytes are erased: nothing can be compared with them any more. */
export type ChunkSlice = { readonly digest: string | null; readonly length: number };
/** `name` is null once it is erased. `sha256` is of the whole file. */
export type FileSlice = {
  readonly folderId: string;
  readonly name: string | null;
  readonly size: number;
  readonly sha256: string;
};
export type NameSlice = { readonly fileId: string };

export const CHUNK_KEY: StateKey = 'chunk';
export const fileKey = (fileId: string): StateKey => `file/${fileId}`;
export const folderKey = (folderId: string): StateKey => `folder/${folderId}`;
export const nameKey = (folderId: string, name: string): StateKey => `name/${folderId}/${name}`;

/** The name that FileAdded and AddFile bring in part 0; undefined when it was erased. */
export function fileName(content: Content): string | undefined {
  return decodeText(content.bytes(0));
}

export const driveEvents: { readonly [Type in DriveEvent['type']]: EventHandler } = {
  'drive.ChunkStored': {
    touches: () => [CHUNK_KEY],
    evolve: (_key, _slice, _event: ChunkStored, content): ChunkSlice => ({
      digest: content.digest(0) ?? null,
      length: content.length(0),
    }),
  },
  'drive.FileAdded': {
    touches(event: FileAdded, content) {
      const { fileId, folderId } = event.data;
      const name = fileName(content);
      return name === undefined ? [fileKey(fileId)] : [fileKey(fileId), nameKey(folderId, name)];
    },
    evolve(key, _slice, event: FileAdded, content): FileSlice | NameSlice {
      const { fileId, folderId, size, sha256 } = event.data;
      if (key === fileKey(fileId)) return { folderId, name: fileName(content) ?? null, size, sha256 };
      return { fileId };
    },
  },
};
