/**
 * What can be asked of a drive, and the checks that untrusted data passes first.
 *
 * A file of `size` bytes is cut into ceil(size / CHUNK_BYTES) chunks, all but the last of CHUNK_BYTES;
 * an empty file has none. File names are what people type, never a path: the rule below is the only one,
 * and names that differ in a single byte are different names.
 */
import type { Content } from '../decider.ts';
import {
  fieldsOf,
  hasControlCharacter,
  parsed,
  partAtMost,
  partText,
  partsAre,
  randomId,
  refuse,
  sha256Hex,
  whole,
} from '../fields.ts';

export const CHUNK_BYTES = 1024 * 1024;
export const FILE_BYTES_MAX = 1024 ** 4;
export const FILE_NAME_BYTES_MAX = 255;
const MEDIA_TYPE_BYTES_MAX = 255;
export const ROOT_FOLDER = 'root';

export type StoreChunk = { readonly fileId: string; readonly chunk: number };
export type AddFile = {
  readonly fileId: string;
  readonly folderId: string;
  readonly size: number;
  readonly chunks: number;
  readonly sha256: string;
};

/** How many chunks a file of `size` bytes has. */
export function chunkCount(size: number): number {
  return Math.ceil(size / CHUNK_BYTES);
}

/** Part: the chunk's bytes. */
export function parseStoreChunk(data: unknown, content: Content) {
  return parsed((): StoreChunk => {
    const { fileId, chunk } = fieldsOf(data, ['fileId', 'chunk']);
    partsAre(content, 'bytes');
    partAtMost(content, 0, 'chunk', CHUNK_BYTES);
    if (content.length(0) === 0) {
      refuse('Malformed', `A chunk must have 1 to ${CHUNK_BYTES} bytes; this one is empty.`, {
        field: 'chunk',
        limit: CHUNK_BYTES,
      });
    }
    return {
      fileId: randomId(fileId, 'fileId'),
      chunk: whole(chunk, 'chunk', 0, chunkCount(FILE_BYTES_MAX) - 1),
    };
  });
}

/** Parts: the file's name, its media type. */
export function parseAddFile(data: unknown, content: Content) {
  return parsed((): AddFile => {
    const fields = fieldsOf(data, ['fileId', 'folderId', 'size', 'chunks', 'sha256']);
    partsAre(content, 'file name', 'media type');
    checkFileName(content, 0);
    checkMediaType(content, 1);
    const size = fileSize(fields.size);
    const chunks = whole(fields.chunks, 'chunks', 0, chunkCount(FILE_BYTES_MAX));
    if (chunks !== chunkCount(size)) {
      refuse(
        'Malformed',
        `Chunks must be ${chunkCount(size)} for a file of ${size} bytes; this says ${chunks}.`,
        {
          field: 'chunks',
          limit: chunkCount(size),
        },
      );
    }
    return {
      fileId: randomId(fields.fileId, 'fileId'),
      folderId: fields.folderId === ROOT_FOLDER ? ROOT_FOLDER : randomId(fields.folderId, 'folderId'),
      size,
      chunks,
      sha256: sha256Hex(fields.sha256, 'sha256'),
    };
  });
}

/**
 * What is wrong with a file name, as the end of the sentence "File name must …"; undefined: nothing is.
 * Exported so that a gateway can refuse a name before the upload begins.
 */
export function fileNameFault(name: string): string | undefined {
  const bytes = name.length > FILE_NAME_BYTES_MAX ? name.length : new TextEncoder().encode(name).length;
  if (bytes < 1 || bytes > FILE_NAME_BYTES_MAX) return `be 1 to ${FILE_NAME_BYTES_MAX} bytes of UTF-8`;
  if (name.includes('/')) return 'not contain "/"';
  if (name.includes('\0')) return 'not contain NUL';
  if (hasControlCharacter(name)) return 'not contain control characters (line breaks, tabs and the like)';
  if (/[\ud800-\udfff]/u.test(name)) return 'be valid Unicode text, without lone surrogates';
  if (name === '.' || name === '..') return 'not be "." or ".."';
  return undefined;
}

function checkFileName(content: Content, part: number): void {
  const fault = fileNameFault(partText(content, part, 'file name', 1, FILE_NAME_BYTES_MAX));
  if (fault !== undefined) {
    refuse('Malformed', `File name must ${fault}.`, { field: 'file name', limit: FILE_NAME_BYTES_MAX });
  }
}

/** RFC 6838 §4.2 names, with or without parameters. */
const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*( *;[\x20-\x7e]*)?$/;

function checkMediaType(content: Content, part: number): void {
  if (!MEDIA_TYPE.test(partText(content, part, 'media type', 1, MEDIA_TYPE_BYTES_MAX))) {
    refuse('Malformed', 'Media type must look like "text/plain".', {
      field: 'media type',
      limit: MEDIA_TYPE_BYTES_MAX,
    });
  }
}

function fileSize(value: unknown): number {
  const size = whole(value, 'size', 0, Number.MAX_SAFE_INTEGER);
  if (size > FILE_BYTES_MAX) {
    refuse('TooLarge', `A file must be at most ${FILE_BYTES_MAX} bytes (1 TiB).`, {
      field: 'size',
      limit: FILE_BYTES_MAX,
    });
  }
  return size;
}
