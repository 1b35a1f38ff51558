/**
 * The drive: what a folder lists, a file's manifest (what a download needs to fetch its chunks), the
 * space used, and the chunks' bytes, which stay in the log and are only pointed at.
 */
import { CHUNK_BYTES } from '../domain/drive/commands.ts';
import type { Content } from '../domain/decider.ts';
import type { DriveEvent, FileAdded } from '../domain/drive/events.ts';
import { fileName } from '../domain/drive/evolve.ts';
import { decodeText } from '../domain/fields.ts';
import { cellFormat, natural, optional, record, text } from './cell-format.ts';
import { chunkCell, driveFileCell, manifestCell, usageCell } from './keys.ts';
import type { EntryFacts, Mutation, PriorCells, Projection } from './projection.ts';

/** One line of a folder. */
export type DriveRow = {
  readonly fileId: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
  readonly addedAt: number;
  /** Set when the name was erased; the file is then listed under its id. */
  readonly problem?: string;
};

export type FileManifest = {
  readonly fileId: string;
  readonly name: string;
  readonly folderId: string;
  /** Bytes. */
  readonly size: number;
  readonly chunks: number;
  /** Bytes of every chunk but the last. */
  readonly chunkBytes: number;
  /** Of the whole file, lower-case hex. */
  readonly sha256: string;
  readonly mediaType: string;
  readonly addedAt: number;
};

export type DriveUsage = { readonly files: number; readonly bytes: number };

/** The usage of a drive that has no cell yet. */
export const EMPTY_DRIVE: DriveUsage = { files: 0, bytes: 0 };

const driveRow = cellFormat<DriveRow>(
  'a drive row',
  record({
    fileId: text,
    name: text,
    size: natural,
    mediaType: text,
    addedAt: natural,
    problem: optional(text),
  }),
);
const manifest = cellFormat<FileManifest>(
  'a file manifest',
  record({
    fileId: text,
    name: text,
    folderId: text,
    size: natural,
    chunks: natural,
    chunkBytes: natural,
    sha256: text,
    mediaType: text,
    addedAt: natural,
  }),
);
const usage = cellFormat<DriveUsage>('drive usage', record({ files: natural, bytes: natural }));

/** Throws on bytes that this projection cannot have written; so do the other two. */
export const readDriveRow = (bytes: Uint8Array): DriveRow => driveRow.read(bytes);
export const readFileManifest = (bytes: Uint8Array): FileManifest => manifest.read(bytes);
export const readDriveUsage = (bytes: Uint8Array): DriveUsage => usage.read(bytes);

const types: readonly DriveEvent['type'][] = ['drive.ChunkStored', 'drive.FileAdded'];

export const driveProjection: Projection = {
  name: 'drive',
  listensTo: new Set(types),
  priors: (event: DriveEvent, entry) => (event.type === 'drive.FileAdded' ? [usageCell(entry.stream)] : []),
  project(event: DriveEvent, entry, content, prior): Mutation[] {
    switch (event.type) {
      case 'drive.ChunkStored':
        return [{ put: chunkCell(event.data.fileId, event.data.chunk), value: { part: 0 } }];
      case 'drive.FileAdded':
        return fileAdded(event, entry, content, prior);
    }
  },
};

function fileAdded({ data }: FileAdded, entry: EntryFacts, content: Content, prior: PriorCells): Mutation[] {
  const { fileId, folderId, size, chunks, sha256 } = data;
  const owner = entry.stream;
  const given = fileName(content);
  const name = given ?? fileId;
  const mediaType = decodeText(content.bytes(1)) ?? 'application/octet-stream';
  const addedAt = entry.time;
  const problem = given === undefined ? 'The name of this file was erased.' : undefined;
  const row = { fileId, name, size, mediaType, addedAt, problem };
  const file = { fileId, name, folderId, size, chunks, chunkBytes: CHUNK_BYTES, sha256, mediaType, addedAt };
  return [
    { put: driveFileCell(owner, folderId, name), value: { bytes: driveRow.write(row) } },
    { put: manifestCell(owner, fileId), value: { bytes: manifest.write(file) } },
    { put: usageCell(owner), value: { bytes: usage.write(grown(prior(usageCell(owner)), size)) } },
  ];
}

function grown(bytes: Uint8Array | undefined, size: number): DriveUsage {
  const before = bytes === undefined ? EMPTY_DRIVE : usage.read(bytes);
  // Sums beyond what a number holds exactly stop there: a wrong total must not stop a replica.
  return { files: before.files + 1, bytes: Math.min(before.bytes + size, Number.MAX_SAFE_INTEGER) };
}
