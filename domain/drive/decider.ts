/**
 * Decisions on drives. What always holds:
 *
 *   within a folder, no two files have the same name
 *   a chunk, once stored, never has other bytes: its stream is written once
 *   adding the same file again (same id and bytes) is accepted with no events, whatever name it got the
 *   first time: an upload that is sent again must not fail because its first try had to choose another
 *
 * A file may be added only by the gateway that has stored all its chunks: chunks lie in other streams,
 * which a decision cannot see.
 */
import { ACCOUNT_KEY, accountFault } from '../account/evolve.ts';
import type { CommandHandler, Decision, DomainArea } from '../decider.ts';
import { rejection, type Rejection } from '../errors.ts';
import { chunkStream } from '../streams.ts';
import { parseAddFile, parseStoreChunk, ROOT_FOLDER, type AddFile, type StoreChunk } from './commands.ts';
import type { ChunkStored, FileAdded } from './events.ts';
import {
  CHUNK_KEY,
  driveEvents,
  fileKey,
  fileName,
  folderKey,
  nameKey,
  type ChunkSlice,
  type FileSlice,
} from './evolve.ts';

export function createDrive(): DomainArea {
  return {
    commands: { 'drive.StoreChunk': storeChunk, 'drive.AddFile': addFile },
    events: driveEvents,
  };
}

const storeChunk: CommandHandler<StoreChunk> = {
  parse: parseStoreChunk,
  reads: () => [CHUNK_KEY],
  decide({ fileId, chunk }, slices, { stream, content }): Decision {
    if (stream !== chunkStream(fileId, chunk)) {
      return {
        rejection: rejection(
          'Malformed',
          `Chunk ${chunk} of this file belongs to ${chunkStream(fileId, chunk)}.`,
          {
            field: 'stream',
          },
        ),
      };
    }
    const stored = slices(CHUNK_KEY) as ChunkSlice | undefined;
    if (stored !== undefined) {
      return stored.digest === content.digest(0) ? { events: [] } : { rejection: otherBytes(chunk, stored) };
    }
    const event: ChunkStored = { type: 'drive.ChunkStored', version: 1, data: { fileId, chunk } };
    return { events: [event] };
  },
};

const addFile: CommandHandler<AddFile> = {
  parse: parseAddFile,
  reads({ fileId, folderId }, content) {
    const folder = folderId === ROOT_FOLDER ? [] : [folderKey(folderId)];
    return [ACCOUNT_KEY, ...folder, fileKey(fileId), nameKey(folderId, nameOf(fileName(content)))];
  },
  decide(data, slices, { stream, content }): Decision {
    const { fileId, folderId } = data;
    const name = nameOf(fileName(content));
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    if (folderId !== ROOT_FOLDER && slices(folderKey(folderId)) === undefined)
      return { rejection: noSuchFolder };

    const existing = slices(fileKey(fileId)) as FileSlice | undefined;
    if (existing !== undefined) {
      const same = existing.size === data.size && existing.sha256 === data.sha256;
      return same ? { events: [] } : { rejection: idInUse };
    }
    if (slices(nameKey(folderId, name)) !== undefined) return { rejection: nameTaken };

    const event: FileAdded = { type: 'drive.FileAdded', version: 1, data };
    return { events: [event] };
  },
};

/** A command's own name has passed `parse`; only a committed event's can be gone. */
function nameOf(name: string | undefined): string {
  if (name === undefined) throw new Error('defect: AddFile is being decided without its checked file name');
  return name;
}

function otherBytes(chunk: number, stored: ChunkSlice): Rejection {
  return rejection('ValueMismatch', `Chunk ${chunk} of this file is already stored, with other bytes.`, {
    field: 'chunk',
    details: { currentDigest: stored.digest },
  });
}

const noSuchFolder = rejection('NoSuchFolder', 'There is no such folder: it may have been deleted.', {
  field: 'folderId',
});

const idInUse = rejection('Malformed', 'The file id is in use by another file: choose a new random one.', {
  field: 'fileId',
});

const nameTaken = rejection(
  'NameTaken',
  'The folder already has a file with this name: choose another name.',
  {
    field: 'file name',
  },
);
