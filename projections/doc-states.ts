/**
 * Where the messages of a segment of the search index lie and how they are marked, three bytes each, so that
 * "unread in this folder" or "not in the trash" is told for a million messages without opening one.
 *
 *   cell = u48 when the first of them came (ms) | 256 times: u8 flags, u16 hash of the folder
 *
 * Two folders may have one hash: whoever shows a result looks at the message's conversation as well.
 */
import type { Folder } from '../domain/mail/folders.ts';
import { SEGMENT_DOCS } from './word-blocks.ts';

/** `dated`: it is older than its place among the others says, because it was imported. */
export const DOC = { present: 1, read: 2, starred: 4, attachment: 8, dated: 16 } as const;

const HEAD_BYTES = 6;
const STATE_BYTES = 3;

export type DocState = { readonly flags: number; readonly folder: number };

/** 16 bits of FNV-1a. */
export function folderHash(folder: Folder): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < folder.length; i++) hash = Math.imul(hash ^ folder.charCodeAt(i), 0x01000193) >>> 0;
  return (hash ^ (hash >>> 16)) & 0xffff;
}

/** A segment without messages, the first of which comes at `at`. */
export function newStates(at: number): Uint8Array {
  const cell = new Uint8Array(HEAD_BYTES + STATE_BYTES * SEGMENT_DOCS);
  for (let i = 0, rest = at; i < HEAD_BYTES; i++, rest = Math.floor(rest / 256)) {
    cell[HEAD_BYTES - 1 - i] = rest % 256;
  }
  return cell;
}

export function firstAt(cell: Uint8Array): number {
  let at = 0;
  for (let i = 0; i < HEAD_BYTES; i++) at = at * 256 + cell[i]!;
  return at;
}

/** `doc`: within its segment, or in all. */
export function stateAt(cell: Uint8Array, doc: number): DocState {
  const at = HEAD_BYTES + STATE_BYTES * (doc % SEGMENT_DOCS);
  return { flags: cell[at]!, folder: cell[at + 1]! * 256 + cell[at + 2]! };
}

/** A copy in which the message has this state. */
export function withState(cell: Uint8Array, doc: number, { flags, folder }: DocState): Uint8Array {
  const copy = cell.slice();
  copy.set([flags, folder >>> 8, folder & 255], HEAD_BYTES + STATE_BYTES * (doc % SEGMENT_DOCS));
  return copy;
}
